package dev.tideover.gateway.release;

import dev.tideover.gateway.kafka.ReplyObserver;
import dev.tideover.wire.ReplyEnvelope;

/**
 * Measures the replies of all services. Memory is bounded: 64 services of 8 versions, the latest;
 * one minute of slots, and what a release began to gather. Safe for any thread.
 */
public final class ServiceMeter implements ReplyObserver {

  /** What of a release something belongs to. */
  public enum Phase {
    /** The minute before it. */
    BEFORE,
    /** From its beginning until the new version has caught up. */
    DURING,
    /** Since then. */
    AFTER
  }

  @Override
  public void onReply(ReplyEnvelope reply, boolean repeated) {
    throw new UnsupportedOperationException();
  }

  /** What came within the last so many seconds, at most 60. */
  public Measures last(String service, int seconds) {
    throw new UnsupportedOperationException();
  }

  /** A release has begun: what came in the last minute is kept as before, what comes is during. */
  public void begin(String service, String release) {
    throw new UnsupportedOperationException();
  }

  /** From now on it is after. */
  public void after(String service, String release) {
    throw new UnsupportedOperationException();
  }

  /** The release has ended: nothing more belongs to it. The last one of each service is kept. */
  public void end(String service, String release) {
    throw new UnsupportedOperationException();
  }

  /** What belongs to a phase; {@link Measures#NONE} where this gateway wasn't there. */
  public Measures of(String service, String release, Phase phase) {
    throw new UnsupportedOperationException();
  }

  /**
   * How many requests that were accepted before {@code releasedAt} (epoch milliseconds) were
   * answered after it, of a release: they were held.
   */
  public long held(String service, String release) {
    throw new UnsupportedOperationException();
  }
}
