package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.testkit.BrokerProcess;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Kafka killed or frozen, and back. */
@Tag("long")
@Timeout(180)
class BacklogOutageIT {

  private static final Duration LIMIT = Duration.ofSeconds(60);

  private static BrokerProcess broker;

  private final AtomicLong nanos = new AtomicLong();
  private String service;
  private GatewayConfig config;

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

  private RequestId produceOne() {
    RequestId id = RequestId.random();
    try (TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      service = kafka.uniqueName("svc");
      kafka.createTopic(service + ".requests", 1);
      ProducerRecord<byte[], byte[]> record =
          new ProducerRecord<>(
              service + ".requests",
              0,
              Instant.now().minus(Duration.ofHours(150)).toEpochMilli(),
              new byte[] {1},
              new byte[] {1});
      record.headers().add("tideover-id", id.toString().getBytes(UTF_8));
      kafka.produce(record);
    }
    config = TestConfig.of(broker.bootstrapServers(), service, 1, "7d");
    return id;
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void anOutageIsToldAfterTenSecondsAndOnceAndSoIsItsEnd(boolean killed) {
    produceOne();
    try (LogLines log = LogLines.of(Backlog.class);
        LogLines kafkas = LogLines.ofPackage("org.apache.kafka.clients.admin");
        Backlog backlog = Backlog.create(config, nanos::get, Instant::now)) {
      backlog.runOnce();
      assertThat(backlog.isReachable()).isTrue();
      assertThat(backlog.isTooOld(service)).isTrue();

      if (killed) {
        broker.kill();
      } else {
        broker.freeze();
      }
      long start = System.nanoTime();
      backlog.runOnce();
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(8));
      nanos.addAndGet(TimeUnit.MILLISECONDS.toNanos(9_900));
      assertThat(backlog.isReachable()).isTrue();
      nanos.addAndGet(TimeUnit.MILLISECONDS.toNanos(100));
      assertThat(backlog.isReachable()).isFalse();
      backlog.runOnce();
      backlog.runOnce();
      assertThat(backlog.isReachable()).isFalse();
      assertThat(backlog.isTooOld(service)).as("stays what it was").isTrue();
      assertThat(log.all())
          .singleElement()
          .asString()
          .startsWith("WARN Kafka has not answered for 10 s");
      assertThat(kafkas.with("WARN")).isEmpty();

      if (killed) {
        broker.restart();
      } else {
        broker.thaw();
      }
      await()
          .atMost(LIMIT)
          .until(
              () -> {
                backlog.runOnce();
                return backlog.isReachable();
              });
      assertThat(log.all()).last().asString().startsWith("INFO Kafka answers again");
      assertThat(backlog.queue(service, 0, 1)).isEqualTo(new Backlog.Queue(1, null));
    }
  }

  @Test
  void theCloseDoesNotWaitForAFrozenKafka() {
    produceOne();
    Backlog backlog = Backlog.start(config);
    RequestSearch search = RequestSearch.start(config);
    await().atMost(LIMIT).until(() -> backlog.queue(service, 0, 0) != null);
    broker.freeze();
    CompletableFuture<OptionalLong> open =
        search
            .find(service + ".requests", 0, RequestId.random(), Instant.now())
            .toCompletableFuture();

    long start = System.nanoTime();
    search.close();
    backlog.close();

    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
    assertThat(open).isCompletedExceptionally();
  }

  @Test
  void aSearchDuringAnOutageFailsInTimeAndTheNextOneFinds() throws Exception {
    RequestId id = produceOne();
    Instant acceptedAt = Instant.now().minus(Duration.ofHours(150));
    try (RequestSearch search = RequestSearch.create(config, Duration.ofSeconds(2))) {
      broker.freeze();
      long start = System.nanoTime();
      CompletableFuture<OptionalLong> unknown =
          search.find(service + ".requests", 0, id, acceptedAt).toCompletableFuture();
      search.runOnce();
      assertThatThrownBy(() -> unknown.get(1, TimeUnit.SECONDS))
          .cause()
          .isInstanceOf(KafkaUnavailableException.class)
          .hasMessageContaining("is not known");
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));

      broker.thaw();
      await()
          .atMost(LIMIT)
          .until(
              () -> {
                CompletableFuture<OptionalLong> answer =
                    search.find(service + ".requests", 0, id, acceptedAt).toCompletableFuture();
                search.runOnce();
                return !answer.isCompletedExceptionally()
                    && answer.get(1, TimeUnit.SECONDS).equals(OptionalLong.of(0));
              });
    }
  }
}
