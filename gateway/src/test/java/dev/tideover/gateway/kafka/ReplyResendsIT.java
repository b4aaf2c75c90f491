package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.kafka.ReplyStore.Lookup;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a service says to a resend leads to its first reply, or to word that this is gone. */
@Tag("long")
@KafkaTest
class ReplyResendsIT {

  private static final Duration HOUR = Duration.ofHours(1);
  private static final long NONE = ReplyEnvelope.NONE;

  /** Waits for some ids and notes what it is told. */
  private static final class Client extends ReplyTopic.Silence {
    final Set<RequestId> waitsFor = ConcurrentHashMap.newKeySet();
    final BlockingQueue<String> told = new LinkedBlockingQueue<>();

    @Override
    public void onReply(ReplyEnvelope reply, boolean replayed) {
      if (waitsFor.remove(reply.id()) || reply.outcome() == ReplyOutcome.MISMATCH) {
        String what = reply.outcome().text() + " " + new String(reply.body(), UTF_8);
        told.add(replayed ? "replayed " + what : what);
      }
    }

    @Override
    public void onUnreadable(RequestId id) {
      told.add("unreadable");
    }

    @Override
    public void onOriginalMissing(RequestId id, Lookup why) {
      told.add("missing: " + why.getClass().getSimpleName());
    }

    @Override
    public boolean mayComeAgain(RequestId id) {
      return waitsFor.contains(id);
    }

    @Override
    public boolean awaits(RequestId id) {
      return waitsFor.contains(id);
    }

    String next() throws InterruptedException {
      return told.poll(20, TimeUnit.SECONDS);
    }
  }

  private final Client client = new Client();
  private final RequestId id = RequestId.random();
  private final Instant now = Instant.now();

  @Test
  void whoWaitsForTheAnswerToAResendGetsTheFirstReply(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    try (ReplyStore store = ReplyTopic.filled(store(topic))) {
      long first = sendAndHear(topic, "first");

      client.waitsFor.add(id);
      topic.duplicate(now, id, first);

      assertThat(client.next()).isEqualTo("replayed completed first");
      assertThat(body(find(store, now))).isEqualTo("first");
      assertThat(body(recall(store))).isEqualTo("first");
      assertThat(client.told).isEmpty();
    }
  }

  /** A handler that ran twice has replied twice; another gateway may have told of the first. */
  @Test
  void whoWaitsWhenASecondReplyComesGetsTheFirst(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    try (ReplyStore store = ReplyTopic.filled(store(topic))) {
      sendAndHear(topic, "first");

      client.waitsFor.add(id);
      send(topic, now, id, "second");

      assertThat(client.next()).isEqualTo("replayed completed first");
      assertThat(body(find(store, now))).isEqualTo("first");
    }
  }

  /** The first one is from before the start, and the index is filled only later. */
  @Test
  void alsoWhereTheFirstIsNotInTheIndexYet(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Instant early = now.minus(Duration.ofMinutes(50));
    send(topic, early, id, "first");
    topic.write(80_000, early, now);
    try (ReplyStore store = ReplyTopic.store(topic.config(1_000_000, HOUR), client)) {
      client.waitsFor.add(id);
      send(topic, Instant.now(), id, "second");

      assertThat(client.next()).isEqualTo("replayed completed first");
      assertThat(body(find(store, early))).isEqualTo("first");
    }
  }

  @Test
  void nothingIsReadForAResendThatNobodyWaitsFor(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    try (ReplyStore store = ReplyTopic.filled(store(topic))) {
      long first = send(topic, now, id, "first");
      topic.duplicate(now, id, first);
      RequestId next = otherOfItsPartition(id);
      client.waitsFor.add(next);
      send(topic, now, next, "next");

      assertThat(client.next()).isEqualTo("completed next");
      assertThat(store.reads()).isZero();
      assertThat(client.told).isEmpty();
    }
  }

