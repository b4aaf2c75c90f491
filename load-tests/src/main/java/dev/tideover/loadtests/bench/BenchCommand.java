package dev.tideover.loadtests.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code load-tests/bench}: exit code 0, 1 if something failed or was answered wrongly, 2 usage.
 */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Compares Tideover with bare programs on vertx-core and kafka-clients in one run on this"
            + " machine: throughput, latency and processor time, and their ratios.")
public final class BenchCommand implements Callable<Integer> {

  @Option(names = "--quick", description = "under 2 minutes instead of under 15")
  private boolean quick;

  @Option(
      names = "--only",
      paramLabel = "NAME",
      description = "one scenario (round-trip-64) or one kind (round-trip, accept, keyed)")
  private @Nullable String only;

  @Option(names = "--json", paramLabel = "FILE", description = "also write the figures as JSON")
  private @Nullable Path json;

  @Option(
      names = "--kafka-property",
      paramLabel = "KEY=VALUE",
      description = "a kafka.properties entry for Tideover's gateway, to tune it; may be repeated")
  private Map<String, String> kafkaProperties = new LinkedHashMap<>();

  @Option(
      names = "--reply-partitions",
      paramLabel = "N",
      description = "replies.partitions for Tideover's gateway (default: its own, 12)")
  private int replyPartitions = 12;

  @Option(names = "--bare-only", description = "measure the bare programs alone")
  private boolean bareOnly;

  @Option(
      names = "--root",
      paramLabel = "DIR",
      hidden = true,
      description = "the project's directory; the bench script gives it")
  private Path root = Path.of("");

  /** Runs the command and exits. */
  public static void main(String[] args) {
    System.exit(new CommandLine(new BenchCommand()).execute(args));
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    List<Scenario> scenarios =
        Scenario.ALL.stream()
            .filter(each -> only == null || each.isMeantBy(only))
            .filter(each -> !(bareOnly && each.keyed()))
            .toList();
    if (scenarios.isEmpty()) {
      return complain(
          "There is no scenario '"
              + only
              + (bareOnly ? "' of the bare programs, which know no keys" : "'")
              + ". There are: "
              + String.join(", ", Scenario.ALL.stream().map(Scenario::name).toList()));
    }
    Path built = root.resolve("deploy/demo/target");
    if (!bareOnly && !Files.isDirectory(built.resolve("lib"))) {
      return complain(
          "Tideover is not built: there is no directory "
              + built.resolve("lib")
              + ". Run ./mvnw -DskipTests package, or measure the bare programs with --bare-only.");
    }
    Plan plan = quick ? Plan.QUICK : Plan.FULL;
    return Run.inDirectory(directory -> run(scenarios, plan, root, directory, System.out));
  }

  private boolean run(
      List<Scenario> scenarios, Plan plan, Path root, Path directory, PrintStream out)
      throws BenchException, InterruptedException, IOException {
    out.printf(
        "%s run: %d pairs of rounds of %.1f s for each scenario, %d processors, Java %s%n",
        plan.name(),
        plan.pairs(),
        plan.millis() / 1000.0,
        Runtime.getRuntime().availableProcessors(),
        Runtime.version());
    Run.warnIfBusy(out);
    Testbed testbed = Testbed.create(directory, kafkaProperties, replyPartitions);
    Thread hook = new Thread(testbed::close, "end-processes");
    Runtime.getRuntime().addShutdownHook(hook);
    Report report;
    try {
      report = new Bench(testbed, plan, out).run(scenarios, bareOnly ? null : root);
    } finally {
      testbed.close();
    }
    report.print(out, !bareOnly);
    if (json != null) {
      Files.writeString(json, report.toJson());
    }
    return report.isClean();
  }

  private static int complain(String message) {
    System.err.println(message);
    return CommandLine.ExitCode.USAGE;
  }
}
