package dev.tideover.gateway.exchange;

import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All clients that wait, by request id. A wait ends by removal from here, and only one of those who
 * might end it, the reply, the deadline, a failed append, the client's leaving, the gateway's end,
 * can do that. Safe for any thread; bounded by the admission.
 */
final class Waiters {

  /** How long an acknowledgement may be late before a request whose wait is over is "unknown". */
  static final Duration ACKNOWLEDGEMENT_GRACE = Duration.ofMillis(1_500);

  private static final Logger LOG = LoggerFactory.getLogger(Waiters.class);

  private final ConcurrentHashMap<RequestId, Waiter> waiting = new ConcurrentHashMap<>();

  void add(Waiter waiter) {
    Waiter before = waiting.putIfAbsent(waiter.id, waiter);
    if (before != null) {
      throw new IllegalStateException("two waiters with one id: " + waiter.id);
    }
  }

  /** Ends a wait, if nobody else has. */
  boolean end(Waiter waiter, Waiter.Ending ending) {
    boolean mine = waiting.remove(waiter.id, waiter);
    if (mine) {
      waiter.end(ending);
    }
    return mine;
  }

  /** Whether this reply answers another request than the one that waits under its id. */
  boolean contradicts(ReplyEnvelope reply) {
    Waiter waiter = waiting.get(reply.id());
    return waiter != null && !waiter.fingerprint.equals(reply.fingerprint());
  }

  /** Ends the wait for this reply, if there is one. */
  void reply(ReplyEnvelope reply) {
    Waiter waiter = waiting.get(reply.id());
    if (waiter == null) {
      return;
    }
    if (contradicts(reply)) {
      LOG.error(
          "A reply under the id {} answers another request than the one that waits; ignored. "
              + "Somebody writes replies that are not the service's",
          reply.id());
      return;
    }
    end(waiter, new Waiter.Ending.With(new Answer.Replied(reply)));
  }

  /** Ends the wait under this id with word that its reply can't be read. */
  void unreadable(RequestId id) {
    Waiter waiter = waiting.get(id);
    if (waiter != null) {
      end(waiter, new Waiter.Ending.With(new Answer.Unreadable(id)));
    }
  }

  /** Ends the waits that are over. Visits all waiters: some ten nanoseconds each. */
  void expire(long now) {
    for (Waiter waiter : waiting.values()) {
      long over = now - waiter.deadline;
      if (over >= 0 && (waiter.acknowledged || over >= ACKNOWLEDGEMENT_GRACE.toNanos())) {
        end(waiter, new Waiter.Ending.TimeIsUp(waiter.acknowledged, false));
      }
    }
  }

  /**
   * Ends all waits before their time: at once where the request is stored, otherwise when its
   * acknowledgement is late. To be called until nobody waits.
   *
   * @param since when the waits were to end, in {@code System.nanoTime()}
   */
  void endEarly(long now, long since) {
    boolean late = now - since >= ACKNOWLEDGEMENT_GRACE.toNanos();
    for (Waiter waiter : waiting.values()) {
      if (waiter.acknowledged || late) {
        end(waiter, new Waiter.Ending.TimeIsUp(waiter.acknowledged, true));
      }
    }
  }

  int size() {
    return waiting.size();
  }
}
