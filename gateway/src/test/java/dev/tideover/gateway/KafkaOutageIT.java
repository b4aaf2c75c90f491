package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.testkit.BrokerProcess;
import dev.tideover.testkit.TestKafka;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.common.errors.TopicExistsException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Kafka away, frozen, full or without the topic: each request still gets one answer in time, what
 * the answer says is true, and no event loop waits for Kafka.
 */
@Tag("alone")
class KafkaOutageIT {

  enum Outage {
    KILLED {
      @Override
      void begin(BrokerProcess broker) {
        broker.kill();
      }

      @Override
      void end(BrokerProcess broker) {
        broker.restart();
      }
    },
    FROZEN {
      @Override
      void begin(BrokerProcess broker) {
        broker.freeze();
      }

      @Override
      void end(BrokerProcess broker) {
        broker.thaw();
      }
    };

    abstract void begin(BrokerProcess broker);

    abstract void end(BrokerProcess broker);
  }

  private static final Duration LIMIT = Duration.ofSeconds(60);

  /** Each test leaves it running; each has topics of its own. */
  private static BrokerProcess broker;

  @BeforeAll
  static void startBroker() {
    broker = BrokerProcess.start();
  }

  @AfterAll
  static void stopBroker() {
    broker.close();
  }

  /** A test that failed half-way must not make the next one fail too. */
  @AfterEach
  void endTheOutage() {
    if (broker.isAlive()) {
      broker.thaw();
    } else {
      broker.restart();
    }
  }

