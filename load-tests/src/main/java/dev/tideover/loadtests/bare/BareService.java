package dev.tideover.loadtests.bare;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.WakeupException;

/**
 * The bare service: one thread polls, sends every record's value back under its key, and leaves
 * commits to the client's timer. Whether a reply was acknowledged is not asked: a crash here loses
 * requests, which is what makes it a ceiling and not a peer.
 */
public final class BareService implements AutoCloseable {

  private static final Duration POLL = Duration.ofSeconds(1);
  private static final long BOUND_SECONDS = 30;

  private final KafkaConsumer<byte[], byte[]> consumer;
  private final KafkaProducer<byte[], byte[]> producer;
  private final Thread thread = new Thread(this::run, "bare-service");
  private final CountDownLatch assigned = new CountDownLatch(1);
  private volatile boolean closing;

  private BareService(String bootstrapServers) {
    consumer = BareKafka.consumer(bootstrapServers, "bare.service");
    producer = BareKafka.producer(bootstrapServers);
  }

  /**
   * Starts it and waits until the partitions are its own; the topics must be there.
   *
   * @throws TimeoutException if that takes more than half a minute
   */
  public static BareService start(String bootstrapServers)
      throws InterruptedException, TimeoutException {
    BareService service = new BareService(bootstrapServers);
    service.producer.partitionsFor(BareKafka.REPLY_TOPIC);
    service.thread.start();
    if (!service.assigned.await(BOUND_SECONDS, TimeUnit.SECONDS)) {
      service.close();
      throw new TimeoutException("no partitions were assigned in " + BOUND_SECONDS + " s");
    }
    return service;
  }

  private void run() {
    try (producer;
        consumer) {
      consumer.subscribe(List.of(BareKafka.REQUEST_TOPIC));
      while (!closing) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
          var unused =
              producer.send(
                  new ProducerRecord<>(BareKafka.REPLY_TOPIC, record.key(), record.value()));
        }
        if (assigned.getCount() > 0 && consumer.assignment().size() == BareKafka.PARTITIONS) {
          consumer.assignment().forEach(consumer::position);
          assigned.countDown();
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

  /** The process: takes the bootstrap servers, prints {@code READY}, and ends with its input. */
  public static void main(String[] args) throws Exception {
    BareService service = start(args[0]);
    try {
      System.out.println("READY");
      BareGateway.untilInputEnds();
    } finally {
      service.close();
    }
  }
}
