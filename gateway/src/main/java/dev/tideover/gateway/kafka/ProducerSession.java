package dev.tideover.gateway.kafka;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.ClusterAuthorizationException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.InvalidPidMappingException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One producer from its making to its end, and the breakers in front of its partitions, which end
 * with it: an append of a producer that was given up can't count against the next one. Owns the
 * producer. Safe for any thread.
 */
final class ProducerSession {

  private static final Logger LOG = LoggerFactory.getLogger(ProducerSession.class);
  private static final Duration RETRY_AFTER = Duration.ofSeconds(1);

  private final Producer<byte[], byte[]> producer;
  private final LongSupplier nanoTime;
  private final BiConsumer<ProducerSession, String> broken;
  private final long start;

  /** Replaced as a whole, by the thread that changes the topics. */
  private volatile Map<String, List<PartitionBreaker>> breakers = Map.of();

  private volatile boolean acknowledged;

  /**
   * @param broken told, perhaps more than once and on any thread, when the producer will not work
   *     again, with the reason
   */
  ProducerSession(
      Producer<byte[], byte[]> producer,
      LongSupplier nanoTime,
      BiConsumer<ProducerSession, String> broken) {
    this.producer = producer;
    this.nanoTime = nanoTime;
    this.broken = broken;
    this.start = nanoTime.getAsLong();
  }

  /** Takes records for these topics, with so many partitions, and for no others. */
  void serve(Map<String, Integer> topics) {
    Map<String, List<PartitionBreaker>> before = breakers;
    Map<String, List<PartitionBreaker>> after = new HashMap<>();
    topics.forEach(
        (topic, partitions) -> {
          List<PartitionBreaker> known = before.getOrDefault(topic, List.of());
          after.put(
              topic,
              IntStream.range(0, partitions)
                  .mapToObj(
                      partition ->
                          partition < known.size()
                              ? known.get(partition)
                              : new PartitionBreaker(topic + "/" + partition, start))
                  .toList());
        });
    breakers = Map.copyOf(after);
  }

  /**
   * Whether the producer knows where the topic's partitions are; if not, it begins to ask.
   *
   * @throws IllegalStateException if it is closed
   */
  boolean knows(String topic) {
    try {
      var unused = producer.partitionsFor(topic);
      return true;
    } catch (KafkaException notYet) {
      return false;
    }
  }

  /**
   * Sends one record to the partition, or refuses; never waits.
   *
   * @param record asked for only if it will be sent
   * @param whenDone called exactly once: with {@code Refused} before this method returns, otherwise
   *     mostly on the producer's thread
   */
  void send(
      String topic,
      int partition,
      Supplier<ProducerRecord<byte[], byte[]>> record,
      Consumer<Append> whenDone) {
    List<PartitionBreaker> ofTopic = breakers.get(topic);
    if (ofTopic == null || partition >= ofTopic.size()) {
      tell(
          whenDone,
          new Append.Refused(topic + "/" + partition + " is not configured", RETRY_AFTER));
      return;
    }
    PartitionBreaker breaker = ofTopic.get(partition);
    long now = nanoTime.getAsLong();
    if (!breaker.admit(now)) {
      tell(whenDone, new Append.Refused(breaker.reason(), breaker.retryAfter(now)));
      return;
    }
    Send send = new Send(breaker, now, whenDone);
    ProducerRecord<byte[], byte[]> encoded;
    try {
      encoded = record.get();
    } catch (RuntimeException | Error e) {
      send.refuse("the record could not be made");
      throw e;
    }
    try {
      var unused = producer.send(encoded, send);
    } catch (InterruptException e) {
      // Only what comes before the accumulator can be interrupted.
      send.refuse(e.getMessage());
    } catch (RuntimeException e) {
      // The producer is closed or has failed for good. The second it finds out only after the
      // record entered the accumulator, from which a sender that hasn't noticed yet may have taken
      // it; so whether it will be written is open.
      send.leaveOpen(e);
      broken.accept(this, text(e));
    }
    send.returned();
  }

  /** Whether a record for one of these topics, in one partition at least, would be sent now. */
  boolean accepts(Iterable<String> topics) {
    Map<String, List<PartitionBreaker>> served = breakers;
    long now = nanoTime.getAsLong();
    for (String topic : topics) {
      if (served.getOrDefault(topic, List.of()).stream()
              .anyMatch(breaker -> breaker.wouldAdmit(now))
          && knowsNow(topic)) {
        return true;
      }
    }
    return false;
  }

