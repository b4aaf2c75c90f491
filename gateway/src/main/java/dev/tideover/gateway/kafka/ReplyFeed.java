package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestId;
import dev.tideover.wire.WireFormatException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows all partitions of the cell's reply topic from their end on. Owns the consumer and its
 * thread; only {@link #close} may be called from others.
 *
 * <p>It assigns the partitions itself: without a group no rebalance can take a partition, and with
 * it a client's reply, to another gateway. It stands at the end before it is ready, and the gateway
 * takes no request before that, so no reply to one can lie behind it.
 */
public final class ReplyFeed implements AutoCloseable {

  /** Whom it tells, on its own thread, which must not be made to wait. */
  public interface Listener {

    /** A reply, and where it stands. */
    void onReply(ReplyEnvelope reply, int partition, long offset);

    /** A record under this id that can't be read as a reply. */
    void onUnreadable(RequestId id, WireFormatException problem, int partition, long offset);
  }

  private static final Logger LOG = LoggerFactory.getLogger(ReplyFeed.class);
  private static final Duration POLL = Duration.ofMillis(500);

  private final Consumer<byte[], byte[]> consumer;
  private final List<TopicPartition> partitions;
  private final Listener listener;
  private final CompletableFuture<@Nullable Void> ready = new CompletableFuture<>();
  private final CountDownLatch stopping = new CountDownLatch(1);
  private final Thread thread = new Thread(this::run, "tideover-reply-feed");

  private ReplyFeed(
      Consumer<byte[], byte[]> consumer, GatewayConfig.Replies replies, Listener listener) {
    this.consumer = consumer;
    this.listener = listener;
    this.partitions =
        IntStream.range(0, replies.partitions())
            .mapToObj(partition -> new TopicPartition(replies.topic(), partition))
            .toList();
  }

  /** Starts following; {@link #ready} tells when it stands at the end. */
  public static ReplyFeed start(GatewayConfig config, Listener listener) {
    return start(
        KafkaSettings.client(() -> new KafkaConsumer<>(KafkaSettings.consumer(config, "replies"))),
        config.replies(),
        listener);
  }

  static ReplyFeed start(
      Consumer<byte[], byte[]> consumer, GatewayConfig.Replies replies, Listener listener) {
    ReplyFeed feed = new ReplyFeed(consumer, replies, listener);
    feed.thread.start();
    return feed;
  }

  /** Done when every reply written from now on will be seen; failed if that can't be had. */
  public CompletionStage<@Nullable Void> ready() {
    return ready;
  }

  /** Whether replies are still being read; a gateway whose feed has ended can't be ready. */
  public boolean isFollowing() {
    return thread.isAlive();
  }

  private void run() {
    try {
      consumer.assign(partitions);
      consumer.seekToEnd(partitions);
      // position() carries the seek out: after it, what is appended is what will be read.
      partitions.forEach(consumer::position);
      ready.complete(null);
      while (stopping.getCount() > 0) {
        runOnce();
      }
    } catch (WakeupException | InterruptException e) {
      // Only close() does that.
    } catch (KafkaException e) {
      ready.completeExceptionally(
          new KafkaUnavailableException("the reply topic can't be read: " + e.getMessage(), e));
    } finally {
      if (stopping.getCount() > 0 && ready.isDone() && !ready.isCompletedExceptionally()) {
        LOG.error(
            "The reply feed has ended: clients get 202 instead of their reply, and this gateway is"
                + " no longer ready. Restart it");
      }
      ready.completeExceptionally(
          new KafkaUnavailableException("the reply feed was closed before it was ready", null));
      consumer.close(KafkaSettings.CONSUMER_CLOSE);
    }
  }

  private void runOnce() {
    try {
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
        deliver(record);
      }
    } catch (WakeupException | InterruptException e) {
      throw e;
    } catch (RuntimeException e) {
      LOG.error("Can't read replies, will try again; until then waiting clients get their 202", e);
      pauseBriefly();
    }
  }

  /** No reply may end the feed, whatever is in it. */
  private void deliver(ConsumerRecord<byte[], byte[]> record) {
    try {
      listener.onReply(ReplyCodec.decode(record), record.partition(), record.offset());
    } catch (WireFormatException e) {
      RequestId id = ReplyCodec.idOf(record);
      LOG.warn(
          "Unreadable reply at {}/{}/{}: {}",
          record.topic(),
          record.partition(),
          record.offset(),
          e.getMessage());
      if (id != null) {
        listener.onUnreadable(id, e, record.partition(), record.offset());
      }
    } catch (RuntimeException e) {
      LOG.error(
          "BUG: reply at {}/{}/{} could not be delivered; its client gets a 202",
          record.topic(),
          record.partition(),
          record.offset(),
          e);
    }
  }

  /** An error that comes at once would otherwise turn the loop into a spin; close() ends it. */
  private void pauseBriefly() {
    try {
      var unused = stopping.await(500, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      throw new InterruptException(e);
    }
  }

  /** Stops following; waits for the thread 5 s at most. */
  @Override
  public void close() {
    stopping.countDown();
    consumer.wakeup();
    try {
      thread.join(5_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
