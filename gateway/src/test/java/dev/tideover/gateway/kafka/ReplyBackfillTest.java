package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.MockConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;
import org.junit.jupiter.api.Test;

class ReplyBackfillTest {

  private static final TopicPartition PARTITION = new TopicPartition("replies", 0);

  private final MockConsumer<byte[], byte[]> consumer = new MockConsumer<>("none");
  private final ReplyIndex index = new ReplyIndex(10_000, 1);

  @Test
  void aFailureDelaysTheFillingAndDoesNotEndIt() throws Exception {
    RequestId id = RequestId.random();
    ranges(0, 1);
    consumer.schedulePollTask(
        () -> {
          throw new KafkaException("away");
        });
    consumer.schedulePollTask(() -> consumer.addRecord(record(id, 0, 5_000)));
    try (ReplyBackfill backfill = start(1)) {
      assertThat(backfill.ended().get(20, TimeUnit.SECONDS)).isTrue();
    }

    assertThat(index.get(id)).isEqualTo(new ReplyIndex.Place(0, 0));
    assertThat(index.view(id, 0).completeFrom()).isZero();
    assertThat(index.view(id, 0).completeSince()).isZero();
    assertThat(consumer.closed()).isTrue();
  }

  /** What retention has deleted was written before it began; a reply since then would be here. */
  @Test
  void goesBackToTheRetentionWhereEarlierRepliesAreDeleted() throws Exception {
    ranges(7, 7);
    index.reachesBackTo(0, 7, System.currentTimeMillis());
    try (ReplyBackfill backfill = start(7)) {
      assertThat(backfill.ended().get(20, TimeUnit.SECONDS)).isTrue();
    }

    assertThat(index.view(RequestId.random(), 0).completeSince())
        .isBetween(
            System.currentTimeMillis() - Duration.ofMinutes(61).toMillis(),
            System.currentTimeMillis() - Duration.ofMinutes(60).toMillis());
  }

  @Test
  void whoWaitsIsToldAsSoonAsItIsFilledFarEnoughOrNeverWillBe() throws Exception {
    ranges(0, 2_000);
    RequestId id = RequestId.random();
    ReplyBackfill backfill = start(2_000);
    CompletableFuture<Boolean> half = backfill.filledBackTo(0, 900_000, Duration.ofSeconds(20));
    CompletableFuture<Boolean> whole = backfill.filledBackTo(0, 1, Duration.ofSeconds(20));
    // The newer half, offsets 1,000 to 1,999; the older one doesn't come.
    consumer.schedulePollTask(
        () -> {
          consumer.addRecord(record(id, 1_000, 900_000));
          consumer.addRecord(record(RequestId.random(), 1_999, 899_000));
        });

    assertThat(half.get(20, TimeUnit.SECONDS)).isTrue();
    assertThat(index.get(id)).isEqualTo(new ReplyIndex.Place(0, 1_000));
    assertThat(whole).isNotDone();

    backfill.close();

    assertThat(whole.get(20, TimeUnit.SECONDS)).isTrue();
    assertThat(backfill.ended().get(20, TimeUnit.SECONDS)).isFalse();
    assertThat(index.view(id, 0).completeSince()).isEqualTo(900_000);
  }

  private void ranges(long begin, long end) {
    consumer.updateBeginningOffsets(Map.of(PARTITION, begin));
    consumer.updateEndOffsets(Map.of(PARTITION, end));
  }

  private ReplyBackfill start(long from) {
    return ReplyBackfill.start(
        consumer,
        new GatewayConfig.Replies(PARTITION.topic(), 1, Duration.ofHours(1)),
        index,
        new long[] {from},
        Runnable::run);
  }

  private static ConsumerRecord<byte[], byte[]> record(RequestId id, long offset, long timestamp) {
    return new ConsumerRecord<>(
        PARTITION.topic(),
        PARTITION.partition(),
        offset,
        timestamp,
        TimestampType.CREATE_TIME,
        0,
        0,
        id.toString().getBytes(UTF_8),
        new byte[0],
        new RecordHeaders(),
        Optional.empty());
  }
}
