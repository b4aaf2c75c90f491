package dev.tideover.gateway.cli;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A wait with an end. For one thread. */
final class Deadline {

  private final long end;

  private Deadline(long end) {
    this.end = end;
  }

  static Deadline in(Duration time) {
    return new Deadline(System.nanoTime() + time.toNanos());
  }

  boolean isOver() {
    return end - System.nanoTime() <= 0;
  }

  /** Waits for this long, or to the end; false when that has come, or the thread is to stop. */
  boolean pause(Duration time) {
    long left = Math.min(time.toNanos(), end - System.nanoTime());
    if (left <= 0) {
      return false;
    }
    try {
      // Nothing can be waited for: what is looked at is behind a network.
      var unused = new CountDownLatch(1).await(left, TimeUnit.NANOSECONDS);
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
