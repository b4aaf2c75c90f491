package dev.tideover.gateway.exchange;

import dev.tideover.gateway.kafka.Append;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counts the requests that Kafka did not take and says so once a second at most: while Kafka is
 * away there are thousands, and a line for each would hide everything else. Safe for any thread.
 */
final class AppendProblems {

  private static final Logger LOG = LoggerFactory.getLogger(AppendProblems.class);
  private static final long INTERVAL_NANOS = 1_000_000_000;

  private final AtomicInteger refused = new AtomicInteger();
  private final AtomicInteger unknown = new AtomicInteger();
  private volatile @Nullable String lastReason;

  /** Touched by the reporting thread only. */
  private long lastReport;

  void add(Append.Refused problem) {
    refused.incrementAndGet();
    lastReason = problem.reason();
  }

  void add(Append.Unknown problem) {
    unknown.incrementAndGet();
    lastReason = problem.reason();
  }

  /** To be called often, by one thread. */
  void report(long now) {
    if (now - lastReport < INTERVAL_NANOS) {
      return;
    }
    int refusals = refused.getAndSet(0);
    int unknowns = unknown.getAndSet(0);
    if (refusals + unknowns > 0) {
      lastReport = now;
      LOG.warn(
          "Kafka does not take requests: {} were refused (503, not stored), {} were sent and not"
              + " acknowledged (504, may run or not); last reason: {}. Is Kafka reachable?",
          refusals,
          unknowns,
          lastReason);
    }
  }
}
