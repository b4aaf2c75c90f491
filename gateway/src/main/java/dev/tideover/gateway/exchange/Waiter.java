package dev.tideover.gateway.exchange;

import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.RequestId;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One client that waits for one reply. It ends once, by its removal from {@link Waiters}; whoever
 * removes it passes the answer on to the request's own event loop.
 */
final class Waiter {

  final RequestId id;
  final Fingerprint fingerprint;

  /** When the wait is over, in {@code System.nanoTime()}. */
  final long deadline;

  /** Whether Kafka has acknowledged the request; from then on it is accepted, whatever happens. */
  volatile boolean acknowledged;

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
      Fingerprint fingerprint,
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
    record TimeIsUp(boolean acknowledged, boolean early) implements Ending {}
  }
}
