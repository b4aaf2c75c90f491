package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.gateway.kafka.ReplyIndex.Place;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import dev.tideover.wire.WireHeaders;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;

/**
 * Looks for replies that the index doesn't know, by reading a stretch of their partition. All that
 * are wanted of one partition at a time are looked for in one pass. Owns the one thread that uses
 * the consumer, which it makes at the first search: few gateways ever need one. Safe for any
 * thread.
 */
final class ReplySearch implements AutoCloseable {

  /**
   * What a search over the whole stretch has shown.
   *
   * @param place of the first reply in it, or null if there is none
   * @param wholeIsThere false if some of what was written since may have been deleted
   */
  record Result(@Nullable Place place, boolean wholeIsThere) {}

  /** How much of the partition is fetched at once. */
  static final int FETCH_BYTES = 1 << 20;

  private static final byte[] DUPLICATE = ReplyOutcome.DUPLICATE.text().getBytes(UTF_8);
  private static final byte[] MISMATCH = ReplyOutcome.MISMATCH.text().getBytes(UTF_8);
  private static final int MAX_WAITING = 1_000;
  private static final Duration TURN = Duration.ofMillis(100);
  private static final String OVER = "nothing is searched any more: the gateway is stopping";

  private record Search(
      TopicPartition partition,
      RequestId id,
      long since,
      long end,
      boolean original,
      long deadline,
      CompletableFuture<Result> result) {

    void fail(String reason) {
      result.completeExceptionally(new KafkaUnavailableException(reason, null));
    }
  }

  private final Supplier<Consumer<byte[], byte[]>> consumers;
  private final String topic;
  private final Duration limit;
  private final BlockingQueue<Search> queue = new LinkedBlockingQueue<>(MAX_WAITING);
  private final Thread thread = new Thread(this::run, "tideover-reply-search");
  private volatile boolean closing;

  /** The thread's own. */
  private @Nullable Consumer<byte[], byte[]> consumer;

  private ReplySearch(Supplier<Consumer<byte[], byte[]>> consumers, String topic, Duration limit) {
    this.consumers = consumers;
    this.topic = topic;
    this.limit = limit;
  }

  static ReplySearch start(
      Supplier<Consumer<byte[], byte[]>> consumers, String topic, Duration limit) {
    ReplySearch search = new ReplySearch(consumers, topic, limit);
    search.thread.start();
    return search;
  }

  /**
   * Looks for the first reply of an id among those that were written since a time, in epoch
   * milliseconds, and stand before an offset. It may be a {@code duplicate}.
   *
   * @return fails with a {@link KafkaUnavailableException} if the stretch can't be read to its end
   *     within the limit, or if 1,000 others wait already
   */
  CompletableFuture<Result> find(int partition, RequestId id, long since, long end) {
    return find(partition, id, since, end, false);
  }

  /** The same for the first that is no {@code duplicate}, of any time. */
  CompletableFuture<Result> findOriginal(int partition, RequestId id, long end) {
    return find(partition, id, 0, end, true);
  }

  private CompletableFuture<Result> find(
      int partition, RequestId id, long since, long end, boolean original) {
    Search search =
        new Search(
            new TopicPartition(topic, partition),
            id,
            since,
            end,
            original,
            System.nanoTime() + limit.toNanos(),
            new CompletableFuture<>());
    if (closing || !queue.offer(search)) {
      search.fail(closing ? OVER : MAX_WAITING + " searches wait already");
    } else if (closing && queue.remove(search)) {
      search.fail(OVER);
    }
    return search.result();
  }

  private void run() {
    List<Search> batch = new ArrayList<>();
    try {
      while (!closing) {
        batch.clear();
        Search first = queue.take();
        batch.add(first);
        queue.removeIf(other -> other.partition().equals(first.partition()) && batch.add(other));
        search(first.partition(), batch);
      }
    } catch (InterruptedException | InterruptException e) {
      // Only close() does that.
    } finally {
      // Also where an error has ended the thread: whoever came later would wait for ever.
      closing = true;
      // The flag would end the goodbye to the brokers.
      var unused = Thread.interrupted();
      queue.drainTo(batch);
      batch.forEach(search -> search.fail(OVER));
      if (consumer != null) {
        consumer.close(KafkaSettings.CONSUMER_CLOSE);
      }
    }
  }

