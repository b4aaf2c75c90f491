package dev.tideover.gateway.exchange;

import dev.tideover.gateway.kafka.ReplyFeed;
import dev.tideover.gateway.kafka.ReplyStore;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Function;
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

  private final Flights flights = new Flights();

  /** On the feed's thread, as the next ones, or on one of the reply store's. */
  @Override
  public void onReply(ReplyEnvelope reply, boolean replayed) {
    reply(reply, replayed);
  }

  @Override
  public void onUnreadable(RequestId id) {
    unreadable(id);
  }

  @Override
  public void onOriginalMissing(RequestId id, ReplyStore.Lookup why) {
    missing(id, why);
  }

  /**
   * Nothing of it is on its way any more. Who joined it before this waits already, so {@link
   * #awaits} sees him; who comes after this is stored again and gets a duplicate of his own.
   */
  @Override
  public void onRecognised(RequestId id) {
    flights.landed(id);
  }

  @Override
  public boolean awaits(RequestId id) {
    return waiting.containsKey(id);
  }

  @Override
  public boolean mayComeAgain(RequestId id) {
    for (Waiter waiter = waiting.get(id); waiter != null; waiter = waiter.next) {
      if (!waiter.isAlone()) {
        return true;
      }
    }
    return false;
  }

  /**
   * The request with this idempotency key that is on its way from here already, or this one from
   * now on. To be called when the client waits under the id.
   */
  Flight join(Flight flight) {
    Flight before = flights.putIfAbsent(flight);
    return before == null ? flight : before;
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

  /**
   * Whether this reply answers another request than the one that waits under its id, though no
   * other can have that.
   */
  @Override
  public boolean contradicts(ReplyEnvelope reply) {
    for (Waiter waiter = waiting.get(reply.id()); waiter != null; waiter = waiter.next) {
      if (waiter.isAlone() && !waiter.isAnsweredBy(reply)) {
        return true;
      }
    }
    return false;
  }

  /**
   * Ends the waits for this reply, and those under its id for another request: that one has used
   * another's idempotency key.
   *
   * @param replayed whether it was there before
   */
  void reply(ReplyEnvelope reply, boolean replayed) {
    if (contradicts(reply)) {
      LOG.error(
          "A reply under the id {} answers another request than the one that waits; ignored. "
              + "Somebody writes replies that are not the service's",
          reply.id());
      return;
    }
    Waiter.Ending mismatch = new Waiter.Ending.With(new Answer.Mismatch(reply.id(), true));
    if (reply.outcome() == ReplyOutcome.MISMATCH) {
      // Says nothing of the request that had the key first.
      flights.landed(reply.id(), reply.fingerprint());
      endAll(reply.id(), waiter -> waiter.isAnsweredBy(reply) ? mismatch : null);
      return;
    }
    flights.landed(reply.id());
    Waiter.Ending replied = new Waiter.Ending.With(new Answer.Replied(reply, replayed));
    endAll(reply.id(), waiter -> waiter.isAnsweredBy(reply) ? replied : mismatch);
  }

  /** Ends the waits under this id with word that its reply can't be read. */
  void unreadable(RequestId id) {
    flights.landed(id);
    Waiter.Ending unreadable = new Waiter.Ending.With(new Answer.Unreadable(id));
    endAll(id, waiter -> unreadable);
  }

  /** Ends the waits under this id: it has been handled before, and the reply can't be given. */
  void missing(RequestId id, ReplyStore.Lookup why) {
    flights.landed(id);
    Waiter.Ending missing = new Waiter.Ending.With(Answer.ReplyMissing.of(id, why));
    endAll(id, waiter -> missing);
  }

  /** Ends the waits of those who sent this request: it was not stored, or may not be. */
  void failed(Flight flight, Waiter.Ending ending) {
    // In this order: who joins it looks at the flight when it is among the waiters.
    flight.failure = ending;
    flights.remove(flight);
    endAll(flight.id, waiter -> waiter.flight == flight ? ending : null);
  }

  /** Ends the waits of those who sent this request and only wanted to know that it is stored. */
  void stored(Flight flight, long now) {
    Waiter.Ending over = new Waiter.Ending.TimeIsUp(false);
    endAll(
        flight.id, waiter -> waiter.flight == flight && now - waiter.deadline >= 0 ? over : null);
  }

  /**
   * Ends those waits under an id that get an ending.
   *
   * @param endings gives null for a wait that goes on
   */
  private void endAll(RequestId id, Function<Waiter, Waiter.@Nullable Ending> endings) {
    // One that comes after this finds the reply where it looks next, in the index. One that is here
    // isn't missed while others go: who goes keeps its link, and the one before gets it.
    @Nullable Waiter waiter = waiting.get(id);
    while (waiter != null) {
      Waiter next = waiter.next;
      Waiter.Ending ending = endings.apply(waiter);
      if (ending != null) {
        end(waiter, ending);
      }
      waiter = next;
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
