package dev.tideover.sdk.internal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.internal.Adopter.Result;
import dev.tideover.sdk.internal.LedgerPart.Content;
import dev.tideover.sdk.internal.LedgerPart.Span;
import dev.tideover.sdk.internal.core.Adoption;
import dev.tideover.sdk.internal.core.FinishedBatch;
import dev.tideover.sdk.internal.core.FinishedBatches;
import dev.tideover.sdk.internal.core.FinishedIds;
import dev.tideover.sdk.internal.core.FinishedIds.Known;
import dev.tideover.sdk.internal.core.Identity;
import dev.tideover.sdk.internal.core.LedgerEntry.Attempts;
import dev.tideover.sdk.internal.core.LedgerEntry.Start;
import dev.tideover.testkit.KafkaBroker;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the ledger of a real broker says about finished requests when a partition is assigned. */
@KafkaTest
@Timeout(180)
class FinishedLedgerIT {

  private static final Duration WINDOW = Duration.ofHours(1);
  private static final long NOW = 1_800_000_000_000L;
  private static final long LONG_AGO = NOW - 2 * 3_600_000;

  private String service;

  @BeforeEach
  void name(TestKafka kafka) {
    service = kafka.uniqueName("orders");
  }

  private void createTopics(TestKafka kafka, Map<String, String> more) {
    Map<String, String> settings = new HashMap<>(more);
    settings.put("cleanup.policy", "compact");
    kafka.createTopic(service + ".requests", 3);
    kafka.createTopic(service + ".ledger", 3, settings);
  }

  private Adoption adopted(TestKafka kafka, int partition) throws Exception {
    Settings settings = TestSettings.of(kafka.bootstrapServers(), service, "one");
    try (Adopter adopter =
        Adopter.start(
            settings, true, WINDOW, () -> NOW, () -> {}, Set::of, (before, after) -> {})) {
      adopter.awaitWarm(Duration.ofSeconds(20));
      return adopted(adopter, partition);
    }
  }

  private Adoption adopted(Adopter adopter, int partition) throws Exception {
    CompletableFuture<Result> result = new CompletableFuture<>();
    adopter.adopt(new TopicPartition(service + ".requests", partition), result::complete);
    return ((Result.Found) result.get(60, TimeUnit.SECONDS)).adoption();
  }

  private static Identity who(long number) {
    return new Identity(number * 0x9E3779B97F4A7C15L, number << 32, number << 16, 7);
  }

  /** A batch with these ids, each answered at the offset that is its number. */
  private static FinishedBatch batch(
      String writer, long number, long finishedAt, long from, long to) {
    FinishedBatch.Builder batch = new FinishedBatch.Builder();
    for (long id = from; id < to; id++) {
      batch.add(who(id), id);
    }
    return batch.build(writer, number, finishedAt);
  }

  private ProducerRecord<byte[], byte[]> record(FinishedBatch batch, int partition) {
    return FinishedCodec.encode(batch, service + ".ledger", partition);
  }

  private ProducerRecord<byte[], byte[]> garbled(String key, byte[] value) {
    return new ProducerRecord<>(service + ".ledger", 1, key.getBytes(UTF_8), value);
  }

  private ProducerRecord<byte[], byte[]> tombstone(String writer, long number) {
    return LedgerCodec.tombstone(FinishedBatches.key(writer, number), service + ".ledger", 1);
  }

  @Test
  void finishedIdsWithinTheirWindowAreKnownAndOldBatchesAreOnlyToBeTakenOut(TestKafka kafka)
      throws Exception {
    createTopics(kafka, Map.of());
    Attempts attempts = new Attempts(5, "id", 1, 0, Start.NONE, "a-run");
    kafka.produce(
        record(batch("old", 0, LONG_AGO, 0, 10), 1),
        record(batch("old", 1, LONG_AGO, 10, 20), 1),
        record(batch("one", 0, NOW - 3_000_000, 20, 30), 1),
        LedgerCodec.encode(attempts, service + ".ledger", 1),
        record(batch("two", 0, NOW, 30, 31), 1),
        // By a clock that is ahead; it mustn't stay for ever.
        record(batch("two", 1, Long.MAX_VALUE, 31, 32), 1),
        // The same requests have finished twice: the first reply counts.
        record(batch("two", 2, NOW, 25, 31), 1),
        tombstone("old", 0),
        garbled("finished/two/3", new byte[] {2, 0, 0}),
        garbled("finished/two/4", new byte[0]),
        garbled("finished/two/x", new byte[33]),
        record(batch("other", 0, NOW, 100, 110), 2));

    Adoption found = adopted(kafka, 1);

    assertThat(found.ledger()).containsExactly(attempts);
    for (long id = 0; id < 20; id++) {
      assertThat(found.finished().find(who(id), NOW)).isNull();
    }
    for (long id = 20; id < 32; id++) {
      assertThat(found.finished().find(who(id), NOW)).isEqualTo(new Known(true, id));
    }
    assertThat(found.finished().find(who(105), NOW)).isNull();
    assertThat(found.batches().expired(NOW, 100)).containsExactly("finished/old/1");
    assertThat(found.batches().expired(NOW + 10_000_000, 100))
        .containsExactlyInAnyOrder(
            "finished/one/0", "finished/two/0", "finished/two/1", "finished/two/2");
    assertThat(found.finished().find(who(31), NOW + 10_000_000)).isNull();
  }

  @Test
  void batchesDoNotCountAmongTheEntriesThatStopAPartition(TestKafka kafka) throws Exception {
    createTopics(kafka, Map.of());
    int batches = LedgerReader.MAX_ENTRIES + 10;
    Producer<byte[], byte[]> producer = kafka.producer();
    for (int i = 0; i < batches; i++) {
      producer.send(record(batch("writer", i, NOW, i, i + 1), 1));
    }
    producer.flush();

    assertThat(adopted(kafka, 1).finished().size()).isEqualTo(batches);
  }

