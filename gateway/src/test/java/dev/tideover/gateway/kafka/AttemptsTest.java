package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.MockConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

/** Its bounds and what becomes of failures; a real ledger is in {@link BacklogIT}. */
class AttemptsTest {

  private static final TopicPartition LEDGER = new TopicPartition("orders.ledger", 0);

  private final MockConsumer<byte[], byte[]> consumer =
      new MockConsumer<>("earliest") {
        @Override
        public Map<TopicPartition, OffsetAndTimestamp> offsetsForTimes(
            Map<TopicPartition, Long> times, Duration timeout) {
          Map<TopicPartition, OffsetAndTimestamp> nothingSince = new HashMap<>();
          times.keySet().forEach(partition -> nothingSince.put(partition, null));
          return nothingSince;
        }
      };

  private final Attempts attempts = new Attempts(consumer, InstantSource.system());
  private long next;

  private void assign() {
    consumer.updateEndOffsets(Map.of(LEDGER, 0L));
    consumer.schedulePollTask(() -> {});
    attempts.follow(Map.of(LEDGER.topic(), 1));
    attempts.runOnce();
  }

  private void write(long offset, int number) {
    ConsumerRecord<byte[], byte[]> record =
        new ConsumerRecord<>(
            LEDGER.topic(), 0, next++, ("request/" + offset).getBytes(UTF_8), new byte[0]);
    record.headers().add("tideover-attempts", Integer.toString(number).getBytes(UTF_8));
    consumer.addRecord(record);
  }

  private void readAll() {
    while (consumer.position(LEDGER) < next) {
      attempts.runOnce();
    }
  }

  @Test
  void beyondTheBoundThoseWrittenLongestAgoAreForgotten() {
    assign();
    for (int offset = 0; offset < Attempts.MAX_ENTRIES; offset++) {
      write(offset, 1);
    }
    write(0, 2);
    readAll();
    assertThat(attempts.of(LEDGER.topic(), 0, 0)).isEqualTo(2);
    assertThat(attempts.of(LEDGER.topic(), 0, 1)).isEqualTo(1);

    write(Attempts.MAX_ENTRIES, 1);
    readAll();

    assertThat(attempts.of(LEDGER.topic(), 0, Attempts.MAX_ENTRIES)).isEqualTo(1);
    assertThat(attempts.of(LEDGER.topic(), 0, 1)).as("the oldest").isZero();
    assertThat(attempts.of(LEDGER.topic(), 0, 0)).as("written anew").isEqualTo(2);
  }

  @Test
  void aTopicThatIsNotFollowedAnyMoreIsForgotten() {
    assign();
    write(5, 3);
    readAll();
    assertThat(attempts.of(LEDGER.topic(), 0, 5)).isEqualTo(3);

    attempts.follow(Map.of());
    attempts.runOnce();

    assertThat(attempts.of(LEDGER.topic(), 0, 5)).isZero();
    assertThat(consumer.assignment()).isEmpty();
  }

  @Test
  void failuresOfAPollAreSaidOnceAndDoNotEndIt() {
    assign();
    try (LogLines log = LogLines.of(Attempts.class)) {
      for (int i = 0; i < 2; i++) {
        consumer.setPollException(new KafkaException("away"));
        attempts.runOnce();
      }
      write(5, 3);
      readAll();

      assertThat(log.all()).singleElement().asString().startsWith("WARN").contains("away");
      assertThat(attempts.of(LEDGER.topic(), 0, 5)).isEqualTo(3);
    }
  }
}
