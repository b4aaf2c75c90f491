package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.LedgerPart.Content;
import dev.tideover.sdk.internal.LedgerPart.Span;
import dev.tideover.sdk.internal.core.FinishedBatch;
import dev.tideover.sdk.internal.core.LedgerEntry;
import dev.tideover.sdk.internal.core.LedgerEntry.Cancelled;
import java.time.Duration;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads partitions of the ledger back, by a consumer of its own that is in no group. For the thread
 * of the {@link Adopter}, its owner.
 */
final class LedgerReader implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(LedgerReader.class);

  /**
   * So many entries of a partition are taken, those of finished requests and of cancelled ones not
   * counted.
   */
  static final int MAX_ENTRIES = 100_000;

  /**
   * So many entries about cancelled requests that aren't finished are taken: wishes and decisions,
   * those with the lowest offsets. A client can cause as many as it likes, so more of them mustn't
   * stop the partition; see {@code Cancellations.MOST} for why that many are enough.
   */
  static final int MAX_CANCELLED = 120_000;

  /** It reads nothing but what is there, so a broker never has to wait for more. */
  private static final int FETCH_WAIT = 2;

  private static final Duration WAIT = Duration.ofMillis(100);
  private static final Duration POSITION = Duration.ofSeconds(1);

  /** A broker that answers gives something sooner, and one that doesn't is asked anew. */
  private static final long STALLED = TimeUnit.SECONDS.toNanos(10);

  private static final CloseOptions CLOSE = CloseOptions.timeout(Duration.ofSeconds(1));

  private final KafkaConsumer<byte[], byte[]> consumer;
  private final Occasionally maySayGarbled = new Occasionally(Duration.ofSeconds(10));
  private final Occasionally maySayTooManyCancelled = new Occasionally(Duration.ofSeconds(10));
  private final Occasionally maySayTooManyFinished = new Occasionally(Duration.ofSeconds(10));
  private final long windowMillis;
  private final LongSupplier epochMillis;
  private final long mostFinished;
  private long garbled;

  /**
   * A reader that isn't connected yet.
   *
   * @param window for which finished ids are of interest
   * @param epochMillis the time of day
   * @param mostFinished so many ids are kept at once; the newest
   * @throws IllegalArgumentException if the client doesn't take its settings
   */
  LedgerReader(Settings settings, Duration window, LongSupplier epochMillis, long mostFinished) {
    this.windowMillis = window.toMillis();
    this.epochMillis = epochMillis;
    this.mostFinished = mostFinished;
    Map<String, Object> config =
        ClientProperties.reader(settings, "adopter", "earliest", FETCH_WAIT);
    config.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 4 << 20);
    config.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 5_000);
    consumer = ClientProperties.client(() -> new KafkaConsumer<>(config));
  }

  /** Connects to the leaders of these partitions, so that a later {@link #read} needn't. */
  void warmUp(Map<TopicPartition, Long> ends) {
    if (ends.isEmpty()) {
      return;
    }
    consumer.assign(ends.keySet());
    ends.forEach(consumer::seek);
    consumer.poll(WAIT);
    consumer.unsubscribe();
  }

  /**
   * Reads each of the partitions to its end and hands over what stands there, the latest entry of
   * each key, as soon as it is complete; null if there are more than {@link #MAX_ENTRIES}. Batches
   * of finished ids don't count.
   *
   * @param wanted is asked again and again whether a partition is to be read on
   * @throws org.apache.kafka.common.KafkaException if it can't
   */
  void read(
      Map<TopicPartition, Span> spans,
      Predicate<TopicPartition> wanted,
      BiConsumer<TopicPartition, @Nullable Content> complete) {
    long epochNow = epochMillis.getAsLong();
    Map<TopicPartition, LedgerPart> left = new HashMap<>();
    spans.forEach((partition, span) -> left.put(partition, new LedgerPart(span, windowMillis)));
    try {
      consumer.assign(left.keySet());
      spans.forEach((partition, span) -> consumer.seek(partition, span.from()));
      long progress = System.nanoTime();
      while (true) {
        if (left.entrySet().removeIf(part -> ended(part.getKey(), part.getValue(), complete))
            | left.keySet().removeIf(wanted.negate())) {
          // Those that stay keep their positions and what was fetched ahead for them.
          consumer.assign(left.keySet());
        }
        if (left.isEmpty()) {
          return;
        }
        boolean some = false;
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(WAIT)) {
          LedgerPart part = left.get(new TopicPartition(record.topic(), record.partition()));
          if (part != null) {
            take(record, part, epochNow);
            some = true;
          }
        }
        bound(left.values());
        long now = System.nanoTime();
        if (some) {
          progress = now;
        } else if (now - progress > STALLED) {
          throw new TimeoutException("nothing came from " + left.keySet());
        }
      }
    } finally {
      consumer.unsubscribe();
    }
  }

  /** By position, since not every offset has a record: compaction leaves gaps. */
  private boolean ended(
      TopicPartition partition,
      LedgerPart part,
      BiConsumer<TopicPartition, @Nullable Content> complete) {
    boolean tooMany = part.isTooMuch();
    if (!tooMany && consumer.position(partition, POSITION) < part.span().to()) {
      return false;
    }
    complete.accept(partition, tooMany ? null : part.content());
    return true;
  }

  private void take(ConsumerRecord<byte[], byte[]> record, LedgerPart part, long now) {
    if (FinishedCodec.isBatch(record.key())) {
      takeBatch(record, part, now);
      return;
    }
    String key = LedgerCodec.key(record);
    if (key != null && record.value() == null) {
      part.forget(key);
      return;
    }
    LedgerEntry entry = LedgerCodec.decode(record);
    if (entry == null) {
      garbled(record);
    } else if (entry instanceof Cancelled about) {
      if (!part.put(about) && maySayTooManyCancelled.now()) {
        log.warn(
            "Partition {} of {} has more than {} entries about cancelled requests. Those of the"
                + " latest requests are passed over, so that some of these are handled all the"
                + " same.",
            record.partition(),
            record.topic(),
            MAX_CANCELLED);
      }
    } else {
      part.put(entry);
    }
  }

  private void takeBatch(ConsumerRecord<byte[], byte[]> record, LedgerPart part, long now) {
    FinishedCodec.Name name = FinishedCodec.name(record.key());
    FinishedBatch batch =
        name == null || record.value() == null ? null : FinishedCodec.decode(name, record.value());
    if (batch != null) {
      part.put(batch, now);
    } else if (name != null && record.value() == null) {
      part.forget(name);
    } else {
      garbled(record);
    }
  }

  private void garbled(ConsumerRecord<byte[], byte[]> record) {
    garbled++;
    if (maySayGarbled.now()) {
      log.warn(
          "{} records of {} can't be read and are passed over, the last one at offset {} of"
              + " partition {}. What they said is lost: a request may be tried more often, or"
              + " handled again when its client sends it again. A newer version, or somebody else,"
              + " has written them.",
          garbled,
          record.topic(),
          record.offset(),
          record.partition());
    }
  }

  /** Keeps within what an instance keeps in mind, at the cost of the oldest. */
  private void bound(Collection<LedgerPart> parts) {
    long all = 0;
    for (LedgerPart part : parts) {
      all += part.finished();
    }
    while (all > mostFinished) {
      LedgerPart largest = Collections.max(parts, Comparator.comparingInt(LedgerPart::finished));
      int before = largest.finished();
      largest.dropOldestFinished();
      all -= before - largest.finished();
      if (maySayTooManyFinished.now()) {
        log.warn(
            "The ledger knows more finished requests than the {} that fit into a quarter of this"
                + " instance's heap. The oldest are passed over: if their clients send them again"
                + " they are handled again. Give the instance more heap, or choose a shorter"
                + " idempotency window.",
            mostFinished);
      }
    }
  }

  @Override
  public void close() {
    consumer.close(CLOSE);
  }
}
