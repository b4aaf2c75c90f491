package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ControlTopic.Written;
import dev.tideover.wire.ControlCodec;
import dev.tideover.wire.DesiredState;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes desired states, each only if the one before it is still the last. Owns the thread that
 * does so, one write after the other; safe for any thread.
 *
 * <p>Each write is a transaction of a new producer, and all gateways' producers have one
 * transactional id. Beginning ends the transaction of whoever wrote before, one way or the other,
 * and nothing of that producer is taken any more. Then all that was written is read. So between
 * that look and the commit nobody can have written: who tries begins, which fences this one, and
 * its commit fails. What was aborted is never read, so what is read is one history, and it stays so
 * when the topic is compacted. (To look first whether a record came too late would not do:
 * compaction keeps the last.)
 *
 * <p>After any failure it begins again: that settles what became of the last try, and the look
 * tells it.
 */
final class ControlWriter implements AutoCloseable {

  /** Of all gateways that write to the topic. */
  static final String TRANSACTIONAL_ID = "tideover-control";

  /** A write has ended then, from its call on. */
  static final Duration LIMIT = Duration.ofSeconds(10);

  private static final Logger LOG = LoggerFactory.getLogger(ControlWriter.class);

  /** Of the limit, so that the last call has ended too. */
  private static final long WORK_NANOS = TimeUnit.SECONDS.toNanos(9);

  private static final Duration TRANSACTION_LIMIT = Duration.ofSeconds(10);
  private static final Duration CALL_LIMIT = Duration.ofSeconds(4);
  private static final Duration READ_LIMIT = Duration.ofSeconds(3);
  private static final int MAX_WAITING = 64;

  /** What a test does at the moment that matters. */
  interface Seam {
    /** Nothing. */
    Seam NONE = next -> {};

    /** A write has looked, and will be sent now. */
    void beforeSend(DesiredState next);
  }

  private final Function<Duration, Producer<byte[], byte[]>> producers;
  private final ControlProbe probe;
  private final ControlFollower follower;
  private final Seam seam;
  private final ThreadPoolExecutor executor =
      new ThreadPoolExecutor(
          1,
          1,
          10,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(MAX_WAITING),
          task -> {
            Thread thread = new Thread(task, "tideover-control-writer");
            thread.setDaemon(true);
            return thread;
          });

  /** What is being written, and whether it has been read. */
  private volatile @Nullable DesiredState awaited;

  private volatile boolean stands;

  /** This try has come to nothing; the next may do better. */
  private static final class NotNow extends Exception {
    private static final long serialVersionUID = 1L;

    NotNow(String why) {
      super(why);
    }
  }

  ControlWriter(GatewayConfig config, ControlProbe probe, ControlFollower follower, Seam seam) {
    this.producers =
        limit ->
            new KafkaProducer<>(
                KafkaSettings.controlWriter(config, TRANSACTIONAL_ID, TRANSACTION_LIMIT, limit));
    this.probe = probe;
    this.follower = follower;
    this.seam = seam;
    executor.allowCoreThreadTimeOut(true);
  }

  /** See {@link ControlTopic#write}. */
  CompletionStage<Written> write(DesiredState next) {
    CompletableFuture<Written> result = new CompletableFuture<>();
    long deadline = System.nanoTime() + WORK_NANOS;
    try {
      executor.execute(() -> result.complete(write(next, deadline)));
    } catch (RejectedExecutionException e) {
      return CompletableFuture.completedFuture(
          new Written.Unknown(
              executor.isShutdown()
                  ? "not written: this gateway is stopping"
                  : "not written: " + MAX_WAITING + " others wait to be written here"));
    }
    return result.completeOnTimeout(
        new Written.Unknown("Kafka has not answered within " + LIMIT.toSeconds() + " s"),
        LIMIT.toMillis(),
        TimeUnit.MILLISECONDS);
  }

  /** Ends the transaction of a writer that is gone, since until then nobody reads on. */
  void endOpenTransaction() {
    try {
      executor.execute(
          () -> {
            try {
              begin(CALL_LIMIT).close(Duration.ZERO);
              LOG.info("Ended the transaction of a gateway that is gone, so that all read on");
            } catch (RuntimeException e) {
              LOG.warn("Can't end an open transaction in {}: {}", DesiredState.TOPIC, text(e));
            }
          });
    } catch (RejectedExecutionException e) {
      // Each of those that wait begins with just that.
    }
  }

