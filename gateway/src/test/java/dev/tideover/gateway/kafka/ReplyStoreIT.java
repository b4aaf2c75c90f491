package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.kafka.ReplyStore.Lookup;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;

/** What a gateway can say of any request of its cell, whoever accepted it and whenever. */
@KafkaTest
class ReplyStoreIT {

  private static final Duration HOUR = Duration.ofHours(1);

  @Test
  void findsTheReplyOnEveryGateway(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    try (ReplyStore one = topic.store();
        ReplyStore other = topic.store()) {
      RequestId id = RequestId.random();
      Instant accepted = Instant.now();
      assertThat(find(one, id, accepted)).isInstanceOf(Lookup.Absent.class);

      topic.write(Instant.now(), id);

      for (ReplyStore store : List.of(one, other)) {
        assertThat(body(find(store, id, accepted))).isEqualTo("reply to " + id);
      }
    }
  }

  @Test
  void theListenerFindsTheReplyThatItIsToldOf(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    CompletableFuture<ReplyStore> started = new CompletableFuture<>();
    BlockingQueue<CompletableFuture<Lookup>> found = new LinkedBlockingQueue<>();
    ReplyFeed.Listener listener =
        new ReplyTopic.Silence() {
          @Override
          public void onReply(ReplyEnvelope reply, boolean replayed) {
            found.add(started.join().find(reply.id(), Instant.now()).toCompletableFuture());
          }
        };
    try (ReplyStore store = ReplyTopic.store(topic.config(10_000, HOUR), listener)) {
      started.complete(ReplyTopic.filled(store));
      RequestId id = RequestId.random();
      topic.write(Instant.now(), id);

      Lookup lookup = found.poll(20, TimeUnit.SECONDS).get(20, TimeUnit.SECONDS);
      assertThat(body(lookup)).isEqualTo("reply to " + id);
      assertThat(store.endRequests()).isZero();
    }
  }

