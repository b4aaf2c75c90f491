package dev.tideover.loadtests.bare;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiConsumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

/**
 * Reads the reply topic from its end and hands each record to a sink. Its one thread owns the
 * consumer; only {@link KafkaConsumer#wakeup} is called from elsewhere.
 */
final class ReplyLoop implements AutoCloseable {

  private static final Duration POLL = Duration.ofSeconds(1);

  private final KafkaConsumer<byte[], byte[]> consumer;
  private final BiConsumer<byte[], byte[]> sink;
  private final Thread thread = new Thread(this::run, "bare-replies");
  private final CountDownLatch atEnd = new CountDownLatch(1);
  private volatile boolean closing;

  ReplyLoop(String bootstrapServers, BiConsumer<byte[], byte[]> sink) {
    consumer = BareKafka.consumer(bootstrapServers, "bare.unused");
    this.sink = sink;
  }

  void start(long boundSeconds) throws InterruptedException, TimeoutException {
    thread.start();
    if (!atEnd.await(boundSeconds, TimeUnit.SECONDS)) {
      throw new TimeoutException("the reply topic's end was not reached in " + boundSeconds + " s");
    }
  }

  private void run() {
    try (consumer) {
      TopicPartition partition = new TopicPartition(BareKafka.REPLY_TOPIC, 0);
      consumer.assign(List.of(partition));
      consumer.seekToEnd(List.of(partition));
      consumer.position(partition);
      atEnd.countDown();
      while (!closing) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
          sink.accept(record.key(), record.value());
        }
      }
    } catch (WakeupException e) {
      if (!closing) {
        throw e;
      }
    }
  }

  @Override
  public void close() {
    closing = true;
    consumer.wakeup();
    try {
      thread.join(TimeUnit.SECONDS.toMillis(10));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
