package dev.tideover.gateway.exchange;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.Backlog;
import dev.tideover.gateway.kafka.ReplyStore;
import dev.tideover.gateway.kafka.RequestLog;
import dev.tideover.gateway.kafka.RequestSearch;
import dev.tideover.gateway.route.Routes;
import dev.tideover.wire.Partitions;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.RequestId;
import io.vertx.core.Context;
import java.time.Clock;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What all exchanges and inquiries share, and what happens to them from outside: deadlines, another
 * configuration, the gateway's end. Safe for any thread.
 */
public final class Exchanges implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Exchanges.class);
  private static final long REAP_MILLIS = 50;

  /** Counts those who wait for a service that a reload has removed. No service has this name. */
  private static final String REMOVED = "";

  /**
   * The parts on Kafka's side.
   *
   * @param failures is told of a service when one of its clients, who was to have a reply, gets an
   *     error of this gateway instead; must be quick
   */
  public record Parts(
      RequestLog log,
      ReplyStore replies,
      Backlog backlog,
      RequestSearch search,
      Consumer<String> failures) {}

  final RequestLog log;
  final Backlog backlog;
  final RequestSearch search;
  final Waiters waiters;
  final LatePlaces latePlaces = new LatePlaces();
  final AppendProblems problems = new AppendProblems();
  final StatusToken.Signer signer;
  final KeyedIds keyedIds;
  final Clock clock = Clock.systemUTC();
  final LongSupplier nanoTime = System::nanoTime;
  final ReplyStore replies;
  final Consumer<String> failures;

  private final GatewayConfig.Replies replyTopic;

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
  private volatile boolean ending;

  /** When the waits were to end, in nanoseconds; written before {@link #ending} is. */
  private long endingSince;

  /**
   * Ready to take requests.
   *
   * @param waiters where the replies that come in are delivered
   */
  public Exchanges(
      GatewayConfig config,
      Routes routes,
      Parts parts,
      Waiters waiters,
      StatusToken.Signer signer,
      KeyedIds keyedIds) {
    this.replyTopic = config.replies();
    this.routing = Routing.of(config, routes);
    this.log = parts.log();
    this.replies = parts.replies();
    this.backlog = parts.backlog();
    this.search = parts.search();
    this.failures = parts.failures();
    this.waiters = waiters;
    this.signer = signer;
    this.keyedIds = keyedIds;
    var unused =
        reaper.scheduleWithFixedDelay(this::reap, REAP_MILLIS, REAP_MILLIS, TimeUnit.MILLISECONDS);
  }

  /**
   * From now on requests go by this configuration; those that have begun end as they began.
   *
   * @param routes those of the configuration
   */
  public synchronized void update(GatewayConfig config, Routes routes) {
    routing = routing.next(config, routes);
    // Who waits keeps its counter; a removed service's goes when nobody does.
    waiting
        .entrySet()
        .removeIf(
            entry -> !config.services().containsKey(entry.getKey()) && entry.getValue().get() == 0);
  }

  Routing routing() {
    return routing;
  }

  /** A new exchange for a request that has come in on this event loop. */
  public Exchange begin(Inbound inbound, Context context) {
    return new Exchange(this, inbound, context);
  }

  /** A question at the status address that ends with this text, from this event loop. */
  public Inquiry ask(String token, Context context) {
    return new Inquiry(this, token, context);
  }

  /** How things stand with a request that has no reply. */
  Answer.Pending pending(StatusToken place, String token) {
    GatewayConfig.Service service = routing.service(place.service());
    boolean stored = place.offset() != Flight.NOWHERE;
    Backlog.Queue queue = null;
    int attempts = 0;
    if (stored && service != null) {
      queue = backlog.queue(service.name(), place.partition(), place.offset());
      attempts = backlog.attempts(service.name(), place.partition(), place.offset());
    }
    Duration eta = queue == null ? null : queue.eta();
    Duration age = Duration.between(place.acceptedAt(), clock.instant());
    return new Answer.Pending(
        place.id(),
        token,
        stored,
        attempts,
        queue == null ? null : queue.position(),
        eta,
        Inquiry.retryAfter(eta, age),
        false);
  }

  /** Whether it is known that the request still waits for its service. */
  boolean isWaiting(StatusToken place) {
    GatewayConfig.Service service = routing.service(place.service());
    return service != null
        && place.offset() != Flight.NOWHERE
        && backlog.isWaiting(service.name(), place.partition(), place.offset());
  }

  /** Whether it is known that its service is done with the request; see {@link #isWaiting}. */
  boolean isDone(StatusToken place) {
    GatewayConfig.Service service = routing.service(place.service());
    return service != null
        && place.offset() != Flight.NOWHERE
        && backlog.isDone(service.name(), place.partition(), place.offset());
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
    return new ReplyAddress(
        replyTopic.topic(), Partitions.of(id.toString(), replyTopic.partitions()));
  }

  /** How many clients wait for the service, null for one that is no more. */
  AtomicInteger waitingOf(@Nullable String service) {
    return waiting.computeIfAbsent(
        service == null ? REMOVED : service, name -> new AtomicInteger());
  }

  /** How many clients wait for a reply. */
  public int waiting() {
    return waiting.values().stream().mapToInt(AtomicInteger::get).sum();
  }

  boolean isStopping() {
    return ending;
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
