package dev.tideover.sdk.internal;

import dev.tideover.wire.ControlCodec;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.InstanceReport;
import dev.tideover.wire.InstanceReport.Counts;
import dev.tideover.wire.InstanceReport.State;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.AuthorizationException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells gateways what this instance does: at each change, and each second. The owner thread says
 * where it stands and waits for nothing; the thread of the {@link ControlFollower} writes, since a
 * send can block.
 *
 * <p>What is written is what the owner said last. It may be some milliseconds old, and is true all
 * the same: nothing that the owner does later makes a report of an earlier epoch wrong.
 */
final class InstanceReporter {

  private static final Logger log = LoggerFactory.getLogger(InstanceReporter.class);

  private static final long INTERVAL =
      TimeUnit.MILLISECONDS.toNanos(InstanceReport.INTERVAL_MILLIS);

  /** Until the next try where Kafka has refused one. It may have to begin its sequence anew. */
  private static final long REFUSED_PAUSE = TimeUnit.SECONDS.toNanos(30);

  /** Until the next try, when the first record of all is on its way still. */
  private static final Duration SOON = Duration.ofMillis(10);

  /** Where the instance stands. */
  private record Standing(State state, long epoch, int partitions) {}

  private final Settings settings;
  private final String incarnation;
  private final ReplySender sender;
  private final Supplier<Counts> counts;
  private final Occasionally maySayFailed = new Occasionally(Duration.ofMinutes(1));

  private volatile @Nullable Standing standing;
  private volatile Runnable wake = () -> {};
  private volatile boolean endsInGoodOrder;

  /** Not to be tried before; the producer's thread writes it. */
  private volatile long pauseUntil = System.nanoTime();

  /** For the writing thread only, as is the next one: what was written last. */
  private @Nullable Standing written;

  private long next;

  /**
   * Nothing is written before {@link #stands} has been called.
   *
   * @param incarnation a random text for this run of this instance
   * @param counts what it has done and does; called on the thread that writes
   */
  InstanceReporter(
      Settings settings, String incarnation, ReplySender sender, Supplier<Counts> counts) {
    this.settings = settings;
    this.incarnation = incarnation;
    this.sender = sender;
    this.counts = counts;
  }

  /** Before anything else: how to make the writing thread look. */
  void wakeBy(Runnable wakeup) {
    wake = wakeup;
  }

  /**
   * Owner: where this instance stands.
   *
   * @param epoch of the desired state that it goes by; 0 for none
   */
  void stands(State state, long epoch, int partitions) {
    Standing before = standing;
    if (before == null
        || before.state != state
        || before.epoch != epoch
        || before.partitions != partitions) {
      standing = new Standing(state, epoch, partitions);
      wake.run();
    }
  }

  /** Owner: this instance is about to end, and not because it is broken. */
  void endsInGoodOrder() {
    endsInGoodOrder = true;
  }

  /** The writing thread: writes what is due. Returns for how long nothing more will be. */
  Duration tick(long now) {
    Standing latest = standing;
    if (latest == null || now - pauseUntil < 0) {
      return Duration.ofNanos(INTERVAL);
    }
    if (latest.equals(written) && now - next < 0) {
      return Duration.ofNanos(next - now);
    }
    if (!send(ControlCodec.encode(report(latest)))) {
      return SOON;
    }
    written = latest;
    next = now + INTERVAL;
    return Duration.ofNanos(INTERVAL);
  }

  /** The writing thread: takes leave. One that ends without is missed by the gateways. */
  void end() {
    Standing last = written;
    if (last != null && endsInGoodOrder && !send(ControlCodec.tombstone(report(last)))) {
      log.debug("No report has been acknowledged yet, so there is none to be taken back");
    }
  }

  private InstanceReport report(Standing now) {
    return new InstanceReport(
        settings.service(),
        settings.version(),
        settings.instance(),
        incarnation,
        now.state,
        now.epoch,
        now.partitions,
        counts.get());
  }

  private boolean send(ProducerRecord<byte[], byte[]> record) {
    return sender.trySend(
        record,
        0,
        (offset, failure) -> {
          if (failure instanceof AuthorizationException) {
            pauseUntil = System.nanoTime() + REFUSED_PAUSE;
            refused(failure);
          } else if (failure != null) {
            log.debug("A report wasn't written; the next one follows soon", failure);
          }
        });
  }

  private void refused(Exception failure) {
    if (maySayFailed.now()) {
      log.warn(
          "{} may not write to {}: {}. Gateways don't see this instance, and a release waits"
              + " for it in vain. Allow WRITE on the topic.",
          settings.by(),
          DesiredState.TOPIC,
          failure.getMessage());
    }
  }
}
