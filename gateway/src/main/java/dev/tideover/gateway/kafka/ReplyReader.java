package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.WireFormatException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * Reads single replies again from the reply topic, for those that ask later: the bodies stay in
 * Kafka. Owns a consumer and the one thread that uses it. Safe for any thread.
 */
public final class ReplyReader implements AutoCloseable {

  /** What a look-up found. */
  public sealed interface Found {
    /** The reply. */
    record Reply(ReplyEnvelope reply) implements Found {}

    /** There is a record and it can't be read as a reply. */
    record Unreadable(String problem) implements Found {}

    /** The record is past its retention. */
    record Gone() implements Found {}
  }

  private static final int QUEUE = 1_000;
  private static final Duration LIMIT = Duration.ofSeconds(5);

  private final String topic;
  private final Consumer<byte[], byte[]> consumer;
  private final ThreadPoolExecutor thread =
      new ThreadPoolExecutor(
          1,
          1,
          0,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(QUEUE),
          task -> new Thread(task, "tideover-reply-reader"));

  public ReplyReader(GatewayConfig config) {
    this.topic = config.replies().topic();
    this.consumer =
        KafkaSettings.client(() -> new KafkaConsumer<>(KafkaSettings.consumer(config, "reader")));
  }

  /**
   * Reads the reply at a place.
   *
   * @return fails where Kafka can't be read within 5 s, or where 1,000 others wait already
   */
  public CompletionStage<Found> read(int partition, long offset) {
    CompletableFuture<Found> found = new CompletableFuture<>();
    try {
      thread.execute(
          () -> {
            try {
              found.complete(readNow(new TopicPartition(topic, partition), offset));
            } catch (RuntimeException e) {
              found.completeExceptionally(e);
            }
          });
    } catch (RejectedExecutionException e) {
      found.completeExceptionally(e);
    }
    return found;
  }

  private Found readNow(TopicPartition partition, long offset) {
    consumer.assign(List.of(partition));
    consumer.seek(partition, offset);
    long start = System.nanoTime();
    while (System.nanoTime() - start < LIMIT.toNanos()) {
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
        return record.offset() == offset ? decode(record) : new Found.Gone();
      }
    }
    throw new KafkaUnavailableException("the reply could not be read within 5 s", null);
  }

  private static Found decode(ConsumerRecord<byte[], byte[]> record) {
    try {
      return new Found.Reply(ReplyCodec.decode(record));
    } catch (WireFormatException e) {
      return new Found.Unreadable(String.valueOf(e.getMessage()));
    }
  }

  /** Ends the thread, 6 s at most, and closes the consumer on it. */
  @Override
  public void close() {
    try {
      thread.execute(() -> consumer.close(KafkaSettings.CONSUMER_CLOSE));
    } catch (RejectedExecutionException e) {
      // The queue is full of look-ups; the consumer ends with the process.
    }
    thread.shutdown();
    try {
      var unused = thread.awaitTermination(6, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
