package dev.tideover.sdk.internal;

import dev.tideover.sdk.ConsumerState;
import dev.tideover.sdk.HeadOfLine;
import dev.tideover.sdk.TideoverConsumer;
import dev.tideover.sdk.internal.core.Core;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.InstanceReport.Counts;
import dev.tideover.wire.InstanceReport.State;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A consumer's life: opens what lasts as long as it, runs the owner thread through one {@link
 * Session} after the other, and is what the user holds.
 */
public final class Engine implements TideoverConsumer {

  private static final Logger log = LoggerFactory.getLogger(Engine.class);

  /** What an end takes beyond the drain timeout: commit, leave, flush, end the threads. */
  private static final Duration CLOSE_MARGIN = Duration.ofSeconds(20);

  private static final Duration EVENTS_TIMEOUT = Duration.ofSeconds(2);

  /** However much of the start timeout is gone, so much there is to read the control topic. */
  private static final long LEAST_TO_KNOW = TimeUnit.SECONDS.toNanos(2);

  /** How often one that stands by uses its connections, so that they stay. */
  private static final Duration KEEP_WARM = Duration.ofSeconds(30);

  private static final Duration OPEN_PAUSE = Duration.ofSeconds(1);

  private final Settings settings;
  private final CompletableFuture<Void> started = new CompletableFuture<>();
  private final CountDownLatch stop = new CountDownLatch(1);
  private final Meters meters;
  private final Events events;
  private final Status status;
  private final Guide guide = new Guiding();
  private final Occasionally maySayNotOpened = new Occasionally(Duration.ofSeconds(10));
  private final Thread owner;

  /** What other threads call, set by the owner thread; null for what there isn't now. */
  private volatile @Nullable Session session;

  private volatile @Nullable ControlFollower control;
  private volatile @Nullable InstanceReporter reporter;

  /** What earlier sessions have done; guarded by this, as is the end of a session. */
  private Counts done = Counts.NONE;

  private Engine(Settings settings) {
    this.settings = settings;
    this.meters = new Meters(settings.meters(), settings.service(), settings.version());
    this.events =
        new Events(
            settings.listener(), "tideover-" + settings.service() + "-events", EVENTS_TIMEOUT);
    this.status = new Status(events);
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
      long deadline = System.nanoTime() + settings.startTimeout().toNanos();
      ServiceTopics.Usable topics = ServiceTopics.ensure(settings, System::nanoTime, stop);
      try (ReplySender sender = new ReplySender(ClientProperties.producer(settings))) {
        InstanceReporter reports =
            new InstanceReporter(settings, UUID.randomUUID().toString(), sender, this::counts);
        try (ControlFollower follower =
            topics.control() ? ControlFollower.start(settings, reports, this::look) : null) {
          reporter = reports;
          control = follower;
          sender.prepare(settings.replyTopics(), settings.deadTopic());
          if (follower != null) {
            long left = Math.max(LEAST_TO_KNOW, deadline - System.nanoTime());
            follower.awaitKnown(Duration.ofNanos(left));
          }
          while (!isStopped()) {
            oneSession(topics, sender);
          }
          if (status.failure().isEmpty()) {
            reports.endsInGoodOrder();
          }
        }
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      broken(new IllegalStateException("somebody interrupted the owner thread", interrupted));
    } catch (Throwable any) {
      broken(any);
    }
    status.ended();
    meters.close();
    events.close();
  }

  /** From the opening of the clients, through standing by, to the end of a membership. */
  private void oneSession(ServiceTopics.Usable topics, ReplySender sender)
      throws InterruptedException {
    try (Session fresh = open(topics, sender)) {
      if (fresh == null) {
        return;
      }
      session = fresh;
      fresh.keepWarm();
      if (standBy(fresh)) {
        guide.stands(State.JOINING, epochOf(desired()));
        fresh.join();
        started.complete(null);
        while (!guide.stopping()) {
          fresh.turn();
        }
        end(fresh);
      }
    } finally {
      forget();
    }
  }

  /**
   * Opens the clients. What they don't take at the start is a wrong setting. Later it is an outage:
   * names that aren't resolved, say.
   *
   * @return null if it is to end meanwhile
   */
  private @Nullable Session open(ServiceTopics.Usable topics, ReplySender sender)
      throws InterruptedException {
    while (true) {
      try {
        return new Session(
            settings, topics, sender, meters, events, guide, status::hasNothing, stop);
      } catch (IllegalArgumentException refused) {
        if (!started.isDone()) {
          throw refused;
        }
        if (stop.await(OPEN_PAUSE.toMillis(), TimeUnit.MILLISECONDS)) {
          return null;
        }
        if (maySayNotOpened.now()) {
          log.warn(
              "{} can't open its clients anew: {}. It is tried again until it can, and until then"
                  + " it can't become active.",
              settings.by(),
              refused.getMessage());
        }
      }
    }
  }

