package dev.tideover.gateway.kafka;

import java.util.concurrent.TimeUnit;

/**
 * How fast a partition's queue is being drained, from the offsets that its service commits. A
 * moving average over the time in which there was something to drain, weighted by e to the minus
 * age / 10 s. For one thread, its owner {@link ServiceBacklog}.
 *
 * <p>What it takes care of:
 *
 * <ul>
 *   <li>An empty queue drains nothing, and that is no rate of zero: such time doesn't count. Where
 *       the queue was empty for a part of the time, the progress is what the service can do at
 *       least, so it counts only if it is more than was known.
 *   <li>After a stop the rate fades, and after {@link #STALLED_NANOS} without progress it is
 *       unknown; so a service that comes back with a slow start is not measured by its last life.
 *   <li>Commits come in lumps. The first one after nothing was known says only when counting
 *       begins, and no rate is given before {@link #ENOUGH_NANOS} have been watched.
 * </ul>
 */
final class DrainRate {

  /** Handlers may take long and commits be rare; who shows nothing for so long drains nothing. */
  static final long STALLED_NANOS = TimeUnit.SECONDS.toNanos(30);

  /** Nobody gave observations for so long: what happened meanwhile can't be told. */
  static final long GAP_NANOS = TimeUnit.SECONDS.toNanos(10);

  static final long ENOUGH_NANOS = TimeUnit.SECONDS.toNanos(3);

  private static final double MEMORY_NANOS = TimeUnit.SECONDS.toNanos(10);
  private static final double ENOUGH_WEIGHT = 1 - Math.exp(-ENOUGH_NANOS / MEMORY_NANOS);

  private boolean observed;
  private long observedAt;
  private long committed;
  private boolean waiting;

  /** Whether the last progress is known, and so the time from which the next one is measured. */
  private boolean counting;

  /** When there was progress last, or nothing to make progress with. */
  private long movedAt;

  /** Requests per nanosecond, weighted, and the weights so far; the rate is their ratio. */
  private double sum;

  private double weight;

  /**
   * Takes one look at the partition.
   *
   * @param nanos the time by a clock that only goes forward
   * @param committed the first offset that isn't done
   * @param end the offset behind the last request
   */
  void observe(long nanos, long committed, long end) {
    boolean waits = committed < end;
    long elapsed = nanos - observedAt;
    long progress = committed - this.committed;
    if (!observed || elapsed > GAP_NANOS || progress < 0) {
      forget(nanos);
    } else if (elapsed > 0) {
      count(nanos, elapsed, progress, waiting && waits);
    }
    observed = true;
    observedAt = nanos;
    this.committed = committed;
    waiting = waits;
  }

  private void count(long nanos, long elapsed, long progress, boolean busy) {
    if (busy && !counting) {
      counting = progress > 0;
    } else if (busy || progress > 0 && (!isKnown() || (double) progress / elapsed > average())) {
      add(elapsed, progress);
      counting = true;
    }
    if (progress > 0 || !busy) {
      movedAt = nanos;
    } else if (nanos - movedAt >= STALLED_NANOS) {
      forget(nanos);
    }
  }

  private void add(long elapsed, long progress) {
    double kept = Math.exp(-elapsed / MEMORY_NANOS);
    sum = sum * kept + (1 - kept) * progress / elapsed;
    weight = weight * kept + (1 - kept);
  }

  private void forget(long nanos) {
    counting = false;
    sum = 0;
    weight = 0;
    movedAt = nanos;
  }

  private boolean isKnown() {
    // A little less, so that rounding doesn't ask for another observation.
    return weight >= ENOUGH_WEIGHT * 0.999 && sum > 0;
  }

  private double average() {
    return weight == 0 ? 0 : sum / weight;
  }

  /** Requests per second, above zero; NaN where nothing is being drained or not known yet. */
  double perSecond() {
    return isKnown() ? average() * TimeUnit.SECONDS.toNanos(1) : Double.NaN;
  }
}
