package dev.tideover.gateway.exchange;

import dev.tideover.gateway.kafka.ReplyFeed;
import dev.tideover.gateway.kafka.ReplyStore;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All clients that wait, by request id: the one that sent the request, and those that ask for its
 * answer at its status address. A wait ends by removal from here, and only one of those who might
 * end it, the reply, the deadline, a failed append, the client's leaving, the gateway's end, can do
 * that. Safe for any thread; bounded by the admission.
 */
public final class Waiters implements ReplyFeed.Listener {

  /** How long an acknowledgement may be late before a request whose wait is over is "unknown". */
  static final Duration ACKNOWLEDGEMENT_GRACE = Duration.ofMillis(1_500);

  private static final Logger LOG = LoggerFactory.getLogger(Waiters.class);

  /** The waiters of an id are a chain; links change only inside {@code compute} of their id. */
  private final ConcurrentHashMap<RequestId, Waiter> waiting = new ConcurrentHashMap<>();

  /** On a thread of the reply store, as the next. */
  @Override
  public void onReply(ReplyEnvelope reply, boolean replayed) {
    reply(reply);
  }

  @Override
  public void onUnreadable(RequestId id) {
    unreadable(id);
  }

  /** They get their late answer, and ask at its address. */
  @Override
  public void onOriginalMissing(RequestId id, ReplyStore.Lookup why) {}

  @Override
  public boolean awaits(RequestId id) {
    return waiting.containsKey(id);
  }

  void add(Waiter waiter) {
    waiting.compute(
        waiter.id,
        (id, first) -> {
          waiter.next = first;
          return waiter;
        });
  }

  /** Ends a wait, if nobody else has. */
  boolean end(Waiter waiter, Waiter.Ending ending) {
    boolean[] mine = {false};
    waiting.computeIfPresent(
        waiter.id,
        (id, first) -> {
          if (first == waiter) {
            mine[0] = true;
            return waiter.next;
          }
          for (Waiter before = first; before.next != null; before = before.next) {
            if (before.next == waiter) {
              mine[0] = true;
              before.next = waiter.next;
              break;
            }
          }
          return first;
        });
    // Outside: what follows is the event loop's business, not to be done under the map's lock.
    if (mine[0]) {
      waiter.end(ending);
    }
    return mine[0];
  }

  /** Whether this reply answers another request than the one that waits under its id. */
  @Override
  public boolean contradicts(ReplyEnvelope reply) {
    for (Waiter waiter = waiting.get(reply.id()); waiter != null; waiter = waiter.next) {
      if (waiter.fingerprint != null && !waiter.fingerprint.equals(reply.fingerprint())) {
        return true;
      }
    }
    return false;
  }

  /** Ends the waits for this reply. */
  void reply(ReplyEnvelope reply) {
    if (contradicts(reply)) {
      LOG.error(
          "A reply under the id {} answers another request than the one that waits; ignored. "
              + "Somebody writes replies that are not the service's",
          reply.id());
      return;
    }
    endAll(reply.id(), new Waiter.Ending.With(new Answer.Replied(reply)));
  }

  /** Ends the waits under this id with word that its reply can't be read. */
  void unreadable(RequestId id) {
    endAll(id, new Waiter.Ending.With(new Answer.Unreadable(id)));
  }

  private void endAll(RequestId id, Waiter.Ending ending) {
    // One that joins after the removal finds the reply where it looks next, in the index.
    for (Waiter waiter = waiting.remove(id); waiter != null; waiter = waiter.next) {
      waiter.end(ending);
    }
  }

  /** Ends the waits that are over. Visits all waiters: some ten nanoseconds each. */
  void expire(long now) {
    forEach(
        waiter -> {
          long over = now - waiter.deadline;
          if (over >= 0 && (waiter.isSettled() || over >= ACKNOWLEDGEMENT_GRACE.toNanos())) {
            end(waiter, new Waiter.Ending.TimeIsUp(false));
          }
        });
  }

  /**
   * Ends all waits before their time: at once where the request is stored, otherwise when its
   * acknowledgement is late. To be called until nobody waits.
   *
   * @param since when the waits were to end, in {@code System.nanoTime()}
   */
  void endEarly(long now, long since) {
    boolean late = now - since >= ACKNOWLEDGEMENT_GRACE.toNanos();
    forEach(
        waiter -> {
          if (waiter.isSettled() || late) {
            end(waiter, new Waiter.Ending.TimeIsUp(true));
          }
        });
  }

  private void forEach(Consumer<Waiter> action) {
    for (Waiter first : waiting.values()) {
      @Nullable Waiter waiter = first;
      while (waiter != null) {
        Waiter next = waiter.next;
        action.accept(waiter);
        waiter = next;
      }
    }
  }

  /** How many requests somebody waits for. */
  int size() {
    return waiting.size();
  }
}