  @Test
  void aSecondReplyThatComesWhileTheIndexIsFilledDoesNotStandForTheFirst(TestKafka kafka)
      throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Instant accepted = Instant.now().minus(Duration.ofMinutes(30));
    RequestId[] ids = new RequestId[20];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = RequestId.random();
      topic.send(accepted, ids[i], "first", null).get(20, TimeUnit.SECONDS);
    }
    topic.write(50_000, accepted.plusSeconds(1), Instant.now());
    ReplyFeed.Listener listener = new ReplyTopic.Silence();
    try (ReplyStore store = ReplyTopic.store(topic.config(1_000_000, HOUR), listener)) {
      for (RequestId id : ids) {
        topic.send(Instant.now(), id, "second", null).get(20, TimeUnit.SECONDS);
        assertThat(body(find(store, id, accepted))).isEqualTo("first");
      }
    }
  }

  @Test
  void theFirstReplyStandsAlsoAfterAStart(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    RequestId id = RequestId.random();
    Instant accepted = Instant.now();
    topic.send(accepted, id, "first", null).get(20, TimeUnit.SECONDS);
    topic.send(accepted, id, "second", null).get(20, TimeUnit.SECONDS);
    try (ReplyStore store = topic.store()) {
      assertThat(body(find(store, id, accepted))).isEqualTo("first");
      topic.send(accepted, id, "third", null).get(20, TimeUnit.SECONDS);
      assertThat(body(find(store, id, accepted))).isEqualTo("first");
      assertThat(body(find(ReplyTopic.filled(store), id, accepted))).isEqualTo("first");
    }
  }

  @Test
  void repliesFromBeforeTheStartAreFoundTheNewestAtOnceAndAllInTheEnd(TestKafka kafka)
      throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    int count = 200_000;
    Instant to = Instant.now();
    Instant from = to.minus(Duration.ofMinutes(50));
    RequestId[] ids = topic.write(count, from, to);
    RequestId never = RequestId.random();

    try (ReplyStore store =
        ReplyTopic.store(topic.config(1_000_000, HOUR), new ReplyTopic.Silence())) {
      CompletableFuture<Boolean> filled = store.filled().toCompletableFuture();
      Instant newest = ReplyTopic.at(count - 1, count, from, to);
      boolean stillFilling =
          store
              .find(ids[count - 1], newest)
              .thenApply(found -> body(found).equals("reply " + (count - 1)) && !filled.isDone())
              .toCompletableFuture()
              .get(20, TimeUnit.SECONDS);
      assertThat(stillFilling).as("found while older ones were still being filled in").isTrue();
      // The oldest one at once too: by a search, or by waiting for the filling.
      assertThat(body(find(store, ids[0], from))).isEqualTo("reply 0");
      assertThat(find(store, never, from)).isInstanceOf(Lookup.Absent.class);

      long start = System.nanoTime();
      ReplyTopic.filled(store);
      System.out.printf(
          "filled %d in about %d ms%n", count, (System.nanoTime() - start) / 1_000_000);
      for (int i = 0; i < count; i += 997) {
        assertThat(body(find(store, ids[i], ReplyTopic.at(i, count, from, to))))
            .isEqualTo("reply " + i);
      }
      assertThat(find(store, never, from)).isInstanceOf(Lookup.Absent.class);
    }
  }

  @Test
  void whatTheIndexHasForgottenIsSearchedFor(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    int count = 40_000;
    Instant to = Instant.now();
    Instant from = to.minus(Duration.ofMinutes(50));
    RequestId never = RequestId.random();
    try (ReplyStore store =
        ReplyTopic.store(topic.config(10_000, HOUR), new ReplyTopic.Silence())) {
      RequestId[] ids = topic.write(count, from, to);
      // The last one is behind all others of its partition only; the end check does the rest.
      for (int i = count - 1; i >= 0; i -= 3_999) {
        assertThat(body(find(store, ids[i], ReplyTopic.at(i, count, from, to))))
            .isEqualTo("reply " + i);
      }
      assertThat(find(store, never, from)).isInstanceOf(Lookup.Absent.class);

      // Many at once share the passes over their partitions.
      List<CompletableFuture<Lookup>> lookups = new ArrayList<>();
      for (int i = 0; i < 500; i++) {
        lookups.add(store.find(ids[i], ReplyTopic.at(i, count, from, to)).toCompletableFuture());
      }
      for (int i = 0; i < lookups.size(); i++) {
        assertThat(body(lookups.get(i).get(20, TimeUnit.SECONDS))).isEqualTo("reply " + i);
      }

      // A start with more than the index holds: it fills up and stops.
      try (ReplyStore late =
          ReplyTopic.store(topic.config(10_000, HOUR), new ReplyTopic.Silence())) {
        assertThat(late.filled().toCompletableFuture().get(60, TimeUnit.SECONDS)).isFalse();
        for (int i = count - 1; i >= 0; i -= 3_999) {
          assertThat(body(find(late, ids[i], ReplyTopic.at(i, count, from, to))))
              .isEqualTo("reply " + i);
        }
      }
    }
  }

  @Test
  void aDeletedReplyIsGoneAndAPendingOneIsNot(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Instant old = Instant.now().minus(Duration.ofHours(2));
    Instant young = Instant.now();
    RequestId replied = RequestId.random();
    topic.write(old, replied);
    try (ReplyStore before = ReplyTopic.filled(topic.store())) {
      assertThat(find(before, replied, old)).isInstanceOf(Lookup.Found.class);
      topic.deleteRecords();
      try (ReplyStore after = ReplyTopic.filled(topic.store())) {
        // Whether it has ever had a reply nobody can tell who wasn't there.
        RequestId other = otherOfItsPartition(replied);
        assertThat(find(after, other, old)).isInstanceOf(Lookup.NoneLeft.class);
        assertThat(find(after, other, young)).isInstanceOf(Lookup.Absent.class);
        assertThat(find(after, replied, old)).isInstanceOf(Lookup.NoneLeft.class);
      }
      // The one that has read it before tells it from memory for some seconds.
      await()
          .atMost(Duration.ofSeconds(20))
          .until(() -> find(before, replied, old) instanceof Lookup.Gone);
      // This one was there, from the first record on, and knows.
      assertThat(find(before, otherOfItsPartition(replied), old)).isInstanceOf(Lookup.Absent.class);
    }
    try (ReplyStore before = ReplyTopic.filled(topic.store())) {
      RequestId soonGone = RequestId.random();
      topic.write(young, soonGone);
      // Seen by the feed, read by nobody.
      assertThat(find(before, otherOfItsPartition(soonGone), young))
          .isInstanceOf(Lookup.Absent.class);
      topic.deleteRecords();
      assertThat(find(before, soonGone, young)).isInstanceOf(Lookup.Gone.class);
      assertThat(find(before, soonGone, old)).isInstanceOf(Lookup.Gone.class);
    }
  }

  /** Deletion begins with the oldest, so what is left tells that nothing later is missing. */
  @Test
  void anOldRequestIsPendingWhereWhatIsLeftShowsThatItNeverHadAReply(TestKafka kafka)
      throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Instant now = Instant.now();
    RequestId deleted = RequestId.random();
    RequestId left = otherOfItsPartition(deleted);
    topic.write(now.minus(Duration.ofMinutes(180)), deleted);
    topic.write(now.minus(Duration.ofMinutes(150)), left);
    topic.deleteRecords(ReplyTopic.partition(deleted), 1);
    RequestId never = otherOfItsPartition(deleted);
    try (ReplyStore store = ReplyTopic.filled(topic.store())) {
      assertThat(find(store, never, now.minus(Duration.ofMinutes(120))))
          .isInstanceOf(Lookup.Absent.class);
      assertThat(find(store, never, now.minus(Duration.ofMinutes(165))))
          .isInstanceOf(Lookup.NoneLeft.class);
      assertThat(find(store, deleted, now.minus(Duration.ofMinutes(185))))
          .isInstanceOf(Lookup.NoneLeft.class);
      assertThat(find(store, left, now.minus(Duration.ofMinutes(165))))
          .isInstanceOf(Lookup.Found.class);
    }
  }

  @Test
  void anIdThatIsUsedAgainAfterItsReplyWasDeletedGetsItsNewReply(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    RequestId id = RequestId.random();
    try (ReplyStore store = ReplyTopic.filled(topic.store())) {
      topic.write(Instant.now(), id);
      assertThat(find(store, otherOfItsPartition(id), Instant.now()))
          .isInstanceOf(Lookup.Absent.class);
      topic.deleteRecords();
      topic.send(Instant.now(), id, "again", null).get(20, TimeUnit.SECONDS);

      assertThat(body(find(store, id, Instant.now()))).isEqualTo("again");
      assertThat(body(find(store, id, Instant.now()))).isEqualTo("again");
    }
  }

  @Test
  void aRecordThatIsNoReplyIsUnreadableAndNotPending(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    RequestId before = RequestId.random();
    RequestId after = RequestId.random();
    kafka.produce(noReply(topic, before));
    try (ReplyStore store = topic.store()) {
      kafka.produce(noReply(topic, after));
      for (RequestId id : List.of(before, after)) {
        assertThat(find(store, id, Instant.now()))
            .isInstanceOfSatisfying(
                Lookup.Unreadable.class,
                found -> assertThat(found.partition()).isEqualTo(ReplyTopic.partition(id)));
      }
    }
  }

  private static ProducerRecord<byte[], byte[]> noReply(ReplyTopic topic, RequestId id) {
    return new ProducerRecord<>(
        topic.name,
        ReplyTopic.partition(id),
        id.toString().getBytes(UTF_8),
        "no reply".getBytes(UTF_8));
  }

  @Test
  void goesOnAtWhatIsLeftWhenRecordsAreDeletedBeforeItReadsThem(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Gate gate = new Gate();
    try (ReplyStore store = ReplyTopic.store(topic.config(10_000, HOUR), gate)) {
      RequestId blocker = RequestId.random();
      topic.write(Instant.now(), blocker);
      assertThat(gate.told.poll(20, TimeUnit.SECONDS)).isEqualTo(blocker);
      // More than one fetch brings, so that some are out of reach when they are deleted.
      String large = "x".repeat(900_000);
      for (int i = 0; i < 60; i++) {
        topic.send(Instant.now(), otherOfItsPartition(blocker), large, null);
      }
      kafka.producer().flush();
      topic.deleteRecords();
      RequestId last = RequestId.random();
      topic.write(Instant.now(), last, otherOfItsPartition(blocker));
      gate.open.complete(null);

      assertThat(body(find(store, last, Instant.now()))).isEqualTo("reply to " + last);
      assertThat(find(store, otherOfItsPartition(blocker), Instant.now()))
          .isInstanceOf(Lookup.Absent.class);
      assertThat(store.missed()).isPositive();
      assertThat(store.isFollowing()).isTrue();
    }
  }

  /** A listener that keeps the feed waiting at the first reply. */
  private static final class Gate extends ReplyTopic.Silence {
    final BlockingQueue<RequestId> told = new LinkedBlockingQueue<>();
    final CompletableFuture<Void> open = new CompletableFuture<>();

    @Override
    public void onReply(ReplyEnvelope reply, boolean replayed) {
      told.add(reply.id());
      open.orTimeout(60, TimeUnit.SECONDS).join();
    }
  }

  @Test
  void goesOnWithATopicThatWasMadeAnew(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    BlockingQueue<RequestId> told = new LinkedBlockingQueue<>();
    ReplyFeed.Listener listener =
        new ReplyTopic.Silence() {
          @Override
          public void onReply(ReplyEnvelope reply, boolean replayed) {
            told.add(reply.id());
          }
        };
    try (ReplyStore store = ReplyTopic.store(topic.config(10_000, HOUR), listener)) {
      RequestId[] old = topic.write(1_000, Instant.now(), Instant.now());
      for (int i = 0; i < old.length; i++) {
        assertThat(told.poll(20, TimeUnit.SECONDS)).isNotNull();
      }
      topic.deleteTopic();
      kafka.createTopic(topic.name, ReplyTopic.PARTITIONS);
      RequestId id = RequestId.random();
      try (TestKafka fresh = TestKafka.at(kafka.bootstrapServers())) {
        fresh.produce(record(topic, id));
      }

      assertThat(told.poll(30, TimeUnit.SECONDS)).isEqualTo(id);
      assertThat(find(store, id, Instant.now())).isInstanceOf(Lookup.Found.class);
      assertThat(find(store, RequestId.random(), Instant.now())).isInstanceOf(Lookup.Absent.class);
      assertThat(find(store, old[0], Instant.now())).isInstanceOf(Lookup.Gone.class);
    }
  }

  private static ProducerRecord<byte[], byte[]> record(ReplyTopic topic, RequestId id) {
    return dev.tideover.wire.ReplyCodec.encode(
        ReplyEnvelope.without(
            id,
            new dev.tideover.wire.Fingerprint(1, 2),
            dev.tideover.wire.ReplyOutcome.DEAD,
            "s/v/1",
            1),
        new dev.tideover.wire.ReplyAddress(topic.name, ReplyTopic.partition(id)));
  }

  @Test
  void aStoreThatIsClosedAnswersAllWhoAskedIt(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    List<CompletableFuture<Lookup>> lookups = new ArrayList<>();
    RequestId[] ids = topic.write(1_000, Instant.now(), Instant.now());
    ReplyStore store = topic.store();
    for (int i = 0; i < 1_000; i++) {
      lookups.add(store.find(ids[i], Instant.now()).toCompletableFuture());
      lookups.add(store.find(RequestId.random(), Instant.now()).toCompletableFuture());
    }
    store.close();

    CompletableFuture.allOf(lookups.toArray(CompletableFuture<?>[]::new)).get(10, TimeUnit.SECONDS);
    assertThat(store.isFollowing()).isFalse();
    assertThat(find(store, RequestId.random(), Instant.now())).isInstanceOf(Lookup.NotNow.class);
  }

  /** Some id whose replies go to the same partition. */
  private static RequestId otherOfItsPartition(RequestId id) {
    RequestId other = RequestId.random();
    while (ReplyTopic.partition(other) != ReplyTopic.partition(id)) {
      other = RequestId.random();
    }
    return other;
  }

  private static Lookup find(ReplyStore store, RequestId id, Instant acceptedAt) throws Exception {
    return result(store.find(id, acceptedAt));
  }

  private static Lookup result(java.util.concurrent.CompletionStage<Lookup> lookup)
      throws Exception {
    return lookup.toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  private static String body(Lookup lookup) {
    assertThat(lookup).isInstanceOf(Lookup.Found.class);
    return new String(((Lookup.Found) lookup).reply().body(), UTF_8);
  }
}
