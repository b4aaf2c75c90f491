package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.MockConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.record.TimestampType;
import org.junit.jupiter.api.Test;

class ReplyFeedTest {

  private static final TopicPartition PARTITION = new TopicPartition("replies", 0);

  private final MockConsumer<byte[], byte[]> consumer = new MockConsumer<>("earliest");
  private final ReplyIndex index = new ReplyIndex(10_000, 1);
  private final BlockingQueue<RequestId> delivered = new LinkedBlockingQueue<>();
  private ReplyObserver observer = ReplyObserver.NONE;

  /** A feed that ended unseen would turn every reply into a 202 while the gateway says "ready". */
  @Test
  void noFailureOfAPollEndsTheFeed() throws Exception {
    consumer.updateEndOffsets(Map.of(PARTITION, 0L));
    consumer.schedulePollTask(
        () -> {
          throw new KafkaException("away");
        });
    consumer.schedulePollTask(
        () -> {
          throw new IllegalStateException("a bug of the client");
        });
    RequestId id = RequestId.random();
    consumer.schedulePollTask(() -> consumer.addRecord(reply(id)));
    try (ReplyFeed feed = feed(delivered::add)) {
      feed.ready().toCompletableFuture().get(10, TimeUnit.SECONDS);

      assertThat(delivered.poll(20, TimeUnit.SECONDS)).isEqualTo(id);
      assertThat(feed.isFollowing()).isTrue();
    }
  }

  /** Who is told of a reply may ask for it at once, and who knows the position relies on it. */
  @Test
  void aReplyIsInTheIndexBeforeTheListenerAndThePositionSaySo() throws Exception {
    consumer.updateEndOffsets(Map.of(PARTITION, 0L));
    RequestId id = RequestId.random();
    consumer.schedulePollTask(() -> consumer.addRecord(reply(id)));
    BlockingQueue<Boolean> indexed = new LinkedBlockingQueue<>();
    try (ReplyFeed feed = feed(reply -> indexed.add(index.get(reply) != null))) {
      feed.ready().toCompletableFuture().get(10, TimeUnit.SECONDS);

      assertThat(feed.passed(0, 1, Duration.ofSeconds(20)).get(25, TimeUnit.SECONDS)).isTrue();
      assertThat(feed.position(0)).isEqualTo(1);
      assertThat(indexed.poll(20, TimeUnit.SECONDS)).isTrue();
    }
  }

  /**
   * What is recognised has ended, whoever still waits: nothing may hold on to its being on its way.
   */
  @Test
  void wordOfARecognisedResendIsToldAlsoWhereNobodyWaits() throws Exception {
    consumer.updateEndOffsets(Map.of(PARTITION, 0L));
    RequestId id = RequestId.random();
    consumer.schedulePollTask(() -> consumer.addRecord(reply(id, ReplyOutcome.DUPLICATE)));
    ReplyTopic.Silence listener =
        new ReplyTopic.Silence() {
          @Override
          public void onRecognised(RequestId recognised) {
            delivered.add(recognised);
          }
        };
    try (ReplyFeed feed = feed(listener)) {
      feed.ready().toCompletableFuture().get(10, TimeUnit.SECONDS);

      assertThat(delivered.poll(20, TimeUnit.SECONDS)).isEqualTo(id);
    }
  }

  @Test
  void whoWaitsForAPositionThatDoesNotComeIsToldSo() throws Exception {
    consumer.updateEndOffsets(Map.of(PARTITION, 0L));
    try (ReplyFeed feed = feed(delivered::add)) {
      feed.ready().toCompletableFuture().get(10, TimeUnit.SECONDS);

      assertThat(feed.passed(0, 1, Duration.ofMillis(100)).get(10, TimeUnit.SECONDS)).isFalse();
    }
  }

