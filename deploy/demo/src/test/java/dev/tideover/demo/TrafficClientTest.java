package dev.tideover.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Future;
import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.HdrHistogram.Histogram;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The client against a real server, which plays the gateway on one event loop. */
@Timeout(180)
class TrafficClientTest {
  private static final double RATE = 300;
  private static final int CUSTOMERS = (int) RATE * TrafficClient.SECONDS_BETWEEN;
  private static final Duration LONG = Duration.ofSeconds(30);
  private static final Duration SHORT = Duration.ofSeconds(1);

  private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
  private final Vertx gatewayVertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));

  @AfterEach
  void close() throws Exception {
    Future.all(vertx.close(), gatewayVertx.close())
        .toCompletionStage()
        .toCompletableFuture()
        .get(10, TimeUnit.SECONDS);
  }

  @Test
  void eachCustomerCountsUpAndEachAnswerIsTaken() throws Exception {
    TrafficClient.Result result = run(CUSTOMERS + 20, TrafficClientTest::place);

    assertThat(result.requests()).hasSizeGreaterThan(CUSTOMERS);
    assertThat(result.requests())
        .allSatisfy(
            request -> {
              assertThat(request.answer()).isNotNull();
              assertThat(request.answer().isServices201()).isTrue();
              assertThat(request.answer().order().order()).isEqualTo(request.order());
              assertThat(request.promised()).isTrue();
            });
    assertThat(result.requests().get(0).order()).isEqualTo("c0-1");
    assertThat(result.requests().get(CUSTOMERS).order()).isEqualTo("c0-2");
    assertThat(result.firstAnswerAtMillis()).containsOnlyKeys("v1");
    assertThat(result.waits().max()).isPositive();
  }

  @Test
  void aCustomersRequestsKeepTheirDistanceEvenAfterTheClientWasHeldUp() throws Exception {
    Map<String, Long> latest = new HashMap<>();
    var gaps = new Histogram(3);
    var blocked = new AtomicBoolean();
    run(
        2 * CUSTOMERS + 100,
        request -> {
          if (latest.size() == CUSTOMERS && blocked.compareAndSet(false, true)) {
            vertx.runOnContext(
                ignored -> LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(3_000)));
          }
          long now = System.nanoTime();
          Long before = latest.put(request.path(), now);
          if (before != null) {
            gaps.recordValue(TimeUnit.NANOSECONDS.toMillis(now - before));
          }
          place(request);
        });

    assertThat(blocked).isTrue();
    assertThat(gaps.getTotalCount()).isGreaterThan(CUSTOMERS / 2);
    assertThat(gaps.getMinValue()).isGreaterThan(TrafficClient.LEAST_GAP.toMillis() / 2);
  }

  @Test
  void sendsOnWhileNothingIsAnsweredAndCountsTheWaitFromWhenARequestWasDue() throws Exception {
    List<HttpServerRequest> held = new ArrayList<>();
    var released = new AtomicBoolean();
    var enough = new CountDownLatch(200);
    HttpServer server =
        listen(
            request -> {
              if (released.get()) {
                place(request);
              } else {
                request.pause(); // keeps the body for later
                held.add(request);
                enough.countDown();
              }
            });
    var client = new TrafficClient(vertx, server.actualPort(), RATE, LONG);
    client.start();
    assertThat(enough.await(90, TimeUnit.SECONDS)).isTrue();

    TrafficClient.Snapshot during = client.snapshot().get(5, TimeUnit.SECONDS);
    assertThat(during.waiting()).isGreaterThanOrEqualTo(200);
    assertThat(during.answered()).isZero();
    gatewayVertx.runOnContext(
        ignored -> {
          released.set(true);
          held.forEach(TrafficClientTest::place);
        });
    TrafficClient.Result result = client.finish().get(60, TimeUnit.SECONDS);

    assertThat(result.heldPeak()).isGreaterThanOrEqualTo(200);
    // The first request was due 200 requests before the last of them, so half a second earlier.
    assertThat(result.waits().max()).isGreaterThan(TimeUnit.MILLISECONDS.toMicros(400));
  }

  @Test
  void aRequestThatIsNeverAnsweredEndsWithoutAnswerWhenItsTimeIsOver() throws Exception {
    TrafficClient.Result result = run(10, SHORT, request -> {});

    assertThat(result.requests())
        .isNotEmpty()
        .allSatisfy(
            request -> {
              assertThat(request.answer()).isNull();
              assertThat(request.promised()).isFalse();
            });
  }

  @Test
  void aServerThatClosesTheConnectionLeavesRequestsWithoutAnswer() throws Exception {
    TrafficClient.Result result = run(10, request -> request.connection().close());

    assertThat(result.requests())
        .isNotEmpty()
        .allSatisfy(request -> assertThat(request.answer()).isNull());
  }

  @Test
  void aGatewaysErrorIsAnAnswerButNotTheServices() throws Exception {
    TrafficClient.Result result =
        run(
            10,
            request ->
                request
                    .response()
                    .setStatusCode(503)
                    .putHeader("tideover-source", "gateway")
                    .putHeader("tideover-outcome", "not-accepted")
                    .end());

    assertThat(result.requests())
        .isNotEmpty()
        .allSatisfy(
            request -> {
              assertThat(request.answer()).isEqualTo(new ClientRecord.Answer(503, false, null));
              assertThat(request.promised()).isFalse();
            });
  }

  @Test
  void aBodyThatIsNotTheServicesDocumentIsAnAnswerWithoutOrder() throws Exception {
    TrafficClient.Result result =
        run(
            10,
            request ->
                request
                    .response()
                    .setStatusCode(201)
                    .putHeader("tideover-source", "service")
                    .end("{\"order\":\"c0-1\"}"));

    assertThat(result.requests())
        .isNotEmpty()
        .allSatisfy(
            request ->
                assertThat(request.answer()).isEqualTo(new ClientRecord.Answer(201, true, null)));
  }

  @Test
  void a202IsFollowedUntilTheServicesAnswerIsThere() throws Exception {
    TrafficClient.Result result = run(10, new AcceptThenAnswer(2));

    assertThat(result.requests())
        .isNotEmpty()
        .allSatisfy(
            request -> {
              assertThat(request.answeredWith202()).isTrue();
              assertThat(request.promised()).isTrue();
              assertThat(request.answer().isServices201()).isTrue();
            });
  }

  @Test
  void a202ThatIsNeverFollowedByAnAnswerEnds() throws Exception {
    TrafficClient.Result result = run(5, SHORT, new AcceptThenAnswer(Integer.MAX_VALUE));

    assertThat(result.requests())
        .isNotEmpty()
        .allSatisfy(
            request -> {
              assertThat(request.promised()).isTrue();
              assertThat(request.answer()).isNull();
            });
  }

  private TrafficClient.Result run(int atLeast, Handler<HttpServerRequest> gateway)
      throws Exception {
    return run(atLeast, LONG, gateway);
  }

  private TrafficClient.Result run(
      int atLeast, Duration answerWithin, Handler<HttpServerRequest> gateway) throws Exception {
    var arrived = new CountDownLatch(atLeast);
    HttpServer server =
        listen(
            request -> {
              arrived.countDown();
              gateway.handle(request);
            });
    var client = new TrafficClient(vertx, server.actualPort(), RATE, answerWithin);
    client.start();
    assertThat(arrived.await(90, TimeUnit.SECONDS)).isTrue();
    CompletableFuture<TrafficClient.Result> result = client.finish();
    return result.get(60, TimeUnit.SECONDS);
  }

  private HttpServer listen(Handler<HttpServerRequest> gateway) throws Exception {
    return gatewayVertx
        .createHttpServer()
        .requestHandler(gateway)
        .listen(0, "127.0.0.1")
        .toCompletionStage()
        .toCompletableFuture()
        .get(10, TimeUnit.SECONDS);
  }

  /** Answers as the orders service would. */
  private static void place(HttpServerRequest request) {
    request
        .resume()
        .body()
        .onSuccess(
            body -> {
              String customer = request.path().substring("/orders/".length());
              int seq = body.toJsonObject().getInteger("seq");
              request
                  .response()
                  .setStatusCode(201)
                  .putHeader("tideover-source", "service")
                  .putHeader("tideover-outcome", "completed")
                  .end(
                      new JsonObject()
                          .put("order", OrderReply.orderId(customer, seq))
                          .put("customer", customer)
                          .put("seq", seq)
                          .put("version", "v1")
                          .toBuffer());
            });
  }

  /** Answers 202, says "pending" to the first questions, and then gives the service's answer. */
  private record AcceptThenAnswer(int pendingAnswers) implements Handler<HttpServerRequest> {
    @Override
    public void handle(HttpServerRequest request) {
      String path = request.path();
      int asked = path.startsWith("/status/") ? Integer.parseInt(path.substring(8)) : -1;
      if (asked >= pendingAnswers) {
        request
            .response()
            .setStatusCode(201)
            .putHeader("tideover-source", "service")
            .putHeader("tideover-outcome", "completed")
            .end("{}");
        return;
      }
      request
          .response()
          .setStatusCode(202)
          .putHeader("tideover-source", "gateway")
          .putHeader("tideover-outcome", "accepted")
          .putHeader("location", "/status/" + (asked + 1))
          .putHeader("retry-after", "0")
          .end();
    }
  }
}
