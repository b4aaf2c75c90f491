package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.Partitions;
import dev.tideover.wire.RequestCodec;
import dev.tideover.wire.RequestEnvelope;
import java.time.Duration;
import java.util.Collection;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.jspecify.annotations.Nullable;

/**
 * Appends requests to their topics. Owns the one idempotent producer. Safe for any thread.
 *
 * <p>{@link #append} never waits, so it may be called on an event loop: the producer is told to
 * block for no time ({@code max.block.ms=0}). What {@code KafkaProducer.send} can wait for, a
 * topic's metadata and room in its buffer, then fails inside the call, before the record entered
 * the accumulator. That, and only that, is {@link Append.Refused}. From the moment it is in the
 * accumulator any error leaves open whether it was written, {@link Append.Unknown}.
 */
public final class RequestLog implements AutoCloseable {

  private static final Duration METADATA_LIMIT = Duration.ofSeconds(15);

  private final Producer<byte[], byte[]> producer;

  RequestLog(Producer<byte[], byte[]> producer) {
    this.producer = producer;
  }

  /**
   * Starts the producer and blocks until it knows all request topics, 15 s at most.
   *
   * @throws KafkaUnavailableException if it doesn't get to know them
   */
  public static RequestLog start(GatewayConfig config) {
    RequestLog log =
        new RequestLog(
            KafkaSettings.client(() -> new KafkaProducer<>(KafkaSettings.producer(config))));
    try {
      log.update(config);
      return log;
    } catch (RuntimeException e) {
      log.close();
      throw e;
    }
  }

  /**
   * Blocks until the producer knows the request topics of a configuration, 15 s at most.
   *
   * @throws KafkaUnavailableException if it doesn't get to know them
   */
  public void update(GatewayConfig config) {
    learn(config.services().values().stream().map(GatewayConfig.Service::requestTopic).toList());
  }

  private void learn(Collection<String> topics) {
    long start = System.nanoTime();
    for (String topic : topics) {
      while (true) {
        try {
          producer.partitionsFor(topic);
          break;
        } catch (KafkaException e) {
          if (System.nanoTime() - start > METADATA_LIMIT.toNanos()) {
            throw new KafkaUnavailableException(
                "topic " + topic + ": no broker told its partitions within 15 s", e);
          }
          pauseBriefly();
        }
      }
    }
  }

  /** The call above asked for the metadata; nothing tells when they have come. */
  private static void pauseBriefly() {
    try {
      TimeUnit.MILLISECONDS.sleep(5);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new KafkaUnavailableException("interrupted while starting", e);
    }
  }

  /**
   * Appends a request to the partition of its key.
   *
   * @param whenDone called exactly once: with {@code Refused} before this method returns, otherwise
   *     on the producer's thread, where it must not wait
   */
  public void append(
      RequestEnvelope request, String topic, int partitions, Consumer<Append> whenDone) {
    int partition = Partitions.of(request.recordKey(), partitions);
    Send send = new Send(whenDone);
    try {
      var unused = producer.send(RequestCodec.encode(request, topic, partition), send);
    } catch (KafkaException | IllegalStateException e) {
      // Thrown by send itself: closed, or fenced by an earlier fatal error. Nothing entered.
      send.refuse(e);
    }
    send.returned();
  }

  /** Sends what is buffered, waits for it 10 s at most, and closes. */
  @Override
  public void close() {
    producer.close(Duration.ofSeconds(10));
  }

  /** One send; tells a failure inside the call from one after it. */
  private static final class Send implements Callback {

    private final Consumer<Append> whenDone;
    private final Thread caller = Thread.currentThread();

    /** Written and read by the caller's thread only; the producer's thread fails the first test. */
    private boolean inside = true;

    private boolean refused;

    Send(Consumer<Append> whenDone) {
      this.whenDone = whenDone;
    }

    @Override
    public void onCompletion(@Nullable RecordMetadata metadata, @Nullable Exception exception) {
      if (exception == null && metadata != null) {
        whenDone.accept(new Append.Acknowledged(metadata.partition(), metadata.offset()));
      } else if (Thread.currentThread() == caller && inside) {
        refuse(exception);
      } else {
        whenDone.accept(new Append.Unknown(text(exception)));
      }
    }

    void refuse(@Nullable Exception exception) {
      if (!refused) {
        refused = true;
        whenDone.accept(new Append.Refused(text(exception)));
      }
    }

    void returned() {
      inside = false;
    }

    private static @Nullable String text(@Nullable Exception exception) {
      return exception == null ? null : exception.getMessage();
    }
  }
}