  private Written write(DesiredState next, long deadline) {
    stands = false;
    awaited = next;
    String why = "not written: other writes took too long";
    try {
      for (int round = 1; deadline - System.nanoTime() > 0; round++) {
        try {
          Written written = told(next);
          String problem = follower.problem();
          if (written == null && problem != null) {
            return new Written.Unknown(
                "not written: " + DesiredState.TOPIC + " can't be read: " + problem);
          }
          return written == null ? tryOnce(next, deadline) : written;
        } catch (NotNow e) {
          why = String.valueOf(e.getMessage());
        } catch (KafkaException e) {
          if (e instanceof InterruptException) {
            return new Written.Unknown("this gateway is stopping");
          }
          AuthorizationException refusal = cause(e, AuthorizationException.class);
          if (refusal != null) {
            return new Written.Unknown(notAllowed(refusal));
          }
          why = isFenced(e) ? "other gateways write all the time" : text(e) + hint(e);
        }
        pause(Math.min(500, 20L << Math.min(round, 5)));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Written.Unknown("this gateway is stopping");
    } catch (RuntimeException e) {
      LOG.error("BUG: a state of {} could not be written", next.service(), e);
      return new Written.Unknown("an error of this gateway, which its log has");
    } finally {
      awaited = null;
    }
    return new Written.Unknown(why);
  }

  /** What has been read may tell already, since epochs only rise; null if it doesn't. */
  private @Nullable Written told(DesiredState next) {
    DesiredState last = follower.desired(next.service());
    // Also an earlier try that had come through, whatever was written after it.
    if (stands || next.equals(last)) {
      return new Written.Done(next);
    }
    return last != null && last.epoch() >= next.epoch() ? new Written.Conflict(last) : null;
  }

  private Written tryOnce(DesiredState next, long deadline) throws NotNow, InterruptedException {
    Producer<byte[], byte[]> producer = begin(atMost(CALL_LIMIT, deadline));
    try {
      ControlProbe.End end = catchUp(deadline);
      Written told = told(next);
      if (told != null) {
        return told;
      }
      DesiredState last = follower.desired(next.service());
      if (last != null && last.epoch() != next.epoch() - 1) {
        return new Written.Conflict(last);
      }
      if (follower.isUnreadable(next.service())) {
        return new Written.Unknown(
            "not written: the last state of the service can't be read by this gateway; was it"
                + " written by a newer one?");
      }
      seam.beforeSend(next);
      producer.beginTransaction();
      Future<RecordMetadata> sent = producer.send(ControlCodec.encode(next));
      producer.commitTransaction();
      // Whoever is told that it stands should also see it here; a moment is all that takes.
      long offset = get(sent, deadline).offset();
      boolean passed =
          get(
              follower.passed(
                  new ControlProbe.End(end.topic(), offset + 1), atMost(READ_LIMIT, deadline)),
              deadline);
      if (passed && told(next) == null) {
        throw new NotNow("Kafka has committed it, but it is not there");
      }
      return new Written.Done(next);
    } finally {
      producer.close(Duration.ZERO);
    }
  }

  /** From here on nothing is taken any more of those who began before, and theirs is settled. */
  private Producer<byte[], byte[]> begin(Duration limit) {
    Producer<byte[], byte[]> producer = producers.apply(limit);
    try {
      producer.initTransactions();
      return producer;
    } catch (RuntimeException e) {
      producer.close(Duration.ZERO);
      throw e;
    }
  }

  /** Until all has been read that there is. */
  private ControlProbe.End catchUp(long deadline) throws NotNow, InterruptedException {
    ControlProbe.End end = get(probe.end(), deadline);
    if (!get(follower.passed(end, atMost(READ_LIMIT, deadline)), deadline)) {
      throw new NotNow(
          "not written: " + DesiredState.TOPIC + " could not be read to its end in time");
    }
    return end;
  }

  private static <T> T get(Future<T> future, long deadline) throws NotNow, InterruptedException {
    try {
      return future.get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      throw new NotNow("Kafka did not answer in time");
    } catch (ExecutionException e) {
      if (e.getCause() instanceof KafkaException cause) {
        throw cause;
      }
      throw new NotNow(String.valueOf(e.getCause()));
    }
  }

  private static Duration atMost(Duration limit, long deadline) {
    Duration left = Duration.ofNanos(Math.max(1_000_000, deadline - System.nanoTime()));
    return left.compareTo(limit) < 0 ? left : limit;
  }

  private static boolean isFenced(KafkaException e) {
    return cause(e, ProducerFencedException.class) != null
        || cause(e, InvalidProducerEpochException.class) != null;
  }

  /** The client wraps what has gone wrong where it is told of it by a later call. */
  private static <T> @Nullable T cause(Throwable e, Class<T> type) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (type.isInstance(cause)) {
        return type.cast(cause);
      }
    }
    return null;
  }

  private static String text(Throwable e) {
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }

  /** What keeps a transaction from beginning is Kafka's outage, or that it can't keep any. */
  private static String hint(KafkaException e) {
    return e instanceof org.apache.kafka.common.errors.TimeoutException
        ? "; look whether Kafka runs, and whether its transaction.state.log.replication.factor is"
            + " more than it has brokers, since each change here is a transaction"
        : "";
  }

  private static String notAllowed(AuthorizationException e) {
    return "not written: Kafka refuses it ("
        + text(e)
        + "); allow this gateway to WRITE and DESCRIBE the transactional id "
        + TRANSACTIONAL_ID
        + ", and to READ, WRITE and DESCRIBE the topic "
        + DesiredState.TOPIC;
  }

  /** Two that fence each other must not do so in step. */
  private void pause(long mostMillis) throws InterruptedException {
    TimeUnit.MILLISECONDS.sleep(ThreadLocalRandom.current().nextLong(mostMillis));
  }

  /** A state has been read; on the follower's thread. */
  void wasRead(DesiredState state) {
    if (state.equals(awaited)) {
      stands = true;
    }
  }

  /** What is being written may be written or not; what waits is not. */
  @Override
  public void close() {
    executor.shutdownNow();
    try {
      var unused = executor.awaitTermination(5, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
