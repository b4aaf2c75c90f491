package dev.tideover.sdk.internal.core;

/**
 * How many requests may start in a second, at most: a bucket of tokens that holds a tenth of a
 * second's worth, or one. Owned by one thread; time is in nanoseconds of any origin.
 *
 * <p>It is kept as the time at which the bucket would be full again, so there is nothing to refill,
 * and no fraction of a token to lose: each start puts that time off by the interval between two.
 */
final class Rate {

  private static final double SECOND = 1e9;
  private static final int BURSTS_IN_A_SECOND = 10;

  /** Of an interval, so that sums of it stay far from an overflow: a day and more. */
  private static final long LONGEST = 100_000L * 1_000_000_000L;

  private double perSecond;

  /** Between two starts; 0 for no limit. */
  private long interval;

  /** How far ahead of the time {@link #full} may be for one more to start. */
  private long slack;

  private long full;

  /**
   * Sets the limit, at once.
   *
   * @param most starts in a second; 0, less or not a number for no limit
   */
  void set(double most, long now) {
    double wanted = most > 0 ? most : 0;
    if (wanted == perSecond) {
      return;
    }
    boolean wasLimited = interval > 0;
    perSecond = wanted;
    interval = wanted == 0 ? 0 : (long) Math.max(1, Math.min(LONGEST, SECOND / wanted));
    slack = interval * Math.max(0, (long) (wanted / BURSTS_IN_A_SECOND) - 1);
    // What was taken under another limit counts for one start under this one, at most.
    full = wasLimited && full - now > 0 ? Math.min(full, now + interval) : now;
  }

  boolean isLimited() {
    return interval > 0;
  }

  /** Whether one may start now. */
  boolean mayStart(long now) {
    return untilNext(now) == 0;
  }

  /** How long until one may; nanoseconds, 0 for now. */
  long untilNext(long now) {
    return interval == 0 ? 0 : Math.max(0, full - slack - now);
  }

  /** One starts, as it may. */
  void started(long now) {
    if (interval > 0) {
      full = (full - now > 0 ? full : now) + interval;
    }
  }
}
