package dev.tideover.gateway.exchange;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ReplyFeed;
import dev.tideover.gateway.kafka.ReplyStore;
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
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What all exchanges share, and what happens to them from outside: replies, deadlines, the
 * gateway's end. Safe for any thread.
 */
public final class Exchanges implements ReplyFeed.Listener, AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Exchanges.class);
  private static final long REAP_MILLIS = 50;

  final Routes routes;
  final RequestLog log;
  final Waiters waiters = new Waiters();
  final AppendProblems problems = new AppendProblems();
  final StatusToken.Signer signer;
  final Clock clock = Clock.systemUTC();
  final LongSupplier nanoTime = System::nanoTime;

  private volatile @Nullable ReplyStore replies;
  private final GatewayConfig config;
  private final Map<String, AtomicInteger> waiting = new HashMap<>();
  private final ScheduledExecutorService reaper =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "tideover-reaper");
            thread.setDaemon(true);
            return thread;
          });
  private volatile boolean stopping;

  public Exchanges(GatewayConfig config, Routes routes, RequestLog log, StatusToken.Signer signer) {
    this.config = config;
    this.routes = routes;
    this.log = log;
    this.signer = signer;
    config.services().keySet().forEach(name -> waiting.put(name, new AtomicInteger()));
    var unused =
        reaper.scheduleWithFixedDelay(this::reap, REAP_MILLIS, REAP_MILLIS, TimeUnit.MILLISECONDS);
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
    ReplyStore store = Objects.requireNonNull(replies, "follow() comes before the first request");
    return Future.fromCompletionStage(store.find(read.id(), read.acceptedAt()), context)
        .map(found -> answer(found, read, token));
  }

  private Answer answer(ReplyStore.Lookup found, StatusToken read, String token) {
    if (found instanceof ReplyStore.Lookup.Found reply) {
      return new Answer.Replied(reply.reply());
    }
    if (found instanceof ReplyStore.Lookup.Unreadable) {
      return new Answer.Unreadable(read.id());
    }
    if (found instanceof ReplyStore.Lookup.NotNow notNow) {
      LOG.debug("Whether a request has its reply can't be told now: {}", notNow.reason());
      return new Answer.ReplyMissing(
          read.id(),
          Answer.Reason.REPLY_UNAVAILABLE,
          "The replies can't be looked into now; ask again.");
    }
    if (found instanceof ReplyStore.Lookup.Gone
        || clock.instant().isAfter(read.acceptedAt().plus(longestRetention()))) {
      return new Answer.ReplyMissing(
          read.id(), Answer.Reason.REPLY_EXPIRED, "The reply is past its retention.");
    }
    return new Answer.Pending(read.id(), token);
  }

  private Duration longestRetention() {
    return config.services().values().stream()
        .map(service -> service.topic().retention())
        .max(Comparator.naturalOrder())
        .orElseThrow()
        .plus(config.replies().retention());
  }

  /** Where the replies are that are asked for later; before the first request. */
  public void follow(ReplyStore store) {
    replies = store;
  }

  /** On the feed's thread, as is all of the listener. */
  @Override
  public boolean contradicts(ReplyEnvelope reply) {
    return waiters.contradicts(reply);
  }

  @Override
  public void onReply(ReplyEnvelope reply, int partition, long offset) {
    waiters.reply(reply);
  }

  @Override
  public void onUnreadable(RequestId id, WireFormatException problem, int partition, long offset) {
    waiters.unreadable(id);
  }

  private void reap() {
    try {
      long now = nanoTime.getAsLong();
      waiters.expire(now);
      problems.report(now);
    } catch (RuntimeException | Error e) {
      // Thrown on, it would end the timer, and no wait would end any more.
      LOG.error("BUG: ending waits failed; it goes on with the next turn", e);
    }
  }

  ReplyAddress replyAddress(RequestId id) {
    int partitions = config.replies().partitions();
    return new ReplyAddress(config.replies().topic(), Partitions.of(id.toString(), partitions));
  }

  /** How many clients wait for the route's service. */
  AtomicInteger waitingOf(Route route) {
    return Objects.requireNonNull(waiting.get(route.service()));
  }

  boolean isStopping() {
    return stopping;
  }

  /** From now on requests are refused. */
  public void stop() {
    stopping = true;
  }

  /** Ends all waits: who is stored gets a 202, who may be stored a 504. */
  @Override
  public void close() {
    stop();
    waiters.endAll();
    reaper.shutdown();
  }
}
