package dev.tideover.sdk;

import java.time.Duration;

/**
 * How long a request waits between attempts: a random time between zero and {@code first}, doubled
 * with each further attempt, never above {@code max}. The whole range is random ("full jitter"), so
 * that requests which failed together don't come back together.
 *
 * @param first the longest pause after the first attempt
 * @param max the longest pause at all
 */
public record Backoff(Duration first, Duration max) {

  private static final Duration LIMIT = Duration.ofDays(1);

  /** Half a second, doubling, up to a minute. */
  public static final Backoff DEFAULT = new Backoff(Duration.ofMillis(500), Duration.ofMinutes(1));

  /**
   * Checks the bounds.
   *
   * @throws IllegalArgumentException unless 0 &lt;= first &lt;= max &lt;= 1 day
   */
  public Backoff {
    if (first.isNegative() || first.compareTo(max) > 0 || max.compareTo(LIMIT) > 0) {
      throw new IllegalArgumentException(
          "backoff from " + first + " to " + max + ": expected PT0S <= first <= max <= " + LIMIT);
    }
  }

  /**
   * The pause after a failed attempt.
   *
   * @param attempt the attempt that failed; the first is 1
   * @param random from 0 (inclusive) to 1
   */
  public Duration after(int attempt, double random) {
    double longest = Math.min(max.toMillis(), first.toMillis() * Math.pow(2, attempt - 1));
    return Duration.ofMillis((long) (longest * random));
  }
}