  /** Without this the other tests would prove nothing. */
  @Test
  void theWatchSeesALoopThatWaits() throws Exception {
    Vertx vertx = Vertx.vertx(EventLoopWatch.options());
    try (EventLoopWatch watch = EventLoopWatch.begin()) {
      CountDownLatch never = new CountDownLatch(1);
      CountDownLatch waited = new CountDownLatch(1);
      vertx.runOnContext(
          nothing -> {
            try {
              var unused = never.await(400, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
              throw new AssertionError(e);
            }
            waited.countDown();
          });
      assertThat(waited.await(20, TimeUnit.SECONDS)).isTrue();

      assertThat(watch.blocked()).isNotEmpty();
    } finally {
      vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
    }
  }

  /** Nor without this: work on a loop blocks it as well as a wait does. */
  @Test
  void theWatchSeesALoopThatWorksTooLong() throws Exception {
    Vertx vertx = Vertx.vertx(EventLoopWatch.options());
    try (EventLoopWatch watch = EventLoopWatch.begin()) {
      CountDownLatch done = new CountDownLatch(1);
      vertx.runOnContext(
          nothing -> {
            long start = System.nanoTime();
            while (watch.blocked().isEmpty() && System.nanoTime() - start < 30_000_000_000L) {
              Thread.onSpinWait();
            }
            done.countDown();
          });
      assertThat(done.await(60, TimeUnit.SECONDS)).isTrue();

      assertThat(watch.blocked()).isNotEmpty();
    } finally {
      vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
    }
  }

  @ParameterizedTest
  @HttpRule(
      value = "A 503 has a Retry-After and nothing of the request was stored",
      source = "RFC 9110 section 15.6.4")
  @HttpRule(
      value = "During an outage of Kafka every request gets an answer within its wait and 2 s",
      source = "Tideover")
  @EnumSource
  void requestsDuringAnOutageAreAnsweredInTimeAndTruthfully(Outage outage) throws Exception {
    List<Traffic.Sent> sent;
    String topic;
    try (TestGateway gateway = gateway("", "path: /**, wait: 1s");
        RawService service = service(gateway)) {
      topic = gateway.requests();
      service.on("/echo", request -> request.reply(200, request.record.value()));
      warmUp(gateway);
      try (EventLoopWatch watch = EventLoopWatch.begin()) {
        Traffic traffic = Traffic.start(gateway.port(), "/echo", 8, 0);
        await().atMost(LIMIT).until(() -> traffic.count(200) > 200);
        outage.begin(broker);
        await().atMost(LIMIT).until(() -> traffic.count(503, 504) >= 16);
        outage.end(broker);
        int before = traffic.count(200);
        await().atMost(LIMIT).until(() -> traffic.count(200) > before + 200);
        sent = traffic.stop();
        watch.assertNoneBlocked();
      }
    }

    assertThat(sent).allSatisfy(each -> assertThat(each.took()).isLessThan(Duration.ofSeconds(3)));
    assertTruthful(sent, topic);
  }

  /** The gateway knows where the first answer stands, and can't read it. */
  @Test
  void aResendDuringAnOutageIsAnsweredInTimeToo() throws Exception {
    try (TestGateway gateway = gateway("", "path: /**, wait: 1s");
        RawService service = service(gateway)) {
      service.on("/echo", request -> request.reply(200, request.record.value()));
      warmUp(gateway);
      String key = "Idempotency-Key: \"outage\"";
      byte[] body = "once".getBytes(UTF_8);
      assertThat(RawHttp.exchange(gateway.port(), "POST", "/echo", body, key).status())
          .isEqualTo(200);

      broker.freeze();
      long start = System.nanoTime();
      RawHttp.Response resend =
          RawHttp.exchange(gateway.port(), "POST", "/echo", body, key, "Prefer: respond-async");
      Duration took = Duration.ofNanos(System.nanoTime() - start);
      broker.thaw();

      assertThat(resend.status()).isIn(503, 504);
      assertThat(took).isLessThan(Duration.ofSeconds(2));
    }
  }

  @Tag("long")
  @ParameterizedTest
  @EnumSource
  void soonEveryAnswerIsADefiniteNoAndSoonAfterwardsEachIsAYesAgain(Outage outage)
      throws Exception {
    Course course = course(outage, "", Duration.ofSeconds(3));

    assertThat(course.duringOutage())
        .hasSizeGreaterThan(100)
        .allSatisfy(
            each -> {
              assertThat(each.status()).isEqualTo(503);
              assertThat(each.code()).isEqualTo("unavailable");
              assertThat(each.retryAfter()).matches("[1-9][0-9]?");
              assertThat(each.took()).isLessThan(Duration.ofSeconds(1));
            });
    assertThat(course.afterwards()).allSatisfy(each -> assertThat(each.status()).isIn(200, 202));
    assertTruthful(course.sent, course.topic);
  }

  /** So long that the producer gives up all it had: then single requests must try the ground. */
  @Tag("long")
  @ParameterizedTest
  @EnumSource
  void anOutageThatOutlastsAllRequestsIsAnsweredAndOvercomeLikeAShortOne(Outage outage)
      throws Exception {
    Course course =
        course(
            outage, "request.timeout.ms: 1000, delivery.timeout.ms: 2000", Duration.ofSeconds(8));

    List<Traffic.Sent> during = course.duringOutage();
    assertThat(during).extracting(Traffic.Sent::status).isSubsetOf(503, 504);
    assertThat(during)
        .filteredOn(each -> each.status() == 504)
        .as("the probes among %s", during.size())
        .hasSizeLessThanOrEqualTo(TestGateway.PARTITIONS * 2 * 8);
    assertThat(course.afterwards()).allSatisfy(each -> assertThat(each.status()).isIn(200, 202));
    assertTruthful(course.sent, course.topic);
  }

  /** What clients were told before, during and after an outage, with the times of its ends. */
  private record Course(
      List<Traffic.Sent> sent, String topic, long begun, long ending, long ended) {

    /** Those that came when it had lasted for two and a half seconds. */
    List<Traffic.Sent> duringOutage() {
      return between(begun + Duration.ofMillis(2_500).toNanos(), ending);
    }

    /** Those that came when it had been over for five seconds. */
    List<Traffic.Sent> afterwards() {
      return between(ended + Duration.ofSeconds(5).toNanos(), ended + LIMIT.toNanos());
    }

    private List<Traffic.Sent> between(long from, long to) {
      return sent.stream().filter(each -> each.isBetween(from, to)).toList();
    }
  }

  /** So many clients that each partition has a request at any time. */
  private static Course course(Outage outage, String properties, Duration lasts) throws Exception {
    try (TestGateway gateway = gateway(properties, "path: /**, wait: 1s");
        RawService service = service(gateway)) {
      service.on("/echo", request -> request.reply(200, request.record.value()));
      warmUp(gateway);
      try (EventLoopWatch watch = EventLoopWatch.begin()) {
        Traffic traffic = Traffic.start(gateway.port(), "/echo", 32, 0);
        await().atMost(LIMIT).until(() -> traffic.count(200) > 500);
        outage.begin(broker);
        long begun = System.nanoTime();
        await()
            .atMost(LIMIT)
            .until(() -> traffic.countSince(begun + lasts.toNanos(), 503, 504) > 100);
        long ending = System.nanoTime();
        outage.end(broker);
        long ended = System.nanoTime();
        long well = ended + Duration.ofSeconds(5).toNanos();
        await().atMost(LIMIT).until(() -> traffic.countSince(well, 200, 202, 503, 504) > 200);
        List<Traffic.Sent> sent = traffic.stop();
        watch.assertNoneBlocked();
        return new Course(sent, gateway.requests(), begun, ending, ended);
      }
    }
  }

  @Test
  void aFullBufferIsADefiniteNo() throws Exception {
    List<Traffic.Sent> sent;
    String topic;
    try (TestGateway gateway =
            gateway("buffer.memory: 65536, batch.size: 16384", "path: /**, wait: 500ms");
        RawService service = service(gateway)) {
      topic = gateway.requests();
      service.on("/echo", request -> request.reply(200, request.record.value()));
      warmUp(gateway);
      try (EventLoopWatch watch = EventLoopWatch.begin()) {
        broker.freeze();
        Traffic traffic = Traffic.start(gateway.port(), "/echo", 12, 20_000);
        await().atMost(LIMIT).until(() -> traffic.count(503) > 100 && traffic.count(504) > 0);
        broker.thaw();
        await().atMost(LIMIT).until(() -> traffic.count(200) > 50);
        sent = traffic.stop();
        watch.assertNoneBlocked();
      }
    }

    assertThat(sent)
        .allSatisfy(each -> assertThat(each.took()).isLessThan(Duration.ofMillis(2_500)));
    assertTruthful(sent, topic);
  }

  @Test
  void aTopicThatIsGoneIsADefiniteNo() throws Exception {
    List<Traffic.Sent> sent;
    String topic;
    try (TestKafka kafka = TestKafka.at(broker.bootstrapServers());
        TestGateway gateway = gateway("metadata.max.age.ms: 300", "path: /**, wait: 500ms");
        RawService service = service(gateway)) {
      topic = gateway.requests();
      service.on("/echo", request -> request.reply(200, request.record.value()));
      warmUp(gateway);
      try (EventLoopWatch watch = EventLoopWatch.begin()) {
        kafka.admin().deleteTopics(List.of(topic)).all().get(20, TimeUnit.SECONDS);
        Traffic traffic = Traffic.start(gateway.port(), "/echo", 4, 0);
        await().atMost(LIMIT).until(() -> traffic.count(503) > 20);
        sent = traffic.stop();
        await()
            .atMost(LIMIT)
            .ignoreException(TopicExistsException.class)
            .until(() -> kafka.createTopic(topic, TestGateway.PARTITIONS) != null);
        await().atMost(LIMIT).until(() -> gateway.send("POST", "/x", new byte[0]).status() == 202);
        watch.assertNoneBlocked();
      }
    }

    assertThat(sent).allSatisfy(each -> assertThat(each.status()).isIn(200, 202, 503, 504));
    Set<String> falselyRefused = bodies(sent, 503);
    falselyRefused.retainAll(stored(topic));
    assertThat(falselyRefused).as("refused and in the topic").isEmpty();
  }

  /** What the promises say of each kind of answer, held against the topic. */
  private static void assertTruthful(List<Traffic.Sent> sent, String topic) {
    assertThat(sent)
        .allSatisfy(
            each ->
                assertThat(each.status() + " " + each.outcome())
                    .isIn("200 completed", "202 accepted", "503 not-accepted", "504 unknown"));
    Set<String> stored = stored(topic);
    Set<String> lost = bodies(sent, 200);
    lost.addAll(bodies(sent, 202));
    lost.removeAll(stored);
    assertThat(lost).as("accepted and not in the topic").isEmpty();
    Set<String> falselyRefused = bodies(sent, 503);
    falselyRefused.retainAll(stored);
    assertThat(falselyRefused).as("refused and in the topic").isEmpty();
  }

  private static Set<String> bodies(List<Traffic.Sent> sent, int status) {
    return sent.stream()
        .filter(each -> each.status() == status)
        .map(Traffic.Sent::body)
        .collect(Collectors.toSet());
  }

  private static Set<String> stored(String topic) {
    try (TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      return kafka.readAll(topic).stream()
          .map(record -> new String(record.value(), UTF_8).strip())
          .collect(Collectors.toSet());
    }
  }

  private static TestGateway gateway(String properties, String route) {
    return TestGateway.start(
        broker.bootstrapServers(), properties, "", EventLoopWatch.options(), route);
  }

  private static RawService service(TestGateway gateway) {
    return RawService.start(broker.bootstrapServers(), gateway.service, TestGateway.PARTITIONS);
  }

  /** So that no class is loaded and no hot method compiled for the first time while watched. */
  private static void warmUp(TestGateway gateway) throws InterruptedException {
    Traffic traffic = Traffic.start(gateway.port(), "/echo", 8, 0);
    await().atMost(LIMIT).until(() -> traffic.count(200) > 1_000);
    assertThat(traffic.stop()).extracting(Traffic.Sent::status).doesNotContain(0);
  }
}
