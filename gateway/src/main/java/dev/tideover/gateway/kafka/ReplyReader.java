package dev.tideover.gateway.kafka;

import dev.tideover.gateway.kafka.ReplyIndex.Place;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestId;
import dev.tideover.wire.WireFormatException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads single replies again from the reply topic, for those that ask later: the bodies stay in
 * Kafka. All that are asked for at a time are read in one sweep over each partition, by rising
 * offset, so that neighbours come in one fetch; what is asked for meanwhile waits for the next
 * sweep, so that nobody waits longer than two. Owns a consumer and the one thread that uses it.
 * Safe for any thread.
 */
final class ReplyReader implements AutoCloseable {

  /** What a look-up found. */
  sealed interface Found {
    /** The reply. */
    record Reply(ReplyEnvelope reply) implements Found {}

    /** There is a record and it can't be read as a reply; the id is that of its key, if any. */
    record Unreadable(@Nullable RequestId id) implements Found {}

    /** There is no record any more. */
    record Gone() implements Found {}
  }

  private static final Logger LOG = LoggerFactory.getLogger(ReplyReader.class);
  private static final int MAX_WAITING = 10_000;
  private static final Duration LIMIT = Duration.ofSeconds(5);
  private static final Duration TURN = Duration.ofMillis(100);
  private static final Duration STUCK = Duration.ofMillis(300);
  private static final Duration RANGE_LIMIT = Duration.ofMillis(500);

  private record Read(Place place, long deadline, CompletableFuture<Found> found) {}

  /** What is wanted of one partition, and where the consumer stands in it. */
  private static final class Sweep {
    final TopicPartition partition;
    TreeMap<Long, List<Read>> now = new TreeMap<>();
    TreeMap<Long, List<Read>> next = new TreeMap<>();

    /** -1 where the consumer must be told first. */
    long position = -1;

    /** How many offsets the latest fetch brought; the next wanted one within that is not sought. */
    long stride;

    boolean paused;

    /** When it was sent on or brought something. */
    long movedAt;

    Sweep(TopicPartition partition) {
      this.partition = partition;
    }
  }

  private final String topic;
  private final Duration limit;
  private final Consumer<byte[], byte[]> consumer;
  private final BlockingQueue<Read> queue = new LinkedBlockingQueue<>(MAX_WAITING);
  private final AtomicInteger waiting = new AtomicInteger();
  private final Thread thread = new Thread(this::run, "tideover-reply-reader");
  private volatile boolean closing;

  /** The thread's own, as is all below. Those with an entry are assigned. */
  private final Map<Integer, Sweep> sweeps = new HashMap<>();

  private int pending;
  private long nextExpiry;

  private ReplyReader(Consumer<byte[], byte[]> consumer, String topic, Duration limit) {
    this.consumer = consumer;
    this.topic = topic;
    this.limit = limit;
  }

  static ReplyReader start(Consumer<byte[], byte[]> consumer, String topic) {
    return start(consumer, topic, LIMIT);
  }

  static ReplyReader start(Consumer<byte[], byte[]> consumer, String topic, Duration limit) {
    ReplyReader reader = new ReplyReader(consumer, topic, limit);
    reader.thread.start();
    return reader;
  }

  /**
   * Reads the reply at a place.
   *
   * @return fails with a {@link KafkaUnavailableException} where it can't be read within 5 s from
   *     now, or where 10,000 others wait already
   */
  CompletableFuture<Found> read(Place place) {
    CompletableFuture<Found> found = new CompletableFuture<>();
    if (closing) {
      return failed(found, "the gateway is stopping");
    }
    if (waiting.incrementAndGet() > MAX_WAITING) {
      waiting.decrementAndGet();
      return failed(found, MAX_WAITING + " look-ups wait already");
    }
    var unused = found.whenComplete((result, failure) -> waiting.decrementAndGet());
    Read read = new Read(place, System.nanoTime() + limit.toNanos(), found);
    // There is room: whoever is counted above is in it or has left it.
    if (!queue.offer(read)) {
      return failed(found, MAX_WAITING + " look-ups wait already");
    }
    // The thread may have emptied the queue for the last time before this one came.
    if (closing && queue.remove(read)) {
      return failed(found, "the gateway is stopping");
    }
    return found;
  }

