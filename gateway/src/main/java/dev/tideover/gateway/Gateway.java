package dev.tideover.gateway;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.exchange.Exchanges;
import dev.tideover.gateway.exchange.StatusToken;
import dev.tideover.gateway.http.AdminFront;
import dev.tideover.gateway.http.HttpFront;
import dev.tideover.gateway.kafka.KafkaUnavailableException;
import dev.tideover.gateway.kafka.ReplyStore;
import dev.tideover.gateway.kafka.RequestLog;
import dev.tideover.gateway.kafka.Topics;
import dev.tideover.gateway.route.Routes;
import dev.tideover.wire.RequestId;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.ThreadingModel;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running gateway: the one place where its parts meet. {@link #start} and {@link #close} block
 * and are for a main thread, never for an event loop.
 */
public final class Gateway implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Gateway.class);
  private static final int START_SECONDS = 20;
  private static final int STOP_SECONDS = 20;

  /** What was started, the last first; closed in this order. */
  private final Deque<AutoCloseable> started = new ArrayDeque<>();

  private final List<HttpFront> fronts = new CopyOnWriteArrayList<>();
  private volatile boolean ready;
  private volatile @Nullable ReplyStore replies;
  private int adminPort;

  private Gateway() {}

  /**
   * Starts all parts; returns when clients can be served. Each wait on the way has an end.
   *
   * @throws KafkaUnavailableException if Kafka can't be used
   * @throws StartException if a port can't be had
   */
  public static Gateway start(GatewayConfig config) {
    return start(config, new VertxOptions());
  }

  /** The same on a given Vert.x, so that a test can watch its event loops. */
  static Gateway start(GatewayConfig config, VertxOptions options) {
    Gateway gateway = new Gateway();
    try {
      gateway.startParts(config, options);
      return gateway;
    } catch (RuntimeException | Error e) {
      gateway.close();
      throw e;
    }
  }

  private void startParts(GatewayConfig config, VertxOptions options) {
    Routes routes = Routes.of(config);
    StatusToken.Signer signer = new StatusToken.Signer(secret(config));
    int eventLoops = Runtime.getRuntime().availableProcessors();
    Vertx vertx = Vertx.vertx(options.setEventLoopPoolSize(eventLoops));
    onClose(() -> await(vertx.close(), "closing the event loops", STOP_SECONDS));
    // Probes are answered while the rest starts: alive, not ready.
    AdminFront admin = new AdminFront(config.admin(), this::isReady);
    deploy(vertx, admin, "admin", config.admin().host(), config.admin().port());
    adminPort = admin.port();

    Topics.ensure(config);
    RequestLog log = RequestLog.start(config);
    Exchanges exchanges = new Exchanges(config, routes, log, signer);
    ReplyStore store = onClose(ReplyStore.start(config, exchanges));
    exchanges.follow(store);
    replies = store;
    // Backwards on close: first no new requests, then what is under way gets its acknowledgement,
    // then all waits end and their answers go out, and only then the rest.
    onClose(exchanges);
    onClose(log);
    await(store.ready(), "reaching the end of the reply topic", START_SECONDS);

    for (int i = 0; i < eventLoops; i++) {
      HttpFront front = new HttpFront(config.http(), exchanges);
      deploy(vertx, front, "http", config.http().host(), config.http().port());
      fronts.add(front);
    }
    onClose(
        () -> {
          ready = false;
          exchanges.stop();
        });
    ready = true;
    LOG.info("Ready: clients at port {}, operators at port {}", port(), adminPort);
  }

  private boolean isReady() {
    ReplyStore following = replies;
    return ready && following != null && following.isFollowing();
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
            + " gives out are known to no other gateway and end with this process");
    return RequestId.random().toString();
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

  /** Refuses new requests, ends the waits, lets the answers go out, stops; about 30 s at most. */
  @Override
  public void close() {
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
