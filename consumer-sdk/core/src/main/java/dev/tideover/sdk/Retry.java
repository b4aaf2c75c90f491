package dev.tideover.sdk;

import java.time.Duration;

/**
 * Try again, in place, later; see {@link Outcome#retry}.
 *
 * @param after the pause; zero to a day
 */
public record Retry(Duration after) implements Outcome {

  private static final Duration MAX = Duration.ofDays(1);

  /** Checks the pause. */
  public Retry {
    if (after.isNegative() || after.compareTo(MAX) > 0) {
      throw new IllegalArgumentException("retry after " + after + ": expected PT0S to " + MAX);
    }
  }
}