  /** Whether replies can still be read; not after the close, or an error that ended the thread. */
  boolean isReading() {
    return !closing;
  }

  private static CompletableFuture<Found> failed(CompletableFuture<Found> found, String reason) {
    fail(found, reason);
    return found;
  }

  private static void fail(CompletableFuture<Found> found, String reason) {
    found.completeExceptionally(new KafkaUnavailableException(reason, null));
  }

  private void run() {
    try {
      while (!closing) {
        runOnce();
      }
    } catch (InterruptedException | InterruptException e) {
      // Only close() does that.
    } finally {
      // Also where an error has ended the thread.
      closing = true;
      // The flag would end the goodbye to the brokers.
      var unused = Thread.interrupted();
      failAll("the gateway is stopping");
      consumer.close(KafkaSettings.CONSUMER_CLOSE);
    }
  }

  private void runOnce() throws InterruptedException {
    try {
      take();
      sweeps.values().forEach(this::aim);
      handOut(consumer.poll(TURN));
      findOutOfRange(stuck());
      expire();
    } catch (OffsetOutOfRangeException e) {
      findOutOfRange(e.partitions());
      expire();
    } catch (WakeupException | InterruptException e) {
      throw e;
    } catch (RuntimeException e) {
      LOG.error("Can't read stored replies; those who asked are told to ask again", e);
      failAll("the reply can't be read: " + e.getMessage());
    }
  }

  /** Waits only while there is nothing to do. */
  private void take() throws InterruptedException {
    for (Read read = pending == 0 ? queue.take() : queue.poll();
        read != null;
        read = queue.poll()) {
      sweep(read.place().partition())
          .next
          .computeIfAbsent(read.place().offset(), offset -> new ArrayList<>(1))
          .add(read);
      pending++;
    }
  }

  private Sweep sweep(int number) {
    return sweeps.computeIfAbsent(
        number,
        absent -> {
          Sweep sweep = new Sweep(new TopicPartition(topic, number));
          List<TopicPartition> assigned = new ArrayList<>(consumer.assignment());
          assigned.add(sweep.partition);
          consumer.assign(assigned);
          // Without a position it would be looked for a committed one.
          consumer.seek(sweep.partition, 0);
          return sweep;
        });
  }

  /** Sees to it that the next poll brings what is wanted first, and nothing where nothing is. */
  private void aim(Sweep sweep) {
    if (sweep.now.isEmpty()) {
      TreeMap<Long, List<Read>> empty = sweep.now;
      sweep.now = sweep.next;
      sweep.next = empty;
    }
    if (sweep.now.isEmpty()) {
      if (!sweep.paused) {
        consumer.pause(List.of(sweep.partition));
        sweep.paused = true;
      }
      sweep.position = -1;
      return;
    }
    long first = sweep.now.firstKey();
    if (sweep.position < 0 || first < sweep.position || first - sweep.position > sweep.stride) {
      consumer.seek(sweep.partition, first);
      sweep.position = first;
      sweep.stride = 0;
      sweep.movedAt = System.nanoTime();
    }
    if (sweep.paused) {
      consumer.resume(List.of(sweep.partition));
      sweep.paused = false;
    }
  }

