package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.testkit.KafkaExtension;
import dev.tideover.testkit.TestKafka;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** A real group's commits in a real broker; the seconds between two looks are the test's. */
@ExtendWith(KafkaExtension.class)
@Timeout(120)
class BacklogIT {

  private static final Duration LIMIT = Duration.ofSeconds(30);
  private static final int PARTITIONS = 2;

  private final AtomicLong nanos = new AtomicLong();
  private TestKafka kafka;
  private String service;
  private Backlog backlog;
  private Consumer<byte[], byte[]> group;

  @BeforeEach
  void start(TestKafka kafka) {
    this.kafka = kafka;
    service = kafka.uniqueName("svc");
  }

  @AfterEach
  void close() {
    if (backlog != null) {
      backlog.close();
    }
  }

  private GatewayConfig config() {
    return TestConfig.of(kafka.bootstrapServers(), service, PARTITIONS, "7d");
  }

  private void startBacklog() {
    backlog = Backlog.create(config(), nanos::get, Instant::now);
  }

  private String requests() {
    return service + ".requests";
  }

  private void createRequests(Map<String, String> settings) {
    kafka.createTopic(requests(), PARTITIONS, settings);
  }

  @SuppressWarnings({"unchecked", "rawtypes"}) // An array of a generic type.
  private void produce(int partition, int number, Instant timestamp) {
    ProducerRecord<byte[], byte[]>[] records = new ProducerRecord[number];
    for (int i = 0; i < number; i++) {
      records[i] =
          new ProducerRecord<>(
              requests(), partition, timestamp.toEpochMilli(), new byte[] {1}, new byte[100]);
    }
    kafka.produce(records);
  }

  private void commit(int partition, long offset) {
    if (group == null) {
      group = kafka.consumer(service);
    }
    TopicPartition place = new TopicPartition(requests(), partition);
    group.commitSync(Map.of(place, new OffsetAndMetadata(offset)));
  }

  private void lookAfter(Duration time) {
    nanos.addAndGet(time.toNanos());
    backlog.runOnce();
  }

  @Test
  void theCommitsOfTheGroupMoveThePositionAndTellWhenItsTurnComes() {
    createRequests(Map.of());
    produce(0, 1_000, Instant.now());
    startBacklog();
    assertThat(backlog.queue(service, 0, 500)).isNull();

    lookAfter(Duration.ofSeconds(1));
    assertThat(backlog.queue(service, 0, 500)).isEqualTo(new Backlog.Queue(500, null));
    // The first in its queue, and nobody is there to handle it.
    assertThat(backlog.queue(service, 0, 0)).isEqualTo(new Backlog.Queue(0, null));
    assertThat(backlog.queue(service, 2, 0)).isNull();
    assertThat(backlog.queue("another", 0, 0)).isNull();

    for (int offset = 50; offset <= 300; offset += 50) {
      commit(0, offset);
      lookAfter(Duration.ofSeconds(1));
    }
    assertThat(backlog.queue(service, 0, 500))
        .isEqualTo(new Backlog.Queue(200, Duration.ofSeconds(4)));
    assertThat(backlog.queue(service, 0, 300)).isEqualTo(new Backlog.Queue(0, Duration.ZERO));
    assertThat(backlog.isWaiting(service, 0, 300)).isTrue();
    assertThat(backlog.isWaiting(service, 0, 299)).isFalse();
    assertThat(backlog.isWaiting(service, 99, 300)).isFalse();
    assertThat(backlog.queue(service, 0, 7)).isEqualTo(new Backlog.Queue(0, Duration.ZERO));

    for (int second = 0; second < 31; second++) {
      lookAfter(Duration.ofSeconds(1));
    }
    assertThat(backlog.queue(service, 0, 500)).isEqualTo(new Backlog.Queue(200, null));
    assertThat(backlog.queue(service, 0, 300)).isEqualTo(new Backlog.Queue(0, null));
  }

  @Test
  void whatWasSeenTooLongAgoIsNotToldAnyMore() {
    createRequests(Map.of());
    startBacklog();
    lookAfter(Duration.ofSeconds(1));
    assertThat(backlog.queue(service, 0, 5)).isNotNull();
    assertThat(backlog.age(service)).isZero();

    nanos.addAndGet(Duration.ofSeconds(31).toNanos());

    assertThat(backlog.queue(service, 0, 5)).isNull();
    assertThat(backlog.age(service)).isNull();
  }

