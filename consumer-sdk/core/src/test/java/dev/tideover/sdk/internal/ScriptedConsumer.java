package dev.tideover.sdk.internal;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.MockConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetCommitCallback;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

/**
 * A consumer whose polls do what a test has written down, in that order; a poll beyond waits for
 * its time or a wake-up, as a real one does that gets no records.
 */
final class ScriptedConsumer extends MockConsumer<byte[], byte[]> {

  final Map<TopicPartition, Long> committed = new ConcurrentHashMap<>();
  Runnable onExpiry = () -> {};
  Runnable onCommit = () -> {};

  private final Deque<Function<Duration, ConsumerRecords<byte[], byte[]>>> script =
      new ArrayDeque<>();
  private final Semaphore wakeups = new Semaphore(0);
  private ConsumerRebalanceListener listener;

  ScriptedConsumer() {
    super("earliest");
  }

  /** What the next poll does that has nothing before it. */
  void then(Function<Duration, ConsumerRecords<byte[], byte[]>> poll) {
    script.add(poll);
  }

  void thenRecords(TopicPartition partition, List<ConsumerRecord<byte[], byte[]>> records) {
    then(wait -> new ConsumerRecords<>(Map.of(partition, records), Map.of()));
  }

  ConsumerRebalanceListener listener() {
    return listener;
  }

  ConsumerRecords<byte[], byte[]> awaitWakeup(Duration wait) {
    try {
      if (wakeups.tryAcquire(wait.toNanos(), TimeUnit.NANOSECONDS)) {
        wakeups.drainPermits();
        throw new WakeupException();
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    onExpiry.run();
    return ConsumerRecords.empty();
  }

  @Override
  public ConsumerRecords<byte[], byte[]> poll(Duration wait) {
    Function<Duration, ConsumerRecords<byte[], byte[]>> next = script.poll();
    return next == null ? awaitWakeup(wait) : next.apply(wait);
  }

  @Override
  public void wakeup() {
    wakeups.release();
  }

  @Override
  public void subscribe(Collection<String> topics, ConsumerRebalanceListener listener) {
    this.listener = listener;
  }

  @Override
  public Set<TopicPartition> assignment() {
    return Set.of();
  }

  @Override
  public void pause(Collection<TopicPartition> partitions) {}

  @Override
  public void resume(Collection<TopicPartition> partitions) {}

  @Override
  public void seek(TopicPartition partition, long offset) {}

  @Override
  public void commitAsync(
      Map<TopicPartition, OffsetAndMetadata> offsets, OffsetCommitCallback callback) {
    commitSync(offsets, Duration.ZERO);
    callback.onComplete(offsets, null);
  }

  @Override
  public void commitSync(Map<TopicPartition, OffsetAndMetadata> offsets, Duration timeout) {
    offsets.forEach((partition, offset) -> committed.put(partition, offset.offset()));
    onCommit.run();
  }
}
