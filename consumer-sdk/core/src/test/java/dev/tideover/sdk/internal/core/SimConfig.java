package dev.tideover.sdk.internal.core;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * What a run of the simulator is about, packed into a number so that a failing run is two literals:
 * this one and its schedule. Which kinds of fault may happen is drawn for each run anew: a run with
 * few kinds gets further with them than one with all (swarm testing).
 */
record SimConfig(int bits, int steering) {

  /** What may happen, one bit each. */
  enum Feature {
    KILL,
    EXPIRE,
    CLOSE,
    MOVE,
    SENDS_FAIL,
    COMMITS_FAIL,
    MESSAGE_FAULTS,
    INFRASTRUCTURE,
    POISON,
    HANG,
    REDRIVE,
    RECREATE,
    ODD_RECORDS,
    LOOKUPS,
    CANCEL,
    IDEMPOTENCY
  }

  /** What operators may want, one bit each of the second number. */
  enum Steered {
    HOLD,
    RATE,
    TRIAL
  }

  private static final int FIRST_FEATURE = 16;

  SimConfig(int bits) {
    this(bits, 0);
  }

  static SimConfig random(SplittableRandom random) {
    int bits = random.nextInt() & (1 << FIRST_FEATURE) - 1;
    for (Feature feature : Feature.values()) {
      boolean on = feature == Feature.RECREATE ? random.nextInt(16) == 0 : random.nextBoolean();
      bits |= on ? 1 << FIRST_FEATURE + feature.ordinal() : 0;
    }
    return new SimConfig(bits, Math.max(0, random.nextInt(15) - 7)); // half of them unsteered
  }

  /** Much concurrency, three keys, three attempts, and one kind of fault. */
  static SimConfig quiet(int partitions, int slots, Feature feature) {
    int bits = partitions - 1 | slots - 1 << 2 | 2 << 4 | 3 << 6 | 2 << 9;
    return new SimConfig(bits | 1 << FIRST_FEATURE + feature.ordinal());
  }

  boolean has(Feature feature) {
    return (bits >>> FIRST_FEATURE + feature.ordinal() & 1) != 0;
  }

  /** What operators may want in this run. */
  List<Steered> steered() {
    return Arrays.stream(Steered.values())
        .filter(each -> (steering >> each.ordinal() & 1) != 0)
        .toList();
  }

  private int field(int from, int count) {
    return bits >>> from & (1 << count) - 1;
  }

  int partitions() {
    return 1 + field(0, 2);
  }

  int slots() {
    return 1 + field(2, 2);
  }

  /** Ordering keys beside requests that have none. */
  int keys() {
    return 1 + field(4, 2);
  }

  /** Slow start begins with a tenth of it. */
  int concurrency() {
    return switch (field(6, 2)) {
      case 0 -> 1;
      case 1 -> 3;
      case 2 -> 20;
      default -> 40;
    };
  }

  int surplus() {
    return field(8, 1) * 2;
  }

  int attempts() {
    return 1 + field(9, 2) % 3;
  }

  boolean parkKeys() {
    return field(11, 1) == 1;
  }

  boolean ledger() {
    return field(12, 2) != 3;
  }

  /** Whether heartbeats of the others are heard, so that it is known who is alive. */
  boolean heartbeats() {
    return field(14, 1) == 1;
  }

  /** Whether notes have room for one range only. */
  boolean shortNotes() {
    return field(15, 1) == 1;
  }

  /** For how long finished requests are remembered; milliseconds. */
  long window() {
    return switch (field(4, 2)) {
      case 0 -> 4_000;
      case 1 -> 30_000;
      default -> 3_600_000;
    };
  }

  /** By how much the clock of an instance is ahead of that of the one before; milliseconds. */
  long skew() {
    return field(8, 1) * window() / 40;
  }

  /** For how long all instances know what has finished, by any clock; milliseconds. */
  long surely() {
    return window() - 3 * skew();
  }

  /** Nanoseconds of any origin: before 0, across it, or far behind. */
  long timeBase() {
    return switch (field(4, 2)) {
      case 0 -> 0;
      case 1 -> -2_000_000_000L;
      case 2 -> Long.MIN_VALUE / 2;
      default -> 1L << 50;
    };
  }

  /** One that is simpler in one respect, for the shrinker; the same if there is none. */
  SimConfig simpler(int respect) {
    int features = Feature.values().length;
    if (respect < features) {
      return new SimConfig(bits & ~(1 << FIRST_FEATURE + respect), steering);
    }
    if (respect < features + FIRST_FEATURE) {
      return new SimConfig(bits & ~(1 << respect - features), steering);
    }
    return new SimConfig(bits, steering & ~(1 << respect - features - FIRST_FEATURE));
  }

  static int respects() {
    return Feature.values().length + FIRST_FEATURE + Steered.values().length;
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    text.append(partitions()).append(" partitions, ").append(slots()).append(" instances, ");
    text.append(keys()).append(" keys, concurrency ").append(concurrency());
    text.append('+').append(surplus()).append(", ").append(attempts()).append(" attempts");
    text.append(parkKeys() ? ", keys are parked" : "").append(ledger() ? "" : ", no ledger");
    text.append(heartbeats() ? ", heartbeats" : "").append(shortNotes() ? ", short notes" : "");
    for (Feature feature : Feature.values()) {
      text.append(has(feature) ? ", " + feature : "");
    }
    steered().forEach(each -> text.append(", ").append(each));
    return text.toString();
  }
}
