package dev.tideover.gateway.exchange;

import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestId;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * One client that waits for one reply. It ends once, by its removal from {@link Waiters}; whoever
 * removes it passes the answer on to the request's own event loop.
 */
final class Waiter {

  final RequestId id;

  /** The first half of its request's fingerprint, or {@link StatusToken#ANY}. */
  final long fingerprint;

  /** When the wait is over, in {@code System.nanoTime()}. */
  final long deadline;

  /**
   * The request's way through Kafka, where this client has sent it; null where it only asks for the
   * answer. Written by its event loop, which may find that another one is on its way already.
   */
  volatile @Nullable Flight flight;

  /** Another that waits for the same reply; for {@link Waiters} alone. */
  @Nullable Waiter next;

  private final AtomicInteger waiting;
  private final Context context;
  private final Promise<Ending> ended = Promise.promise();

  /**
   * A client that has sent a request, on the current event loop.
   *
   * @param waiting counts the waiters of the service
   */
  Waiter(Flight flight, long deadline, AtomicInteger waiting, Context context) {
    this(flight.id, flight.fingerprint.high(), deadline, waiting, context);
    this.flight = flight;
  }

  /** A client that asks for the answer at the request's address. */
  Waiter(StatusToken asked, long deadline, AtomicInteger waiting, Context context) {
    this(asked.id(), asked.fingerprint(), deadline, waiting, context);
  }

  private Waiter(
      RequestId id, long fingerprint, long deadline, AtomicInteger waiting, Context context) {
    this.id = id;
    this.fingerprint = fingerprint;
    this.deadline = deadline;
    this.waiting = waiting;
    this.context = context;
    waiting.incrementAndGet();
  }

  /** How it ended; completes on the request's event loop. */
  Future<Ending> ended() {
    return ended.future();
  }

  /** Whether nothing more is to be known when its time is up. */
  boolean isSettled() {
    Flight sent = flight;
    return sent == null || sent.offset != Flight.NOWHERE;
  }

  /** Whether a reply answers its request. */
  boolean isAnsweredBy(ReplyEnvelope reply) {
    return fingerprint == StatusToken.ANY || fingerprint == reply.fingerprint().high();
  }

  /** Whether no other request can have its id by right. */
  boolean isAlone() {
    Flight sent = flight;
    return sent != null && !sent.keyed;
  }

  /** For {@link Waiters} alone, once, after the removal. */
  void end(Ending ending) {
    waiting.decrementAndGet();
    context.runOnContext(nothing -> ended.complete(ending));
  }

  /** What ended a wait. */
  sealed interface Ending {
    /** An answer from Kafka: the reply, or that the request was not or maybe not written. */
    record With(Answer answer) implements Ending {}

    /**
     * No reply came.
     *
     * @param early true where the gateway is stopping: the time is not up, so nothing has expired
     */
    record TimeIsUp(boolean early) implements Ending {}
  }
}
