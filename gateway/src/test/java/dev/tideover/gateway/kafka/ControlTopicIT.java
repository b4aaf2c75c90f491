package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ControlTopic.Written;
import dev.tideover.testkit.KafkaBroker;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ControlCodec;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.InstanceReport;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Several gateways write what operators want; there is one history of it. */
@Tag("long")
@Timeout(240)
class ControlTopicIT {

  private static final Duration LIMIT = Duration.ofSeconds(30);

  private static final int ROUNDS = 200;

  private static KafkaBroker broker;

  private TestKafka kafka;
  private String service;
  private GatewayConfig config;

  @BeforeAll
  static void startBroker() {
    broker =
        KafkaBroker.builder()
            .property("log.cleaner.backoff.ms", "100")
            .property("log.retention.check.interval.ms", "1000")
            .start();
  }

  @AfterAll
  static void stopBroker() {
    broker.close();
  }

  @BeforeEach
  void configure() {
    kafka = TestKafka.at(broker.bootstrapServers());
    service = kafka.uniqueName("svc");
    config = TestConfig.of(kafka.bootstrapServers(), service, 1, "7d");
    Topics.ensure(config);
  }

  @AfterEach
  void close() {
    kafka.close();
  }

  private ControlTopic start(ControlWriter.Seam seam) throws Exception {
    ControlTopic topic = ControlTopic.start(config, state -> {}, seam);
    topic.ready().toCompletableFuture().get(20, TimeUnit.SECONDS);
    return topic;
  }

  private DesiredState state(long epoch, String by) {
    return new DesiredState(
        service, epoch, "command-" + by + "-" + epoch, by, 1, null, epoch % 2 == 0, 0, null);
  }

  private static CompletableFuture<Written> write(ControlTopic topic, DesiredState state) {
    return topic.write(state).toCompletableFuture();
  }

  private static Written get(CompletableFuture<Written> written) throws Exception {
    return written.get(ControlWriter.LIMIT.toSeconds() + 1, TimeUnit.SECONDS);
  }

