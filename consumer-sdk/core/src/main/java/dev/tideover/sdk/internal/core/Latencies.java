package dev.tideover.sdk.internal.core;

import java.util.Arrays;

/**
 * What the handlers of one window of time took. Owned by one thread; costs some nanoseconds a
 * sample and allocates nothing.
 *
 * <p>Times are kept in buckets of an eighth of an octave, with their exact sums. Below {@link
 * #FLOOR} all are alike: differences of less than a millisecond are noise of the machine.
 */
final class Latencies {

  /** One millisecond. */
  static final long FLOOR = 1_000_000;

  private static final int SUB_BITS = 3;
  private static final int SUBS = 1 << SUB_BITS;
  private static final int FLOOR_BITS = 63 - Long.numberOfLeadingZeros(FLOOR);

  /** Up to 2^22 milliseconds, over an hour; what is longer counts as that. */
  private static final int BUCKETS = 22 * SUBS;

  private final int[] counts = new int[BUCKETS];
  private final long[] sums = new long[BUCKETS];
  private int finished;
  private int failed;
  private long running;
  private double mean;
  private double error;

  void clear() {
    Arrays.fill(counts, 0);
    Arrays.fill(sums, 0);
    finished = 0;
    failed = 0;
    running = 0;
  }

  void add(long nanos, int runningThen, boolean hasFailed) {
    finished++;
    running += runningThen;
    if (hasFailed) {
      // A failure can be faster or slower than the work is; it says nothing of what the work takes.
      failed++;
      return;
    }
    long value = Math.max(FLOOR, nanos);
    int octave = 63 - Long.numberOfLeadingZeros(value);
    int sub = (int) (value >>> (octave - SUB_BITS)) & (SUBS - 1);
    int bucket = Math.min(BUCKETS - 1, (octave - FLOOR_BITS) * SUBS + sub);
    counts[bucket]++;
    sums[bucket] += value;
  }

  /** How many have finished. */
  int finished() {
    return finished;
  }

  /** Whether more than half of them failed. */
  boolean mostlyFailed() {
    return failed > finished - failed;
  }

  /** How many ran, on average. */
  double running() {
    return finished == 0 ? 0 : (double) running / finished;
  }

  /**
   * The mean, in nanoseconds, with the slowest tenth taken as no slower than the rest: so a pause
   * of the JVM, which hits all that run at once, is no news, and a slow path that a fifth of the
   * requests takes is. The floor if nothing was added.
   */
  double mean() {
    summarise();
    return mean;
  }

  /** The standard error of the mean, as a part of it. */
  double error() {
    summarise();
    return error;
  }

  private void summarise() {
    int samples = finished - failed;
    int rest = samples - samples / 10;
    int counted = 0;
    double sum = 0;
    double squares = 0;
    double last = FLOOR;
    for (int bucket = 0; bucket < BUCKETS && counted < rest; bucket++) {
      if (counts[bucket] > 0) {
        last = (double) sums[bucket] / counts[bucket];
        int taken = Math.min(counts[bucket], rest - counted);
        counted += taken;
        sum += taken * last;
        squares += taken * last * last;
      }
    }
    int slowest = samples - counted;
    int n = Math.max(1, samples);
    mean = samples == 0 ? FLOOR : (sum + slowest * last) / n;
    double variance = Math.max(0, (squares + slowest * last * last) / n - mean * mean);
    error = Math.sqrt(variance / n) / mean;
  }
}
