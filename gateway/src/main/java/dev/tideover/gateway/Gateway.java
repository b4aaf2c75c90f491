package dev.tideover.gateway;

import dev.tideover.gateway.config.ConfigChange;
import dev.tideover.gateway.config.ConfigException;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.exchange.Exchanges;
import dev.tideover.gateway.exchange.KeyedIds;
import dev.tideover.gateway.exchange.StatusToken;
import dev.tideover.gateway.exchange.Waiters;
import dev.tideover.gateway.http.AdminFront;
import dev.tideover.gateway.http.HealthCheck;
import dev.tideover.gateway.http.HttpFront;
import dev.tideover.gateway.kafka.Backlog;
import dev.tideover.gateway.kafka.KafkaUnavailableException;
import dev.tideover.gateway.kafka.ReplyStore;
import dev.tideover.gateway.kafka.RequestLog;
import dev.tideover.gateway.kafka.RequestSearch;
import dev.tideover.gateway.kafka.Topics;
import dev.tideover.gateway.release.Releases;
import dev.tideover.gateway.route.Routes;
import dev.tideover.wire.RequestId;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.ThreadingModel;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A gateway: the one place where its parts meet. {@link #start}, {@link #reload} and {@link #close}
 * block and are for threads that may, never for an event loop.
 */
public final class Gateway implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Gateway.class);
  private static final int START_SECONDS = 20;
  private static final int STOP_SECONDS = 20;

  /** How long what was handed to Kafka may take to be acknowledged when the waits have ended. */
  private static final Duration ACKNOWLEDGEMENTS_LIMIT = Duration.ofSeconds(2);

  private final VertxOptions options;

  /** What was started, the last first; closed in this order. Of the starter, then of the closer. */
  private final Deque<AutoCloseable> started = new ArrayDeque<>();

  private final List<HttpFront> fronts = new CopyOnWriteArrayList<>();
  private final List<HealthCheck> readiness = new CopyOnWriteArrayList<>();

  /** What one thread at a time may do: opening to clients, or ceasing to. */
  private final Object doors = new Object();

  /** Written under the doors: whether clients are served. */
  private volatile boolean opened;

  private volatile boolean closing;
  private volatile @Nullable String configProblem;
  private volatile GatewayConfig config;
  private @Nullable Vertx vertx;
  private @Nullable RequestLog log;
  private @Nullable Backlog backlog;
  private @Nullable Exchanges exchanges;
  private @Nullable Releases releases;
  private int adminPort;

  /** A gateway that is yet to be started. */
  public Gateway(GatewayConfig config) {
    this(config, new VertxOptions());
  }

  private Gateway(GatewayConfig config, VertxOptions options) {
    this.config = config;
    this.options = options;
    readiness.add(HealthCheck.required("gateway", this::notServing));
    readiness.add(HealthCheck.advisory("config", () -> configProblem));
  }

  /** The same on a given Vert.x, so that a test can watch its event loops. */
  static Gateway start(GatewayConfig config, VertxOptions options) {
    Gateway gateway = new Gateway(config, options);
    gateway.start();
    return gateway;
  }

  /** Makes a gateway and starts it. */
  public static Gateway start(GatewayConfig config) {
    return start(config, new VertxOptions());
  }

  /**
   * Starts all parts, once; returns when clients can be served. Each wait on the way has an end.
   *
   * @throws KafkaUnavailableException if Kafka can't be used
   * @throws StartException if a port can't be had, or if it was closed meanwhile
   */
  public void start() {
    try {
      startParts(config);
    } catch (RuntimeException | Error e) {
      closeParts();
      throw e;
    }
  }

  private void startParts(GatewayConfig config) {
    Routes routes = Routes.of(config);
    String secret = secret(config);
    StatusToken.Signer signer = new StatusToken.Signer(secret);
    KeyedIds keyedIds = new KeyedIds(secret);
    int eventLoops = Runtime.getRuntime().availableProcessors();
    Vertx vertx = Vertx.vertx(options.setEventLoopPoolSize(eventLoops));
    this.vertx = vertx;
    onClose(() -> await(vertx.close(), "closing the event loops", STOP_SECONDS));
    // Probes are answered while the rest starts: alive, not ready.
    AdminFront admin = new AdminFront(config.admin(), readiness);
    deploy(vertx, admin, "admin", config.admin().host(), config.admin().port());
    adminPort = admin.port();
    LOG.info("Starting: operators at port {}", adminPort);

    goOn();
    Topics.ensure(config);
    goOn();
    Releases releases = onClose(Releases.start(config));
    this.releases = releases;
    RequestLog log = onClose(RequestLog.start(config));
    this.log = log;
    Backlog backlog = onClose(Backlog.start(config));
    this.backlog = backlog;
    RequestSearch search = onClose(RequestSearch.start(config));
    Waiters waiters = new Waiters();
    ReplyStore replies = onClose(ReplyStore.start(config, waiters, releases.meter()));
    Exchanges exchanges =
        onClose(
            new Exchanges(
                config,
                routes,
                new Exchanges.Parts(log, replies, backlog, search, releases::onClientFailed),
                waiters,
                signer,
                keyedIds));
    this.exchanges = exchanges;
    goOn();
    check(
        "kafka",
        backlog::isReachable,
        "no broker has answered for 10 s, so requests are refused or their outcome is unknown");
    check(
        "requests",
        log::isAccepting,
        "Kafka acknowledges no requests, so they are refused; it is tried all the time");
    check(
        "replies",
        replies::isFollowing,
        "replies are no longer read, so clients get 202 instead; restart this gateway");
    await(replies.ready(), "reaching the end of the reply topic", START_SECONDS);

    synchronized (doors) {
      goOn();
      for (int i = 0; i < eventLoops; i++) {
        HttpFront front = new HttpFront(config.http(), exchanges);
        deploy(vertx, front, "http", config.http().host(), config.http().port());
        fronts.add(front);
      }
      opened = true;
    }
    LOG.info("Ready: clients at port {}, operators at port {}", port(), adminPort);
  }

  private void check(String name, BooleanSupplier good, String problem) {
    readiness.add(HealthCheck.required(name, () -> good.getAsBoolean() ? null : problem));
  }

  /** Told to stop comes first: also a start that just then succeeds must not look ready. */
  private @Nullable String notServing() {
    return closing ? "stopping" : opened ? null : "starting";
  }

  private void goOn() {
    if (closing) {
      throw new StartException("it has been told to stop");
    }
  }

  private static void deploy(
      Vertx vertx, io.vertx.core.Deployable part, String key, String host, int port) {
    Future<String> deployed =
        vertx.deployVerticle(
            part, new DeploymentOptions().setThreadingModel(ThreadingModel.EVENT_LOOP));
    try {
      await(deployed, "listening", START_SECONDS);
    } catch (StartException e) {
      throw new StartException(
          key
              + ".host, "
              + key
              + ".port: can't listen on "
              + host
              + ":"
              + port
              + " ("
              + e.getMessage()
              + "); is it taken by another program?");
    }
  }

  private static String secret(GatewayConfig config) {
    if (config.secret() != null) {
      return config.secret();
    }
    LOG.warn(
        "No secret is configured: a random one is used, so the status addresses that this gateway"
            + " gives out, and what it makes of idempotency keys, mean nothing to any other gateway"
            + " and end with this process");
    return RequestId.random().toString();
  }

  /** How many clients wait. */
  int waiting() {
    return exchanges == null ? 0 : exchanges.waiting();
  }

  /** Where clients connect. */
  public int port() {
    return fronts.get(0).port();
  }

  /** Where operators connect. */
  public int adminPort() {
    return adminPort;
  }

  /** A part of the gateway that could not be started; the message is for the operator. */
  public static final class StartException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    StartException(String message) {
      super(message);
    }
  }

  private <T extends AutoCloseable> T onClose(T part) {
    started.push(part);
    return part;
  }

  private static void await(Future<?> future, String what, int seconds) {
    await(future.toCompletionStage(), what, seconds);
  }

  private static void await(CompletionStage<?> stage, String what, int seconds) {
    try {
      stage.toCompletableFuture().get(seconds, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof KafkaUnavailableException kafka) {
        throw kafka;
      }
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw new StartException(String.valueOf(cause.getMessage()));
    } catch (TimeoutException e) {
      throw new StartException(what + " took longer than " + seconds + " s");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StartException(what + " was interrupted");
    }
  }

  /**
   * Takes another configuration while requests are under way. Those that have begun end as they
   * began, also on a route that is gone; later ones go by the new configuration. All or nothing: if
   * this throws, nothing has changed.
   *
   * @return what has changed
   * @throws ConfigException for what can't be used, or not without a restart
   * @throws KafkaUnavailableException if a new service's topics can't be made now
   */
  public synchronized ConfigChange reload(GatewayConfig next) {
    goOn();
    ConfigChange change = ConfigChange.between(config, next);
    if (!change.refused().isEmpty()) {
      throw new ConfigException(change.refused());
    }
    Routes routes = Routes.of(next);
    // Kafka is asked only where it must be: limits can be changed also while it is away.
    if (!change.toEnsure().isEmpty()) {
      Topics.ensure(next.only(change.toEnsure()));
    }
    if (!change.toEnsure().isEmpty() || !change.removed().isEmpty()) {
      Objects.requireNonNull(log).update(next);
    }
    Objects.requireNonNull(backlog).update(next);
    Objects.requireNonNull(releases).update(next);
    Objects.requireNonNull(exchanges).update(next, routes);
    config = next;
    return change;
  }

  /** Tells operators that the configuration file can't be used, or with null that it can. */
  public void configProblem(@Nullable String problem) {
    configProblem = problem;
  }

  /**
   * Ends in phases, so that no client sees an error that could be spared it: no longer ready, but
   * serving, until load balancers have noticed ({@code shutdown.delay}); then no new connections,
   * and the waiting clients get their replies ({@code shutdown.wait}); then they get their 202, or
   * a 504 for what Kafka has not acknowledged; then the answers go out and the parts close. Where
   * no client is connected each phase but the first is over at once; about 30 s more than the
   * configured times at most. While it starts, the start ends with an exception instead.
   */
  @Override
  public void close() {
    closing = true;
    synchronized (doors) {
      if (opened) {
        opened = false;
        drain();
        closeParts();
      }
    }
  }

  private void drain() {
    long began = System.nanoTime();
    GatewayConfig.Shutdown times = config.shutdown();
    Exchanges exchanges = Objects.requireNonNull(this.exchanges);
    fronts.forEach(HttpFront::drain);
    // Also where nobody is connected: who asks whether this gateway is ready may not have asked
    // since, and still sends clients here.
    LOG.info(
        "Stopping: no longer ready, still serving for {} s (shutdown.delay)",
        times.delay().toSeconds());
    pause(times.delay());

    Duration limit = times.patience().plus(ACKNOWLEDGEMENTS_LIMIT).plus(HttpFront.ANSWERS_LIMIT);
    Future<?> idle = Future.join(fronts.stream().map(front -> front.shutdown(limit)).toList());
    int waiting = exchanges.waiting();
    if (waiting > 0) {
      LOG.info(
          "No new connections; up to {} s for the replies that {} clients wait for (shutdown.wait)",
          times.patience().toSeconds(),
          waiting);
    }
    if (!isDone(idle, times.patience())) {
      int left = exchanges.waiting();
      if (left > 0) {
        LOG.info("The wait is over: {} clients get their 202 now and can ask later", left);
      }
      fronts.forEach(HttpFront::endBodies);
      exchanges.endWaits();
      if (!isDone(idle, ACKNOWLEDGEMENTS_LIMIT.plus(HttpFront.ANSWERS_LIMIT))) {
        LOG.warn("Some clients did not take their answer in time; their connections are closed");
      }
    }
    // First of all parts: what was told "unknown" may still be written.
    Objects.requireNonNull(log).close();
    LOG.info(
        "All clients were answered and all requests handed to Kafka {} ms after the stop",
        TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began));
  }

  private void pause(Duration time) {
    if (!time.isZero()) {
      Future<?> over = Objects.requireNonNull(vertx).timer(time.toMillis(), TimeUnit.MILLISECONDS);
      var unused = isDone(over, time.plusSeconds(1));
    }
  }

  /** Waits for it; false where it isn't done in time. */
  private static boolean isDone(Future<?> future, Duration limit) {
    try {
      var unused =
          future
              .toCompletionStage()
              .toCompletableFuture()
              .get(limit.toMillis(), TimeUnit.MILLISECONDS);
      return true;
    } catch (ExecutionException e) {
      LOG.warn("The HTTP servers did not close cleanly", e.getCause());
      return true;
    } catch (TimeoutException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private void closeParts() {
    while (!started.isEmpty()) {
      AutoCloseable part = started.pop();
      try {
        part.close();
      } catch (Exception e) {
        if (e instanceof InterruptedException) {
          Thread.currentThread().interrupt();
        }
        LOG.warn("A part of the gateway did not close cleanly; the others go on closing", e);
      }
    }
  }
}
