package dev.tideover.gateway.release;

import dev.tideover.wire.DesiredState;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What is asked for with a release. Can't be built wrong.
 *
 * @param to the version to be active
 * @param from the one that is; null for the one that handles requests now
 * @param prepare how long to wait for instances of the new version, 0 to 1 h
 * @param maxHold how long requests may be held at most, 1 s to 10 min
 * @param verify how long the new version is on trial, 0 to 1 h
 * @param instances how many of the new version have to be ready, 1 to 1,000
 */
public record ReleaseOrder(
    String to,
    @Nullable String from,
    Duration prepare,
    Duration maxHold,
    Duration verify,
    int instances) {

  public static final Duration PREPARE = Duration.ofSeconds(60);
  public static final Duration MAX_HOLD = Duration.ofSeconds(60);
  public static final Duration VERIFY = Duration.ofSeconds(30);

  /** Checks it; the message of the exception is for who asked. */
  public ReleaseOrder {
    check(DesiredState.isVersion(to), "to", to);
    check(from == null || DesiredState.isVersion(from), "from", from);
    check(!to.equals(from), "to", to + ", which is also from");
    check(within(prepare, 0, 3_600), "prepare", prepare + ", expected 0 s to 1 h");
    check(within(maxHold, 1, 600), "maxHold", maxHold + ", expected 1 s to 10 min");
    check(within(verify, 0, 3_600), "verify", verify + ", expected 0 s to 1 h");
    check(instances >= 1 && instances <= 1_000, "instances", instances + ", expected 1 to 1,000");
  }

  private static boolean within(Duration value, long least, long most) {
    return value.compareTo(Duration.ofSeconds(least)) >= 0
        && value.compareTo(Duration.ofSeconds(most)) <= 0;
  }

  private static void check(boolean good, String name, @Nullable Object found) {
    if (!good) {
      throw new IllegalArgumentException(name + ": found " + found);
    }
  }
}
