package dev.tideover.sdk.internal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.internal.Adopter.Result;
import dev.tideover.sdk.internal.core.Adoption;
import dev.tideover.sdk.internal.core.CommitNote;
import dev.tideover.sdk.internal.core.CommitNote.OffsetRange;
import dev.tideover.sdk.internal.core.CommitNoteCodec;
import dev.tideover.sdk.internal.core.LedgerEntry;
import dev.tideover.sdk.internal.core.LedgerEntry.Attempts;
import dev.tideover.sdk.internal.core.LedgerEntry.Begun;
import dev.tideover.sdk.internal.core.LedgerEntry.Parked;
import dev.tideover.sdk.internal.core.LedgerEntry.Start;
import dev.tideover.testkit.BrokerProcess;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is found out about an assigned partition, on a real broker. */
@KafkaTest
@Timeout(180)
class AdopterIT {

  private static final int PARTITIONS = 12;
  private static final Duration WINDOW = Duration.ofHours(1);
  private static final Set<String> ALIVE = Set.of("a-run", "another-run");

  private final BlockingQueue<List<Uuid>> changes = new LinkedBlockingQueue<>();
  private String service;

  @BeforeEach
  void name(TestKafka kafka) {
    service = kafka.uniqueName("orders");
  }

  private void createTopics(TestKafka kafka, int ledgerPartitions) {
    kafka.createTopic(service + ".requests", PARTITIONS);
    kafka.createTopic(service + ".ledger", ledgerPartitions, Map.of("cleanup.policy", "compact"));
  }

  private Adopter start(TestKafka kafka, boolean ledger) throws InterruptedException {
    Settings settings = TestSettings.of(kafka.bootstrapServers(), service, "one");
    Adopter adopter =
        Adopter.start(
            settings,
            ledger,
            WINDOW,
            System::currentTimeMillis,
            () -> {},
            () -> ALIVE,
            (old, now) -> changes.add(List.of(old, now)));
    adopter.awaitWarm(Duration.ofSeconds(20));
    return adopter;
  }

  private TopicPartition requests(int partition) {
    return new TopicPartition(service + ".requests", partition);
  }

  private ProducerRecord<byte[], byte[]> entry(LedgerEntry entry, int partition) {
    return LedgerCodec.encode(entry, service + ".ledger", partition);
  }

  private static Attempts attempts(long offset, int attempts) {
    return new Attempts(offset, "id-" + offset, attempts, 0, Start.SHARED, "a-run");
  }

  private Result result(Adopter adopter, int partition) throws Exception {
    CompletableFuture<Result> result = new CompletableFuture<>();
    adopter.adopt(requests(partition), result::complete);
    return result.get(60, TimeUnit.SECONDS);
  }

  private Adoption adopted(Adopter adopter, int partition) throws Exception {
    Result result = result(adopter, partition);
    assertThat(result).isInstanceOf(Result.Found.class);
    return ((Result.Found) result).adoption();
  }

  private Uuid topicId(TestKafka kafka) throws Exception {
    String topic = service + ".requests";
    return kafka.admin().describeTopics(List.of(topic)).allTopicNames().get().get(topic).topicId();
  }

  @Test
  void ofAPartitionThatNobodyHasReadItTellsTheBounds(TestKafka kafka) throws Exception {
    createTopics(kafka, PARTITIONS);
    for (int i = 0; i < 5; i++) {
      kafka.produce(new ProducerRecord<>(service + ".requests", 3, null, new byte[1]));
    }
    try (Adopter adopter = start(kafka, true)) {
      assertThat(adopted(adopter, 3))
          .usingRecursiveComparison()
          .isEqualTo(
              new Adoption(
                  topicId(kafka),
                  Adoption.NONE,
                  null,
                  0,
                  5,
                  List.of(),
                  Set.of(),
                  WINDOW.toMillis()));
      assertThat(adopted(adopter, 4).end()).isZero();
    }
  }

