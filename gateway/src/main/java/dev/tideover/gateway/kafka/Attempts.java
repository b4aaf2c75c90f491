package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.LedgerKeys;
import dev.tideover.wire.WireHeaders;
import java.time.Duration;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How often requests have failed so far, as the services' instances write it into their ledgers.
 * Follows the ledgers from an hour ago on. Owns the consumer and its thread; {@link #of}, {@link
 * #follow} and {@link #close} are for any thread.
 *
 * <p>It knows at most {@link #MAX_ENTRIES} requests; beyond them those written longest ago are
 * forgotten and count as not failed. Nothing but what a client is told depends on it.
 */
final class Attempts implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Attempts.class);

  static final int MAX_ENTRIES = 100_000;

  private static final Duration BACK = Duration.ofHours(1);
  private static final Duration POLL = Duration.ofMillis(500);
  private static final Duration LIMIT = Duration.ofSeconds(5);
  private static final long REFUSED_NANOS = TimeUnit.MINUTES.toNanos(10);
  private static final int MAX_DIGITS = 9;

  private record Key(TopicPartition partition, long offset) {}

  private final Consumer<byte[], byte[]> consumer;
  private final InstantSource time;
  private final CountDownLatch stopping = new CountDownLatch(1);
  private final Thread thread = new Thread(this::run, "tideover-attempts");

  /** Guarded by itself. Those written last are at its end. */
  private final Map<Key, Integer> failed =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, Integer> eldest) {
          return size() > MAX_ENTRIES;
        }
      };

  /** Topics and how many partitions they have. */
  private volatile Map<String, Integer> wanted = Map.of();

  /** Topics that may not be read, and when that was found out. For the thread. */
  private final Map<String, Long> refused = new HashMap<>();

  private boolean failing;

  Attempts(Consumer<byte[], byte[]> consumer, InstantSource time) {
    this.consumer = consumer;
    this.time = time;
  }

  static Attempts start(GatewayConfig config) {
    Map<String, Object> settings = KafkaSettings.consumer(config, "attempts");
    settings.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 256 << 10);
    settings.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 5_000);
    Attempts attempts =
        new Attempts(
            KafkaSettings.client(() -> new KafkaConsumer<>(settings)), InstantSource.system());
    attempts.thread.start();
    return attempts;
  }

  /**
   * Follow exactly these topics, which must exist: asked for one that doesn't, Kafka's consumer
   * logs a warning several times a second.
   *
   * @param topics and their numbers of partitions
   */
  void follow(Map<String, Integer> topics) {
    wanted = Map.copyOf(topics);
  }

  /** Failed attempts of the request at this offset; 0 if none is known. Doesn't wait. */
  int of(String ledger, int partition, long offset) {
    Key key = new Key(new TopicPartition(ledger, partition), offset);
    synchronized (failed) {
      return failed.getOrDefault(key, 0);
    }
  }

  private void run() {
    try {
      while (stopping.getCount() > 0) {
        runOnce();
      }
    } catch (WakeupException | InterruptException e) {
      // Only close() does that.
    } finally {
      consumer.close(KafkaSettings.CONSUMER_CLOSE);
    }
  }

  void runOnce() {
    try {
      assign();
      if (consumer.assignment().isEmpty()) {
        pauseBriefly();
        return;
      }
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
        take(record);
      }
      failing = false;
    } catch (WakeupException | InterruptException e) {
      throw e;
    } catch (TopicAuthorizationException e) {
      for (String topic : e.unauthorizedTopics()) {
        if (refused.put(topic, System.nanoTime()) == null) {
          LOG.warn(
              "The topic {} may not be read: clients who ask for a request's state aren't told of"
                  + " failed attempts. Allow this gateway to read it; it is tried again every 10"
                  + " minutes",
              topic);
        }
      }
    } catch (RuntimeException e) {
      if (!failing) {
        LOG.warn(
            "The services' ledgers can't be read: {}. Clients who ask for a request's state may be"
                + " told of too few failed attempts; tried again until it works",
            e.getMessage());
      }
      failing = true;
      pauseBriefly();
    }
  }

  /** Makes what is read the same as what is wanted; new partitions begin an hour ago. */
  private void assign() {
    Set<TopicPartition> target = new HashSet<>();
    long now = System.nanoTime();
    wanted.forEach(
        (topic, partitions) -> {
          Long since = refused.get(topic);
          if (since == null || now - since > REFUSED_NANOS) {
            for (int partition = 0; partition < partitions; partition++) {
              target.add(new TopicPartition(topic, partition));
            }
          }
        });
    Set<TopicPartition> before = consumer.assignment();
    if (target.equals(before)) {
      return;
    }
    Set<TopicPartition> added = new HashSet<>(target);
    added.removeAll(before);
    Map<TopicPartition, Long> from = added.isEmpty() ? Map.of() : begins(added);
    consumer.assign(target);
    from.forEach(consumer::seek);
    synchronized (failed) {
      failed.keySet().removeIf(key -> !target.contains(key.partition()));
    }
  }

  private Map<TopicPartition, Long> begins(Set<TopicPartition> partitions) {
    Map<TopicPartition, Long> times = new HashMap<>();
    long from = time.instant().minus(BACK).toEpochMilli();
    partitions.forEach(partition -> times.put(partition, from));
    Map<TopicPartition, Long> begins = new HashMap<>(consumer.endOffsets(partitions, LIMIT));
    Map<TopicPartition, @Nullable OffsetAndTimestamp> found =
        consumer.offsetsForTimes(times, LIMIT);
    found.forEach(
        (partition, offset) -> {
          if (offset != null) {
            begins.put(partition, offset.offset());
          }
        });
    return begins;
  }

  private void take(ConsumerRecord<byte[], byte[]> record) {
    long offset = LedgerKeys.requestOffset(record.key());
    if (offset < 0) {
      return;
    }
    Key key = new Key(new TopicPartition(record.topic(), record.partition()), offset);
    int attempts = record.value() == null ? 0 : attempts(record);
    synchronized (failed) {
      // Also where it is put again: what is written anew is not the oldest any more.
      failed.remove(key);
      if (attempts > 0) {
        failed.put(key, attempts);
      }
    }
  }

  /** What the record says; 0 where that can't be read, as good as if it weren't there. */
  private static int attempts(ConsumerRecord<byte[], byte[]> record) {
    Header header = record.headers().lastHeader(WireHeaders.ATTEMPTS);
    byte[] digits = header == null ? null : header.value();
    if (digits == null || digits.length > MAX_DIGITS) {
      return 0;
    }
    try {
      return Math.max(0, Integer.parseInt(new String(digits, ISO_8859_1)));
    } catch (NumberFormatException garbled) {
      return 0;
    }
  }

  /** An error that comes at once would otherwise turn the loop into a spin; close() ends it. */
  private void pauseBriefly() {
    try {
      var unused = stopping.await(POLL.toMillis(), TimeUnit.MILLISECONDS);
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
