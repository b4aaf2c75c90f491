package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.core.FinishedIds;
import dev.tideover.sdk.internal.core.Identity;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import java.util.Objects;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jspecify.annotations.Nullable;

/**
 * One record and how far it has come.
 *
 * <p>It has one holder at a time: the owner thread, then a worker, then Kafka's producer until it
 * acknowledges, then the owner again. Each hand-over is through a concurrent queue, which publishes
 * what the last holder wrote. Only {@link #cancel} and {@link #interrupt} may be called by the
 * owner thread at any time.
 */
final class Delivery {

  /**
   * Why it is a dead letter.
   *
   * @param reason a word of a closed set, for machines
   * @param error for people
   */
  record Death(String reason, String error) {}

  /**
   * Odd, so that no two replays of a request are alike; of 64 bits, so that no two requests are.
   */
  private static final long REPLAY_FACTOR = 0x9E3779B97F4A7C15L;

  final ConsumerRecord<byte[], byte[]> record;

  /** Null if the record can't be read; then nothing but {@code BURY} is possible. */
  final @Nullable RequestEnvelope envelope;

  /** Null for a request without an idempotency key. */
  final @Nullable Identity identity;

  /** How often in a row Kafka didn't take what was sent for it. */
  int failedSends;

  /** How often in a row its reply had to wait for the first one of its partition. */
  int waits;

  /** How often its reply partition was looked for in vain. */
  int failedLookups;

  /**
   * How long its handler ran the last time, in microseconds; {@link ReplyEnvelope#NONE} for not.
   */
  long tookMicros = ReplyEnvelope.NONE;

  /** The number of its latest start in the inbox; 0 for none. */
  int inboxStart;

  /** How often it waited for the end of a later start than that. */
  int inboxWaits;

  /** With {@code REPEAT}: whether it asks for the same as the first one, and that one's reply. */
  private boolean same;

  private long original = FinishedIds.UNKNOWN;

  private @Nullable Death death;
  private @Nullable ReplyEnvelope reply;

  /** Guarded by this. */
  private boolean cancelled;

  /** Guarded by this: the thread in the handler now. */
  private @Nullable Thread runner;

  /** Guarded by this: whether that thread was interrupted. */
  private boolean interrupted;

  Delivery(ConsumerRecord<byte[], byte[]> record, @Nullable RequestEnvelope envelope) {
    this.record = record;
    this.envelope = envelope;
    this.identity = envelope == null || !envelope.idempotent() ? null : identity(envelope);
  }

  /** Each replay by an operator is a request of its own: it is to be handled in spite of its id. */
  private static Identity identity(RequestEnvelope request) {
    return new Identity(
        request.id().high() ^ request.replay() * REPLAY_FACTOR,
        request.id().low(),
        request.fingerprint().high(),
        Identity.place(request.replyTo().topic(), request.replyTo().partition()));
  }

  RequestEnvelope envelope() {
    return Objects.requireNonNull(envelope, "an unreadable record is only ever buried");
  }

  boolean isBuried() {
    return death != null;
  }

  Death death() {
    return Objects.requireNonNull(death);
  }

  ReplyEnvelope reply() {
    return Objects.requireNonNull(reply);
  }

  ReplyEnvelope.Timing timing() {
    return new ReplyEnvelope.Timing(envelope().acceptedAt().toEpochMilli(), tookMicros);
  }

  void bury(String reason, String error) {
    death = new Death(reason, error);
  }

  /** See {@link dev.tideover.sdk.internal.core.Effects#repeat}. */
  void repeat(boolean sameAsBefore, long originalReply) {
    same = sameAsBefore;
    original = originalReply;
  }

  /** The answer to one that has finished before. */
  ReplyEnvelope repetition(String by) {
    return new ReplyEnvelope(
        envelope().id(),
        envelope().fingerprint(),
        same ? ReplyOutcome.DUPLICATE : ReplyOutcome.MISMATCH,
        by,
        0,
        original == FinishedIds.UNKNOWN ? ReplyEnvelope.NONE : original,
        ReplyEnvelope.NONE,
        HttpFields.EMPTY,
        new byte[0]);
  }

  void answer(ReplyEnvelope reply) {
    this.reply = reply;
    failedSends = 0;
    waits = 0;
  }

  /** Given up: a handler that runs for it is interrupted, one that doesn't yet never will. */
  synchronized void cancel() {
    cancelled = true;
    interrupt();
  }

  /** Interrupts the handler, if one runs for it. */
  synchronized void interrupt() {
    if (runner != null) {
      runner.interrupt();
      interrupted = true;
    }
  }

  /** Before the handler; false if there is nothing to be done any more. */
  synchronized boolean enterHandler() {
    if (cancelled) {
      return false;
    }
    runner = Thread.currentThread();
    interrupted = false;
    return true;
  }

  /** After the handler; false if it was given up meanwhile. */
  synchronized boolean leaveHandler() {
    runner = null;
    if (interrupted) {
      // The interrupt was meant for this request; the thread's next one has no part in it.
      Thread.interrupted();
    }
    return !cancelled;
  }
}