  @Test
  void itTellsTheCommittedOffsetItsNoteAndTheLatestEntriesOfUnfinishedRequests(TestKafka kafka)
      throws Exception {
    createTopics(kafka, PARTITIONS);
    CommitNote note = new CommitNote(new Uuid(3, 4), false, List.of(new OffsetRange(101, 120)));
    String metadata = CommitNoteCodec.encode(note, 100);
    kafka
        .admin()
        .alterConsumerGroupOffsets(
            service, Map.of(requests(3), new OffsetAndMetadata(100, metadata)))
        .all()
        .get();
    Attempts alone = new Attempts(130, "x", 2, 1, Start.ALONE, "dead-run");
    Parked parked = new Parked("customer-7", "blocker");
    Begun begun = new Begun(new Uuid(3, 4));
    ProducerRecord<byte[], byte[]> garbled =
        new ProducerRecord<>(service + ".ledger", 3, "request/130".getBytes(UTF_8), new byte[0]);
    garbled.headers().add("tideover-v", "2".getBytes(UTF_8));
    kafka.produce(
        entry(begun, 3),
        entry(attempts(99, 1), 3),
        entry(attempts(100, 1), 3),
        entry(attempts(100, 2), 3),
        entry(attempts(107, 1), 3),
        entry(new Parked("customer-8", "blocker"), 3),
        entry(attempts(108, 9), 4),
        LedgerCodec.tombstone(attempts(107, 1).key(), service + ".ledger", 3),
        LedgerCodec.tombstone("parked/customer-8", service + ".ledger", 3),
        entry(parked, 3),
        entry(alone, 3),
        garbled,
        new ProducerRecord<>(service + ".ledger", 3, "whatever".getBytes(UTF_8), new byte[9]));

    try (Adopter adopter = start(kafka, true)) {
      Adoption found = adopted(adopter, 3);

      assertThat(found.committed()).isEqualTo(100);
      assertThat(found.note()).isEqualTo(note);
      assertThat(found.ledger()).containsExactlyInAnyOrder(begun, attempts(100, 2), parked, alone);
      assertThat(found.topicId()).isEqualTo(topicId(kafka));
      // What has been written since is there the next time.
      kafka.produce(entry(attempts(200, 1), 3));
      assertThat(adopted(adopter, 3).ledger()).hasSize(5).contains(attempts(200, 1));
    }
  }

  @Test
  void allPartitionsAreFoundOutAtOnce(TestKafka kafka) throws Exception {
    createTopics(kafka, PARTITIONS);
    for (int partition = 0; partition < PARTITIONS; partition++) {
      kafka.produce(entry(attempts(7 + partition, 1), partition));
    }
    try (Adopter adopter = start(kafka, true)) {
      for (int round = 1; round <= 5; round++) {
        long started = System.nanoTime();
        Map<Integer, CompletableFuture<Result>> results = new TreeMap<>();
        for (int partition = 0; partition < PARTITIONS; partition++) {
          CompletableFuture<Result> result = new CompletableFuture<>();
          results.put(partition, result);
          adopter.adopt(requests(partition), result::complete);
        }
        for (int partition = 0; partition < PARTITIONS; partition++) {
          Result result = results.get(partition).get(30, TimeUnit.SECONDS);
          assertThat(((Result.Found) result).adoption().ledger())
              .containsExactly(attempts(7 + partition, 1));
        }
        System.out.printf(
            "Adoption of %d partitions, round %d: %.1f ms%n",
            PARTITIONS, round, (System.nanoTime() - started) / 1e6);
      }
    }
  }

  @Test
  @SuppressWarnings("unchecked") // an array of a generic type
  void aLongLedgerIsReadAndATooLongOneIsRefusedWithoutHarmToOthers(TestKafka kafka)
      throws Exception {
    createTopics(kafka, PARTITIONS);
    int chunk = 10_000;
    for (int done = 0; done < LedgerReader.MAX_ENTRIES; done += chunk) {
      kafka.produce(
          IntStream.range(done, done + chunk)
              .mapToObj(offset -> entry(attempts(offset, 1), 0))
              .<ProducerRecord<byte[], byte[]>>toArray(ProducerRecord[]::new));
    }
    try (Adopter adopter = start(kafka, true)) {
      for (int round = 1; round <= 2; round++) {
        long started = System.nanoTime();
        assertThat(adopted(adopter, 0).ledger()).hasSize(LedgerReader.MAX_ENTRIES);
        System.out.printf(
            "Adoption of a partition with %d entries in its ledger, round %d: %.1f ms%n",
            LedgerReader.MAX_ENTRIES, round, (System.nanoTime() - started) / 1e6);
      }

      kafka.produce(entry(attempts(1_000_000, 1), 0), entry(attempts(1_000_001, 1), 0));
      kafka.produce(entry(attempts(5, 1), 1));
      CompletableFuture<Result> other = new CompletableFuture<>();
      adopter.adopt(requests(1), other::complete);
      assertThat(result(adopter, 0))
          .isInstanceOfSatisfying(
              Result.Failed.class,
              failed ->
                  assertThat(failed.reason())
                      .contains("more than 100000 requests", service + ".ledger", "partition 0"));
      assertThat(((Result.Found) other.get(30, TimeUnit.SECONDS)).adoption().ledger()).hasSize(1);

      // Most of them are finished, so they don't count.
      kafka
          .admin()
          .alterConsumerGroupOffsets(service, Map.of(requests(0), new OffsetAndMetadata(99_999)))
          .all()
          .get();
      assertThat(adopted(adopter, 0).ledger()).hasSize(3);
    }
  }

