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
  private static final Duration TURN = Duration.ofMillis(200);

  private final String topic;
  private final Duration limit;
  private final Consumer<byte[], byte[]> consumer;
  private volatile boolean closing;

  private final ThreadPoolExecutor thread =
      new ThreadPoolExecutor(
          1,
          1,
          0,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(QUEUE),
          task -> new Thread(task, "tideover-reply-reader")) {
        /** Behind the last look-up, when nobody uses the consumer any more. */
        @Override
        protected void terminated() {
          consumer.close(KafkaSettings.CONSUMER_CLOSE);
        }
      };

  public ReplyReader(GatewayConfig config) {
    this(
        KafkaSettings.client(() -> new KafkaConsumer<>(KafkaSettings.consumer(config, "reader"))),
        config.replies().topic(),
        LIMIT);
  }

  ReplyReader(Consumer<byte[], byte[]> consumer, String topic, Duration limit) {
    this.consumer = consumer;
    this.topic = topic;
    this.limit = limit;
  }

  /**
   * Reads the reply at a place.
   *
   * @return fails where it can't be read within 5 s from now, those in the queue included, or where
   *     1,000 others wait already
   */
  public CompletionStage<Found> read(int partition, long offset) {
    CompletableFuture<Found> found = new CompletableFuture<>();
    long deadline = System.nanoTime() + limit.toNanos();
    try {
      thread.execute(
          () -> {
            try {
              found.complete(readNow(new TopicPartition(topic, partition), offset, deadline));
            } catch (RuntimeException e) {
              found.completeExceptionally(e);
            }
          });
    } catch (RejectedExecutionException e) {
      found.completeExceptionally(e);
    }
    return found;
  }

  private Found readNow(TopicPartition partition, long offset, long deadline) {
    consumer.assign(List.of(partition));
    consumer.seek(partition, offset);
    long left;
    while (!closing && (left = deadline - System.nanoTime()) > 0) {
      Duration turn = Duration.ofNanos(Math.min(left, TURN.toNanos()));
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(turn)) {
        return record.offset() == offset ? decode(record) : new Found.Gone();
      }
      // Where the offset is out of range the consumer moves to what is left, perhaps to nothing.
      if (consumer.position(partition, turn) != offset) {
        return new Found.Gone();
      }
    }
    throw new KafkaUnavailableException("the reply could not be read in time", null);
  }

  private static Found decode(ConsumerRecord<byte[], byte[]> record) {
    try {
      return new Found.Reply(ReplyCodec.decode(record));
    } catch (WireFormatException e) {
      return new Found.Unreadable(String.valueOf(e.getMessage()));
    }
  }

  /** Ends all look-ups, closes the consumer and ends the thread, 6 s at most. */
  @Override
  public void close() {
    closing = true;
    thread.shutdown();
    try {
      var unused = thread.awaitTermination(6, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
