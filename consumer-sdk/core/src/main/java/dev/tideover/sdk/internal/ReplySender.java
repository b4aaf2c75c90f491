package dev.tideover.sdk.internal;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.InterruptException;
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
    /** With null: Kafka has it on all in-sync replicas. Otherwise it may have it or not. */
    void onCompletion(@Nullable Exception failure);
  }

  private static final Logger log = LoggerFactory.getLogger(ReplySender.class);
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

  private final Map<String, Object> config;
  private final Function<Map<String, Object>, Producer<byte[], byte[]>> factory;
  private final Occasionally mayReplace = new Occasionally(Duration.ofSeconds(1));

  /** How many partitions each reply topic has; as many entries as reply topics are allowed. */
  private final Map<String, Integer> partitions = new ConcurrentHashMap<>();

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
   * has; otherwise a look at the producer's metadata, which is at most five minutes old.
   */
  boolean hasPartition(String topic, int partition) {
    Integer known = partitions.get(topic);
    if (known != null && partition < known) {
      return true;
    }
    int now = producer.partitionsFor(topic).size();
    partitions.put(topic, now);
    return partition < now;
  }

  /** Sends one record; the acknowledgement is called exactly once, however it goes. */
  @SuppressWarnings("FutureReturnValueIgnored") // the callback is told the same
  void send(ProducerRecord<byte[], byte[]> record, Acknowledgement acknowledgement) {
    Producer<byte[], byte[]> current = producer;
    try {
      current.send(record, (metadata, failure) -> acknowledgement.onCompletion(failure));
    } catch (KafkaException | IllegalStateException failure) {
      // send() reports what concerns the record through the callback. What it throws concerns the
      // producer: one that has failed for good, or was replaced by another thread just now.
      if (!(failure instanceof ApiException) && !(failure instanceof InterruptException)) {
        replace(current, failure);
      }
      acknowledgement.onCompletion(failure);
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
    producer = factory.apply(config);
  }

  /** Waits for what is on its way, at most some seconds. */
  @Override
  public synchronized void close() {
    closed = true;
    producer.close(CLOSE_TIMEOUT);
  }
}