  @Test
  void aPartitionThatTheLedgerDoesNotHaveIsAdoptedWithoutIt(TestKafka kafka) throws Exception {
    createTopics(kafka, 2);
    kafka.produce(entry(attempts(5, 1), 1));
    try (Adopter adopter = start(kafka, true)) {
      assertThat(adopted(adopter, 1).ledger()).hasSize(1);
      assertThat(adopted(adopter, 2).ledger()).isEmpty();
    }
  }

  @Test
  void withoutALedgerTheRestIsFoundOut(TestKafka kafka) throws Exception {
    kafka.createTopic(service + ".requests", PARTITIONS);
    try (Adopter adopter = start(kafka, false)) {
      assertThat(adopted(adopter, 1).topicId()).isEqualTo(topicId(kafka));
    }
    // It was there at the start and has gone since.
    try (Adopter adopter = start(kafka, true)) {
      assertThat(adopted(adopter, 1).ledger()).isEmpty();
    }
  }

  @Test
  void aTopicThatIsMadeAnewIsNoticedWhileItRuns(TestKafka kafka) throws Exception {
    createTopics(kafka, PARTITIONS);
    Uuid old = topicId(kafka);
    try (Adopter adopter = start(kafka, true)) {
      assertThat(adopted(adopter, 0).topicId()).isEqualTo(old);
      kafka.admin().deleteTopics(List.of(service + ".requests")).all().get(30, TimeUnit.SECONDS);
      Awaitility.await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> !kafka.admin().listTopics().names().get().contains(service + ".requests"));
      kafka.createTopic(service + ".requests", PARTITIONS);

      assertThat(changes.poll(30, TimeUnit.SECONDS)).containsExactly(old, topicId(kafka));
      assertThat(adopted(adopter, 0).topicId()).isEqualTo(topicId(kafka));
      assertThat(changes).isEmpty();
    }
  }

  @Test
  void afterTheEndItSaysSoAndEndsInTime(TestKafka kafka) throws Exception {
    createTopics(kafka, PARTITIONS);
    Adopter adopter = start(kafka, true);
    adopter.close();
    assertThat(result(adopter, 0))
        .isInstanceOfSatisfying(
            Result.Failed.class, failed -> assertThat(failed.reason()).contains("closed"));
    assertThat(Thread.getAllStackTraces().keySet())
        .extracting(Thread::getName)
        .doesNotContain("tideover-" + service + "-adopter");
    adopter.close();
  }

  @Test
  void anOutageIsRiddenOutAndOnlyTheLastWishCounts() throws Exception {
    try (BrokerProcess broker = BrokerProcess.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      service = kafka.uniqueName("orders");
      createTopics(kafka, PARTITIONS);
      Adopter adopter = start(kafka, true);
      try {
        broker.kill();
        List<Integer> answered = Collections.synchronizedList(new ArrayList<>());
        CompletableFuture<Result> last = new CompletableFuture<>();
        IntStream.range(0, 5).forEach(i -> adopter.adopt(requests(1), ignored -> answered.add(i)));
        adopter.adopt(requests(2), ignored -> answered.add(100));
        adopter.cancel(requests(2));
        adopter.adopt(
            requests(1),
            result -> {
              answered.add(5);
              last.complete(result);
            });
        broker.restart();

        assertThat(last.get(60, TimeUnit.SECONDS)).isInstanceOf(Result.Found.class);
        assertThat(answered).containsExactly(5);
        broker.kill();
        adopter.adopt(requests(3), ignored -> {});
      } finally {
        long started = System.nanoTime();
        adopter.close();
        assertThat(Duration.ofNanos(System.nanoTime() - started)).isLessThan(Duration.ofSeconds(6));
      }
    }
  }
}
