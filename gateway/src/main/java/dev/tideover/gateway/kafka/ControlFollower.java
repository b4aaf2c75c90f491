package dev.tideover.gateway.kafka;

import static dev.tideover.gateway.kafka.ControlProbe.PARTITION;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.wire.ControlCodec;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.InstanceReport;
import dev.tideover.wire.WireFormatException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the control topic from its beginning and goes on reading it, through outages and also where
 * it is made anew. Owns the consumer and its thread; what it tells is told there, all else is for
 * any thread.
 *
 * <p>Each second it asks where the topic ends, and when it has got there it knows that it has read
 * all that was written before the question. That is how it tells silence from not hearing.
 */
final class ControlFollower implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(ControlFollower.class);
  private static final Duration POLL = Duration.ofMillis(250);
  private static final Duration POSITION_LIMIT = Duration.ofMillis(500);
  private static final long ASK_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** A transaction takes some milliseconds; one that takes this long has lost its writer. */
  private static final long STALL_NANOS = TimeUnit.SECONDS.toNanos(2);

  /** How long the topic may be missing at the start: another gateway may just be making it. */
  private static final long MISSING_NANOS = TimeUnit.SECONDS.toNanos(5);

  private static final long WARN_NANOS = TimeUnit.MINUTES.toNanos(1);
  private static final int MAX_SERVICES = 10_000;
  private static final int MAX_NAME = 300;

  private final Consumer<byte[], byte[]> consumer;
  private final ControlProbe probe;
  private final ControlTopic.Listener listener;
  private final Runnable onStall;
  private final ControlInstances instances;
  private final Map<String, DesiredState> desired = new ConcurrentHashMap<>();

  /** Services whose last state can't be read. */
  private final Set<String> unreadable = ConcurrentHashMap.newKeySet();

  private final Levels position = new Levels(1, -1, Runnable::run);
  private final CompletableFuture<@Nullable Void> ready = new CompletableFuture<>();
  private final CountDownLatch stopping = new CountDownLatch(1);
  private final Thread thread = new Thread(this::run, "tideover-control-follower");
  private final long started = System.nanoTime();

  /** Which topic is read; null while there is none that may be read. */
  private volatile @Nullable Uuid topic;

  private volatile @Nullable String problem;

  // Of the thread alone.
  private @Nullable Uuid last;
  private @Nullable CompletableFuture<ControlProbe.End> question;
  private long asked = started - ASK_NANOS;
  private @Nullable Target target;
  private long moved = started;
  private long problemLogged = started - WARN_NANOS;
  private long failureLogged = started - WARN_NANOS;
  private long garbageLogged = started - WARN_NANOS;
  private long garbage;

  /** What is reached when all that was written before the question has been read. */
  private record Target(long offset, long asked) {}

  /**
   * Yet to be started.
   *
   * @param onStall is told where a transaction keeps readers from what stands behind it, of which
   *     the writer seems to be gone; again while it does
   */
  ControlFollower(
      Consumer<byte[], byte[]> consumer,
      ControlProbe probe,
      ControlTopic.Listener listener,
      Runnable onStall) {
    this.consumer = consumer;
    this.probe = probe;
    this.listener = new Guarded(listener);
    this.onStall = onStall;
    this.instances = new ControlInstances(this.listener);
    this.thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /** A listener whose mistakes end nothing. */
  private record Guarded(ControlTopic.Listener its) implements ControlTopic.Listener {
    @Override
    public void onDesired(DesiredState state) {
      guard(() -> its.onDesired(state));
    }

    @Override
    public void onReport(InstanceReport report) {
      guard(() -> its.onReport(report));
    }

    @Override
    public void onGone(InstanceReport last, boolean clean) {
      guard(() -> its.onGone(last, clean));
    }

    private static void guard(Runnable call) {
      try {
        call.run();
      } catch (RuntimeException e) {
        LOG.error("BUG: somebody failed to take what the control topic says; it goes on", e);
      }
    }
  }

  CompletionStage<@Nullable Void> ready() {
    return ready;
  }

  @Nullable DesiredState desired(String service) {
    return desired.get(service);
  }

  /** Whether the last record under the service's name could not be read. */
  boolean isUnreadable(String service) {
    return unreadable.contains(service);
  }

  List<ControlTopic.Instance> instances(String service) {
    return instances.of(service, System.nanoTime());
  }

  boolean isFollowing() {
    return thread.isAlive() && instances.isCurrent(System.nanoTime());
  }

  /** Why it can't be followed; null if that isn't known or it is. */
  @Nullable String problem() {
    return problem;
  }

  /** True when all before the end has been read, false if not in time or not of that topic. */
  CompletableFuture<Boolean> passed(ControlProbe.End end, Duration limit) {
    if (!end.topic().equals(topic)) {
      return CompletableFuture.completedFuture(false);
    }
    return position
        .reached(0, end.offset(), limit)
        .thenApply(reached -> reached && end.topic().equals(topic));
  }

  private void run() {
    try {
      while (stopping.getCount() > 0) {
        try {
          runOnce();
        } catch (WakeupException | InterruptException e) {
          // Only close() does that.
        } catch (RuntimeException e) {
          refused(e);
          pause();
        }
      }
    } finally {
      ready.completeExceptionally(
          new KafkaUnavailableException("the control topic was closed before it was read", null));
      consumer.close(KafkaSettings.CONSUMER_CLOSE);
    }
  }

  private void runOnce() {
    if (topic == null) {
      pause();
    } else {
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
        read(record);
      }
      noteThePosition();
    }
    long now = System.nanoTime();
    CompletableFuture<ControlProbe.End> asking = question;
    if (asking == null && now - asked >= ASK_NANOS) {
      asked = now;
      question =
          topic == null
              ? probe.topic().thenCompose(there -> probe.end()).toCompletableFuture()
              : probe.end();
    } else if (asking != null && asking.isDone()) {
      question = null;
      try {
        answered(asking.join());
      } catch (CompletionException e) {
        refused(ControlProbe.cause(e));
      }
    }
    compare(now);
  }

  private void answered(ControlProbe.End end) {
    if (!end.topic().equals(topic)) {
      begin(end.topic());
    }
    if (target == null) {
      target = new Target(end.offset(), asked);
    }
  }

  private void begin(Uuid next) {
    if (last != null && !last.equals(next)) {
      LOG.warn(
          "{} was made anew: what operators wanted of the services is known only to those who have"
              + " read it before. Repeat what still matters, a hold above all",
          DesiredState.TOPIC);
    }
    last = next;
    restart(next);
    consumer.assign(List.of(PARTITION));
    consumer.seekToBeginning(List.of(PARTITION));
    moved = System.nanoTime();
  }

  private void restart(@Nullable Uuid next) {
    // First the level: who sees the topic then doesn't see how far another one had been read.
    position.set(0, -1);
    topic = next;
    target = null;
    instances.restart();
  }

  private void noteThePosition() {
    try {
      long next = consumer.position(PARTITION, POSITION_LIMIT);
      if (next != position.get(0)) {
        moved = System.nanoTime();
        position.set(0, next);
      }
    } catch (TimeoutException e) {
      // Not known yet; the next turn asks again.
    }
  }

  /** How far it has come against how far there was to go. */
  private void compare(long now) {
    Target target = this.target;
    if (target == null) {
      return;
    }
    if (position.get(0) >= target.offset()) {
      this.target = null;
      instances.currentAsOf(target.asked(), now);
      if (problem != null) {
        problem = null;
        LOG.info("{} is followed again", DesiredState.TOPIC);
      }
      ready.complete(null);
    } else if (now - moved > STALL_NANOS && now - target.asked() > STALL_NANOS) {
      moved = now;
      onStall.run();
    }
  }

  /** Nothing that comes from outside ends the following; what won't pass by itself is told. */
  private void refused(Throwable cause) {
    if (cause instanceof AuthorizationException) {
      blocked(
          "this gateway may not read it ("
              + cause.getMessage()
              + "); allow it to read and describe the topic");
    } else if (cause instanceof UnknownTopicOrPartitionException) {
      if (topic != null || System.nanoTime() - started > MISSING_NANOS) {
        blocked("there is no such topic; restart a gateway that may create it, or create it");
      }
    } else if (!(cause instanceof org.apache.kafka.common.errors.RetriableException)
        && System.nanoTime() - failureLogged > WARN_NANOS) {
      failureLogged = System.nanoTime();
      LOG.warn("Can't read {}, will try again: {}", DesiredState.TOPIC, cause.toString());
    }
  }

  private void blocked(String why) {
    if (topic != null) {
      consumer.unsubscribe();
      restart(null);
    }
    long now = System.nanoTime();
    if (!why.equals(problem) || now - problemLogged > WARN_NANOS) {
      problemLogged = now;
      LOG.warn(
          "{} can't be read: {}. Until then holds, rates and releases can't be seen or changed"
              + " here; requests go on as the services' instances last knew it",
          DesiredState.TOPIC,
          why);
    }
    problem = why;
    ready.completeExceptionally(
        new KafkaUnavailableException(DesiredState.TOPIC + " can't be read: " + why, null));
  }

  private void read(ConsumerRecord<byte[], byte[]> record) {
    try {
      ControlCodec.Entry entry = ControlCodec.decode(record);
      if (entry instanceof ControlCodec.Entry.Desired wanted) {
        wanted(wanted.state());
      } else if (entry instanceof ControlCodec.Entry.Report report) {
        instances.reported(report.report(), System.nanoTime());
      } else if (entry instanceof ControlCodec.Entry.Ended ended) {
        instances.ended(ended.key());
      } else {
        garbage(record, "neither a service's name nor an instance's for a key");
      }
    } catch (WireFormatException | RuntimeException e) {
      garbage(record, e.getMessage());
    }
  }

  private void wanted(DesiredState state) {
    unreadable.remove(state.service());
    DesiredState before = desired.get(state.service());
    if (before == null && desired.size() >= MAX_SERVICES) {
      return;
    }
    // After the topic was made anew it may begin with less than was known before.
    if (before == null || before.epoch() < state.epoch()) {
      desired.put(state.service(), state);
      listener.onDesired(state);
    }
  }

  private void garbage(ConsumerRecord<byte[], byte[]> record, @Nullable String why) {
    String key = record.key() == null ? null : new String(record.key(), UTF_8);
    if (key != null
        && key.indexOf('/') < 0
        && key.length() <= MAX_NAME
        && unreadable.size() < MAX_SERVICES) {
      unreadable.add(key);
    }
    garbage++;
    long now = System.nanoTime();
    if (now - garbageLogged > WARN_NANOS) {
      garbageLogged = now;
      LOG.warn(
          "{} has a record that means nothing to this gateway, at offset {}: {}. It is ignored, as"
              + " {} were so far. Does a newer gateway or SDK write to it, or another program?",
          DesiredState.TOPIC,
          record.offset(),
          why,
          garbage);
    }
  }

  private void pause() {
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
