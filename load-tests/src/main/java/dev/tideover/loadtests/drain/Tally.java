package dev.tideover.loadtests.drain;

import dev.tideover.loadtests.bench.BenchException;
import dev.tideover.loadtests.bench.Child;
import dev.tideover.wire.RequestId;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Counts the replies in one reply topic, each request once. Times are the broker's, at which it
 * appended them (the topic has to say {@code LogAppendTime}), so it need not read while somebody is
 * measured: until enough replies are there it only asks where the partitions end. Owned by one
 * thread.
 */
final class Tally implements AutoCloseable {

  private static final Duration POLL = Duration.ofMillis(100);

  /** Without any reply for so long, none will come. */
  private static final Duration SILENCE = Duration.ofSeconds(20);

  /** Somebody who wants to know how far it is. */
  @FunctionalInterface
  interface Progress {

    /** Told on the counting thread, ten times a second at most. */
    void at(long replies) throws BenchException, InterruptedException;
  }

  private final Preload preload;
  private final IntPredicate wanted;
  private final IntPredicate ordinary;
  private final int wantedRecords;
  private final KafkaConsumer<byte[], byte[]> consumer;
  private final List<TopicPartition> partitions;
  private final BitSet seen = new BitSet();
  private int completed;
  private int duplicates;
  private int strangers;
  private long first = Long.MAX_VALUE;
  private long last;
  private long lastOrdinary;

  /**
   * Counts nothing yet.
   *
   * @param wanted the requests that have to be answered
   * @param ordinary those that are timed for themselves too
   */
  Tally(
      String bootstrapServers,
      String replyTopic,
      Preload preload,
      IntPredicate wanted,
      IntPredicate ordinary) {
    this.preload = preload;
    this.wanted = wanted;
    this.ordinary = ordinary;
    wantedRecords = (int) IntStream.range(0, preload.records()).filter(wanted).count();
    consumer =
        new KafkaConsumer<>(
            Map.of(
                ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
                bootstrapServers,
                ConsumerConfig.MAX_POLL_RECORDS_CONFIG,
                5_000),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer());
    partitions =
        IntStream.range(0, DrainScenario.PARTITIONS)
            .mapToObj(each -> new TopicPartition(replyTopic, each))
            .toList();
    consumer.assign(partitions);
    consumer.seekToBeginning(partitions);
  }

  /**
   * Waits until each wanted request has its reply, or until replies stop coming.
   *
   * @param progress told how many replies there are, now and then
   * @throws BenchException if the process that should reply has ended
   */
  void awaitAll(Child process, Progress progress) throws BenchException, InterruptedException {
    long replies = 0;
    long changed = System.nanoTime();
    while (completed < wantedRecords && System.nanoTime() - changed < SILENCE.toNanos()) {
      long now = ends();
      progress.at(now);
      if (now > replies) {
        replies = now;
        changed = System.nanoTime();
      }
      if (now >= wantedRecords) {
        read();
      }
      if (process.endsWithin(POLL)) {
        throw process.failed("ended with " + now + " replies sent");
      }
    }
  }

  /** Reads what else there is. */
  void read() {
    long ends = ends();
    long bound = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
    while (position() < ends && System.nanoTime() < bound) {
      consumer.poll(POLL).forEach(this::count);
    }
  }

  private long ends() {
    return consumer.endOffsets(partitions).values().stream().mapToLong(each -> each).sum();
  }

  private long position() {
    return partitions.stream().mapToLong(consumer::position).sum();
  }

  private void count(ConsumerRecord<byte[], byte[]> reply) {
    int number = preload.numberOf(RequestId.parse(new String(reply.key(), StandardCharsets.UTF_8)));
    if (number < 0) {
      strangers++;
      return;
    }
    if (seen.get(number)) {
      duplicates++;
      return;
    }
    seen.set(number);
    first = Math.min(first, reply.timestamp());
    if (wanted.test(number)) {
      completed++;
      last = Math.max(last, reply.timestamp());
    }
    if (ordinary.test(number)) {
      lastOrdinary = Math.max(lastOrdinary, reply.timestamp());
    }
  }

  /** Wanted requests without a reply. */
  int lost() {
    return wantedRecords - completed;
  }

  /** Replies to requests that had one already. */
  int duplicates() {
    return duplicates;
  }

  /** Replies to requests that were never made. */
  int strangers() {
    return strangers;
  }

  /** Wanted replies a second, from the first one to the last. */
  double perSecond() {
    return rate(completed, last);
  }

  /** Ordinary requests' replies a second, from anybody's first one to their last. */
  double ordinaryPerSecond() {
    return rate((int) seen.stream().filter(ordinary).count(), lastOrdinary);
  }

  private double rate(int replies, long until) {
    return replies == 0 ? 0 : replies * 1000.0 / Math.max(1, until - first);
  }

  /** How many requests have been answered. */
  int answered() {
    return seen.cardinality();
  }

  @Override
  public void close() {
    consumer.close();
  }
}
