package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads when single records were written. Owns its consumer. For one thread, that of the {@link
 * Backlog}, its owner; only {@link #wakeUp} is for any.
 */
final class OldestRequests implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(OldestRequests.class);

  /** So many partitions are read at once; the others have their turn at the next call. */
  static final int MAX_PARTITIONS = 200;

  /**
   * Of each partition one record is wanted, and a broker gives at least one batch in an answer
   * however large it is, so a larger limit would only fetch what is thrown away.
   */
  private static final int FETCH_BYTES = 16 << 10;

  private static final Duration LIMIT = Duration.ofSeconds(1);
  private static final Duration TURN = Duration.ofMillis(100);
  private static final long REFUSED_NANOS = TimeUnit.MINUTES.toNanos(10);

  private final Consumer<byte[], byte[]> consumer;

  /** Topics that may not be read, and when that was found out. */
  private final Map<String, Long> refused = new HashMap<>();

  OldestRequests(Consumer<byte[], byte[]> consumer) {
    this.consumer = consumer;
  }

  static OldestRequests start(GatewayConfig config) {
    Map<String, Object> settings = KafkaSettings.consumer(config, "backlog");
    settings.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, FETCH_BYTES);
    settings.put(ConsumerConfig.FETCH_MAX_BYTES_CONFIG, 1 << 20);
    settings.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, (int) TURN.toMillis());
    return new OldestRequests(KafkaSettings.client(() -> new KafkaConsumer<>(settings)));
  }

  /**
   * The timestamps, in epoch milliseconds, of the first records at or behind these offsets, as far
   * as they could be read within a second.
   *
   * @throws org.apache.kafka.common.KafkaException if nothing can be read
   */
  Map<TopicPartition, Long> timestamps(Map<TopicPartition, Long> offsets) {
    long end = System.nanoTime() + LIMIT.toNanos();
    Set<TopicPartition> left = new HashSet<>();
    for (TopicPartition partition : offsets.keySet()) {
      Long since = refused.get(partition.topic());
      if (left.size() < MAX_PARTITIONS
          && (since == null || System.nanoTime() - since > REFUSED_NANOS)) {
        left.add(partition);
      }
    }
    Map<TopicPartition, Long> timestamps = new HashMap<>();
    if (left.isEmpty()) {
      return timestamps;
    }
    try {
      consumer.assign(left);
      left.forEach(partition -> consumer.seek(partition, offsets.getOrDefault(partition, 0L)));
      while (!left.isEmpty() && System.nanoTime() < end) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(TURN)) {
          TopicPartition partition = new TopicPartition(record.topic(), record.partition());
          if (left.remove(partition)) {
            timestamps.put(partition, record.timestamp());
            consumer.pause(List.of(partition));
          }
        }
      }
    } catch (TopicAuthorizationException e) {
      for (String topic : e.unauthorizedTopics()) {
        if (refused.put(topic, System.nanoTime()) == null) {
          LOG.warn(
              "The topic {} may not be read: the age of its backlog is not known, so nobody will be"
                  + " warned and no request refused before Kafka deletes those that have waited too"
                  + " long. Allow this gateway to read it; it is tried again every 10 minutes",
              topic);
        }
      }
    } finally {
      consumer.assign(List.of());
    }
    return timestamps;
  }

  /** Makes the call that is under way, or the next one, end with a WakeupException. */
  void wakeUp() {
    consumer.wakeup();
  }

  @Override
  public void close() {
    consumer.close(KafkaSettings.CONSUMER_CLOSE);
  }
}
