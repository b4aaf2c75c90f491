package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ReplyIndex.Place;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import dev.tideover.wire.WireFormatException;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.WakeupException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows all partitions of the cell's reply topic from their end on, puts the place of each reply
 * into the index and then tells the listener. Owns the consumer and its thread; all else is for any
 * thread.
 *
 * <p>It assigns the partitions itself: without a group no rebalance can take a partition, and with
 * it a client's reply, to another gateway. It stands at the end before it is ready, and the gateway
 * takes no request before that, so no reply to one can lie behind it.
 */
public final class ReplyFeed implements AutoCloseable {

  /**
   * Who is told, on the feed's thread or another of the {@link ReplyStore}'s, none of which must be
   * made to wait.
   */
  public interface Listener {

    /**
     * A reply; never a {@code duplicate}.
     *
     * @param replayed whether it is the first reply again, as the answer to a resend
     */
    void onReply(ReplyEnvelope reply, boolean replayed);

    /** The record under this id can't be read as a reply. */
    void onUnreadable(RequestId id);

    /**
     * The service has recognised a resend, and the first reply can't be given.
     *
     * @param why Gone or NotNow
     */
    void onOriginalMissing(RequestId id, ReplyStore.Lookup why);

    /**
     * The service has recognised a resend: the request with this id has ended. Said before {@link
     * #awaits} is asked, and also where nobody waits.
     */
    default void onRecognised(RequestId id) {}

    /** Whether anybody waits for the reply; only then is the first one read for a resend. */
    boolean awaits(RequestId id);

    /**
     * Whether somebody waits who may have sent the request before, perhaps to another gateway and
     * before this one's start: then there may be an earlier reply than the one that comes.
     */
    default boolean mayComeAgain(RequestId id) {
      return false;
    }

    /**
     * Whether the reply is known to answer another request than the one that has its id; such a one
     * is not remembered as the reply of that id.
     */
    default boolean contradicts(ReplyEnvelope reply) {
      return false;
    }
  }

  /** Who finds the reply that stands, where it may be another than the one that has come. */
  interface Resends {

    /** Somebody waits, and a duplicate has come, or a reply that is not the first. */
    void follow(ReplyEnvelope reply, Place place);

    /** Whether a reply that the index knows no earlier one of may not be the first all the same. */
    default boolean mayBeSecond(RequestId id) {
      return false;
    }
  }

  private static final Logger LOG = LoggerFactory.getLogger(ReplyFeed.class);
  private static final Duration POLL = Duration.ofMillis(500);
  private static final Duration RANGE_LIMIT = Duration.ofSeconds(5);

  private final Consumer<byte[], byte[]> consumer;
  private final List<TopicPartition> partitions;
  private final ReplyIndex index;
  private final Listener listener;
  private final Resends resends;
  private final ReplyObserver observer;
  private final Levels positions;
  private final AtomicLong missed = new AtomicLong();
  private final CompletableFuture<long[]> ready = new CompletableFuture<>();
  private final CountDownLatch stopping = new CountDownLatch(1);
  private final Thread thread = new Thread(this::run, "tideover-reply-feed");

  /** Of the thread alone. */
  private boolean observerFailed;

  private ReplyFeed(
      Consumer<byte[], byte[]> consumer,
      GatewayConfig.Replies replies,
      ReplyIndex index,
      Listener listener,
      Resends resends,
      ReplyObserver observer,
      Executor executor) {
    this.consumer = consumer;
    this.index = index;
    this.listener = listener;
    this.resends = resends;
    this.observer = observer;
    this.positions = new Levels(replies.partitions(), -1, executor);
    this.partitions =
        IntStream.range(0, replies.partitions())
            .mapToObj(partition -> new TopicPartition(replies.topic(), partition))
            .toList();
  }

  /**
   * Starts following; {@link #ready} tells when it stands at the end.
   *
   * @param resends finds the reply that stands, where another has come that somebody waits for
   * @param observer is told of each reply when that is done
   * @param executor tells those who wait for {@link #passed}
   */
  static ReplyFeed start(
      Consumer<byte[], byte[]> consumer,
      GatewayConfig.Replies replies,
      ReplyIndex index,
      Listener listener,
      Resends resends,
      ReplyObserver observer,
      Executor executor) {
    ReplyFeed feed = new ReplyFeed(consumer, replies, index, listener, resends, observer, executor);
    feed.thread.start();
    return feed;
  }

  /**
   * Done when every reply written from now on will be seen, with the offset of each partition from
   * which on that is so; failed if it can't be had.
   */
  CompletionStage<long[]> ready() {
    return ready;
  }

  /** Whether replies are still being read; a gateway whose feed has ended can't be ready. */
  boolean isFollowing() {
    return thread.isAlive();
  }

  /** Everything before this offset has been put into the index. */
  long position(int partition) {
    return positions.get(partition);
  }

  /** True as soon as everything before the offset is in the index, false if not in time. */
  CompletableFuture<Boolean> passed(int partition, long offset, Duration limit) {
    return positions.reached(partition, offset, limit);
  }

  /** How many offsets were deleted before they could be read. */
  long missed() {
    return missed.get();
  }

