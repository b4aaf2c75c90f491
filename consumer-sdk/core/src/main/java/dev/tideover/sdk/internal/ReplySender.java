package dev.tideover.sdk.internal;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Owns the one producer: idempotent, {@code acks=all}, for replies and dead letters. Any thread may
 * send; a send may block for {@code max.block.ms}, so the owner thread never does.
 */
final class ReplySender implements AutoCloseable {

  /** Told once per send, on the producer's thread or the caller's; must not block. */
  @FunctionalInterface
  interface Acknowledgement {
    /**
     * With null: Kafka has it on all in-sync replicas. Otherwise it may have it or not.
     *
     * @param offset where it stands in its partition; -1 if Kafka hasn't said so: it has failed, or
     *     the broker had it already when it was sent again
     */
    void onCompletion(long offset, @Nullable Exception failure);
  }

  private static final Logger log = LoggerFactory.getLogger(ReplySender.class);
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

  private final Map<String, Object> config;
  private final Function<Map<String, Object>, Producer<byte[], byte[]>> factory;
  private final Occasionally mayReplace = new Occasionally(Duration.ofSeconds(1));

  /** More than there are gateway cells; it bounds what forged records can make this remember. */
  private static final int MAX_REPLY_TOPICS = 100;

  /** How many partitions each reply topic has. */
  private final Map<String, Integer> partitions = new ConcurrentHashMap<>();

  /** Partitions that have a record of this producer; and those whose first is on its way. */
  private final Set<TopicPartition> proven = ConcurrentHashMap.newKeySet();

  private final Set<TopicPartition> proving = ConcurrentHashMap.newKeySet();

  /** Writes guarded by this. */
  private volatile Producer<byte[], byte[]> producer;

  /** Guarded by this. */
  private boolean closed;

  ReplySender(Map<String, Object> config) {
    this(config, KafkaProducer::new);
  }

  ReplySender(
      Map<String, Object> config, Function<Map<String, Object>, Producer<byte[], byte[]>> factory) {
    this.config = config;
    this.factory = factory;
    this.producer = factory.apply(config);
  }

  /** Connects, so that the first reply needn't: fetches what is to know about these topics. */
  void prepare(List<String> replyTopics, String deadTopic) {
    producer.partitionsFor(deadTopic);
    for (String topic : replyTopics) {
      partitions.put(topic, producer.partitionsFor(topic).size());
    }
  }

  /**
   * Whether a reply topic has this partition, as far as is known. To ask costs nothing where it
   * has; otherwise a look at the producer's metadata, which is a few seconds old at most while
   * Kafka answers.
   */
  boolean hasPartition(String topic, int partition) {
    Integer known = partitions.get(topic);
    if (known != null && partition < known) {
      return true;
    }
    int now = partitionsOf(topic);
    if (now > 0 && partitions.size() < MAX_REPLY_TOPICS) {
      partitions.put(topic, now);
    }
    return partition < now;
  }

  /** How many partitions a topic has; 0 where a broker says that there is no such topic. */
  private int partitionsOf(String topic) {
    try {
      return producer.partitionsFor(topic).size();
    } catch (TimeoutException unknown) {
      // Without that cause no broker has answered, and then the topic may well be there.
      if (unknown.getCause() instanceof UnknownTopicOrPartitionException) {
        return 0;
      }
      throw unknown;
    }
  }

  /**
   * Sends a record to its partition, unless the partition's first record is on its way just now.
   *
   * <p>Why only one at first: a broker that has nothing of this producer in a partition takes any
   * sequence number as the first. If it refuses the first batch (it isn't the leader yet, as right
   * after a topic's creation) and takes the second, which was sent before the refusal came, then it
   * refuses the first as out of order for ever, and that batch is retried in vain until the
   * delivery timeout (KAFKA-15591; Kafka 4.4.0 has it still).
   *
   * @return whether it was sent; if not, the acknowledgement isn't called, and to try again in a
   *     few milliseconds is right
   */
  boolean trySend(
      ProducerRecord<byte[], byte[]> record, int partition, Acknowledgement acknowledgement) {
    TopicPartition place = new TopicPartition(record.topic(), partition);
    if (proven.contains(place)) {
      send(record, acknowledgement);
      return true;
    }
    if (!proving.add(place)) {
      return false;
    }
    send(
        record,
        (offset, failure) -> {
          if (failure == null) {
            proven.add(place);
          }
          proving.remove(place);
          acknowledgement.onCompletion(offset, failure);
        });
    return true;
  }

  /** Sends a record; the acknowledgement is called exactly once, however it goes. */
  @SuppressWarnings("FutureReturnValueIgnored") // the callback is told the same
  void send(ProducerRecord<byte[], byte[]> record, Acknowledgement acknowledgement) {
    Producer<byte[], byte[]> current = producer;
    try {
      current.send(
          record,
          (metadata, failure) ->
              acknowledgement.onCompletion(metadata == null ? -1 : metadata.offset(), failure));
    } catch (KafkaException | IllegalStateException failure) {
      // send() reports what concerns the record through the callback. What it throws concerns the
      // producer: one that has failed for good, or was replaced by another thread just now.
      if (!(failure instanceof ApiException) && !(failure instanceof InterruptException)) {
        replace(current, failure);
      }
      acknowledgement.onCompletion(-1, failure);
    }
  }

  /** Sends a heartbeat, which nobody waits for; the next one follows soon. */
  void sendHeartbeat(ProducerRecord<byte[], byte[]> record) {
    Integer partition = record.partition();
    boolean sent =
        trySend(
            record,
            partition == null ? 0 : partition,
            (offset, failure) -> log.trace("Heartbeat acknowledged", failure));
    if (!sent) {
      log.trace("The first heartbeat is on its way still");
    }
  }

  /** The sends in it end with an error and are made again, by the engine. */
  private synchronized void replace(Producer<byte[], byte[]> broken, Exception cause) {
    if (closed || producer != broken || !mayReplace.now()) {
      return;
    }
    log.warn(
        "The producer for replies has failed and is replaced; what it had is sent again", cause);
    broken.close(Duration.ZERO);
    proven.clear();
    producer = factory.apply(config);
  }

  /** Waits for what is on its way, at most some seconds. */
  @Override
  public synchronized void close() {
    closed = true;
    producer.close(CLOSE_TIMEOUT);
  }
}
