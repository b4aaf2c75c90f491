package dev.tideover.gateway.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.tideover.gateway.config.Units;
import dev.tideover.gateway.release.ReleaseOrder;
import dev.tideover.gateway.release.ReleaseReport;
import dev.tideover.gateway.release.ReleaseText;
import dev.tideover.wire.DesiredState.Step;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code tideover release SERVICE}: begins a release, or rolls one back, and follows it. */
@Command(
    name = "release",
    description = {
      "Release a version: it gets ready, takes over from the one that works, is watched, and is"
          + " rolled back if it does worse. Ends with a report.",
      "With none of --to, --roll-back and --any-version it shows the last release, and follows it"
          + " if it is under way."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    exitCodeListHeading = "Exit code:%n",
    exitCodeList = {
      "0:it is done (or with --roll-back, rolled back)",
      "1:it was refused, rolled back or abandoned: the other version is active",
      "2:wrong use",
      "3:its end is not known, since no gateway can be reached"
    })
final class ReleaseCommand implements Callable<Integer> {

  /** Beside the times that the release itself may take: changes of steps, the way back. */
  private static final Duration SLACK = Duration.ofMinutes(2);

  private static final int MAX_TRIES = 3;

  /** What to do; one of them. */
  static final class Wish {
    @Option(names = "--to", paramLabel = "VERSION", description = "The version to be active.")
    private @Nullable String to;

    @Option(names = "--roll-back", description = "Roll back the release that is under way.")
    private boolean rollBack;

    @Option(
        names = "--any-version",
        description = "From now on every version works, as before the first release.")
    private boolean anyVersion;
  }

  @Mixin private ServiceName service = new ServiceName();

  @ArgGroup(multiplicity = "0..1")
  private Wish wish = new Wish();

  @Option(
      names = "--from",
      paramLabel = "VERSION",
      description = "The version that works now; needed only where several do.")
  private @Nullable String from;

  @Option(
      names = "--verify",
      paramLabel = "TIME",
      converter = DurationOption.class,
      description = "How long the new version is watched. Default: 30s")
  private @Nullable Duration verify;

  @Option(
      names = "--max-hold",
      paramLabel = "TIME",
      converter = DurationOption.class,
      description = "How long requests may be held at most; then back. Default: 60s")
  private @Nullable Duration maxHold;

  @Option(
      names = "--prepare",
      paramLabel = "TIME",
      converter = DurationOption.class,
      description = "How long to wait for instances of the new version. Default: 60s")
  private @Nullable Duration prepare;

  @Option(
      names = "--instances",
      paramLabel = "N",
      description = "How many of the new version have to be ready. Default: 1")
  private @Nullable Integer instances;

  @Option(names = "--report", paramLabel = "FILE", description = "Write the report as JSON.")
  private @Nullable Path reportFile;

  @Option(names = "--detach", description = "Begin it, and don't wait for its end.")
  private boolean detach;

  @Mixin private AdminOptions admin = new AdminOptions();
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    checkOptions();
    AdminClient client = admin.client();
    String name = service.get();
    PrintWriter out = spec.commandLine().getOut();
    if (wish.anyVersion) {
      ObjectNode body = AdminClient.JSON.createObjectNode().put("anyVersion", true);
      JsonNode unused = client.command("POST", path(name), body);
      out.println("Every version of " + name + " works from now on.");
      out.flush();
      return 0;
    }
    if (reportFile != null) {
      checkWritable(reportFile);
    }
    JsonNode before = client.service(name).path("release");
    if (wish.to == null && !wish.rollBack && before.isNull()) {
      out.println("There was no release of " + name + ". To begin one: --to VERSION");
      out.flush();
      return 0;
    }
    JsonNode release =
        wish.to != null
            ? begin(client, name, before.path("id").asText())
            : wish.rollBack ? client.command("DELETE", path(name), null).path("release") : before;
    if (wish.to != null
        && release.path("id").asText().equals(before.path("id").asText())
        && !release.path("running").asBoolean()) {
      out.println(
          Text.clean(wish.to) + " is active already, by an earlier release: nothing to do.");
    }
    return follow(client, name, release, out);
  }

  private void checkOptions() {
    Object only = wish.to;
    boolean hasMore =
        from != null || verify != null || maxHold != null || prepare != null || instances != null;
    if (only == null && hasMore) {
      throw wrongUse(
          "--from, --verify, --max-hold, --prepare, --instances belong to --to VERSION.");
    }
    if (detach && only == null && !wish.rollBack) {
      throw wrongUse("--detach belongs to --to VERSION or --roll-back.");
    }
    if (reportFile != null && (detach || wish.anyVersion)) {
      throw wrongUse("--report: there is a report at the end of a release, which isn't awaited.");
    }
    if (wish.to != null) {
      try {
        // The gateway checks the same; so nothing need be reached to be told of it.
        var unused =
            new ReleaseOrder(
                wish.to,
                from,
                prepare == null ? ReleaseOrder.PREPARE : prepare,
                maxHold == null ? ReleaseOrder.MAX_HOLD : maxHold,
                verify == null ? ReleaseOrder.VERIFY : verify,
                instances == null ? 1 : instances);
      } catch (IllegalArgumentException e) {
        throw wrongUse(String.valueOf(e.getMessage()));
      }
    }
  }

  private CommandLine.ParameterException wrongUse(String message) {
    return new CommandLine.ParameterException(spec.commandLine(), message);
  }

  private static String path(String service) {
    return "/api/services/" + service + "/release";
  }

  /**
   * Begins it. Where nobody has said whether it has begun, it looks first: one that has begun and
   * has ended meanwhile must not begin again.
   */
  private JsonNode begin(AdminClient client, String name, String idBefore) {
    for (int tries = 1; ; tries++) {
      try {
        return client.commandOnce("POST", path(name), order()).path("release");
      } catch (AdminFailure e) {
        if (!e.isUnknown() || tries == MAX_TRIES) {
          throw e;
        }
        JsonNode now = awaitService(client, name, e).path("release");
        if (!now.isNull()
            && !now.path("id").asText().equals(idBefore)
            && now.path("to").asText().equals(wish.to)) {
          return now;
        }
      }
    }
  }

  private static JsonNode awaitService(AdminClient client, String name, AdminFailure failure) {
    Deadline deadline = Deadline.in(ReleaseWatch.PATIENCE);
    while (deadline.pause(Duration.ofMillis(500))) {
      try {
        return client.service(name);
      } catch (AdminFailure e) {
        if (!e.isUnknown()) {
          throw e;
        }
      }
    }
    throw failure;
  }

  private ObjectNode order() {
    ObjectNode order = AdminClient.JSON.createObjectNode().put("to", wish.to);
    put(order, "prepare", prepare);
    put(order, "maxHold", maxHold);
    put(order, "verify", verify);
    if (from != null) {
      order.put("from", from);
    }
    if (instances != null) {
      order.put("instances", instances);
    }
    return order;
  }

  private static void put(ObjectNode order, String name, @Nullable Duration value) {
    if (value != null) {
      order.put(name, Units.text(value));
    }
  }

  private int follow(AdminClient client, String name, JsonNode release, PrintWriter out) {
    String id = release.path("id").asText();
    String commands = "tideover release " + name + admin.repeated();
    out.println(
        "Release of "
            + name
            + " from "
            + Text.clean(release.path("from").asText())
            + " to "
            + Text.clean(release.path("to").asText())
            + ", id "
            + Text.clean(id));
    out.flush();
    if (detach) {
      out.println("It goes on in the gateways. To follow it: " + commands);
      out.flush();
      return 0;
    }
    ReleaseWatch watch = new ReleaseWatch(client, name, id, out, ReleaseWatch.PATIENCE);
    Thread farewell = new Thread(() -> leave(commands), "tideover-farewell");
    Runtime.getRuntime().addShutdownHook(farewell);
    ReleaseReport report;
    try {
      report = watch.follow(limit(release));
    } finally {
      forget(farewell);
      writeReport(watch.last());
    }
    out.println();
    ReleaseText.of(report).lines().map(Text::clean).forEach(out::println);
    out.flush();
    return isAsWanted(report) ? 0 : AdminFailure.NOT_DONE;
  }

  private boolean isAsWanted(ReleaseReport report) {
    return wish.rollBack
        ? report.step() == Step.ROLLED_BACK || report.step() == Step.ABANDONED
        : report.step() == Step.DONE;
  }

  private static Duration limit(JsonNode release) {
    Duration hold = time(release, "maxHold", ReleaseOrder.MAX_HOLD);
    return time(release, "prepare", ReleaseOrder.PREPARE)
        .plus(hold)
        .plus(time(release, "verify", ReleaseOrder.VERIFY))
        .plus(hold)
        .plus(SLACK);
  }

  private static Duration time(JsonNode release, String name, Duration instead) {
    Duration time = Units.duration(release.path(name).asText());
    return time == null ? instead : time;
  }

  /** On Ctrl-C and SIGTERM. */
  private void leave(String commands) {
    PrintWriter err = spec.commandLine().getErr();
    err.println();
    err.println("The release goes on in the gateways, without this command.");
    err.println("  To follow it:    " + commands);
    err.println("  To roll it back: " + commands + " --roll-back");
    err.flush();
  }

  private static void forget(Thread farewell) {
    try {
      var unused = Runtime.getRuntime().removeShutdownHook(farewell);
    } catch (IllegalStateException e) {
      // The process is ending, and the hook says so.
    }
  }

  /** Before anything is begun, while it costs nothing. */
  private static void checkWritable(Path file) {
    Path directory = file.toAbsolutePath().getParent();
    boolean writable =
        Files.exists(file)
            ? Files.isRegularFile(file) && Files.isWritable(file)
            : directory != null && Files.isDirectory(directory) && Files.isWritable(directory);
    if (!writable) {
      throw new AdminFailure(
          AdminFailure.WRONG_USE,
          "--report: "
              + file
              + " can't be written, so nothing was begun. Name a file in a directory"
              + " that is there.");
    }
  }

  /** What is known, also where the end isn't. How the release went counts more than this. */
  private void writeReport(@Nullable JsonNode report) {
    if (reportFile == null || report == null) {
      return;
    }
    try {
      Files.writeString(reportFile, report.toPrettyString() + "\n", UTF_8);
    } catch (IOException e) {
      PrintWriter err = spec.commandLine().getErr();
      err.println("--report: " + reportFile + " could not be written: " + e);
      err.flush();
    }
  }
}
