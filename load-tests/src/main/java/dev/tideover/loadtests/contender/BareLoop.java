package dev.tideover.loadtests.contender;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The ceiling: one thread polls, sends the reply, and commits each second up to the first reply
 * that is not acknowledged. Where the handler blocks, a pool of as many threads as there may be
 * handlers runs it. No order, no retries, no deadlines, no rebalances, nothing measured.
 *
 * <p>The polling thread owns the consumer and the queues of what is under way; the producer's
 * callback writes one flag of each entry.
 */
public final class BareLoop {

  private static final Duration POLL = Duration.ofMillis(100);
  private static final long COMMIT_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final long END_SECONDS = 15;

  /** More than the records of one poll and their replies' way; fewer than would fill the heap. */
  private static final int MOST_UNDER_WAY = 10_000;

  private final Job job;
  private final KafkaConsumer<byte[], byte[]> consumer;
  private final KafkaProducer<byte[], byte[]> producer;
  private final ExecutorService handlers;
  private final Thread thread = new Thread(this::loop, "bare-loop");
  private final Semaphore room = new Semaphore(MOST_UNDER_WAY);
  private final Map<TopicPartition, Deque<Entry>> underWay = new HashMap<>();
  private final Map<TopicPartition, OffsetAndMetadata> finished = new HashMap<>();
  private volatile boolean closing;

  private static final class Entry {
    final long offset;
    volatile boolean acknowledged;

    Entry(long offset) {
      this.offset = offset;
    }
  }

  private BareLoop(String bootstrapServers, Job job) {
    this.job = job;
    consumer =
        new KafkaConsumer<>(
            Contender.consumerSettings(bootstrapServers, job.service() + "-bare"),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer());
    producer =
        new KafkaProducer<>(
            Contender.producerSettings(bootstrapServers),
            new ByteArraySerializer(),
            new ByteArraySerializer());
    handlers = Executors.newFixedThreadPool(job.concurrency());
    thread.start();
  }

  private void loop() {
    try (producer;
        consumer) {
      consumer.subscribe(List.of(job.requestTopic()));
      long committed = System.nanoTime();
      while (!closing) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
          room.acquireUninterruptibly();
          Entry entry = new Entry(record.offset());
          underWay
              .computeIfAbsent(
                  new TopicPartition(record.topic(), record.partition()), p -> new ArrayDeque<>())
              .add(entry);
          if (job.micros() == 0) {
            reply(record, entry);
          } else {
            handlers.execute(
                () -> {
                  job.work();
                  reply(record, entry);
                });
          }
        }
        if (System.nanoTime() - committed > COMMIT_NANOS) {
          committed = System.nanoTime();
          commit();
        }
      }
      commit();
    } finally {
      handlers.shutdownNow();
    }
  }

  private void reply(ConsumerRecord<byte[], byte[]> record, Entry entry) {
    byte[] id = record.headers().lastHeader(Contender.ID_HEADER).value();
    var unused =
        producer.send(
            new ProducerRecord<>(job.replyTopic(), id, record.value()),
            (metadata, failure) -> {
              // What failed is never acknowledged: it shows as lost, which is all there is to say.
              entry.acknowledged = failure == null;
              room.release();
            });
  }

  private void commit() {
    underWay.forEach(
        (partition, entries) -> {
          while (!entries.isEmpty() && entries.peek().acknowledged) {
            finished.put(partition, new OffsetAndMetadata(entries.remove().offset + 1));
          }
        });
    if (!finished.isEmpty()) {
      consumer.commitAsync(Map.copyOf(finished), null);
      finished.clear();
    }
  }

  private void end() {
    closing = true;
    try {
      thread.join(TimeUnit.SECONDS.toMillis(END_SECONDS));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The process: takes the bootstrap servers. */
  public static void main(String[] args) throws IOException {
    Contender.run(job -> new BareLoop(args[0], job)::end);
  }
}