  /** Beyond the index and before the start: only the duplicate says where it is. */
  @Test
  void theFirstReplyIsFoundThroughTheDuplicateAlone(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Instant early = now.minus(Duration.ofMinutes(50));
    long first = send(topic, early, id, "first");
    topic.write(80_000, early, now);
    try (ReplyStore store = ReplyTopic.store(topic.config(10_000, HOUR), client)) {
      client.waitsFor.add(id);
      topic.duplicate(Instant.now(), id, first);
      assertThat(client.next()).isEqualTo("replayed completed first");

      // Now the index knows.
      assertThat(body(find(store, Instant.now()))).isEqualTo("first");
      assertThat(body(recall(ReplyTopic.filled(store)))).isEqualTo("first");
    }
    // Another gateway learns it from its backfill, and a third from a search.
    Instant resent = Instant.now();
    try (ReplyStore other = ReplyTopic.filled(topic.store())) {
      assertThat(body(find(other, resent))).isEqualTo("first");
      assertThat(body(recall(other))).isEqualTo("first");
    }
    topic.write(60_000, resent.plusMillis(1), resent.plusMillis(2));
    try (ReplyStore third =
        ReplyTopic.filled(ReplyTopic.store(topic.config(10_000, HOUR), new ReplyTopic.Silence()))) {
      assertThat(recall(third)).isInstanceOf(Lookup.Absent.class);
      assertThat(body(find(third, resent))).isEqualTo("first");
      assertThat(body(find(third, early))).isEqualTo("first");
    }
  }

  @Test
  void aFirstReplyThatIsDeletedIsGone(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    long first = send(topic, now, id, "first");
    topic.deleteRecords();
    try (ReplyStore store = ReplyTopic.filled(store(topic))) {
      client.waitsFor.add(id);
      topic.duplicate(now, id, first);

      assertThat(client.next()).isEqualTo("missing: Gone");
      assertThat(find(store, now)).isInstanceOf(Lookup.Gone.class);
      assertThat(recall(store)).isInstanceOf(Lookup.Gone.class);
    }
  }

  @Test
  void aDuplicateWithoutAPlaceLeadsToTheFirstReplyThatThereIs(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    send(topic, now, id, "first");
    topic.duplicate(now, id, NONE);
    try (ReplyStore before = ReplyTopic.filled(topic.store());
        ReplyStore store = store(topic)) {
      client.waitsFor.add(id);
      topic.duplicate(now, id, NONE);

      assertThat(client.next()).isEqualTo("replayed completed first");
      for (ReplyStore each : new ReplyStore[] {before, ReplyTopic.filled(store)}) {
        assertThat(body(find(each, now))).isEqualTo("first");
        assertThat(body(recall(each))).isEqualTo("first");
      }
    }
  }

