package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.Cancellation;
import dev.tideover.wire.Partitions;
import dev.tideover.wire.RequestCodec;
import dev.tideover.wire.RequestEnvelope;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.jspecify.annotations.Nullable;

/**
 * Appends requests to their topics, and cancellations to those where the services hear of them.
 * Safe for any thread.
 *
 * <p>{@link #append} never waits, so it may be called on an event loop: the producer is told to
 * block for no time ({@code max.block.ms=0}). What {@code KafkaProducer.send} can wait for, a
 * topic's metadata and room in its buffer, then fails inside the call, before the record entered
 * the accumulator. That, and what was turned away before the producer by a {@link PartitionBreaker}
 * or because there is none, is {@link Append.Refused}. From the moment a record is in the
 * accumulator any error leaves open whether it was written, {@link Append.Unknown}.
 */
public final class RequestLog implements AutoCloseable {

  private static final Duration METADATA_LIMIT = Duration.ofSeconds(15);
  private static final Duration RETRY_AFTER = Duration.ofSeconds(1);

  private static final Append.Refused NO_PRODUCER =
      new Append.Refused("the Kafka producer has failed and is being replaced", RETRY_AFTER);

  private static final Append.Refused CLOSED =
      new Append.Refused("the gateway is stopping", RETRY_AFTER);

  private static final int MAX_CANCELLING = 1_000;
  private static final Duration CANCEL_LIMIT = Duration.ofSeconds(5);
  private static final Executor SOON =
      CompletableFuture.delayedExecutor(100, TimeUnit.MILLISECONDS, Runnable::run);

  private final ProducerKeeper producer;
  private final LongSupplier nanoTime;
  private final Semaphore cancelling = new Semaphore(MAX_CANCELLING);

  /** Whose bodies the producer is large enough for; changed by {@link #update} only. */
  private final AtomicReference<GatewayConfig> sized;

  /** Those of the configuration; changed by {@link #update} only. */
  private volatile ProducerKeeper.Topics topics;

  private RequestLog(
      ProducerKeeper producer,
      AtomicReference<GatewayConfig> sized,
      ProducerKeeper.Topics topics,
      LongSupplier nanoTime) {
    this.producer = producer;
    this.sized = sized;
    this.topics = topics;
    this.nanoTime = nanoTime;
  }

  /**
   * Starts the producer and blocks until it knows all request topics, 15 s at most.
   *
   * @throws KafkaUnavailableException if it doesn't get to know them
   */
  public static RequestLog start(GatewayConfig config) {
    return start(
        config,
        sized -> KafkaSettings.client(() -> new KafkaProducer<>(KafkaSettings.producer(sized))),
        KafkaSettings.client(() -> KafkaSettings.longestDelivery(KafkaSettings.producer(config))),
        System::nanoTime);
  }

  /** The same with producers of a test's own, each for a configuration. */
  static RequestLog start(
      GatewayConfig config,
      Function<GatewayConfig, Producer<byte[], byte[]>> producers,
      Duration longestDelivery,
      LongSupplier nanoTime) {
    AtomicReference<GatewayConfig> sized = new AtomicReference<>(config);
    ProducerKeeper.Topics topics = topics(config);
    ProducerKeeper keeper =
        ProducerKeeper.start(
            () -> producers.apply(Objects.requireNonNull(sized.get())),
            topics,
            longestDelivery,
            METADATA_LIMIT,
            nanoTime);
    return new RequestLog(keeper, sized, topics, nanoTime);
  }

  private static ProducerKeeper.Topics topics(GatewayConfig config) {
    Map<String, Integer> partitions = new HashMap<>();
    for (GatewayConfig.Service service : config.services().values()) {
      partitions.put(service.requestTopic(), service.topic().partitions());
      partitions.put(service.ledgerTopic(), service.topic().partitions());
      partitions.put(service.membersTopic(), 1);
    }
    // The others are the SDK's. They may be missing, and are asked for when they are written to.
    List<String> required =
        config.services().values().stream().map(GatewayConfig.Service::requestTopic).toList();
    return new ProducerKeeper.Topics(partitions, required);
  }

