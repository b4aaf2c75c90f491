package dev.tideover.gateway.release;

import dev.tideover.gateway.kafka.ControlTopic;
import dev.tideover.gateway.kafka.ControlTopic.Written;
import dev.tideover.gateway.release.Commands.Decision;
import dev.tideover.gateway.release.Releases.Result;
import dev.tideover.gateway.release.ServiceWatch.Now;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.RequestId;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes what operators ask for to the control topic: decides by the state, writes, and decides anew
 * where another gateway was first. Each command ends, within about 30 s. Safe for any thread; works
 * on the executor that it is given, and waits for nothing on it.
 */
final class CommandRunner implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(CommandRunner.class);

  /** More at a time are refused. */
  private static final int MAX_COMMANDS = 100;

  /** How often one is tried again when another gateway's write came first. */
  private static final int MAX_TRIES = 3;

  /** How long one waits for the instances' reports, twice as long as they need. */
  private static final int SETTLE_LOOKS = 25;

  private static final long LOOK_MILLIS = 200;

  private static final Result STOPPING =
      new Result.Unavailable("This gateway is being stopped; ask another one");

  /** What somebody waits for. */
  private record Command(
      String service,
      ServiceWatch watch,
      Function<Commands, Decision> wish,
      String id,
      CompletableFuture<Result> result) {}

  private final String gateway;
  private final ControlTopic topic;
  private final ScheduledExecutorService executor;
  private final Runnable onChange;
  private final Set<Command> commands = ConcurrentHashMap.newKeySet();

  /**
   * Ready for commands.
   *
   * @param gateway who writes
   * @param onChange is called on the executor when one stands
   */
  CommandRunner(
      String gateway, ControlTopic topic, ScheduledExecutorService executor, Runnable onChange) {
    this.gateway = gateway;
    this.topic = topic;
    this.executor = executor;
    this.onChange = onChange;
  }

  /**
   * Runs one.
   *
   * @param needsReports whether the decision rests on which instances there are
   */
  CompletionStage<Result> run(
      String service, ServiceWatch watch, boolean needsReports, Function<Commands, Decision> wish) {
    if (commands.size() >= MAX_COMMANDS) {
      return CompletableFuture.completedStage(
          new Result.Unavailable(
              MAX_COMMANDS + " other commands wait for Kafka now; ask again later"));
    }
    Command command =
        new Command(service, watch, wish, RequestId.random().toString(), new CompletableFuture<>());
    commands.add(command);
    var unused = command.result.whenComplete((done, failure) -> commands.remove(command));
    run(command, () -> settle(command, needsReports ? SETTLE_LOOKS : 0), 0);
    return command.result;
  }

  private void run(Command command, Runnable step, long delayMillis) {
    Runnable guarded =
        () -> {
          try {
            step.run();
          } catch (RuntimeException e) {
            LOG.error("BUG: a command has failed; whether it stands is not known", e);
            command.result.complete(new Result.Unavailable("This gateway's log says more"));
          }
        };
    try {
      var unused = executor.schedule(guarded, delayMillis, TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException e) {
      command.result.complete(STOPPING);
    }
  }

  /** Just after a start it isn't known who runs, and so not which version is to be left. */
  private void settle(Command command, int looks) {
    boolean following = topic.isFollowing();
    if (looks > 0 && !command.watch.isSettled(following, System.nanoTime())) {
      run(command, () -> settle(command, looks - 1), LOOK_MILLIS);
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
    Now now = new Now(System.nanoTime(), System.currentTimeMillis());
    Decision decision =
        command.wish.apply(
            new Commands(
                command.service,
                command.watch.state(),
                command.watch.situation(topic.instances(command.service), now),
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
                      run(command, () -> attempted(command, tries, written, failure), 0));
    }
  }

  private void attempted(
      Command command, int tries, @Nullable Written written, @Nullable Throwable failure) {
    if (written instanceof Written.Done done) {
      learn(command, done.state());
      LOG.info("{}: an operator's command stands: {}", command.service, describe(done.state()));
      command.result.complete(new Result.Accepted(done.state()));
      onChange.run();
    } else if (written instanceof Written.Conflict conflict && tries > 1) {
      learn(command, conflict.current());
      attempt(command, tries - 1);
    } else {
      command.result.complete(new Result.Unavailable(why(written, failure)));
    }
  }

  private static void learn(Command command, @Nullable DesiredState state) {
    if (state != null) {
      command.watch.onDesired(state, false, new Now(System.nanoTime(), System.currentTimeMillis()));
    }
  }

  /** Why a write did not come about, for people. */
  static String why(@Nullable Written written, @Nullable Throwable failure) {
    if (written instanceof Written.Unknown unknown) {
      return unknown.why();
    }
    return failure == null
        ? "Other gateways wrote at the same time, again and again; nothing was changed"
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

  /** Whoever still waits is told to ask another gateway; the executor has ended before. */
  @Override
  public void close() {
    commands.forEach(command -> command.result.complete(STOPPING));
  }
}