  /** A producer that has lost all its brokers forgets what it knew, and asks for it anew. */
  private boolean knowsNow(String topic) {
    try {
      return knows(topic);
    } catch (IllegalStateException closed) {
      return false;
    }
  }

  /** Whether a record is outstanding for longer than that: the producer has broken its word. */
  boolean isStuck(Duration limit) {
    long now = nanoTime.getAsLong();
    return breakers.values().stream()
        .flatMap(List::stream)
        .anyMatch(breaker -> breaker.isStuck(now, limit));
  }

  /** Whether Kafka has ever acknowledged one of its records. */
  boolean hasWorked() {
    return acknowledged;
  }

  /** Sends what is buffered if it can be done in time; of what is left the outcome is open. */
  void close(Duration limit) {
    producer.close(limit);
  }

  /**
   * Whether the producer stays in its error state. So in kafka-clients 4.4 does one without
   * transactions after these and no others ({@code TransactionManager.maybeTransitionToErrorState},
   * and {@code authenticationFailed} while it asks for a producer id). After a sequence out of
   * order, an unknown producer id or an old epoch it goes on under a new epoch of its own accord.
   */
  private static boolean isFatal(@Nullable Exception e) {
    return e instanceof ProducerFencedException
        || e instanceof ClusterAuthorizationException
        || e instanceof UnsupportedVersionException
        || e instanceof InvalidPidMappingException
        || e instanceof AuthenticationException;
  }

  /** What send() tells of its own error state, which it checks behind the accumulator. */
  private static boolean mayHaveEntered(@Nullable Exception e) {
    return e instanceof ProducerFencedException || e instanceof InvalidProducerEpochException;
  }

  private static String text(@Nullable Exception e) {
    return e == null ? "no reason given" : e.getMessage() == null ? e.toString() : e.getMessage();
  }

  /** Thrown on, an exception would be lost, and an error would end the producer's thread. */
  private static void tell(Consumer<Append> whenDone, Append result) {
    try {
      whenDone.accept(result);
    } catch (RuntimeException | Error e) {
      LOG.error("BUG: {} could not be told; its client gets 504 when its wait ends", result, e);
    }
  }

  /** One send; tells a failure inside the call from one after it. */
  private final class Send implements Callback {

    private static final AtomicIntegerFieldUpdater<Send> ENDED =
        AtomicIntegerFieldUpdater.newUpdater(Send.class, "ended");

    private final PartitionBreaker breaker;
    private final long admittedAt;
    private final Consumer<Append> whenDone;
    private final Thread caller = Thread.currentThread();

    /** Written and read by the caller's thread only; the producer's thread fails the first test. */
    private boolean inside = true;

    /** 1 once its end has been told: a send that throws may be called back as well. */
    private volatile int ended;

    Send(PartitionBreaker breaker, long admittedAt, Consumer<Append> whenDone) {
      this.breaker = breaker;
      this.admittedAt = admittedAt;
      this.whenDone = whenDone;
    }

    @Override
    public void onCompletion(@Nullable RecordMetadata metadata, @Nullable Exception exception) {
      if (exception == null && metadata != null) {
        if (end()) {
          breaker.acknowledged(nanoTime.getAsLong());
          acknowledged = true;
          tell(whenDone, new Append.Acknowledged(metadata.partition(), metadata.offset()));
        }
      } else if (Thread.currentThread() == caller && inside && !mayHaveEntered(exception)) {
        refuse(text(exception));
      } else {
        leaveOpen(exception);
      }
      if (isFatal(exception)) {
        broken.accept(ProducerSession.this, text(exception));
      }
    }

    void refuse(@Nullable String reason) {
      if (end()) {
        breaker.refused(admittedAt);
        tell(whenDone, new Append.Refused(reason, RETRY_AFTER));
      }
    }

    void leaveOpen(@Nullable Exception exception) {
      if (end()) {
        breaker.failed();
        tell(whenDone, new Append.Unknown(text(exception)));
      }
    }

    void returned() {
      inside = false;
    }

    private boolean end() {
      return ended == 0 && ENDED.compareAndSet(this, 0, 1);
    }
  }
}