  @Test
  void aBacklogNearItsRetentionIsToldAndThenStopsTheServiceUntilItIsDrained() {
    createRequests(Map.of("retention.ms", Long.toString(Duration.ofDays(7).toMillis())));
    produce(0, 1, Instant.now().minus(Duration.ofHours(140)));
    produce(0, 1, Instant.now().minus(Duration.ofHours(100)));
    produce(1, 1, Instant.now().minus(Duration.ofHours(1)));
    startBacklog();
    try (LogLines log = LogLines.of(AgeAlarm.class)) {
      lookAfter(Duration.ofSeconds(1));
      assertThat(backlog.isTooOld(service)).isTrue();
      assertThat(backlog.age(service)).isBetween(Duration.ofHours(140), Duration.ofHours(141));
      assertThat(log.with(service)).singleElement().asString().startsWith("ERROR");

      commit(0, 1);
      lookAfter(Duration.ofSeconds(5));
      assertThat(backlog.isTooOld(service)).isFalse();
      assertThat(backlog.age(service)).isBetween(Duration.ofHours(100), Duration.ofHours(101));
      assertThat(log.with(service)).hasSize(2).last().asString().startsWith("INFO");

      commit(0, 2);
      lookAfter(Duration.ofSeconds(5));
      assertThat(backlog.age(service)).isBetween(Duration.ofHours(1), Duration.ofHours(2));

      commit(1, 1);
      lookAfter(Duration.ofSeconds(5));
      assertThat(backlog.age(service)).isZero();
    }
  }

  @Test
  void aTopicThatKeepsLessThanTheFileSaysIsHeldAgainstWhatItKeeps() {
    createRequests(Map.of("retention.ms", Long.toString(Duration.ofHours(2).toMillis())));
    produce(0, 1, Instant.now().minus(Duration.ofMinutes(100)));
    startBacklog();
    try (LogLines log = LogLines.of(ServiceBacklog.class)) {
      lookAfter(Duration.ofSeconds(1));
      lookAfter(Duration.ofSeconds(61));

      assertThat(backlog.isTooOld(service)).isTrue();
      assertThat(log.with(service)).singleElement().asString().contains("for 2 h only");
    }
  }

  @Test
  void requestsThatAreDeletedUnhandledAreCounted() throws Exception {
    createRequests(Map.of());
    produce(1, 100, Instant.now());
    commit(1, 10);
    startBacklog();
    try (LogLines log = LogLines.of(ServiceBacklog.class)) {
      lookAfter(Duration.ofSeconds(1));
      kafka
          .admin()
          .deleteRecords(
              Map.of(new TopicPartition(requests(), 1), RecordsToDelete.beforeOffset(40)))
          .all()
          .get(20, TimeUnit.SECONDS);
      lookAfter(Duration.ofSeconds(1));
      lookAfter(Duration.ofSeconds(1));

      assertThat(log.with(service))
          .singleElement()
          .asString()
          .startsWith("ERROR")
          .contains(": 30 requests were deleted unhandled (partition: offsets 1: 10 to 39");
      assertThat(backlog.queue(service, 1, 50)).isEqualTo(new Backlog.Queue(10, null));
    }
  }

  @Test
  void largeBatchesInManyPartitionsAreAllRead() {
    int partitions = 12;
    kafka.createTopic(requests(), partitions);
    for (int partition = 0; partition < partitions; partition++) {
      kafka.produce(
          new ProducerRecord<>(
              requests(),
              partition,
              Instant.now().minus(Duration.ofHours(partition + 1)).toEpochMilli(),
              new byte[] {1},
              new byte[500_000]));
    }
    backlog =
        Backlog.create(
            TestConfig.of(kafka.bootstrapServers(), service, partitions, "7d"),
            nanos::get,
            Instant::now);

    await()
        .atMost(LIMIT)
        .untilAsserted(
            () -> {
              lookAfter(Duration.ofSeconds(5));
              assertThat(backlog.age(service))
                  .isBetween(Duration.ofHours(12), Duration.ofHours(13));
            });
  }

  @Test
  void aServiceWithoutItsTopicHidesNoOther() {
    createRequests(Map.of());
    produce(0, 10, Instant.now());
    GatewayConfig both =
        dev.tideover.gateway.config.ConfigFile.parse(
            """
            kafka: { bootstrap-servers: "%s" }
            services:
              nowhere-%s:
                routes: [ { path: /nowhere } ]
              %s:
                topic: { partitions: %d }
                routes: [ { path: /** } ]
            """
                .formatted(kafka.bootstrapServers(), service, service, PARTITIONS),
            "test",
            variable -> null);
    String nowhere = "nowhere-" + service;
    startBacklog();
    backlog.update(both);
    try (LogLines kafkas = LogLines.ofPackage("org.apache.kafka.clients.admin")) {
      lookAfter(Duration.ofSeconds(1));
      assertThat(backlog.queue(service, 0, 5)).isEqualTo(new Backlog.Queue(5, null));
      assertThat(backlog.queue(nowhere, 0, 5)).isNull();
      assertThat(backlog.isReachable()).isTrue();

      int said = kafkas.all().size();
      for (int second = 1; second < 10; second++) {
        lookAfter(Duration.ofSeconds(1));
      }
      assertThat(kafkas.all()).as("what Kafka's client says each time").hasSize(said);
    }
    kafka.createTopic(nowhere + ".requests", 12);
    lookAfter(Duration.ofSeconds(1));
    assertThat(backlog.queue(nowhere, 0, 5)).isEqualTo(new Backlog.Queue(5, null));
  }

