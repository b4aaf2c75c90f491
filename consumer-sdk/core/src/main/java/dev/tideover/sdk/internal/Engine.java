package dev.tideover.sdk.internal;

import dev.tideover.sdk.ConsumerState;
import dev.tideover.sdk.HeadOfLine;
import dev.tideover.sdk.TideoverConsumer;
import dev.tideover.sdk.internal.core.Core;
import dev.tideover.wire.Cancellation;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A consumer's life: builds the parts, runs the owner thread from start to end, and is what the
 * user holds. What users see is guarded by this object's monitor, under which nothing blocks and
 * nothing foreign is called.
 */
public final class Engine implements TideoverConsumer {

  private static final Logger log = LoggerFactory.getLogger(Engine.class);

  /** What an end takes beyond the drain timeout: commit, leave, flush, end the threads. */
  private static final Duration CLOSE_MARGIN = Duration.ofSeconds(20);

  private static final Duration RELEASE_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration HEAR_TIMEOUT = Duration.ofSeconds(2);
  private static final Duration EVENTS_TIMEOUT = Duration.ofSeconds(2);
  private static final Duration WORKERS_TIMEOUT = Duration.ofSeconds(2);

  private final Settings settings;
  private final CompletableFuture<Void> started = new CompletableFuture<>();
  private final CountDownLatch stop = new CountDownLatch(1);
  private final Meters meters;
  private final Events events;
  private final Thread owner;
  private final Occasionally maySayNotCancelled = new Occasionally(Duration.ofSeconds(10));

  /** The parts that other threads call; set by the owner thread before {@link #started}. */
  private volatile @Nullable Mailbox mailbox;

  private volatile @Nullable Handling handling;

  /** This run of this instance, as against others of the same name. */
  private final String incarnation = UUID.randomUUID().toString();

  private ConsumerState state = ConsumerState.STARTING;
  private @Nullable Throwable failure;
  private Set<Integer> partitions = Set.of();
  private Set<Integer> stopped = Set.of();

  private Engine(Settings settings) {
    this.settings = settings;
    this.meters = new Meters(settings.meters(), settings.service(), settings.version());
    this.events =
        new Events(
            settings.listener(), "tideover-" + settings.service() + "-events", EVENTS_TIMEOUT);
    // Not a daemon: a service that does nothing but handle requests may return from main().
    this.owner = new Thread(this::run, "tideover-" + settings.service() + "-owner");
  }

  /**
   * Starts a consumer; see {@link dev.tideover.sdk.ConsumerBuilder#start}.
   *
   * @throws IllegalStateException if Kafka or a topic isn't there
   * @throws IllegalArgumentException if Kafka's clients refuse a setting
   */
  public static TideoverConsumer start(Settings settings) {
    Engine engine = new Engine(settings);
    engine.owner.start();
    try {
      Duration bound = settings.startTimeout().plus(CLOSE_MARGIN);
      engine.started.get(bound.toMillis(), TimeUnit.MILLISECONDS);
      return engine;
    } catch (ExecutionException refused) {
      Throwable cause = refused.getCause();
      if (cause instanceof IllegalArgumentException setting) {
        throw setting;
      }
      throw new IllegalStateException(cause == null ? null : cause.getMessage(), cause);
    } catch (TimeoutException hangs) {
      engine.stop.countDown();
      throw new IllegalStateException(
          "the consumer didn't start within " + settings.startTimeout() + " and is given up",
          hangs);
    } catch (InterruptedException interrupted) {
      engine.stop.countDown();
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the consumer was starting", interrupted);
    }
  }