  /** The service's states as a reader that starts now finds them. */
  private List<DesiredState> history() throws Exception {
    Map<String, Object> settings = KafkaSettings.control(config);
    List<DesiredState> history = new ArrayList<>();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
      consumer.assign(List.of(ControlProbe.PARTITION));
      consumer.seekToBeginning(List.of(ControlProbe.PARTITION));
      long end = consumer.endOffsets(List.of(ControlProbe.PARTITION)).get(ControlProbe.PARTITION);
      long giveUp = System.nanoTime() + LIMIT.toNanos();
      while (consumer.position(ControlProbe.PARTITION) < end) {
        assertThat(System.nanoTime()).isLessThan(giveUp);
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
          if (ControlCodec.decode(record) instanceof ControlCodec.Entry.Desired desired
              && desired.state().service().equals(service)) {
            history.add(desired.state());
          }
        }
      }
    }
    return history;
  }

  private void compact() throws Exception {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, DesiredState.TOPIC);
    Map<String, String> soon = new HashMap<>();
    soon.put(TopicConfig.SEGMENT_MS_CONFIG, "100");
    soon.put(TopicConfig.MIN_CLEANABLE_DIRTY_RATIO_CONFIG, "0.0");
    List<AlterConfigOp> changes =
        soon.entrySet().stream()
            .map(
                entry ->
                    new AlterConfigOp(
                        new ConfigEntry(entry.getKey(), entry.getValue()),
                        AlterConfigOp.OpType.SET))
            .toList();
    kafka
        .admin()
        .incrementalAlterConfigs(Map.of(resource, changes))
        .all()
        .get(20, TimeUnit.SECONDS);
    await()
        .atMost(Duration.ofSeconds(60))
        .pollInterval(Duration.ofMillis(200))
        .until(
            () -> {
              // A segment is closed by a record that comes after its time.
              kafka.produce(new ProducerRecord<>(DesiredState.TOPIC, 0, "x/y/z".getBytes(), null));
              return history().size() == 1;
            });
  }

  @Test
  void ofTwoThatWriteTheSameEpochOneDoesAndThereIsOneHistory() throws Exception {
    List<DesiredState> winners = new ArrayList<>();
    try (ControlTopic a = start(ControlWriter.Seam.NONE);
        ControlTopic b = start(ControlWriter.Seam.NONE)) {
      for (int epoch = 1; epoch <= ROUNDS; epoch++) {
        CompletableFuture<Written> first = write(a, state(epoch, "a"));
        CompletableFuture<Written> second = write(b, state(epoch, "b"));
        List<Written> both = List.of(get(first), get(second));
        DesiredState winner =
            both.get(0) instanceof Written.Done ? state(epoch, "a") : state(epoch, "b");
        assertThat(both)
            .containsExactlyInAnyOrder(new Written.Done(winner), new Written.Conflict(winner));
        winners.add(winner);
      }
      Set<String> by = new HashSet<>();
      winners.forEach(winner -> by.add(winner.by()));
      assertThat(by).containsExactlyInAnyOrder("a", "b");
      assertThat(a.desired(service)).isEqualTo(winners.get(ROUNDS - 1));
      assertThat(history()).isEqualTo(winners);
    }

    compact();

    DesiredState last = winners.get(winners.size() - 1);
    assertThat(history()).containsExactly(last);
    try (ControlTopic late = start(ControlWriter.Seam.NONE)) {
      assertThat(late.desired(service)).isEqualTo(last);
      assertThat(get(write(late, state(last.epoch(), "late"))))
          .isEqualTo(new Written.Conflict(last));
      DesiredState next = state(last.epoch() + 1, "late");
      assertThat(get(write(late, next))).isEqualTo(new Written.Done(next));
    }
  }

  /** The gateway that lost its place between its look and its write, be it by a long pause. */
  @Test
  void whoIsHeldUpBetweenItsLookAndItsWriteCantWriteAnyMore() throws Exception {
    CountDownLatch looked = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    ControlWriter.Seam pause =
        next -> {
          looked.countDown();
          try {
            assertThat(goOn.await(20, TimeUnit.SECONDS)).isTrue();
          } catch (InterruptedException e) {
            throw new IllegalStateException(e);
          }
        };
    try (ControlTopic paused = start(pause);
        ControlTopic other = start(ControlWriter.Seam.NONE)) {
      CompletableFuture<Written> first = write(paused, state(1, "paused"));
      assertThat(looked.await(20, TimeUnit.SECONDS)).isTrue();

      assertThat(get(write(other, state(1, "other"))))
          .isEqualTo(new Written.Done(state(1, "other")));
      goOn.countDown();

      assertThat(get(first)).isEqualTo(new Written.Conflict(state(1, "other")));
      assertThat(history()).containsExactly(state(1, "other"));
    }
  }

  /** A gateway that dies in its transaction keeps nobody from reading on, nor its record in. */
  @Test
  void aTransactionThatWasLeftOpenIsEndedByWhoeverComesNext() throws Exception {
    try (ControlTopic topic = start(ControlWriter.Seam.NONE)) {
      leaveOpen(state(1, "dead"));

      assertThat(get(write(topic, state(1, "next")))).isEqualTo(new Written.Done(state(1, "next")));
      assertThat(history()).containsExactly(state(1, "next"));
    }
  }

  @Test
  void aTransactionThatWasLeftOpenHidesNoReportsForLong() throws Exception {
    ControlReports reports = new ControlReports(kafka, service);
    try (ControlTopic topic = start(ControlWriter.Seam.NONE)) {
      leaveOpen(state(1, "dead"));

      // Kafka itself ends it after 10 s and up to 10 s more.
      await()
          .atMost(Duration.ofSeconds(8))
          .until(
              () -> {
                reports.write("v1", "1", InstanceReport.State.ACTIVE);
                return topic.instances(service).size() == 1;
              });
      assertThat(topic.desired(service)).isNull();
    }
  }

  private void leaveOpen(DesiredState state) throws Exception {
    Map<String, Object> settings =
        KafkaSettings.controlWriter(
            config, ControlWriter.TRANSACTIONAL_ID, Duration.ofSeconds(10), Duration.ofSeconds(10));
    try (Producer<byte[], byte[]> producer = new KafkaProducer<>(settings)) {
      producer.initTransactions();
      producer.beginTransaction();
      producer.send(ControlCodec.encode(state)).get(20, TimeUnit.SECONDS);
      producer.close(Duration.ZERO);
    }
  }

  @Test
  void anEpochThatDoesNotFollowIsAConflictWithTheOneThatStands() throws Exception {
    try (ControlTopic topic = start(ControlWriter.Seam.NONE)) {
      assertThat(get(write(topic, state(1, "a")))).isEqualTo(new Written.Done(state(1, "a")));
      assertThat(get(write(topic, state(3, "a")))).isEqualTo(new Written.Conflict(state(1, "a")));
      assertThat(get(write(topic, state(1, "a")))).isEqualTo(new Written.Done(state(1, "a")));
      assertThat(history()).containsExactly(state(1, "a"));
    }
  }

  @Test
  void theVersionsOfTheMembersAreThoseOfTheirClientIds() throws Exception {
    try (ControlTopic topic = start(ControlWriter.Seam.NONE)) {
      assertThat(members(topic)).isEmpty();
      kafka.createTopic(service + ".group", 2);
      try (KafkaConsumer<byte[], byte[]> old = member("consumer", service + "/v1/a");
          KafkaConsumer<byte[], byte[]> other = member("consumer", "somebody")) {
        await()
            .atMost(LIMIT)
            .until(
                () -> {
                  old.poll(Duration.ofMillis(50));
                  other.poll(Duration.ofMillis(50));
                  return Set.of("v1/a", "somebody").equals(members(topic));
                });
      }
      try (KafkaConsumer<byte[], byte[]> classic = member("classic", service + "/v2/b/1")) {
        await()
            .atMost(LIMIT)
            .until(
                () -> {
                  classic.poll(Duration.ofMillis(50));
                  return Set.of("v2/b/1").equals(members(topic));
                });
      }
    }
  }

  private Set<String> members(ControlTopic topic) throws Exception {
    return topic.members(service).toCompletableFuture().get(10, TimeUnit.SECONDS);
  }

  private KafkaConsumer<byte[], byte[]> member(String protocol, String clientId) {
    Map<String, Object> settings = KafkaSettings.consumer(config, "test");
    settings.put("client.id", clientId);
    settings.put("group.id", service);
    settings.put("group.protocol", protocol);
    KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings);
    consumer.subscribe(List.of(service + ".group"));
    return consumer;
  }
}