  @Test
  void anOnlyServiceWithoutItsTopicIsNoSilenceOfKafka() {
    startBacklog();

    for (int second = 0; second < 12; second++) {
      lookAfter(Duration.ofSeconds(1));
      assertThat(backlog.isReachable()).isTrue();
    }
    createRequests(Map.of());
    lookAfter(Duration.ofSeconds(10));
    assertThat(backlog.queue(service, 0, 5)).isEqualTo(new Backlog.Queue(5, null));
  }

  @Test
  void aServiceThatIsNotConfiguredAnyMoreIsForgotten() {
    createRequests(Map.of());
    startBacklog();
    lookAfter(Duration.ofSeconds(1));
    assertThat(backlog.queue(service, 0, 5)).isNotNull();

    backlog.update(TestConfig.of(kafka.bootstrapServers(), service + "-b", 1, "7d"));
    lookAfter(Duration.ofSeconds(1));

    assertThat(backlog.queue(service, 0, 5)).isNull();
  }

  @Test
  void failedAttemptsAreKnownUntilTheLedgerForgetsThem() {
    createRequests(Map.of());
    startBacklog();
    try (LogLines kafkas = LogLines.ofPackage("org.apache.kafka.clients")) {
      for (int i = 0; i < 3; i++) {
        lookAfter(Duration.ofSeconds(10));
      }
      assertThat(kafkas.all()).as("while there is no ledger").isEmpty();
    }
    String ledger = kafka.createTopic(service + ".ledger", PARTITIONS);
    kafka.produce(
        entry(ledger, "request/7", "2"),
        entry(ledger, "request/8", "garbled"),
        entry(ledger, "parked/7", "5"),
        entry(ledger, "done/9", "5"));

    lookAfter(Duration.ofSeconds(10));
    await().atMost(LIMIT).until(() -> backlog.attempts(service, 1, 7) == 2);
    assertThat(backlog.attempts(service, 1, 8)).isZero();
    assertThat(backlog.attempts(service, 1, 9)).isZero();
    assertThat(backlog.attempts(service, 0, 7)).isZero();
    assertThat(backlog.attempts("another", 1, 7)).isZero();

    kafka.produce(entry(ledger, "request/7", "3"));
    await().atMost(LIMIT).until(() -> backlog.attempts(service, 1, 7) == 3);

    kafka.produce(new ProducerRecord<>(ledger, 1, "request/7".getBytes(UTF_8), null));
    await().atMost(LIMIT).until(() -> backlog.attempts(service, 1, 7) == 0);
  }

  @Test
  void attemptsOfMoreThanAnHourAgoAreNotLookedFor() {
    createRequests(Map.of());
    String ledger = kafka.createTopic(service + ".ledger", PARTITIONS);
    ProducerRecord<byte[], byte[]> old = entry(ledger, "request/1", "1");
    kafka.produce(
        new ProducerRecord<>(
            ledger,
            1,
            Instant.now().minus(Duration.ofMinutes(70)).toEpochMilli(),
            old.key(),
            old.value(),
            old.headers()));
    kafka.produce(entry(ledger, "request/2", "2"));
    startBacklog();

    lookAfter(Duration.ofSeconds(1));

    await().atMost(LIMIT).until(() -> backlog.attempts(service, 1, 2) == 2);
    assertThat(backlog.attempts(service, 1, 1)).isZero();
  }

  @Test
  void itLooksByItself() {
    createRequests(Map.of());
    produce(0, 10, Instant.now());
    backlog = Backlog.start(config());

    await().atMost(LIMIT).until(() -> backlog.queue(service, 0, 5) != null);
    commit(0, 3);
    await()
        .atMost(LIMIT)
        .untilAsserted(() -> assertThat(backlog.queue(service, 0, 5).position()).isEqualTo(2));
  }

  private static ProducerRecord<byte[], byte[]> entry(String ledger, String key, String attempts) {
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(ledger, 1, key.getBytes(UTF_8), new byte[0]);
    record
        .headers()
        .add("tideover-v", "1".getBytes(UTF_8))
        .add("tideover-id", "AAECAwQFBgcICQoLDA0ODw".getBytes(UTF_8))
        .add("tideover-attempts", attempts.getBytes(UTF_8));
    return record;
  }
}