  /** The owner thread, from start to end. The try blocks nest as the parts do. */
  private void run() {
    try {
      ServiceTopics.Usable topics = ServiceTopics.ensure(settings, System::nanoTime, stop);
      GroupMember member = GroupMember.create(settings, System::nanoTime, stop);
      try {
        Workers workers = new Workers(settings);
        try (ReplySender sender = new ReplySender(ClientProperties.producer(settings))) {
          sender.prepare(settings.replyTopics(), settings.deadTopic());
          runWith(topics, member, workers, sender);
        } finally {
          workers.close(WORKERS_TIMEOUT);
        }
      } finally {
        member.leave(false); // a second time, if all went well, which does nothing
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      broken(new IllegalStateException("somebody interrupted the owner thread", interrupted));
    } catch (Throwable any) {
      broken(any);
    }
    ended();
    meters.close();
    events.close();
  }

  private void runWith(
      ServiceTopics.Usable topics, GroupMember member, Workers workers, ReplySender sender)
      throws InterruptedException {
    Mailbox box = new Mailbox(member::wakeup);
    mailbox = box;
    try (Members members =
            topics.members()
                ? Members.start(
                    settings,
                    incarnation,
                    sender::sendHeartbeat,
                    cancellation -> cancel(box, cancellation),
                    this::hasNothing)
                : null;
        Adopter adopter =
            Adopter.start(
                settings,
                topics.ledger(),
                settings.idempotencyWindow(),
                System::currentTimeMillis,
                () -> awaitListening(members),
                () -> alive(members),
                (was, is) -> box.stopAll(recreated(was, is)));
        LedgerWriter ledger = LedgerWriter.start(settings, sender, box)) {
      Assembly parts =
          new Assembly(
              settings,
              incarnation,
              member,
              workers,
              sender,
              ledger,
              box,
              adopting(adopter, box),
              topics.ledger(),
              meters,
              events,
              InstantSource.system(),
              System::nanoTime,
              () -> stop.getCount() == 0,
              this::onPartitions,
              this::fail);
      handling = parts.handling;
      parts.loop.join(() -> members != null && members.releaseName(RELEASE_TIMEOUT));
      started.complete(null);
      runAndDrain(parts.loop, members);
    }
  }

  private synchronized boolean hasNothing() {
    return partitions.isEmpty();
  }

  /** On the members' thread. */
  private void cancel(Mailbox box, Cancellation cancellation) {
    TopicPartition partition =
        new TopicPartition(settings.requestTopic(), cancellation.partition());
    boolean told = box.cancel(partition, cancellation.offset(), cancellation.id().toString());
    if (!told && maySayNotCancelled.now()) {
      log.warn(
          "More than {} cancellations wait to be looked at; some of their requests are handled all"
              + " the same",
          Mailbox.MOST_CANCELLATIONS);
    }
  }

  /** On the adopter's thread. What the ledger doesn't say when it is read has to be heard. */
  private static void awaitListening(@Nullable Members members) {
    try {
      if (members != null && !members.awaitListening(HEAR_TIMEOUT)) {
        log.debug("A cancellation that comes now may be missed");
      }
    } catch (InterruptedException closing) {
      Thread.currentThread().interrupt();
    }
  }

  /** On the adopter's thread. Who isn't heard yet mustn't be taken for dead. */
  private Set<String> alive(@Nullable Members members) {
    if (members == null) {
      return Set.of();
    }
    try {
      if (!members.awaitHeardAll(HEAR_TIMEOUT)) {
        log.debug("Not all heartbeats are known yet");
      }
    } catch (InterruptedException closing) {
      Thread.currentThread().interrupt();
    }
    return members.alive();
  }

  private static Doing.Adopting adopting(Adopter adopter, Mailbox box) {
    return new Doing.Adopting() {
      @Override
      public void adopt(TopicPartition partition, long number) {
        adopter.adopt(
            partition,
            result -> {
              if (result instanceof Adopter.Result.Found found) {
                box.adopted(partition, number, found.adoption());
              } else if (result instanceof Adopter.Result.Failed failed) {
                box.notAdopted(partition, number, failed.reason());
              }
            });
      }

      @Override
      public void cancel(TopicPartition partition) {
        adopter.cancel(partition);
      }
    };
  }

  private void broken(Throwable cause) {
    if (!started.completeExceptionally(cause)) {
      fail(cause);
    }
  }

  private static String recreated(Uuid was, Uuid is) {
    return "the topic has been deleted and created anew (its id was "
        + was
        + " and is "
        + is
        + "); what this instance knows of it means nothing any more. Restart it: the log then says"
        + " how to go on";
  }

  private void runAndDrain(PollLoop loop, @Nullable Members members) throws InterruptedException {
    boolean stay = false;
    try {
      while (stop.getCount() > 0) {
        loop.runOnce();
      }
      moveTo(ConsumerState.DRAINING);
      loop.drain(failure().isPresent() ? 0 : settings.drainTimeout().toNanos());
      stay = failure().isEmpty() && members != null && isWorthStaying(members);
    } finally {
      if (stay && members != null) {
        members.stay();
      }
      loop.leave(stay);
    }
  }

  /**
   * The only instance, if it has a name, is most likely restarted under it, and has nobody to leave
   * its partitions to. In a classic group its successor takes them at once if the name is still
   * there; in one that is empty it pays the broker's {@code group.initial.rebalance.delay.ms}, 3 s
   * by default. An instance under another name removes this one as one that has fallen silent.
   */
  private boolean isWorthStaying(Members members) {
    return settings.named()
        && ClientProperties.isClassic(settings)
        && members.alive().equals(Set.of(incarnation));
  }

  /** Any thread: what can't be got over has happened. */
  private void fail(Throwable cause) {
    synchronized (this) {
      if (failure != null || state.compareTo(ConsumerState.DRAINING) > 0) {
        return;
      }
      failure = cause;
      enter(ConsumerState.FAILED);
    }
    log.error(
        "The consumer {} has stopped by itself and handles nothing any more. What it hadn't"
            + " finished is handled by other instances, or after a restart of this one.",
        settings.by(),
        cause);
    signalStop();
  }

  private void signalStop() {
    stop.countDown();
    Mailbox box = mailbox;
    if (box != null) {
      box.wake();
    }
  }

  private synchronized void moveTo(ConsumerState next) {
    if (state.compareTo(next) < 0) {
      enter(next);
    }
  }

  private synchronized void enter(ConsumerState next) {
    ConsumerState before = state;
    state = next;
    notifyAll();
    events.tell(listener -> listener.stateChanged(before, next));
  }

  private synchronized void ended() {
    partitions = Set.of();
    stopped = Set.of();
    moveTo(ConsumerState.CLOSED);
    notifyAll();
  }

  /** On the owner thread. */
  private void onPartitions(Core<Delivery> core) {
    publish(core.partitions(), core.stopped());
  }

  private synchronized void publish(
      Collection<TopicPartition> held, Collection<TopicPartition> notRead) {
    partitions = numbers(held);
    stopped = numbers(notRead);
    moveTo(ConsumerState.RUNNING);
    notifyAll();
  }

  private static Set<Integer> numbers(Collection<TopicPartition> partitions) {
    return partitions.stream()
        .map(TopicPartition::partition)
        .collect(Collectors.toUnmodifiableSet());
  }

  @Override
  public synchronized ConsumerState state() {
    return state;
  }

  @Override
  public synchronized Optional<Throwable> failure() {
    return Optional.ofNullable(failure);
  }

  @Override
  public synchronized Set<Integer> partitions() {
    return partitions;
  }

  @Override
  public synchronized Set<Integer> stoppedPartitions() {
    return stopped;
  }

  @Override
  public List<HeadOfLine> headOfLine() {
    return meters.headOfLine();
  }

  @Override
  public synchronized boolean awaitAssignment(Duration timeout) throws InterruptedException {
    long deadline = System.nanoTime() + timeout.toNanos();
    while (partitions.isEmpty() && state.compareTo(ConsumerState.DRAINING) < 0) {
      long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
      if (left <= 0) {
        return false;
      }
      wait(left);
    }
    return !partitions.isEmpty();
  }

  @Override
  public void close() {
    signalStop();
    Handling work = handling;
    if (Thread.currentThread() == owner
        || events.isListener()
        || work != null && work.isInHandler()) {
      return;
    }
    try {
      owner.join(settings.drainTimeout().plus(CLOSE_MARGIN).toMillis());
      if (owner.isAlive()) {
        log.warn(
            "The consumer {} hasn't ended in time; it goes on ending in the background",
            settings.by());
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