  private void search(TopicPartition partition, List<Search> batch) {
    try {
      if (consumer == null) {
        consumer = consumers.get();
      }
      search(consumer, partition, batch);
    } catch (InterruptException e) {
      throw e;
    } catch (RuntimeException e) {
      batch.forEach(search -> search.fail("the search has failed: " + e.getMessage()));
    }
  }

  private static void search(
      Consumer<byte[], byte[]> consumer, TopicPartition partition, List<Search> batch) {
    dropLate(batch);
    if (batch.isEmpty()) {
      return;
    }
    long since = batch.stream().mapToLong(Search::since).min().orElseThrow();
    Duration left =
        Duration.ofNanos(
            batch.stream().mapToLong(Search::deadline).max().orElseThrow() - System.nanoTime());
    long begin =
        Objects.requireNonNull(consumer.beginningOffsets(List.of(partition), left).get(partition));
    OffsetAndTimestamp start =
        consumer.offsetsForTimes(Map.of(partition, since), left).get(partition);
    if (start == null) {
      // All that is there is older, and deletion begins with the oldest.
      long end =
          Objects.requireNonNull(consumer.endOffsets(List.of(partition), left).get(partition));
      finish(batch, Long.MAX_VALUE, begin == 0 || begin < end ? Long.MIN_VALUE : Long.MAX_VALUE);
      return;
    }
    // What was written before a search's time is still there, so nothing of its stretch is gone.
    long oldest = begin == 0 || start.offset() > begin ? Long.MIN_VALUE : Long.MAX_VALUE;
    consumer.assign(List.of(partition));
    consumer.seek(partition, start.offset());
    finish(batch, start.offset(), oldest);
    Set<RequestId> ids = batch.stream().map(Search::id).collect(Collectors.toSet());
    while (!batch.isEmpty()) {
      ConsumerRecords<byte[], byte[]> records = consumer.poll(TURN);
      for (ConsumerRecord<byte[], byte[]> record : records) {
        oldest = Math.min(oldest, record.timestamp());
        RequestId id = ReplyCodec.idOf(record);
        if (id != null && ids.contains(id) && !isMismatch(record)) {
          finish(batch, id, record);
        }
      }
      OffsetAndMetadata next = records.nextOffsets().get(partition);
      if (next != null) {
        finish(batch, next.offset(), oldest);
      }
      dropLate(batch);
    }
  }

  /** Ends the searches for this record's id. */
  private static void finish(
      List<Search> batch, RequestId id, ConsumerRecord<byte[], byte[]> record) {
    boolean duplicate = hasOutcome(record, DUPLICATE);
    batch.removeIf(
        search -> {
          boolean found =
              search.id().equals(id)
                  && record.offset() < search.end()
                  && !(search.original() && duplicate);
          if (found) {
            search
                .result()
                .complete(new Result(new Place(record.partition(), record.offset()), true));
          }
          return found;
        });
  }

  /** Ends the searches whose stretch has been read. */
  private static void finish(List<Search> batch, long position, long oldest) {
    batch.removeIf(
        search -> {
          boolean over = position >= search.end();
          if (over) {
            search.result().complete(new Result(null, oldest < search.since()));
          }
          return over;
        });
  }

  /**
   * Whether it refuses a request that came under another one's id, and so is no reply to that.
   * Cheaper than reading the whole record.
   */
  static boolean isMismatch(ConsumerRecord<byte[], byte[]> record) {
    return hasOutcome(record, MISMATCH);
  }

  /** Whether it answers a request that an operator had replayed. */
  static boolean isReplayed(ConsumerRecord<byte[], byte[]> record) {
    return record.headers().lastHeader(WireHeaders.REPLAY) != null;
  }

  private static boolean hasOutcome(ConsumerRecord<byte[], byte[]> record, byte[] outcome) {
    Header header = record.headers().lastHeader(WireHeaders.OUTCOME);
    return header != null && Arrays.equals(header.value(), outcome);
  }

  private static void dropLate(List<Search> batch) {
    long now = System.nanoTime();
    batch.removeIf(
        search -> {
          boolean late = now - search.deadline() >= 0;
          if (late) {
            search.fail("the reply was not found in time; there is much to read");
          }
          return late;
        });
  }

  /** Ends all searches, closes the consumer and ends the thread, 6 s at most. */
  @Override
  public void close() {
    closing = true;
    thread.interrupt();
    try {
      thread.join(6_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