  private void run() {
    try {
      ready.complete(goToTheEnd());
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

  private long[] goToTheEnd() {
    consumer.assign(partitions);
    consumer.seekToEnd(partitions);
    long[] ends = new long[partitions.size()];
    for (TopicPartition partition : partitions) {
      // position() carries the seek out: after it, what is appended is what will be read.
      long end = consumer.position(partition);
      ends[partition.partition()] = end;
      index.reachesBackTo(partition.partition(), end, System.currentTimeMillis());
      positions.set(partition.partition(), end);
    }
    return ends;
  }

  private void runOnce() {
    try {
      ConsumerRecords<byte[], byte[]> records = consumer.poll(POLL);
      for (ConsumerRecord<byte[], byte[]> record : records) {
        deliver(record);
      }
      // Behind the deliveries: whoever sees the position finds in the index what is before it.
      for (Map.Entry<TopicPartition, OffsetAndMetadata> next : records.nextOffsets().entrySet()) {
        positions.set(next.getKey().partition(), next.getValue().offset());
      }
    } catch (WakeupException | InterruptException e) {
      throw e;
    } catch (OffsetOutOfRangeException e) {
      goOnAtWhatIsLeft(e.offsetOutOfRangePartitions());
    } catch (RuntimeException e) {
      LOG.error("Can't read replies, will try again; until then waiting clients get their 202", e);
      pauseBriefly();
    }
  }

  /** The next records of a partition were deleted, or it was made anew and is shorter. */
  private void goOnAtWhatIsLeft(Map<TopicPartition, Long> outOfRange) {
    try {
      Collection<TopicPartition> affected = outOfRange.keySet();
      Map<TopicPartition, Long> begins = consumer.beginningOffsets(affected, RANGE_LIMIT);
      for (TopicPartition partition : affected) {
        long position = Objects.requireNonNull(outOfRange.get(partition));
        long begin = Objects.requireNonNull(begins.get(partition));
        if (begin > position) {
          missed.addAndGet(begin - position);
          LOG.error(
              "{}: replies were deleted before this gateway read them, offsets {} to {}. Clients"
                  + " that wait for one of them get their 202. Is the retention too short, or did"
                  + " somebody delete records?",
              partition,
              position,
              begin - 1);
        } else {
          LOG.error(
              "{}: ends before offset {}, which this gateway had reached, so it was made anew or"
                  + " lost its tail; reading goes on at offset {}. Replies of before are gone",
              partition,
              position,
              begin);
          index.restart(partition.partition(), begin);
        }
        consumer.seek(partition, begin);
        positions.set(partition.partition(), begin);
      }
    } catch (WakeupException | InterruptException e) {
      throw e;
    } catch (RuntimeException e) {
      LOG.warn("Can't learn what is left of the replies, will try again: {}", e.getMessage());
      pauseBriefly();
    }
  }

  /** No reply may end the feed, whatever is in it. */
  private void deliver(ConsumerRecord<byte[], byte[]> record) {
    try {
      deliver(ReplyCodec.decode(record), record);
    } catch (WireFormatException e) {
      RequestId id = ReplyCodec.idOf(record);
      LOG.warn(
          "Unreadable reply at {}/{}/{}: {}",
          record.topic(),
          record.partition(),
          record.offset(),
          e.getMessage());
      if (id != null) {
        var unused = remember(id, record, false);
        listener.onUnreadable(id);
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

  private void deliver(ReplyEnvelope reply, ConsumerRecord<byte[], byte[]> record) {
    RequestId id = reply.id();
    // A refusal says nothing of the request that has the id.
    boolean ofAnother = reply.outcome() == ReplyOutcome.MISMATCH || listener.contradicts(reply);
    boolean first = ofAnother || remember(id, record, reply.replay() > 0);
    try {
      tellListener(reply, first && (ofAnother || !resends.mayBeSecond(id)), record);
    } finally {
      tellObserver(
          reply, !first && reply.outcome() == ReplyOutcome.COMPLETED && reply.replay() == 0);
    }
  }

  private void tellObserver(ReplyEnvelope reply, boolean repeated) {
    try {
      observer.onReply(reply, repeated);
    } catch (RuntimeException e) {
      if (!observerFailed) {
        observerFailed = true;
        LOG.error(
            "BUG: the reply to {} could not be observed; more of this is not logged", reply, e);
      }
    }
  }

  private void tellListener(
      ReplyEnvelope reply, boolean stands, ConsumerRecord<byte[], byte[]> record) {
    RequestId id = reply.id();
    if (stands && reply.outcome() != ReplyOutcome.DUPLICATE) {
      listener.onReply(reply, false);
      return;
    }
    listener.onRecognised(id);
    if (listener.awaits(id)) {
      resends.follow(reply, new Place(record.partition(), record.offset()));
    }
  }

  /**
   * Before the listener is told: a client that is answered may ask for its reply at once.
   *
   * @return whether this one stands, as far as the index knows
   */
  private boolean remember(RequestId id, ConsumerRecord<byte[], byte[]> record, boolean replayed) {
    Place place = new Place(record.partition(), record.offset());
    return index.put(id, place.partition(), place.offset(), writtenAt(record), replayed);
  }

  /** A record's time, but not later than now, whatever the clock of its writer says. */
  static long writtenAt(ConsumerRecord<byte[], byte[]> record) {
    long now = System.currentTimeMillis();
    return record.timestamp() < 0 ? now : Math.min(record.timestamp(), now);
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
