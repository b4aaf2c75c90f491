package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.MockConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.junit.jupiter.api.Test;

/** What a failing consumer means for those who ask. */
class RequestSearchTest {

  private static final TopicPartition PARTITION = new TopicPartition("orders.requests", 0);

  /** Thrown one after another by the questions for the log's end. */
  private final Deque<RuntimeException> failures = new ArrayDeque<>();

  private final RequestId id = RequestId.random();
  private final MockConsumer<byte[], byte[]> consumer =
      new MockConsumer<>("earliest") {
        @Override
        public Map<TopicPartition, Long> endOffsets(
            Collection<TopicPartition> partitions, Duration timeout) {
          if (!failures.isEmpty()) {
            throw failures.pop();
          }
          return Map.of(PARTITION, 1L);
        }

        @Override
        public Map<TopicPartition, OffsetAndTimestamp> offsetsForTimes(
            Map<TopicPartition, Long> times, Duration timeout) {
          Map<TopicPartition, OffsetAndTimestamp> offsets = new HashMap<>();
          times.forEach(
              (partition, millis) ->
                  offsets.put(
                      partition,
                      millis > System.currentTimeMillis()
                          ? null
                          : new OffsetAndTimestamp(0, millis)));
          return offsets;
        }
      };

  private CompletableFuture<OptionalLong> ask(RequestSearch search) {
    return search.find(PARTITION.topic(), 0, id, Instant.now()).toCompletableFuture();
  }

  @Test
  void whoStillHasTimeAfterATimeoutIsLookedForAgain() throws Exception {
    failures.push(new TimeoutException("nobody answered"));
    consumer.schedulePollTask(
        () -> {
          ConsumerRecord<byte[], byte[]> record =
              new ConsumerRecord<>(PARTITION.topic(), 0, 0, new byte[] {1}, new byte[] {1});
          record.headers().add("tideover-id", id.toString().getBytes(UTF_8));
          consumer.addRecord(record);
        });
    try (RequestSearch search = new RequestSearch(consumer, Duration.ofMinutes(1))) {
      CompletableFuture<OptionalLong> answer = ask(search);
      search.runOnce();
      assertThat(answer).isNotDone();

      search.runOnce();
      assertThat(answer).isCompletedWithValue(OptionalLong.of(0));
    }
  }

  @Test
  void whoHasNoTimeLeftIsToldThatItIsNotKnown() throws Exception {
    failures.push(new TimeoutException("nobody answered"));
    try (RequestSearch search = new RequestSearch(consumer, Duration.ZERO)) {
      CompletableFuture<OptionalLong> answer = ask(search);
      search.runOnce();

      assertThatThrownBy(() -> answer.get(1, TimeUnit.SECONDS))
          .cause()
          .isInstanceOf(KafkaUnavailableException.class)
          .hasMessage(
              "whether the request was written to orders.requests-0 is not known: its log could"
                  + " not be read in time");
    }
  }

  @Test
  void anErrorFailsThoseWhoWaitedForThisPassAndNotTheSearch() throws Exception {
    failures.push(new KafkaException("broken"));
    try (RequestSearch search = new RequestSearch(consumer, Duration.ofMinutes(1))) {
      CompletableFuture<OptionalLong> first = ask(search);
      CompletableFuture<OptionalLong> second = ask(search);
      search.runOnce();
      assertThatThrownBy(() -> first.get(1, TimeUnit.SECONDS))
          .cause()
          .isInstanceOf(KafkaUnavailableException.class)
          .hasMessageEndingWith("broken");
      assertThat(second).isCompletedExceptionally();

      CompletableFuture<OptionalLong> next = ask(search);
      failures.push(new TimeoutException("nobody answered"));
      search.runOnce();
      assertThat(next).isNotDone();
    }
  }
}
