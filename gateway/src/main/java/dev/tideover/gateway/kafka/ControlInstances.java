package dev.tideover.gateway.kafka;

import dev.tideover.wire.InstanceReport;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which instances are there, by their reports. An instance is there once a report of it is read
 * while the reading is up to date: what is read in catching up may be of one that has long ended.
 * It is gone when it says so, when another run of it has begun, or when it was silent for {@link
 * InstanceReport#EXPIRY_MILLIS} and that is proven: everything that was written since has been
 * read. So while Kafka doesn't answer nobody falls silent, and after that everybody has the whole
 * time again.
 *
 * <p>Owned by the follower's thread; {@link #of} and {@link #isCurrent} are for any. Times are of
 * {@link System#nanoTime}.
 */
final class ControlInstances {

  /** Reading that is further behind than this has a gap, and what comes next is catching up. */
  static final long GAP_NANOS = TimeUnit.SECONDS.toNanos(3);

  private static final Logger LOG = LoggerFactory.getLogger(ControlInstances.class);
  private static final long EXPIRY_NANOS =
      TimeUnit.MILLISECONDS.toNanos(InstanceReport.EXPIRY_MILLIS);
  private static final int MAX = 10_000;

  private record Known(InstanceReport report, long heard) {}

  /**
   * @param since the reading is up to date without a gap from then on
   * @param asOf everything that was written before has been read
   */
  private record Current(long since, long asOf) {}

  private final Map<String, Known> known = new ConcurrentHashMap<>();
  private final ControlTopic.Listener listener;

  /** Null while the topic is read for the first time, or anew. */
  private volatile @Nullable Current current;

  private boolean warned;

  ControlInstances(ControlTopic.Listener listener) {
    this.listener = listener;
  }

  /** Those of a service. */
  List<ControlTopic.Instance> of(String service, long now) {
    return known.values().stream()
        .filter(instance -> instance.report().service().equals(service))
        .map(
            instance ->
                new ControlTopic.Instance(
                    instance.report(),
                    Math.max(0, TimeUnit.NANOSECONDS.toMillis(now - instance.heard()))))
        .toList();
  }

  /** Whether what was written up to a moment ago has been read. */
  boolean isCurrent(long now) {
    Current current = this.current;
    return current != null && now - current.asOf() <= GAP_NANOS;
  }

  /** All that was written before then has been read; it is now known who has fallen silent. */
  void currentAsOf(long asOf, long now) {
    Current before = current;
    // After a gap from now on: what has just been read in catching up was not heard.
    long since = before != null && asOf - before.asOf() <= GAP_NANOS ? before.since() : now;
    current = new Current(since, asOf);
    for (Iterator<Known> all = known.values().iterator(); all.hasNext(); ) {
      Known instance = all.next();
      long silentSince = since + Math.max(0, instance.heard() - since);
      if (asOf - silentSince > EXPIRY_NANOS) {
        // In this order: who sees that it is gone can know that it didn't say so.
        listener.onGone(instance.report(), false);
        all.remove();
      }
    }
  }

  /** The reading begins anew. */
  void restart() {
    current = null;
  }

  /** A report was read. */
  void reported(InstanceReport report, long now) {
    Known before = known.get(report.key());
    boolean heard = isCurrent(now);
    if (before == null && (!heard || isFull())) {
      return;
    }
    known.put(report.key(), new Known(report, heard || before == null ? now : before.heard()));
    if (before != null && !before.report().incarnation().equals(report.incarnation())) {
      listener.onGone(before.report(), false);
    }
    if (heard) {
      listener.onReport(report);
    }
  }

  private boolean isFull() {
    boolean full = known.size() >= MAX;
    if (full && !warned) {
      warned = true;
      LOG.warn(
          "More than {} instances report at once; the others are not known here, so a release may"
              + " go on without them. Who writes so many to the control topic?",
          MAX);
    }
    return full;
  }

  /** A tombstone was read. */
  void ended(String key) {
    Known last = known.remove(key);
    if (last != null) {
      listener.onGone(last.report(), true);
    }
  }
}