  /**
   * Takes requests for the services of this configuration from now on, and still for those of the
   * one before, since requests that came in under that may be under way. Where a route takes larger
   * bodies than any did, a new producer takes over. How Kafka is reached is not changed by this.
   * Blocks until the new topics are known, 15 s at most.
   *
   * @throws KafkaUnavailableException if they don't get known; then nothing has changed
   */
  public synchronized void update(GatewayConfig config) {
    ProducerKeeper.Topics next = topics(config);
    Map<String, Integer> both = new HashMap<>(topics.partitions());
    both.putAll(next.partitions());
    ProducerKeeper.Topics served = new ProducerKeeper.Topics(both, next.required());
    GatewayConfig before = Objects.requireNonNull(sized.get());
    if (KafkaSettings.largestBody(config) <= KafkaSettings.largestBody(before)) {
      producer.serve(served, METADATA_LIMIT);
    } else {
      sized.set(config);
      try {
        producer.renew(served, METADATA_LIMIT);
      } catch (RuntimeException e) {
        sized.set(before);
        throw e;
      }
    }
    topics = next;
  }

  /**
   * Appends a request to the partition of its key.
   *
   * @param whenDone called exactly once: with {@code Refused} before this method returns, otherwise
   *     mostly on the producer's thread, where it must not wait. One exception: if that thread has
   *     died, what it had is never told
   */
  public void append(
      RequestEnvelope request, String topic, int partitions, Consumer<Append> whenDone) {
    int partition = Partitions.of(request.recordKey(), partitions);
    send(topic, partition, () -> RequestCodec.encode(request, topic, partition), whenDone);
  }

  private void send(
      String topic,
      int partition,
      Supplier<ProducerRecord<byte[], byte[]>> record,
      Consumer<Append> whenDone) {
    ProducerSession session = producer.current();
    if (session == null) {
      whenDone.accept(producer.isClosed() ? CLOSED : NO_PRODUCER);
    } else {
      session.send(topic, partition, record, whenDone);
    }
  }

  /**
   * Writes a cancellation into the service's ledger and then, for the instances that run, into its
   * members topic. Writing it again does no harm. Never blocks.
   *
   * @return done, mostly on the producer's thread, when both are durable; fails with a {@link
   *     KafkaUnavailableException} that says how far it came
   */
  public CompletionStage<@Nullable Void> cancel(
      GatewayConfig.Service service, Cancellation cancellation) {
    CompletableFuture<@Nullable Void> done = new CompletableFuture<>();
    if (!cancelling.tryAcquire()) {
      done.completeExceptionally(
          new KafkaUnavailableException(
              MAX_CANCELLING + " cancellations are under way already; try again in a second",
              null));
      return done;
    }
    long deadline = nanoTime.getAsLong() + CANCEL_LIMIT.toNanos();
    write(
        service.ledgerTopic(),
        cancellation.partition(),
        cancellation::toLedger,
        deadline,
        problem -> end(done, "the cancellation " + problem),
        () ->
            write(
                service.membersTopic(),
                0,
                cancellation::toMembers,
                deadline,
                problem ->
                    end(
                        done,
                        "the cancellation is stored, so it holds when another instance takes the"
                            + " partition over; but the notice to those that run now "
                            + problem),
                () -> end(done, null)));
    return done;
  }

  private void end(CompletableFuture<@Nullable Void> done, @Nullable String problem) {
    cancelling.release();
    if (problem == null) {
      done.complete(null);
    } else {
      done.completeExceptionally(new KafkaUnavailableException(problem + "; try again", null));
    }
  }

  /** One record; tried again while nothing of it entered the producer and there is time. */
  private void write(
      String topic,
      int partition,
      Function<String, ProducerRecord<byte[], byte[]>> record,
      long deadline,
      Consumer<String> whenFailed,
      Runnable whenDone) {
    send(
        topic,
        partition,
        () -> record.apply(topic),
        result -> {
          if (result instanceof Append.Acknowledged) {
            whenDone.run();
          } else if (result instanceof Append.Unknown unknown) {
            whenFailed.accept(
                "was sent to " + topic + " and not acknowledged (" + unknown.reason() + ")");
          } else if (result instanceof Append.Refused refused) {
            if (producer.isClosed() || nanoTime.getAsLong() - deadline >= 0) {
              whenFailed.accept("can't be written to " + topic + " (" + refused.reason() + ")");
            } else {
              SOON.execute(() -> write(topic, partition, record, deadline, whenFailed, whenDone));
            }
          }
        });
  }

  /**
   * Whether a request that comes now would be handed to Kafka, in one partition at least. False
   * while there is no producer or it knows no broker, and while every partition's breaker refuses:
   * but not when one would let a probe through, since without requests nothing would be probed.
   * Never blocks.
   */
  public boolean isAccepting() {
    ProducerSession session = producer.current();
    return session != null && session.accepts(topics.required());
  }

  /** Sends what is buffered, waits for it 10 s at most, and closes. */
  @Override
  public void close() {
    producer.close();
  }
}