  @Test
  void ofMoreIdsThanFindRoomTheNewestStay(TestKafka kafka) {
    createTopics(kafka, Map.of());
    int batches = 80;
    int each = 1_000;
    for (int i = 0; i < batches; i++) {
      long finishedAt = NOW - (batches - i) * 30_000L; // within five of the window's eighths
      kafka.produce(
          record(
              batch("writer", i, finishedAt, (long) i * each, (i + 1L) * each),
              i % 4 == 0 ? 2 : 1));
    }
    Settings settings = TestSettings.of(kafka.bootstrapServers(), service, "one");
    Map<TopicPartition, Span> spans =
        Map.of(
            new TopicPartition(service + ".ledger", 1), new Span(0, 60, 0),
            new TopicPartition(service + ".ledger", 2), new Span(0, 20, 0));
    Map<Integer, Content> found = new HashMap<>();
    int most = 50_000;
    try (LedgerReader reader = new LedgerReader(settings, WINDOW, () -> NOW, most)) {
      reader.read(
          spans, wanted -> true, (partition, read) -> found.put(partition.partition(), read));
    }

    // What has been read of the one when the other is complete isn't known, so the sum may be more.
    FinishedIds larger = found.get(1).finished();
    assertThat(larger.size()).isBetween(most / 4, most);
    for (int i = batches - 10; i < batches; i++) {
      assertThat(found.get(i % 4 == 0 ? 2 : 1).finished().find(who((long) i * each), NOW))
          .as("the first of batch %d", i)
          .isNotNull();
    }
    assertThat(larger.find(who(1 * each), NOW)).isNull();
    // They stand in the ledger all the same, and are taken out in time.
    assertThat(found.get(1).batches().expired(NOW + 10_000_000, 1_000)).hasSize(60);
  }

  @Test
  @Tag("long")
  void aMillionIdsAreReadBackInTime(TestKafka kafka) throws Exception {
    createTopics(kafka, Map.of("segment.bytes", "16777216"));
    int ids = 1_000_000;
    for (int each : new int[] {1_000, 20}) {
      Producer<byte[], byte[]> producer = kafka.producer();
      int partition = each == 1_000 ? 0 : 1;
      for (int from = 0; from < ids; from += each) {
        long finishedAt = NOW - (ids - from) * 3L;
        producer.send(
            record(batch("writer", from / each, finishedAt, from, from + each), partition));
      }
      producer.flush();
      double[] millis = new double[3];
      Settings settings = TestSettings.of(kafka.bootstrapServers(), service, "one");
      try (Adopter adopter =
          Adopter.start(
              settings, true, WINDOW, () -> NOW, () -> {}, Set::of, (before, after) -> {})) {
        adopter.awaitWarm(Duration.ofSeconds(20));
        for (int round = 0; round < millis.length; round++) {
          long started = System.nanoTime();
          Adoption found = adopted(adopter, partition);
          millis[round] = (System.nanoTime() - started) / 1e6;
          assertThat(found.finished().size()).isEqualTo(ids);
          assertThat(found.finished().find(who(ids / 2), NOW)).isEqualTo(new Known(true, ids / 2));
          assertThat(found.finished().bytes())
              .isLessThanOrEqualTo((long) FinishedIds.MOST_BYTES * ids);
        }
      }
      Arrays.sort(millis);
      System.out.printf(
          "Adoption with a million finished ids in batches of %d: %.0f ms (%.0f to %.0f)%n",
          each, millis[1], millis[0], millis[2]);
      assertThat(millis[1]).isLessThan(10_000);
    }
  }

  @Test
  @Tag("long")
  void whatIsCompactedAwayIsNotMissed() throws Exception {
    try (KafkaBroker broker =
            KafkaBroker.builder().property("log.cleaner.backoff.ms", "100").start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      service = kafka.uniqueName("orders");
      createTopics(
          kafka,
          Map.of(
              "segment.bytes", "1048576",
              "min.cleanable.dirty.ratio", "0.0001",
              "delete.retention.ms", "0"));
      // Old ones that are taken out, old ones that aren't yet, and those of today, mixed.
      for (int i = 0; i < 300; i++) {
        kafka.produce(
            record(batch("gone", i, LONG_AGO, 0, 500), 1),
            record(batch("old", i, LONG_AGO, 500, 1_000), 1),
            record(batch("new", i, NOW - 1_000, 1_000 + i * 100L, 1_100 + i * 100L), 1));
        kafka.produce(tombstone("gone", i));
      }
      Awaitility.await()
          .atMost(Duration.ofSeconds(60))
          .pollInterval(Duration.ofMillis(200))
          .until(
              () -> {
                // What is in the last segment can't be compacted, so something has to come.
                kafka.produce(record(batch("more", 0, NOW, 900_000, 909_000), 1));
                return kafka.readAll(service + ".ledger").stream()
                    .noneMatch(record -> isAbout(record, "finished/gone/"));
              });

      Adoption found = adopted(kafka, 1);

      assertThat(found.finished().size()).isEqualTo(300 * 100 + 9_000);
      for (long id = 1_000; id < 31_000; id++) {
        assertThat(found.finished().find(who(id), NOW)).isEqualTo(new Known(true, id));
      }
      assertThat(found.batches().expired(NOW, 1_000))
          .hasSize(300)
          .allMatch(key -> key.startsWith("finished/old/"));
    }
  }

  private static boolean isAbout(ConsumerRecord<byte[], byte[]> record, String prefix) {
    return new String(record.key(), UTF_8).startsWith(prefix);
  }
}
