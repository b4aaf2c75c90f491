package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.MockConsumer;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

class ReplyReaderTest {

  private static final String TOPIC = "replies";

  private final MockConsumer<byte[], byte[]> consumer = new MockConsumer<>("earliest");

  ReplyReaderTest() {
    // There is something and it never comes: Kafka is away.
    consumer.updateBeginningOffsets(Map.of(new TopicPartition(TOPIC, 0), 0L));
  }

  /** While Kafka is away look-ups queue, and each must not wait for all before it. */
  @Test
  void aLookUpsLimitIncludesItsTimeInTheQueue() throws Exception {
    try (ReplyReader reader = ReplyReader.start(consumer, TOPIC, Duration.ofMillis(500))) {
      long start = System.nanoTime();
      List<CompletableFuture<ReplyReader.Found>> lookUps = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        lookUps.add(reader.read(new ReplyIndex.Place(0, i)));
      }
      for (CompletableFuture<ReplyReader.Found> lookUp : lookUps) {
        assertThatThrownBy(() -> lookUp.get(20, TimeUnit.SECONDS))
            .isInstanceOf(ExecutionException.class)
            .hasCauseInstanceOf(KafkaUnavailableException.class);
      }

      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
    }
  }

  @Test
  void theCloseEndsEveryLookUpAndTheConsumer() throws Exception {
    ReplyReader reader = ReplyReader.start(consumer, TOPIC, Duration.ofMinutes(1));
    List<CompletableFuture<ReplyReader.Found>> lookUps = new ArrayList<>();
    for (int i = 0; i < 1_100; i++) {
      lookUps.add(reader.read(new ReplyIndex.Place(0, i)));
    }

    long start = System.nanoTime();
    reader.close();

    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
    assertThat(lookUps).allMatch(CompletableFuture::isCompletedExceptionally);
    assertThat(consumer.closed()).isTrue();
  }

  /** A gateway where that has happened is not ready; whoever asks it meanwhile mustn't wait. */
  @Test
  void anErrorThatEndsTheThreadIsNoticed() {
    try (ReplyReader reader = ReplyReader.start(consumer, TOPIC, Duration.ofMinutes(1))) {
      assertThat(reader.isReading()).isTrue();
      consumer.schedulePollTask(
          () -> {
            throw new OutOfMemoryError("made by this test");
          });
      assertFails(reader.read(new ReplyIndex.Place(0, 0)));

      assertThat(reader.isReading()).isFalse();
      assertFails(reader.read(new ReplyIndex.Place(0, 0)));
    }
  }

  /** One of which it would be said that its reply is gone, just for having been passed. */
  @Test
  void whatIsBehindTheConsumerWhenItIsAskedForIsReadAllTheSame() throws Exception {
    CompletableFuture<CompletableFuture<ReplyReader.Found>> between = new CompletableFuture<>();
    try (ReplyReader reader = ReplyReader.start(consumer, TOPIC, Duration.ofSeconds(20))) {
      consumer.setMaxPollRecords(2);
      consumer.schedulePollTask(() -> write(0, 1));
      consumer.schedulePollTask(
          () -> {
            write(2, 3);
            between.complete(reader.read(new ReplyIndex.Place(0, 2)));
          });
      consumer.schedulePollTask(() -> write(2, 3, 4, 5));
      var first = reader.read(new ReplyIndex.Place(0, 0));
      var second = reader.read(new ReplyIndex.Place(0, 3));

      assertIsThere(first);
      assertIsThere(second);
      assertIsThere(between.get(10, TimeUnit.SECONDS));
    }
  }

  private void write(long... offsets) {
    for (long offset : offsets) {
      consumer.addRecord(new ConsumerRecord<>(TOPIC, 0, offset, null, new byte[0]));
    }
  }

  private static void assertIsThere(CompletableFuture<ReplyReader.Found> lookUp) throws Exception {
    assertThat(lookUp.get(10, TimeUnit.SECONDS)).isInstanceOf(ReplyReader.Found.Unreadable.class);
  }

  private static void assertFails(CompletableFuture<ReplyReader.Found> lookUp) {
    assertThatThrownBy(() -> lookUp.get(10, TimeUnit.SECONDS))
        .hasCauseInstanceOf(KafkaUnavailableException.class);
  }
}