  @Test
  void aDuplicateWithoutAPlaceIsSearchedForWhereTheIndexHasNothingElse(TestKafka kafka)
      throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Instant early = now.minus(Duration.ofMinutes(50));
    send(topic, early, id, "first");
    topic.write(80_000, early, now);
    try (ReplyStore store =
        ReplyTopic.filled(ReplyTopic.store(topic.config(10_000, HOUR), client))) {
      topic.duplicate(Instant.now(), id, NONE);
      await().atMost(Duration.ofSeconds(20)).until(() -> recall(store) instanceof Lookup.NotNow);
      assertThat(body(find(store, Instant.now()))).isEqualTo("first");
      assertThat(body(recall(store))).as("the index knows now").isEqualTo("first");

      client.waitsFor.add(id);
      topic.duplicate(Instant.now(), id, NONE);
      assertThat(client.next()).isEqualTo("replayed completed first");
    }
  }

  @Test
  void aDuplicateOfWhatWasNeverHereIsGone(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    try (ReplyStore store = ReplyTopic.filled(store(topic))) {
      client.waitsFor.add(id);
      topic.duplicate(now, id, NONE);

      assertThat(client.next()).isEqualTo("missing: Gone");
      assertThat(find(store, now)).isInstanceOf(Lookup.Gone.class);
    }
  }

  @Test
  void aDuplicateThatNamesAnothersReplyNeverBringsThat(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    long anothers = send(topic, now, otherOfItsPartition(id), "another's");
    try (ReplyStore store = ReplyTopic.filled(store(topic))) {
      client.waitsFor.add(id);
      long duplicate = topic.duplicate(now, id, anothers);
      assertThat(client.next()).isEqualTo("missing: Gone");
      assertThat(find(store, now)).isInstanceOf(Lookup.Gone.class);
      assertThat(recall(store)).isInstanceOf(Lookup.Absent.class);

      // Nor itself, nor a duplicate, nor what is not there yet.
      for (long wrong : new long[] {duplicate, duplicate + 2, duplicate + 1_000_000}) {
        client.waitsFor.add(id);
        topic.duplicate(now, id, wrong);
        assertThat(client.next()).isEqualTo("missing: Gone");
      }

      sendAndHear(topic, "own");
      client.waitsFor.add(id);
      topic.duplicate(now, id, anothers);
      assertThat(client.next()).isEqualTo("replayed completed own");
      assertThat(body(find(store, now))).isEqualTo("own");
    }
  }

  @Test
  void ofTwoRepliesTheFirstStandsAlsoWhereTheServiceRemembersTheSecond(TestKafka kafka)
      throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    try (ReplyStore store = ReplyTopic.filled(store(topic))) {
      sendAndHear(topic, "first");
      long second = send(topic, now, id, "second");
      client.waitsFor.add(id);
      topic.duplicate(now, id, second);

      assertThat(client.next()).isEqualTo("replayed completed first");
      assertThat(body(recall(store))).isEqualTo("first");
      try (ReplyStore other = ReplyTopic.filled(topic.store())) {
        assertThat(body(find(other, now))).isEqualTo("first");
        assertThat(body(recall(other))).isEqualTo("first");
      }
    }
  }

  @Test
  void aKeyThatIsUsedAgainAfterItsReplyWasDeletedLeadsToItsNewReply(TestKafka kafka)
      throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    try (ReplyStore store = ReplyTopic.filled(store(topic))) {
      sendAndHear(topic, "old");
      topic.deleteRecords();
      long again = sendAndHear(topic, "again");
      client.waitsFor.add(id);
      topic.duplicate(now, id, again);

      assertThat(client.next()).isEqualTo("replayed completed again");
      assertThat(body(recall(store))).isEqualTo("again");
    }
  }

  @Test
  void aRefusalOfAnotherRequestUnderTheIdIsToldAndNeverTheReply(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Instant early = now.minus(Duration.ofMinutes(50));
    topic.mismatch(early, id);
    try (ReplyStore store = ReplyTopic.filled(store(topic))) {
      topic.mismatch(now, id);
      assertThat(client.next()).isEqualTo("mismatch ");
      assertThat(find(store, early)).isInstanceOf(Lookup.Absent.class);
      assertThat(recall(store)).isInstanceOf(Lookup.Absent.class);

      long first = send(topic, now, id, "first");
      assertThat(body(find(store, early))).isEqualTo("first");
      assertThat(body(recall(store))).isEqualTo("first");
      client.waitsFor.add(id);
      topic.duplicate(now, id, first - 1);
      assertThat(client.next()).isEqualTo("replayed completed first");
    }
    topic.write(60_000, now, now);
    try (ReplyStore forgetful =
        ReplyTopic.filled(ReplyTopic.store(topic.config(10_000, HOUR), new ReplyTopic.Silence()))) {
      assertThat(body(find(forgetful, early))).as("searched for").isEqualTo("first");
    }
  }

  @Test
  void aSecondReplyIsNotRecalledWhileTheFirstMayStillBeFilledIn(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Instant early = now.minus(Duration.ofMinutes(50));
    send(topic, early, id, "first");
    topic.write(200_000, early, now);
    try (ReplyStore store =
        ReplyTopic.store(topic.config(1_000_000, HOUR), new ReplyTopic.Silence())) {
      send(topic, Instant.now(), id, "second");
      Lookup recalled = recall(store);
      while (!store.filled().toCompletableFuture().isDone()) {
        assertThat(recalled)
            .isInstanceOfAny(Lookup.Absent.class, Lookup.NotNow.class, Lookup.Found.class);
        if (recalled instanceof Lookup.Found) {
          assertThat(body(recalled)).isEqualTo("first");
        }
        recalled = recall(store);
      }
      assertThat(body(recall(store))).isEqualTo("first");
      assertThat(store.endRequests()).as("nobody asks Kafka").isZero();
    }
  }

  /** Whether the index knows it or not: a status must not go back. */
  @Test
  void theLastReplyToAReplayIsFoundAlsoByASearch(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Instant early = now.minus(Duration.ofMinutes(50));
    topic.dead(early, id);
    topic.duplicate(early, id, NONE);
    topic.replayed(early, id, 1, "mended");
    topic.replayed(early, id, 2, "mended again");
    try (ReplyStore knowing = ReplyTopic.filled(topic.store())) {
      assertThat(body(find(knowing, early))).isEqualTo("mended again");
      assertThat(knowing.endRequests()).as("the index knew").isZero();
    }
    topic.write(60_000, early.plusMillis(1), now);
    try (ReplyStore forgetful =
        ReplyTopic.filled(ReplyTopic.store(topic.config(10_000, HOUR), client))) {
      assertThat(recall(forgetful)).isInstanceOf(Lookup.Absent.class);
      assertThat(body(find(forgetful, early))).isEqualTo("mended again");

      client.waitsFor.add(id);
      topic.duplicate(Instant.now(), id, NONE);
      assertThat(client.next()).isEqualTo("replayed completed mended again");
      assertThat(body(recall(forgetful))).isEqualTo("mended again");
    }
  }

  @Test
  void anyNumberOfDuplicatesCostsOneReadAndOneAnswer(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    try (ReplyStore store = ReplyTopic.filled(store(topic))) {
      long first = sendAndHear(topic, "first");
      client.waitsFor.add(id);
      for (int i = 0; i < 5_000; i++) {
        topic.duplicateLater(now, id, first);
      }
      kafka.producer().flush();
      RequestId last = otherOfItsPartition(id);
      client.waitsFor.add(last);
      send(topic, now, last, "last");

      assertThat(Set.of(client.next(), client.next()))
          .containsExactlyInAnyOrder("replayed completed first", "completed last");
      assertThat(client.told).isEmpty();
      assertThat(store.reads()).isEqualTo(1);
    }
  }

  private ReplyStore store(ReplyTopic topic) throws Exception {
    return ReplyTopic.store(topic.config(100_000, HOUR), client);
  }

  /** Writes a reply, and goes on when the feed has told of it. */
  private long sendAndHear(ReplyTopic topic, String body) throws Exception {
    client.waitsFor.add(id);
    long offset = send(topic, now, id, body);
    assertThat(client.next()).isEqualTo("completed " + body);
    return offset;
  }

  private static long send(ReplyTopic topic, Instant at, RequestId id, String body)
      throws Exception {
    return topic.send(at, id, body, null).get(20, TimeUnit.SECONDS).offset();
  }

  private Lookup find(ReplyStore store, Instant acceptedAt) throws Exception {
    return result(store.find(id, acceptedAt));
  }

  private Lookup recall(ReplyStore store) throws Exception {
    return result(store.recall(id));
  }

  private static Lookup result(CompletionStage<Lookup> lookup) throws Exception {
    return lookup.toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  private static RequestId otherOfItsPartition(RequestId id) {
    RequestId other = RequestId.random();
    while (ReplyTopic.partition(other) != ReplyTopic.partition(id)) {
      other = RequestId.random();
    }
    return other;
  }

  private static String body(Lookup lookup) {
    assertThat(lookup).isInstanceOf(Lookup.Found.class);
    return new String(((Lookup.Found) lookup).reply().body(), UTF_8);
  }
}
