package dev.tideover.sdk.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.wire.ControlCodec;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.WireFormatException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows what operators want of the service in {@link DesiredState#TOPIC}, from its beginning, and
 * has the {@link InstanceReporter} write there what this instance does. Owns the thread and the
 * consumer for it.
 *
 * <p>It never concludes anything by itself: while the topic can't be read, or says what it can't
 * understand, the last state stands. Of two states the one with the higher epoch counts, wherever
 * they stand in the log.
 */
final class ControlFollower implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(ControlFollower.class);

  /** A state that is written is answered at once; this is only for how long nothing comes. */
  private static final int FETCH_WAIT = 500;

  private static final Duration FIRST_POLL = Duration.ofMillis(20);
  private static final long RETRY_PAUSE = TimeUnit.MILLISECONDS.toNanos(500);

  /** Longer, since Kafka's client complains in the log each time. */
  private static final long REFUSED_PAUSE = TimeUnit.SECONDS.toNanos(5);

  private static final long PAUSE_STEP = TimeUnit.MILLISECONDS.toNanos(100);
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);
  private static final Duration END_TIMEOUT = Duration.ofSeconds(5);

  private final Settings settings;
  private final byte[] key;
  private final InstanceReporter reporter;
  private final Runnable onChange;
  private final TopicPartition topic = new TopicPartition(DesiredState.TOPIC, 0);
  private final KafkaConsumer<byte[], byte[]> reader;
  private final Thread thread;
  private final CountDownLatch stop = new CountDownLatch(1);

  /** Done when all that was there at the start is read, or can't be. */
  private final CompletableFuture<Void> known = new CompletableFuture<>();

  private final Occasionally maySayFailed = new Occasionally(Duration.ofSeconds(30));
  private final Occasionally maySayUnreadable = new Occasionally(Duration.ofSeconds(30));

  private volatile @Nullable DesiredState desired;

  /** Why it couldn't be read the last time that it was tried; for people. */
  private volatile String trouble = "no answer";

  /** For the thread only: where the log ended when it was first asked; -1 before. */
  private long end = -1;

  /** For the thread only: not to be read before, since it has failed. */
  private long pauseUntil = System.nanoTime();

  private ControlFollower(Settings settings, InstanceReporter reporter, Runnable onChange) {
    this.settings = settings;
    this.key = settings.service().getBytes(UTF_8);
    this.reporter = reporter;
    this.onChange = onChange;
    Map<String, Object> config =
        ClientProperties.reader(settings, "control", "earliest", FETCH_WAIT);
    // What a gateway wrote that lost against another one was never wanted.
    config.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
    this.reader = ClientProperties.client(() -> new KafkaConsumer<>(config));
    this.thread = new Thread(this::run, "tideover-" + settings.service() + "-control");
    thread.setDaemon(true);
  }

  /**
   * Begins to read.
   *
   * @param reporter is made to write on the thread of this object, which wakes for its news
   * @param onChange told, on the thread of this object, when {@link #desired} has changed; must not
   *     block or throw
   * @throws IllegalArgumentException if Kafka's client doesn't take its settings
   */
  static ControlFollower start(Settings settings, InstanceReporter reporter, Runnable onChange) {
    ControlFollower follower = new ControlFollower(settings, reporter, onChange);
    reporter.wakeBy(follower.reader::wakeup);
    follower.thread.start();
    return follower;
  }

  /**
   * Waits until it is known what was wanted at the start, so that nothing is begun which shouldn't
   * be. Where Kafka refuses to let the topic be read it returns too: that is said in the log, and
   * done without.
   *
   * @throws IllegalStateException if it isn't known in time
   */
  void awaitKnown(Duration timeout) throws InterruptedException {
    try {
      known.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException | ExecutionException unknown) {
      throw new IllegalStateException(
          "topic "
              + DesiredState.TOPIC
              + " couldn't be read within "
              + settings.startTimeout()
              + " ("
              + trouble
              + "). It says whether this version is to handle requests, so nothing is begun without"
              + " it. See that the brokers that have the topic run, and start this instance again.",
          unknown);
    }
  }

  /** What operators want, as far as it is known; null for nothing. Any thread. */
  @Nullable DesiredState desired() {
    return desired;
  }

  private void run() {
    try {
      reader.assign(List.of(topic));
      reader.seekToBeginning(List.of(topic));
      while (stop.getCount() > 0) {
        Duration wait = reporter.tick(System.nanoTime());
        follow(wait);
      }
    } catch (InterruptedException | InterruptException closing) {
      log.trace("The control thread ends");
    } catch (Throwable broken) {
      trouble = broken.toString();
      known.completeExceptionally(broken);
      log.error(
          "The thread that follows {} has broken down. This instance stays as it is now, whatever"
              + " operators want, and gateways take it for gone; restart it.",
          topic.topic(),
          broken);
    } finally {
      // An interrupt has done what it was for; it would cut the closing short.
      Thread.interrupted();
      reporter.end();
      reader.close(CloseOptions.timeout(CLOSE_TIMEOUT));
    }
  }

  private void follow(Duration wait) throws InterruptedException {
    long pause = pauseUntil - System.nanoTime();
    if (pause > 0) {
      // In short steps, since what there is to report mustn't wait for it.
      long step = Math.min(Math.min(pause, wait.toNanos()), PAUSE_STEP);
      if (stop.await(step, TimeUnit.NANOSECONDS)) {
        log.trace("Told to stop");
      }
      return;
    }
    try {
      if (!known.isDone() && isAtEnd()) {
        known.complete(null); // before the poll: with nothing to come it would take its time
      }
      for (ConsumerRecord<byte[], byte[]> record :
          reader.poll(known.isDone() ? wait : FIRST_POLL)) {
        take(record);
      }
    } catch (WakeupException news) {
      log.trace("There is something to report");
    } catch (InterruptException closing) {
      throw closing;
    } catch (AuthorizationException refused) {
      if (maySayFailed.now()) {
        log.warn(
            "{} may not read {}: {}. It goes by what it knows of the wishes of operators ({}), and"
                + " takes part in no release. Allow READ on the topic.",
            settings.by(),
            topic.topic(),
            refused.getMessage(),
            describe());
      }
      known.complete(null);
      pauseUntil = System.nanoTime() + REFUSED_PAUSE;
    } catch (KafkaException failure) {
      trouble = failure.toString();
      if (known.isDone() && maySayFailed.now()) {
        log.warn(
            "Can't read {}: {}. This instance goes by what it knows of the wishes of operators"
                + " ({}); it is tried again for as long as it runs.",
            topic.topic(),
            failure.toString(),
            describe());
      }
      pauseUntil = System.nanoTime() + RETRY_PAUSE;
    }
  }

  /** Whether all that was there when it was first asked is read. */
  private boolean isAtEnd() {
    if (end < 0) {
      end = Objects.requireNonNull(reader.endOffsets(List.of(topic)).get(topic));
    }
    return reader.position(topic) >= end;
  }

  /** Most records are reports of instances, by which only gateways go. */
  private void take(ConsumerRecord<byte[], byte[]> record) {
    if (!Arrays.equals(record.key(), key)) {
      return;
    }
    try {
      if (ControlCodec.decode(record) instanceof ControlCodec.Entry.Desired entry) {
        take(entry.state());
      }
    } catch (WireFormatException unreadable) {
      if (maySayUnreadable.now()) {
        log.error(
            "Record {} of {} says what this SDK doesn't understand: {}. This instance goes by what"
                + " it knows of the wishes of operators ({}). Gateways and services are to be of"
                + " versions that know each other.",
            record.offset(),
            topic.topic(),
            unreadable.getMessage(),
            describe());
      }
    }
  }

  private void take(DesiredState state) {
    DesiredState before = desired;
    if (before == null || state.epoch() > before.epoch()) {
      desired = state;
      onChange.run();
    }
  }

  private String describe() {
    DesiredState state = desired;
    return state == null ? "nothing" : "epoch " + state.epoch();
  }

  /** Has the last report written and ends, at most about 5 s. Before the producer is closed. */
  @Override
  public void close() {
    stop.countDown();
    reader.wakeup();
    try {
      thread.join(END_TIMEOUT.toMillis());
      if (thread.isAlive()) {
        thread.interrupt();
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
