package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.WakeupException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fills the index after a start with the replies that were there before, the newest first: a chunk
 * of one partition, then one of the next, until each is at its beginning or the index is full. It
 * rests after each chunk three times as long as it has worked, so that the live replies, and the
 * broker, are free for three quarters of the time. Owns a consumer and its thread, which ends when
 * there is nothing left to fill. Safe for any thread.
 */
final class ReplyBackfill implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(ReplyBackfill.class);

  /** What a chunk should have, and how much is fetched at once. */
  static final int CHUNK_BYTES = 2 << 20;

  private static final int REST = 3;
  private static final int FIRST_CHUNK = 1_000;
  private static final int MAX_CHUNK = 10_000;
  private static final int MIN_CHUNK = 16;

  /** The headers of a record, about. */
  private static final int HEADER_BYTES = 300;

  private static final Duration POLL = Duration.ofMillis(200);
  private static final Duration RANGE_LIMIT = Duration.ofSeconds(5);
  private static final Duration CHUNK_LIMIT = Duration.ofSeconds(30);
  private static final Duration MAX_PAUSE = Duration.ofSeconds(30);

  /** Where it stands in one partition: everything from here on is in the index. */
  private static final class Cursor {
    final TopicPartition partition;
    long offset;
    long begin;

    Cursor(TopicPartition partition, long offset) {
      this.partition = partition;
      this.offset = offset;
    }
  }

  private final Consumer<byte[], byte[]> consumer;
  private final ReplyIndex index;
  private final Duration retention;
  private final List<Cursor> cursors;

  /** By partition, the negative of the time back to which the index is filled. */
  private final Levels reached;

  private final CountDownLatch stopping = new CountDownLatch(1);
  private final CompletableFuture<Boolean> ended = new CompletableFuture<>();
  private final Thread thread = new Thread(this::run, "tideover-reply-backfill");

  /** The thread's own. */
  private int chunk = FIRST_CHUNK;

  private long filled;

  private ReplyBackfill(
      Consumer<byte[], byte[]> consumer,
      GatewayConfig.Replies replies,
      ReplyIndex index,
      long[] from,
      Executor executor) {
    this.consumer = consumer;
    this.index = index;
    this.retention = replies.retention();
    this.cursors =
        IntStream.range(0, replies.partitions())
            .mapToObj(
                partition ->
                    new Cursor(new TopicPartition(replies.topic(), partition), from[partition]))
            .toList();
    this.reached = new Levels(replies.partitions(), -Long.MAX_VALUE, executor);
  }

  /**
   * Begins to fill.
   *
   * @param from by partition, the offset from which on the feed reads
   */
  static ReplyBackfill start(
      Consumer<byte[], byte[]> consumer,
      GatewayConfig.Replies replies,
      ReplyIndex index,
      long[] from,
      Executor executor) {
    ReplyBackfill backfill = new ReplyBackfill(consumer, replies, index, from, executor);
    backfill.thread.setDaemon(true);
    backfill.thread.start();
    return backfill;
  }

  /**
   * Done when the index is filled back to a time, in epoch milliseconds, or will never be; or when
   * the limit is over. The index tells which.
   */
  CompletableFuture<Boolean> filledBackTo(int partition, long time, Duration limit) {
    return reached.reached(partition, -time, limit);
  }

  /** Done when there is nothing left to fill: true if the index has all that was there. */
  CompletableFuture<Boolean> ended() {
    return ended;
  }

  private void run() {
    long start = System.nanoTime();
    try {
      boolean whole = fill();
      if (stopping.getCount() > 0) {
        LOG.info(
            "The index of replies {}: {} from before the start, in {} ms",
            whole ? "has all that are stored" : "is full",
            filled,
            (System.nanoTime() - start) / 1_000_000);
      }
      ended.complete(whole);
    } catch (WakeupException | InterruptException e) {
      // Only close() does that.
    } finally {
      cursors.forEach(cursor -> reached.set(cursor.partition.partition(), Long.MAX_VALUE));
      ended.complete(false);
      consumer.close(KafkaSettings.CONSUMER_CLOSE);
    }
  }

  /** True at the beginning of all partitions, false where the index is full or at the end. */
  private boolean fill() {
    Deque<Cursor> left = new ArrayDeque<>(cursors);
    boolean begun = false;
    Duration pause = Duration.ofMillis(500);
    while (!left.isEmpty() && stopping.getCount() > 0) {
      long start = System.nanoTime();
      try {
        if (!begun) {
          findBegins();
          begun = true;
        }
        Cursor cursor = left.removeFirst();
        left.addLast(cursor);
        if (!fillChunk(cursor)) {
          return false;
        }
        tell(cursor);
        if (cursor.offset <= cursor.begin) {
          left.removeLast();
        }
        pause = Duration.ofMillis(500);
        rest(REST * (System.nanoTime() - start));
      } catch (WakeupException | InterruptException e) {
        throw e;
      } catch (OffsetOutOfRangeException e) {
        // Retention was faster, or the topic was made anew.
        begun = false;
        rest(pause.toNanos());
      } catch (RuntimeException e) {
        LOG.warn(
            "Can't read the replies of before the start, will try again in {} ms; until then older"
                + " ones are searched for one by one: {}",
            pause.toMillis(),
            e.getMessage());
        rest(pause.toNanos());
        pause = pause.multipliedBy(2).compareTo(MAX_PAUSE) < 0 ? pause.multipliedBy(2) : MAX_PAUSE;
      }
    }
    return left.isEmpty();
  }

  private void findBegins() {
    List<TopicPartition> partitions = cursors.stream().map(cursor -> cursor.partition).toList();
    Map<TopicPartition, Long> begins = consumer.beginningOffsets(partitions, RANGE_LIMIT);
    Map<TopicPartition, Long> ends = consumer.endOffsets(partitions, RANGE_LIMIT);
    for (Cursor cursor : cursors) {
      long end = Objects.requireNonNull(ends.get(cursor.partition));
      long begin = Objects.requireNonNull(begins.get(cursor.partition));
      // Of a topic that was made anew the feed reads everything.
      cursor.begin = end < cursor.offset ? cursor.offset : begin;
    }
  }

  /** False if the index has no room. */
  private boolean fillChunk(Cursor cursor) {
    long to = cursor.offset;
    long from = Math.max(cursor.begin, to - chunk);
    long newest = Long.MIN_VALUE;
    long bytes = 0;
    if (from < to) {
      consumer.assign(List.of(cursor.partition));
      consumer.seek(cursor.partition, from);
      long deadline = System.nanoTime() + CHUNK_LIMIT.toNanos();
      for (long position = from; position < to; ) {
        if (System.nanoTime() - deadline > 0) {
          throw new KafkaUnavailableException("nothing came for " + CHUNK_LIMIT, null);
        }
        ConsumerRecords<byte[], byte[]> records = consumer.poll(POLL);
        for (ConsumerRecord<byte[], byte[]> record : records) {
          if (record.offset() >= to) {
            break;
          }
          RequestId id = ReplyCodec.idOf(record);
          long writtenAt = ReplyFeed.writtenAt(record);
          newest = Math.max(newest, writtenAt);
          bytes += HEADER_BYTES + Math.max(0, record.serializedValueSize());
          if (id != null
              && !ReplySearch.isMismatch(record)
              && !index.putOlder(
                  id,
                  record.partition(),
                  record.offset(),
                  writtenAt,
                  ReplySearch.isReplayed(record))) {
            return false;
          }
          filled++;
        }
        OffsetAndMetadata next = records.nextOffsets().get(cursor.partition);
        position = next == null ? position : next.offset();
      }
      long size = CHUNK_BYTES / Math.max(1, bytes / (to - from));
      chunk = (int) Math.max(MIN_CHUNK, Math.min(MAX_CHUNK, size));
    }
    cursor.offset = from;
    index.reachesBackTo(cursor.partition.partition(), from, since(cursor, newest));
    return true;
  }

  /**
   * No reply before the cursor was written later. In a chunk replies stand about in the order of
   * their writing; at the beginning there is nothing before, or only what retention has deleted.
   */
  private long since(Cursor cursor, long newestOfChunk) {
    if (cursor.offset > cursor.begin) {
      return newestOf(newestOfChunk);
    }
    return cursor.begin == 0
        ? 0
        : Math.min(newestOf(newestOfChunk), System.currentTimeMillis() - retention.toMillis());
  }

  /** Of a chunk without records it is not known. */
  private static long newestOf(long newestOfChunk) {
    return newestOfChunk == Long.MIN_VALUE ? Long.MAX_VALUE : newestOfChunk;
  }

  private void tell(Cursor cursor) {
    int partition = cursor.partition.partition();
    reached.set(partition, -index.completeSince(partition));
  }

  private void rest(long nanos) {
    try {
      var unused = stopping.await(nanos, TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      throw new InterruptException(e);
    }
  }

  /** Stops filling; waits for the thread 5 s at most. */
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
