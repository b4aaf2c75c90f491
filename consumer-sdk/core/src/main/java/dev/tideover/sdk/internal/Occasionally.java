package dev.tideover.sdk.internal;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/** Says yes at most once in a period, so that an outage doesn't fill the log. Any thread. */
final class Occasionally {

  private final long period;
  private final AtomicLong next = new AtomicLong(System.nanoTime());

  Occasionally(Duration period) {
    this.period = period.toNanos();
  }

  boolean now() {
    long now = System.nanoTime();
    long due = next.get();
    return now - due >= 0 && next.compareAndSet(due, now + period);
  }
}
