package dev.tideover.gateway.exchange;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ReplyFeed;
import dev.tideover.gateway.kafka.ReplyReader;
import dev.tideover.gateway.kafka.RequestLog;
import dev.tideover.gateway.route.Route;
import dev.tideover.gateway.route.Routes;
import dev.tideover.wire.Partitions;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestId;
import dev.tideover.wire.WireFormatException;
import io.vertx.core.Context;
import io.vertx.core.Future;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What all exchanges share, and what happens to them from outside: replies, deadlines, the
 * gateway's end. Safe for any thread.
 */
public final class Exchanges implements ReplyFeed.Listener, AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Exchanges.class);
  private static final long REAP_MILLIS = 50;

  /** Replies that can be asked for later: 100,000 of the newest at least, about 13 MB. */
  private static final int INDEXED_REPLIES = 100_000;

  final RequestLog log;
  final Waiters waiters = new Waiters();
  final AppendProblems problems = new AppendProblems();
  final StatusToken.Signer signer;
  final Clock clock = Clock.systemUTC();
  final LongSupplier nanoTime = System::nanoTime;

  private final ReplyReader reader;
  private final ReplyIndex index = new ReplyIndex(INDEXED_REPLIES);
  private final GatewayConfig.Replies replies;

  /** By service. A service that is removed and comes back finds those who still wait for it. */
  private final Map<String, AtomicInteger> waiting = new ConcurrentHashMap<>();

  /** What a reload changes, in one write: each exchange goes by the one that it began with. */
  private volatile Routing routing;

  private final ScheduledExecutorService reaper =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "tideover-reaper");
            thread.setDaemon(true);
            return thread;
          });
  private final List<Runnable> onEnding = new CopyOnWriteArrayList<>();
  private volatile boolean ending;

  /** When the waits were to end, in nanoseconds; written before {@link #ending} is. */
  private long endingSince;

  public Exchanges(
      GatewayConfig config,
      Routes routes,
      RequestLog log,
      ReplyReader reader,
      StatusToken.Signer signer) {
    this.replies = config.replies();
    this.routing = new Routing(config, routes, longestRetention(config));
    this.log = log;
    this.reader = reader;
    this.signer = signer;
    var unused =
        reaper.scheduleWithFixedDelay(this::reap, REAP_MILLIS, REAP_MILLIS, TimeUnit.MILLISECONDS);
  }

  /**
   * The configuration and its routes.
   *
   * @param retention how long a request or its reply may be there, of all that were accepted since
   *     the start, so also by services that a reload removed
   */
  private record Routing(GatewayConfig config, Routes routes, Duration retention) {}

  /**
   * From now on requests go by this configuration; those that have begun end as they began.
   *
   * @param routes those of the configuration
   */
  public synchronized void update(GatewayConfig config, Routes routes) {
    Duration before = routing.retention();
    Duration now = longestRetention(config);
    routing = new Routing(config, routes, now.compareTo(before) > 0 ? now : before);
    // Who waits keeps its counter; a removed service's goes when nobody does.
    waiting
        .entrySet()
        .removeIf(
            entry -> !config.services().containsKey(entry.getKey()) && entry.getValue().get() == 0);
  }

  Routes routes() {
    return routing.routes();
  }

  /** A new exchange for a request that has come in on this event loop. */
  public Exchange begin(Inbound inbound, Context context) {
    return new Exchange(this, inbound, context);
  }

  /** What has become of a request, by the token of its status address. */
  public Future<Answer> status(String token, Context context) {
    StatusToken read = signer.read(token);
    if (read == null) {
      return Future.succeededFuture(
          new Answer.Rejected(
              Answer.Reason.NO_SUCH_REQUEST, "This gateway's cell never gave out that address."));
    }
    ReplyIndex.Place place = index.get(read.id());
    if (place != null) {
      return Future.fromCompletionStage(reader.read(place.partition(), place.offset()), context)
          .map(found -> found(found, read.id()))
          .otherwise(failure -> unreadableNow(failure, read.id()));
    }
    Instant forgotten = read.acceptedAt().plus(routing.retention());
    return Future.succeededFuture(
        clock.instant().isAfter(forgotten)
            ? new Answer.ReplyMissing(
                read.id(),
                Answer.Reason.REPLY_EXPIRED,
                "Request and reply are past their retention.")
            : new Answer.Pending(read.id(), token));
  }

  private static Answer found(ReplyReader.Found found, RequestId id) {
    // Another's reply stands there if the topic was made anew: then this one is gone.
    if (found instanceof ReplyReader.Found.Reply reply && reply.reply().id().equals(id)) {
      return new Answer.Replied(reply.reply());
    }
    return found instanceof ReplyReader.Found.Unreadable
        ? new Answer.Unreadable(id)
        : new Answer.ReplyMissing(
            id, Answer.Reason.REPLY_EXPIRED, "The reply was there and is gone.");
  }

  private static Answer unreadableNow(Throwable failure, RequestId id) {
    LOG.warn("A stored reply can't be read now: {}", failure.getMessage());
    return new Answer.ReplyMissing(
        id,
        Answer.Reason.REPLY_UNAVAILABLE,
        "The reply is there but can't be read now; ask again.");
  }

  private static Duration longestRetention(GatewayConfig config) {
    return config.services().values().stream()
        .map(service -> service.topic().retention())
        .max(Comparator.naturalOrder())
        .orElseThrow()
        .plus(config.replies().retention());
  }

  /** On the feed's thread. The place first: a client that is answered may ask for it at once. */
  @Override
  public void onReply(ReplyEnvelope reply, int partition, long offset) {
    if (!waiters.contradicts(reply)) {
      index.put(reply.id(), partition, offset);
    }
    waiters.reply(reply);
  }

  @Override
  public void onUnreadable(RequestId id, WireFormatException problem, int partition, long offset) {
    index.put(id, partition, offset);
    waiters.unreadable(id);
  }

  private void reap() {
    try {
      long now = nanoTime.getAsLong();
      waiters.expire(now);
      if (ending) {
        waiters.endEarly(now, endingSince);
      }
      problems.report(now);
    } catch (RuntimeException | Error e) {
      // Thrown on, it would end the timer, and no wait would end any more.
      LOG.error("BUG: ending waits failed; it goes on with the next turn", e);
    }
  }

  ReplyAddress replyAddress(RequestId id) {
    return new ReplyAddress(replies.topic(), Partitions.of(id.toString(), replies.partitions()));
  }

  /** How many clients wait for the route's service. */
  AtomicInteger waitingOf(Route route) {
    return waiting.computeIfAbsent(route.service(), name -> new AtomicInteger());
  }

  /** How many clients wait for a reply. */
  public int waiting() {
    return waiters.size();
  }

  boolean isStopping() {
    return ending;
  }

  /**
   * Registers what must end with the waits although it is none: long polls, event streams. Few, and
   * for good.
   *
   * @param action called once, by {@link #endWaits}; it must not block
   */
  public void onEnding(Runnable action) {
    onEnding.add(action);
  }

  /**
   * Ends all waits: who is stored gets a 202 now; who may be stored gets it with the
   * acknowledgement, or a 504 when {@link Waiters#ACKNOWLEDGEMENT_GRACE} is over. A request that is
   * still on its way to Kafka goes on and ends likewise; one that begins now is refused. Returns at
   * once.
   */
  public synchronized void endWaits() {
    if (!ending) {
      endingSince = nanoTime.getAsLong();
      ending = true;
      onEnding.forEach(Runnable::run);
    }
    waiters.endEarly(nanoTime.getAsLong(), endingSince);
  }

  /** Ends the waits that there still are, and the timer. */
  @Override
  public void close() {
    endWaits();
    reaper.shutdown();
    waiters.endEarly(endingSince + Waiters.ACKNOWLEDGEMENT_GRACE.toNanos(), endingSince);
  }
}