  private void handOut(ConsumerRecords<byte[], byte[]> records) {
    for (TopicPartition partition : records.partitions()) {
      Sweep sweep = sweeps.get(partition.partition());
      if (sweep == null) {
        continue;
      }
      for (ConsumerRecord<byte[], byte[]> record : records.records(partition)) {
        List<Read> reads = sweep.now.remove(record.offset());
        if (reads != null) {
          finish(reads, decode(record));
        }
      }
    }
    for (Map.Entry<TopicPartition, OffsetAndMetadata> entry : records.nextOffsets().entrySet()) {
      Sweep sweep = sweeps.get(entry.getKey().partition());
      long next = entry.getValue().offset();
      // Also where all was found: what is wanted next may lie behind where the consumer is now.
      if (sweep != null && sweep.position >= 0) {
        sweep.stride = next - sweep.position;
        sweep.position = next;
        sweep.movedAt = System.nanoTime();
        // It was sent to the first one: what it has passed without a record has none.
        finishAll(sweep.now.headMap(next));
      }
    }
  }

  /**
   * Those that stand where nothing comes. What is wanted was there, but if the topic was made anew
   * it may be just behind the end, which is not out of range: Kafka waits for it to be written.
   */
  private List<TopicPartition> stuck() {
    long now = System.nanoTime();
    List<TopicPartition> stuck = new ArrayList<>();
    for (Sweep sweep : sweeps.values()) {
      if (!sweep.now.isEmpty() && now - sweep.movedAt > STUCK.toNanos()) {
        sweep.movedAt = now;
        stuck.add(sweep.partition);
      }
    }
    return stuck;
  }

  private void finish(List<Read> reads, Found found) {
    pending -= reads.size();
    reads.forEach(read -> read.found().complete(found));
  }

  /** Those were there once and are not any more. */
  private void finishAll(Map<Long, List<Read>> reads) {
    reads.values().forEach(gone -> finish(gone, new Found.Gone()));
    reads.clear();
  }

  private static Found decode(ConsumerRecord<byte[], byte[]> record) {
    try {
      return new Found.Reply(ReplyCodec.decode(record));
    } catch (WireFormatException e) {
      return new Found.Unreadable(ReplyCodec.idOf(record));
    }
  }

  /** What was sought has been deleted, or the topic was made anew and doesn't go that far. */
  private void findOutOfRange(Collection<TopicPartition> partitions) {
    if (partitions.isEmpty()) {
      return;
    }
    try {
      Map<TopicPartition, Long> begins = consumer.beginningOffsets(partitions, RANGE_LIMIT);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions, RANGE_LIMIT);
      for (TopicPartition partition : partitions) {
        long begin = Objects.requireNonNull(begins.get(partition));
        Sweep sweep = sweeps.get(partition.partition());
        if (sweep != null) {
          finishAll(sweep.now.headMap(begin));
          finishAll(sweep.now.tailMap(Objects.requireNonNull(ends.get(partition))));
          sweep.position = -1;
        }
        consumer.seek(partition, begin);
      }
    } catch (WakeupException | InterruptException e) {
      throw e;
    } catch (RuntimeException e) {
      // Those who wait are told by their deadlines.
      LOG.debug("Can't learn which replies are left, will try again", e);
    }
  }

  private void expire() {
    long now = System.nanoTime();
    if (now - nextExpiry < 0) {
      return;
    }
    nextExpiry = now + TURN.toNanos();
    for (Sweep sweep : sweeps.values()) {
      expire(sweep.now, now);
      expire(sweep.next, now);
    }
  }

  private void expire(TreeMap<Long, List<Read>> wanted, long now) {
    wanted
        .values()
        .removeIf(
            reads -> {
              reads.removeIf(
                  read -> {
                    boolean late = now - read.deadline() >= 0;
                    if (late) {
                      pending--;
                      fail(read.found(), "the reply could not be read in time");
                    }
                    return late;
                  });
              return reads.isEmpty();
            });
  }

  private void failAll(String reason) {
    List<Read> all = new ArrayList<>();
    for (Sweep sweep : sweeps.values()) {
      sweep.now.values().forEach(all::addAll);
      sweep.next.values().forEach(all::addAll);
      sweep.now.clear();
      sweep.next.clear();
    }
    queue.drainTo(all);
    pending = 0;
    all.forEach(read -> fail(read.found(), reason));
  }

  /** Ends all look-ups, closes the consumer and ends the thread, 6 s at most. */
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
