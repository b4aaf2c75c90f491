package dev.tideover.gateway.release;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ControlTopic;
import dev.tideover.gateway.kafka.ControlTopic.Written;
import dev.tideover.gateway.release.Commands.Decision;
import dev.tideover.gateway.release.ServiceWatch.Now;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.InstanceReport;
import dev.tideover.wire.RequestId;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What operators ask for, and the releases that are under way: this gateway drives those that were
 * asked for here, and takes over those whose gateway has gone. Safe for any thread; owns a thread
 * of its own, on which all decisions are made, and which waits for nothing.
 */
public final class Releases implements Operations, AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Releases.class);
  private static final long TICK_MILLIS = 200;

  /** When a write has failed, the next one of a release comes this much later. */
  private static final long PAUSE_NANOS = 1_000_000_000L;

  /** A configured service. Its fields but the watch are the driver's thread's. */
  private static final class Driven {
    final ServiceWatch watch;
    final Phases phases;
    boolean writing;
    long notBefore = Long.MIN_VALUE;

    /** What the release waits for; read by any thread. */
    volatile String waitsFor = "";

    Driven(ServiceWatch watch, Phases phases) {
      this.watch = watch;
      this.phases = phases;
    }
  }

  private final String gateway = "gateway-" + RequestId.random().toString().substring(0, 8);
  private final long jitterNanos = ThreadLocalRandom.current().nextLong(1_000_000_000L);
  private final ServiceMeter meter = new ServiceMeter();
  private final Map<String, Driven> services = new ConcurrentHashMap<>();
  private final AtomicBoolean woken = new AtomicBoolean();
  private final ScheduledThreadPoolExecutor executor;
  private final ControlTopic topic;
  private final CommandRunner commands;

  /** Whether this is made whole, so that the topic's thread may use it. */
  private volatile boolean started;

  private Releases(GatewayConfig config) {
    config.services().keySet().forEach(name -> services.put(name, driven(name)));
    executor =
        new ScheduledThreadPoolExecutor(
            1,
            task -> {
              Thread thread = new Thread(task, "tideover-releases");
              thread.setDaemon(true);
              return thread;
            });
    topic = ControlTopic.start(config, new Heard());
    commands = new CommandRunner(gateway, topic, executor, this::drive);
    started = true;
    var unusedTimer =
        executor.scheduleWithFixedDelay(
            this::drive, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
  }

  /** Starts to follow the control topic, and to drive what has to be driven. */
  public static Releases start(GatewayConfig config) {
    return new Releases(config);
  }

  private Driven driven(String service) {
    return new Driven(new ServiceWatch(gateway, jitterNanos), new Phases(meter, service));
  }

  /** What is told of every reply. */
  public ServiceMeter meter() {
    return meter;
  }

  /** Services can come and go with a reload. */
  public synchronized void update(GatewayConfig config) {
    services.keySet().retainAll(config.services().keySet());
    for (String name : config.services().keySet()) {
      if (!services.containsKey(name)) {
        Driven added = driven(name);
        services.put(name, added);
        // After the put: what is newer comes by the listener, and the older one is ignored.
        DesiredState known = topic.desired(name);
        if (known != null) {
          added.watch.onDesired(known, true, now());
        }
      }
    }
  }

  /** A client of this gateway got no answer of the service, though it was to have one. */
  public void onClientFailed(String service) {
    Driven driven = services.get(service);
    if (driven != null) {
      driven.watch.onClientFailed();
    }
  }

  @Override
  public CompletionStage<Result> hold(String service, boolean held) {
    return command(service, false, commands -> commands.hold(held));
  }

  @Override
  public CompletionStage<Result> rate(String service, int perSecond) {
    if (perSecond < 0) {
      throw new IllegalArgumentException("found a rate of " + perSecond + ", expected 0 or more");
    }
    return command(service, false, commands -> commands.rate(perSecond));
  }

  @Override
  public CompletionStage<Result> release(String service, ReleaseOrder order) {
    return command(service, true, commands -> commands.release(order));
  }

  @Override
  public CompletionStage<Result> rollBack(String service) {
    return command(service, true, Commands::rollBack);
  }

  @Override
  public CompletionStage<Result> anyVersion(String service) {
    return command(service, false, Commands::anyVersion);
  }

  private CompletionStage<Result> command(
      String service, boolean needsReports, Function<Commands, Decision> wish) {
    Driven driven = services.get(service);
    return driven == null
        ? CompletableFuture.completedStage(new Result.NoSuchService())
        : commands.run(service, driven.watch, needsReports, wish);
  }

  private void learn(Driven driven, @Nullable DesiredState state) {
    if (state != null) {
      driven.watch.onDesired(state, false, now());
    }
  }

  /** Looks at each service, and goes on with its release where that is due here. */
  private void drive() {
    woken.set(false);
    services.forEach(
        (name, driven) -> {
          try {
            drive(name, driven);
          } catch (RuntimeException e) {
            // Thrown on, it would end the timer, and no release would go on from here.
            LOG.error("BUG: the release of {} could not be looked at; tried again", name, e);
          }
        });
  }

  private void drive(String service, Driven driven) {
    var unused = driven.watch.isSettled(topic.isFollowing(), System.nanoTime());
    DesiredState state = driven.watch.state();
    Release release = state == null ? null : state.release();
    if (state == null || release == null) {
      return;
    }
    driven.phases.at(release);
    if (release.step().isEnd()) {
      driven.waitsFor = "";
      return;
    }
    Now now = now();
    if (driven.watch.asksForMembers(now.nanos())) {
      var unusedToo =
          topic
              .members(service)
              .thenAccept(
                  members -> {
                    driven.watch.onMembers(state.epoch(), members);
                    wake();
                  });
    }
    ServiceWatch.Look look =
        driven.watch.look(
            topic.instances(service), driven.phases.doing(release), topic.isFollowing(), now);
    driven.waitsFor = look.next().waitsFor();
    DesiredState next = look.next().state();
    if (next != null && look.mine() && !driven.writing && now.nanos() >= driven.notBefore) {
      write(service, driven, next);
    }
  }

  private void write(String service, Driven driven, DesiredState next) {
    driven.writing = true;
    var unused =
        topic
            .write(next)
            .whenComplete(
                (written, failure) -> {
                  try {
                    executor.execute(() -> written(service, driven, written, failure));
                  } catch (RejectedExecutionException e) {
                    // It is being closed; another gateway goes on.
                  }
                });
  }

  private void written(
      String service, Driven driven, @Nullable Written written, @Nullable Throwable failure) {
    driven.writing = false;
    if (written instanceof Written.Done done) {
      learn(driven, done.state());
      tell(service, done.state());
      drive();
    } else if (written instanceof Written.Conflict conflict) {
      learn(driven, conflict.current());
    } else {
      driven.notBefore = System.nanoTime() + PAUSE_NANOS;
      LOG.warn(
          "The release of {} can't go on from here now: {}. What stands is kept; tried again in a"
              + " second, and by the other gateways",
          service,
          CommandRunner.why(written, failure));
    }
  }

  private static void tell(String service, DesiredState state) {
    Release release = state.release();
    if (release != null) {
      LOG.info(
          "Release of {} from {} to {}: {}{}",
          service,
          release.from(),
          release.to(),
          release.step().text(),
          release.reason().isEmpty() ? "" : ". " + release.reason());
    }
  }

  @Override
  public SortedSet<String> services() {
    return Collections.unmodifiableSortedSet(new TreeSet<>(services.keySet()));
  }

  @Override
  public @Nullable ServiceState state(String service) {
    Driven driven = services.get(service);
    if (driven == null) {
      return null;
    }
    boolean following = topic.isFollowing();
    List<ControlTopic.Instance> instances = List.copyOf(topic.instances(service));
    DesiredState state = driven.watch.state();
    Now now = now();
    Situation seen = driven.watch.situation(instances, now);
    return new ServiceState(
        service,
        state,
        instances.stream().map(each -> new Instance(each.report(), each.silentMillis())).toList(),
        driven.watch.isSettled(following, now.nanos()),
        Problems.of(
            state,
            seen,
            driven.waitsFor,
            driven.watch.operatorHeldMillis(),
            following,
            topic.problem()));
  }

  @Override
  public @Nullable ReleaseReport report(String service, @Nullable String id) {
    Driven driven = services.get(service);
    ReleaseHistory.Entry entry = driven == null ? null : driven.watch.entry(id);
    return entry == null
        ? null
        : Reports.of(
            service,
            entry,
            Reports.Figures.of(meter, service, entry.release().id()),
            System.nanoTime());
  }

  private static Now now() {
    return new Now(System.nanoTime(), System.currentTimeMillis());
  }

  private void wake() {
    if (started && woken.compareAndSet(false, true)) {
      try {
        executor.execute(this::drive);
      } catch (RejectedExecutionException e) {
        // It is being closed.
      }
    }
  }

  /** On the control topic's thread: notes it, and lets the driver look. */
  private final class Heard implements ControlTopic.Listener {
    @Override
    public void onDesired(DesiredState state) {
      Driven driven = services.get(state.service());
      if (driven != null) {
        driven.watch.onDesired(state, !started || !topic.isFollowing(), now());
        wake();
      }
    }

    @Override
    public void onReport(InstanceReport report) {
      Driven driven = services.get(report.service());
      if (driven != null) {
        driven.watch.onReport(report, System.nanoTime());
        wake();
      }
    }

    @Override
    public void onGone(InstanceReport last, boolean clean) {
      Driven driven = services.get(last.service());
      if (driven != null) {
        driven.watch.onGone(last, clean);
        wake();
      }
    }
  }

  /** Stops driving; what is under way is taken over by another gateway. About 15 s at most. */
  @Override
  public void close() {
    executor.shutdownNow();
    commands.close();
    topic.close();
  }
}
