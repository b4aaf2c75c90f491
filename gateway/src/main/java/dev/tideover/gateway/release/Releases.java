package dev.tideover.gateway.release;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ControlTopic;
import dev.tideover.gateway.kafka.ControlTopic.Written;
import dev.tideover.gateway.release.Commands.Decision;
import dev.tideover.gateway.release.ServiceMeter.Phase;
import dev.tideover.gateway.release.ServiceWatch.Now;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport;
import dev.tideover.wire.RequestId;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.Semaphore;
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
public final class Releases implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Releases.class);
  private static final long TICK_MILLIS = 200;

  /** More commands at a time are refused. */
  private static final int MAX_COMMANDS = 100;

  /** How often a command is tried again when another gateway's write came first. */
  private static final int MAX_TRIES = 5;

  /** How long a command waits for the instances' reports. */
  private static final int SETTLE_TICKS = 20;

  private static final Result STOPPING =
      new Result.Unavailable("This gateway is being stopped; ask another one");

  /** When a write has failed, the next one of a release comes this much later. */
  private static final long PAUSE_NANOS = 1_000_000_000L;

  /** With no reply that waited longer than this within the last seconds, all have caught up. */
  private static final long CAUGHT_UP_MILLIS = 1_000;

  private static final int CAUGHT_UP_SECONDS = 2;

  /** What came of an operator's wish. */
  public sealed interface Result {
    /** It stands, or stood already. */
    record Accepted(DesiredState state) implements Result {}

    /** It can't be, as things stand: 409. The reason says what to do. */
    record Refused(String code, String reason) implements Result {}

    /** The gateway's configuration has no such service: 404. */
    record NoSuchService() implements Result {}

    /** Whether it stands is not known, since Kafka doesn't answer: 503. Asking again is right. */
    record Unavailable(String reason) implements Result {}
  }

  /** How a service stands. */
  public record ServiceState(
      String service,
      @Nullable DesiredState desired,
      List<ControlTopic.Instance> instances,
      boolean current,
      List<String> problems) {}

  /** A configured service. Its fields but the first are the driver's thread's. */
  private static final class Driven {
    final ServiceWatch watch;
    boolean writing;
    long notBefore = Long.MIN_VALUE;
    @Nullable String measured;
    boolean caughtUp;

    /** What the release waits for; read by any thread. */
    volatile String waitsFor = "";

    Driven(ServiceWatch watch) {
      this.watch = watch;
    }
  }

  private final String gateway = "gateway-" + RequestId.random().toString().substring(0, 8);
  private final long jitterNanos = ThreadLocalRandom.current().nextLong(1_000_000_000L);
  private final ServiceMeter meter = new ServiceMeter();
  private final Map<String, Driven> services = new ConcurrentHashMap<>();
  private final Semaphore commands = new Semaphore(MAX_COMMANDS);
  private final AtomicBoolean woken = new AtomicBoolean();
  private final ScheduledThreadPoolExecutor executor;
  private final ControlTopic topic;

  /** Whether this is made whole, so that the topic's thread may use it. */
  private volatile boolean started;

  private Releases(GatewayConfig config) {
    config.services().keySet().forEach(name -> services.put(name, driven()));
    executor =
        new ScheduledThreadPoolExecutor(
            1,
            task -> {
              Thread thread = new Thread(task, "tideover-releases");
              thread.setDaemon(true);
              return thread;
            });
    topic = ControlTopic.start(config, new Heard());
    started = true;
    var unusedTimer =
        executor.scheduleWithFixedDelay(
            this::drive, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
  }

  /** Starts to follow the control topic, and to drive what has to be driven. */
  public static Releases start(GatewayConfig config) {
    return new Releases(config);
  }

  private Driven driven() {
    return new Driven(new ServiceWatch(gateway, jitterNanos));
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
        Driven added = driven();
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

  /** Holds or resumes a service. */
  public CompletionStage<Result> hold(String service, boolean held) {
    return command(service, false, commands -> commands.hold(held));
  }

  /** Limits how many requests start in a second, of all instances together; 0 for no limit. */
  public CompletionStage<Result> rate(String service, int perSecond) {
    if (perSecond < 0) {
      throw new IllegalArgumentException("found a rate of " + perSecond + ", expected 0 or more");
    }
    return command(service, false, commands -> commands.rate(perSecond));
  }

  /** Begins a release. */
  public CompletionStage<Result> release(String service, ReleaseOrder order) {
    return command(service, true, commands -> commands.release(order));
  }

  /** Ends a release that is under way by going back. */
  public CompletionStage<Result> rollBack(String service) {
    return command(service, true, Commands::rollBack);
  }

  /** From now on every version works, as before the first release. */
  public CompletionStage<Result> anyVersion(String service) {
    return command(service, false, Commands::anyVersion);
  }

  private CompletionStage<Result> command(
      String service, boolean needsReports, Function<Commands, Decision> wish) {
    Driven driven = services.get(service);
    if (driven == null) {
      return CompletableFuture.completedStage(new Result.NoSuchService());
    } else if (!commands.tryAcquire()) {
      return CompletableFuture.completedStage(
          new Result.Unavailable(
              MAX_COMMANDS + " other commands wait for Kafka now; ask again later"));
    }
    Command command =
        new Command(
            service, driven, wish, RequestId.random().toString(), new CompletableFuture<>());
    var unused = command.result.whenComplete((done, failure) -> commands.release());
    run(command, () -> settle(command, needsReports ? SETTLE_TICKS : 0));
    return command.result;
  }

  /** What somebody waits for. */
  private record Command(
      String service,
      Driven driven,
      Function<Commands, Decision> wish,
      String id,
      CompletableFuture<Result> result) {}

  private void run(Command command, Runnable step) {
    try {
      executor.execute(guarded(command, step));
    } catch (RejectedExecutionException e) {
      command.result.complete(STOPPING);
    }
  }

  private static Runnable guarded(Command command, Runnable step) {
    return () -> {
      try {
        step.run();
      } catch (RuntimeException e) {
        LOG.error("BUG: a command has failed; whether it stands is not known", e);
        command.result.complete(new Result.Unavailable("this gateway's log says more"));
      }
    };
  }

  /**
   * Just after a start it is not known who runs, and so not which version is to be released from.
   */
  private void settle(Command command, int ticks) {
    boolean following = topic.isFollowing();
    if (ticks > 0 && following && !command.driven.watch.isSettled(true, System.nanoTime())) {
      try {
        var unused =
            executor.schedule(
                guarded(command, () -> settle(command, ticks - 1)),
                TICK_MILLIS,
                TimeUnit.MILLISECONDS);
      } catch (RejectedExecutionException e) {
        command.result.complete(STOPPING);
      }
    } else if (following) {
      attempt(command, MAX_TRIES);
    } else {
      String problem = topic.problem();
      command.result.complete(
          new Result.Unavailable(
              "Nothing was changed: "
                  + DesiredState.TOPIC
                  + " can't be read now; "
                  + (problem == null ? "look whether Kafka runs" : problem)));
    }
  }

  private void attempt(Command command, int tries) {
    ServiceWatch watch = command.driven.watch;
    Now now = now();
    Decision decision =
        command.wish.apply(
            new Commands(
                command.service,
                watch.state(),
                watch.situation(topic.instances(command.service), now),
                new Author(gateway, now.millis()),
                command.id));
    if (decision instanceof Decision.Stands stands) {
      command.result.complete(new Result.Accepted(stands.state()));
    } else if (decision instanceof Decision.No no) {
      command.result.complete(new Result.Refused(no.code(), no.reason()));
    } else if (decision instanceof Decision.Write write) {
      var unused =
          topic
              .write(write.next())
              .whenComplete(
                  (written, failure) ->
                      run(command, () -> attempted(command, tries, written, failure)));
    }
  }

  private void attempted(
      Command command, int tries, @Nullable Written written, @Nullable Throwable failure) {
    if (written instanceof Written.Done done) {
      learn(command.driven, done.state());
      LOG.info("{}: an operator's command stands: {}", command.service, describe(done.state()));
      command.result.complete(new Result.Accepted(done.state()));
      drive();
    } else if (written instanceof Written.Conflict conflict && tries > 1) {
      learn(command.driven, conflict.current());
      attempt(command, tries - 1);
    } else {
      command.result.complete(new Result.Unavailable(why(written, failure)));
    }
  }

  private static String why(@Nullable Written written, @Nullable Throwable failure) {
    if (written instanceof Written.Unknown unknown) {
      return unknown.why();
    }
    return failure == null
        ? "other gateways wrote at the same time, again and again; nothing was changed"
        : String.valueOf(failure.getMessage());
  }

  private static String describe(DesiredState state) {
    Release release = state.release();
    return "epoch "
        + state.epoch()
        + ", "
        + (state.activeVersion() == null ? "every version" : state.activeVersion() + " alone")
        + " works"
        + (state.held() ? ", held" : "")
        + (state.rate() > 0 ? ", " + state.rate() + " requests/s" : "")
        + (release == null || release.step().isEnd()
            ? ""
            : ", release to " + release.to() + " at the step " + release.step().text());
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
    measure(service, driven, release);
    if (release.step().isEnd()) {
      driven.waitsFor = "";
      return;
    }
    Now now = now();
    if (driven.watch.asksForMembers(now.nanos())) {
      var unusedToo =
          topic
              .memberVersions(service)
              .thenAccept(
                  versions -> {
                    driven.watch.onMembers(state.epoch(), versions);
                    wake();
                  });
    }
    ServiceWatch.Look look =
        driven.watch.look(
            topic.instances(service), doing(service, release), topic.isFollowing(), now);
    driven.waitsFor = look.next().waitsFor();
    DesiredState next = look.next().state();
    if (next != null && look.mine() && !driven.writing && now.nanos() >= driven.notBefore) {
      write(service, driven, next);
    }
  }

  private ServiceWatch.Doing doing(String service, Release release) {
    if (release.step() != Step.ACTIVATE && release.step() != Step.VERIFY) {
      return ServiceWatch.Doing.UNKNOWN;
    }
    Measures.OfVersion after =
        meter.of(service, release.id(), Phase.AFTER).versions().get(release.to());
    return new ServiceWatch.Doing(
        meter.of(service, release.id(), Phase.BEFORE),
        after == null ? Measures.Latency.NONE : after.handling());
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
          why(written, failure));
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

  /** Keeps apart in the meter what belongs to which phase of a release. */
  private void measure(String service, Driven driven, Release release) {
    if (!release.id().equals(driven.measured)) {
      if (release.step().isEnd()) {
        return;
      }
      driven.measured = release.id();
      driven.caughtUp = false;
      meter.begin(service, release.id());
    }
    if (release.step().isEnd()) {
      meter.end(service, release.id());
    } else if (release.step() == Step.VERIFY && !driven.caughtUp) {
      Measures last = meter.last(service, CAUGHT_UP_SECONDS);
      if (last.latency().count() > 0 && last.longestHeldMillis() < CAUGHT_UP_MILLIS) {
        driven.caughtUp = true;
        meter.after(service, release.id());
      }
    }
  }

  /** How it stands; null for a service that isn't configured. */
  public @Nullable ServiceState state(String service) {
    Driven driven = services.get(service);
    if (driven == null) {
      return null;
    }
    boolean following = topic.isFollowing();
    List<ControlTopic.Instance> instances = List.copyOf(topic.instances(service));
    DesiredState state = driven.watch.state();
    Situation seen = driven.watch.situation(instances, now());
    return new ServiceState(
        service,
        state,
        instances,
        following,
        Problems.of(state, seen, driven.waitsFor, driven.watch.operatorHeldMillis(), following));
  }

  /** The release with this id, or with null the last one; null if there is none. */
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
    topic.close();
  }
}
