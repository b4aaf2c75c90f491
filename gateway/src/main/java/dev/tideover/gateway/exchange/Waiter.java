package dev.tideover.gateway.exchange;

import dev.tideover.wire.Fingerprint;
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

  /** Stands for the offset of a request that Kafka has not acknowledged. */
  static final long NOWHERE = -1;

  final RequestId id;

  /** Of the request, where this client has sent it; null where it only asks for the answer. */
  final @Nullable Fingerprint fingerprint;

  /** When the wait is over, in {@code System.nanoTime()}. */
  final long deadline;

  /**
   * The request's offset once Kafka has acknowledged it; from then on it is accepted, whatever
   * happens.
   */
  volatile long offset = NOWHERE;

  /** Whether this client is told that its request's outcome is unknown. */
  volatile boolean toldUnknown;

  /** Another that waits for the same reply; for {@link Waiters} alone. */
  @Nullable Waiter next;

  private final AtomicInteger waiting;
  private final Context context;
  private final Promise<Ending> ended = Promise.promise();

  /**
   * A waiter of the current event loop.
   *
   * @param waiting counts the waiters of the service
   */
  Waiter(
      RequestId id,
      @Nullable Fingerprint fingerprint,
      long deadline,
      AtomicInteger waiting,
      Context context) {
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
    return fingerprint == null || offset != NOWHERE;
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
