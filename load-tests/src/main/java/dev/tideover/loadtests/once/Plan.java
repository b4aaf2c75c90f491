package dev.tideover.loadtests.once;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * What happens under one idempotency key: which clients send what, and when. The same for the same
 * seed and number.
 *
 * @param parts at least one; the first is the one that others may follow
 */
record Plan(String key, List<Part> parts) {

  private static final int ORDERING_KEYS = 97;
  private static final int GATEWAYS = 2;

  /**
   * One client. It sends its body again, under the same key, until it has a final answer.
   *
   * @param path of the route that has an ordering key, or of the one without
   * @param prefer its {@code Prefer} field
   * @param follows whether it begins so long after the first one's final answer, not with it
   * @param gateway the one that it begins with
   */
  record Part(
      String path,
      String body,
      @Nullable String prefer,
      boolean follows,
      long delayMillis,
      int gateway) {}

  /**
   * A plan.
   *
   * @param inbox whether some may use a key with another ordering key, which goes to another
   *     partition: only the inbox recognises that
   */
  static Plan of(String run, long seed, long number, boolean inbox) {
    SplittableRandom random = new SplittableRandom(seed * 1_000_003 + number);
    String key = run + "-" + number;
    boolean ordered = random.nextInt(3) == 0;
    String path = ordered ? "/keyed/k" + random.nextInt(ORDERING_KEYS) : "/plain/once";
    // Milliseconds of work before and after the effect. Most work briefly; long ones are for the
    // kills to hit, between the effect and the reply above all.
    int before = random.nextInt(20) == 0 ? 300 : 1 + random.nextInt(20);
    int after = random.nextInt(5) == 0 ? 300 : 0;
    int gateway = random.nextInt(GATEWAYS);
    int kind = random.nextInt(100);
    boolean impatient = kind >= 97;
    String rest = (impatient ? 1_500 : before) + " " + after + " " + number;
    String body = key + " a " + rest;
    String other = key + " b " + rest;
    String prefer = kind >= 94 && !impatient ? "respond-async" : impatient ? "wait=1" : null;

    String elsewhere =
        ordered && inbox && random.nextBoolean()
            ? "/keyed/k" + random.nextInt(ORDERING_KEYS)
            : path;

    List<Part> parts = new ArrayList<>();
    parts.add(new Part(path, body, prefer, false, 0, gateway));
    if (kind < 15) {
      // Again, though all went well.
      parts.add(new Part(path, body, null, true, random.nextInt(8_000), 1 - gateway));
    } else if (kind < 25) {
      // At the same time, with both gateways; some as ten.
      int more = random.nextInt(10) == 0 ? 9 : 1;
      for (int i = 0; i < more; i++) {
        parts.add(
            new Part(path, body, null, false, random.nextInt(30), (gateway + i + 1) % GATEWAYS));
      }
    } else if (kind < 32) {
      // Another request under the same key, later.
      parts.add(
          new Part(elsewhere, other, null, true, random.nextInt(4_000), random.nextInt(GATEWAYS)));
    } else if (kind < 38) {
      // Another request under the same key, now: either may be the first.
      parts.add(
          new Part(elsewhere, other, null, false, random.nextInt(30), random.nextInt(GATEWAYS)));
    }
    return new Plan(key, List.copyOf(parts));
  }
}
