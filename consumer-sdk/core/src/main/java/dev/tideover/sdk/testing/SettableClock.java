package dev.tideover.sdk.testing;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;

/** A clock that stands still until a test moves it. Safe for any thread. */
public final class SettableClock implements InstantSource {

  private volatile Instant now;

  /** Stands at this time. */
  public SettableClock(Instant now) {
    this.now = now;
  }

  @Override
  public Instant instant() {
    return now;
  }

  /**
   * Moves it forward.
   *
   * @throws IllegalArgumentException if the time is negative: the engine's time doesn't go back
   */
  public synchronized void advance(Duration by) {
    if (by.isNegative()) {
      throw new IllegalArgumentException("advance by " + by + ": time doesn't go back");
    }
    now = now.plus(by);
  }
}