  @Test
  void theObserverIsToldOfEachReplyOnceAndWhichOfThemAreSecondOnes() throws Exception {
    consumer.updateEndOffsets(Map.of(PARTITION, 0L));
    RequestId once = RequestId.random();
    RequestId twice = RequestId.random();
    RequestId replayed = RequestId.random();
    List<ReplyEnvelope> replies =
        List.of(
            completed(once),
            completed(twice),
            without(once, ReplyOutcome.DUPLICATE),
            without(once, ReplyOutcome.MISMATCH),
            completed(twice),
            without(replayed, ReplyOutcome.DEAD),
            completed(replayed).withReplay(1),
            without(twice, ReplyOutcome.DEAD));
    consumer.schedulePollTask(
        () -> {
          for (int i = 0; i < replies.size(); i++) {
            consumer.addRecord(record(replies.get(i), i));
          }
        });
    List<String> seen = new CopyOnWriteArrayList<>();
    observer =
        (reply, repeated) -> {
          seen.add(reply.id() + " " + reply.outcome().text() + (repeated ? " repeated" : ""));
          throw new IllegalStateException("an observer's mistake, which ends nothing");
        };
    try (LogLines log = LogLines.of(ReplyFeed.class);
        ReplyFeed feed = feed(delivered::add)) {
      assertThat(feed.passed(0, replies.size(), Duration.ofSeconds(20)).get(25, TimeUnit.SECONDS))
          .isTrue();
      assertThat(seen)
          .containsExactly(
              once + " completed",
              twice + " completed",
              once + " duplicate",
              once + " mismatch",
              twice + " completed repeated",
              replayed + " dead",
              replayed + " completed",
              twice + " dead");
      assertThat(delivered).containsExactly(once, twice, once, replayed, replayed);
      assertThat(log.with("ERROR")).hasSize(1);
    }
  }

  @Test
  void aFeedThatCantGoOnSaysSo() throws Exception {
    consumer.updateEndOffsets(Map.of(PARTITION, 0L));
    ReplyFeed feed = feed(delivered::add);
    feed.ready().toCompletableFuture().get(10, TimeUnit.SECONDS);
    assertThat(feed.isFollowing()).isTrue();

    feed.close();

    assertThat(feed.isFollowing()).isFalse();
  }

  private ReplyFeed feed(java.util.function.Consumer<RequestId> onReply) {
    return feed(
        new ReplyTopic.Silence() {
          @Override
          public void onReply(ReplyEnvelope reply, boolean replayed) {
            onReply.accept(reply.id());
          }
        });
  }

  private ReplyFeed feed(ReplyFeed.Listener listener) {
    return ReplyFeed.start(
        consumer,
        new GatewayConfig.Replies(PARTITION.topic(), 1, Duration.ofHours(1)),
        index,
        listener,
        (duplicate, place) -> {},
        observer,
        Runnable::run);
  }

  private static ConsumerRecord<byte[], byte[]> reply(RequestId id) {
    return reply(id, ReplyOutcome.DEAD);
  }

  private static ConsumerRecord<byte[], byte[]> reply(RequestId id, ReplyOutcome outcome) {
    return record(without(id, outcome), 0);
  }

  private static ReplyEnvelope without(RequestId id, ReplyOutcome outcome) {
    return ReplyEnvelope.without(id, new Fingerprint(1, 2), outcome, "s/v/1", 1);
  }

  private static ReplyEnvelope completed(RequestId id) {
    return new ReplyEnvelope(
        id,
        new Fingerprint(1, 2),
        ReplyOutcome.COMPLETED,
        "s/v/1",
        1,
        ReplyEnvelope.NONE,
        200,
        HttpFields.EMPTY,
        new byte[0]);
  }

  private static ConsumerRecord<byte[], byte[]> record(ReplyEnvelope reply, long offset) {
    ProducerRecord<byte[], byte[]> record =
        ReplyCodec.encode(reply, new ReplyAddress(PARTITION.topic(), PARTITION.partition()));
    return new ConsumerRecord<>(
        PARTITION.topic(),
        PARTITION.partition(),
        offset,
        0,
        TimestampType.CREATE_TIME,
        0,
        0,
        reply.id().toString().getBytes(UTF_8),
        record.value(),
        record.headers(),
        Optional.empty());
  }
}
