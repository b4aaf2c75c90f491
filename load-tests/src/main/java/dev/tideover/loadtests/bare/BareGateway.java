package dev.tideover.loadtests.bare;

import io.vertx.core.Context;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.net.SocketAddress;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * The bare gateway. {@code /echo} answers with the body at once; {@code /accept} answers 202 when
 * Kafka has acknowledged the body; {@code /round-trip} answers with what {@link BareService} sent
 * back. No routes, limits, waits, headers, metrics or errors worth the name.
 *
 * <p>Threads: one event loop per core has the connections; Kafka's I/O thread and the thread of
 * {@link ReplyLoop} hand results back to the event loop they belong to.
 */
public final class BareGateway implements AutoCloseable {

  private static final long BOUND_SECONDS = 30;
  private static final byte[] NO_KEY = new byte[0];

  /** The same one for all instances of the verticle, so that every event loop has connections. */
  private static final SocketAddress ONE_FREE_PORT = SocketAddress.sharedRandomPort(1, "127.0.0.1");

  private final Vertx vertx = Vertx.vertx();
  private final KafkaProducer<byte[], byte[]> producer;
  private final ReplyLoop replies;
  private final ConcurrentHashMap<Long, Waiter> waiters = new ConcurrentHashMap<>();
  private final AtomicLong lastId = new AtomicLong();
  private volatile int port;

  private BareGateway(String bootstrapServers) {
    producer = BareKafka.producer(bootstrapServers);
    replies = new ReplyLoop(bootstrapServers, this::replied);
  }

  /**
   * Starts it on a free port of the loopback address; the topics must be there.
   *
   * @throws TimeoutException if it is not ready within half a minute
   */
  public static BareGateway start(String bootstrapServers)
      throws InterruptedException, TimeoutException {
    BareGateway gateway = new BareGateway(bootstrapServers);
    try {
      gateway.start();
    } catch (InterruptedException | TimeoutException | RuntimeException e) {
      gateway.close();
      throw e;
    }
    return gateway;
  }

  private void start() throws InterruptedException, TimeoutException {
    // Kafka's producer fetches metadata on the calling thread at first use: not on an event loop.
    producer.partitionsFor(BareKafka.ACCEPT_TOPIC);
    producer.partitionsFor(BareKafka.REQUEST_TOPIC);
    replies.start(BOUND_SECONDS);
    vertx
        .deployVerticle(
            Front::new,
            new DeploymentOptions().setInstances(Runtime.getRuntime().availableProcessors()))
        .await(BOUND_SECONDS, TimeUnit.SECONDS);
  }

  /** The port that it listens on. */
  public int port() {
    return port;
  }

  @Override
  public void close() {
    replies.close();
    producer.close(Duration.ofSeconds(5));
    try {
      vertx.close().await(BOUND_SECONDS, TimeUnit.SECONDS);
    } catch (TimeoutException e) {
      System.err.println(
          "The bare gateway's server did not close in time; the process ends anyway.");
    }
  }

  /** Runs on an event loop; {@link Context#runOnContext} brings the answer back to it. */
  private void handle(HttpServerRequest request, Buffer body, Context context) {
    HttpServerResponse response = request.response();
    switch (request.path()) {
      case "/echo" -> response.end(body);
      case "/accept" -> accept(body, new Waiter(context, response));
      case "/round-trip" -> roundTrip(body, new Waiter(context, response));
      default -> response.setStatusCode(404).end();
    }
  }

  private void accept(Buffer body, Waiter waiter) {
    var unused =
        producer.send(
            new ProducerRecord<>(BareKafka.ACCEPT_TOPIC, NO_KEY, body.getBytes()),
            (metadata, failure) -> waiter.answer(failure == null ? 202 : 503, Buffer.buffer()));
  }

  private void roundTrip(Buffer body, Waiter waiter) {
    long id = lastId.incrementAndGet();
    waiters.put(id, waiter);
    byte[] key = ByteBuffer.allocate(Long.BYTES).putLong(id).array();
    var unused =
        producer.send(
            new ProducerRecord<>(BareKafka.REQUEST_TOPIC, key, body.getBytes()),
            (metadata, failure) -> {
              if (failure != null && waiters.remove(id) != null) {
                waiter.answer(503, Buffer.buffer());
              }
            });
  }

  private void replied(byte[] key, byte[] body) {
    Waiter waiter = waiters.remove(ByteBuffer.wrap(key).getLong());
    if (waiter != null) {
      waiter.answer(200, Buffer.buffer(body));
    }
  }

  private record Waiter(Context context, HttpServerResponse response) {

    void answer(int status, Buffer body) {
      context.runOnContext(ignored -> response.setStatusCode(status).end(body));
    }
  }

  private final class Front extends VerticleBase {

    @Override
    public Future<HttpServer> start() {
      return vertx
          .createHttpServer()
          .requestHandler(
              request -> request.body().onSuccess(body -> handle(request, body, context)))
          .listen(ONE_FREE_PORT)
          .onSuccess(server -> port = server.actualPort());
    }
  }

  /**
   * The process: takes the bootstrap servers, prints {@code READY} and its port, and ends with its
   * input, so that it never outlives who started it.
   */
  public static void main(String[] args) throws Exception {
    try (BareGateway gateway = start(args[0])) {
      System.out.println("READY " + gateway.port());
      untilInputEnds();
    }
  }

  static void untilInputEnds() throws IOException {
    while (System.in.read() >= 0) {
      // What is sent has no meaning; only the end has.
    }
  }
}