  /**
   * Waits outside the group for as long as another version is the active one.
   *
   * @return false if it is to end
   */
  private boolean standBy(Session ready) throws InterruptedException {
    boolean said = false;
    while (!isStopped()) {
      DesiredState wanted = desired();
      if (isActive(wanted)) {
        if (said) {
          log.info("{} is active, and joins the group to handle requests", settings.by());
        }
        return true;
      }
      if (!said) {
        said = true;
        log.info(
            "{} stands by, ready and outside the group: version {} handles the requests. This one"
                + " joins when a release makes its version the active one.",
            settings.by(),
            activeVersion());
        status.standBy();
        started.complete(null);
      } else {
        ready.keepWarm();
      }
      guide.stands(State.STANDBY, epochOf(wanted));
      awaitNews(epochOf(wanted));
    }
    return false;
  }

  private synchronized void awaitNews(long epoch) throws InterruptedException {
    long deadline = System.nanoTime() + KEEP_WARM.toNanos();
    long left = KEEP_WARM.toMillis();
    while (epochOf(desired()) == epoch && !isStopped() && left > 0) {
      wait(left);
      left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
    }
  }

  /** Of a membership: that of this instance, or only that it is another version's turn. */
  private void end(Session ending) throws InterruptedException {
    long epoch = epochOf(desired());
    guide.stands(State.LEAVING, epoch);
    if (isStopped()) {
      status.draining();
      boolean failed = status.failure().isPresent();
      ending.end(failed ? Duration.ZERO : settings.drainTimeout(), () -> !failed);
      return;
    }
    log.info(
        "{} finishes what it has begun and leaves the group: version {} handles the requests now",
        settings.by(),
        activeVersion());
    ending.standDown(activeVersion());
    status.standBy();
    meters.snapshot(Meters.Snapshot.nothing(events.dropped()));
    guide.stands(State.STANDBY, epoch);
  }

  private synchronized void forget() {
    Counts all = counts();
    done = new Counts(all.handled(), all.errors(), all.dead(), 0, 0, 0);
    session = null;
  }

  /** Since the start, over all sessions. The control thread asks. */
  private synchronized Counts counts() {
    Session current = session;
    return current == null ? done : current.counts(done);
  }

  private boolean isStopped() {
    return stop.getCount() == 0;
  }

  private @Nullable DesiredState desired() {
    ControlFollower follower = control;
    return follower == null ? null : follower.desired();
  }

  private boolean isActive(@Nullable DesiredState wanted) {
    return wanted == null || wanted.isActive(settings.version());
  }

  private @Nullable String activeVersion() {
    DesiredState wanted = desired();
    return wanted == null ? null : wanted.activeVersion();
  }

  private static long epochOf(@Nullable DesiredState wanted) {
    return wanted == null ? 0 : wanted.epoch();
  }

  private void broken(Throwable cause) {
    if (!started.completeExceptionally(cause)) {
      guide.fail(cause);
    }
  }

  private void signalStop() {
    stop.countDown();
    look();
  }

  /** Any thread: what operators want has changed, or this instance is to end. */
  private void look() {
    synchronized (this) {
      notifyAll();
    }
    Session current = session;
    if (current != null) {
      current.wake();
    }
  }

  /** For the sessions. */
  private final class Guiding implements Guide {

    @Override
    public boolean stopping() {
      return isStopped() || !isActive(desired());
    }

    @Override
    public @Nullable DesiredState desired() {
      return Engine.this.desired();
    }

    @Override
    public void stands(State standing, long epoch) {
      InstanceReporter reports = reporter;
      if (reports != null) {
        reports.stands(standing, epoch, status.partitions().size());
      }
    }

    @Override
    public void partitionsChanged(Core<Delivery> core) {
      status.changed(core);
    }

    @Override
    public void fail(Throwable cause) {
      if (!status.failed(cause)) {
        return;
      }
      log.error(
          "The consumer {} has stopped by itself and handles nothing any more. What it hadn't"
              + " finished is handled by other instances, or after a restart of this one.",
          settings.by(),
          cause);
      signalStop();
    }
  }

  @Override
  public ConsumerState state() {
    return status.state();
  }

  @Override
  public Optional<Throwable> failure() {
    return status.failure();
  }

  @Override
  public Set<Integer> partitions() {
    return status.partitions();
  }

  @Override
  public Set<Integer> stoppedPartitions() {
    return status.stoppedPartitions();
  }

  @Override
  public List<HeadOfLine> headOfLine() {
    return meters.headOfLine();
  }

  @Override
  public boolean awaitAssignment(Duration timeout) throws InterruptedException {
    return status.awaitAssignment(timeout);
  }

  @Override
  public void close() {
    signalStop();
    Session current = session;
    if (Thread.currentThread() == owner
        || events.isListener()
        || current != null && current.handling().isInHandler()) {
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
