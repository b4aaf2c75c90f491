package dev.tideover.loadtests.drain;

import dev.tideover.loadtests.bench.BenchException;
import dev.tideover.loadtests.bench.Processes;
import dev.tideover.loadtests.bench.Report;
import dev.tideover.loadtests.bench.Run;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code load-tests/sdk-bench}: exit code 0, 1 if something failed, was lost or came twice, 2
 * usage.
 */
@Command(
    name = "sdk-bench",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Lets the SDK, a bare loop and Confluent's Parallel Consumer drain the same requests in"
            + " one run on this machine: throughput, processor time, and their ratios.")
public final class DrainCommand implements Callable<Integer> {

  private static final int QUICK_ROUNDS = 3;
  private static final int ROUNDS = 5;

  @Option(names = "--quick", description = "fewer and shorter rounds")
  private boolean quick;

  @Option(names = "--only", paramLabel = "NAME", description = "one scenario, noop for example")
  private @Nullable String only;

  @Option(names = "--json", paramLabel = "FILE", description = "also write the figures as JSON")
  private @Nullable Path json;

  @Option(
      names = "--root",
      paramLabel = "DIR",
      hidden = true,
      description = "the project's directory; the script gives it")
  private Path root = Path.of("");

  /** Runs the command and exits. */
  public static void main(String[] args) {
    CommandLine command = new CommandLine(new DrainCommand());
    command.addSubcommand(new BacklogCommand());
    System.exit(command.execute(args));
  }

  /** The project's directory. */
  Path root() {
    return root;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    List<DrainScenario> scenarios =
        DrainScenario.ALL.stream()
            .filter(each -> only == null || each.name().equals(only))
            .toList();
    if (scenarios.isEmpty()) {
      System.err.println(
          "There is no scenario '"
              + only
              + "'. There are: "
              + String.join(", ", DrainScenario.ALL.stream().map(DrainScenario::name).toList()));
      return CommandLine.ExitCode.USAGE;
    }
    return Run.inDirectory(directory -> run(scenarios, directory, System.out));
  }

  private boolean run(List<DrainScenario> scenarios, Path directory, PrintStream out)
      throws BenchException, InterruptedException, IOException {
    int rounds = quick ? QUICK_ROUNDS : ROUNDS;
    out.printf(
        "%d measured rounds of each scenario, %d processors, Java %s%n",
        rounds, Runtime.getRuntime().availableProcessors(), Runtime.version());
    Run.warnIfBusy(out);
    Processes processes = new Processes(directory);
    Runtime.getRuntime().addShutdownHook(new Thread(processes::close, "end-processes"));
    Report report;
    try (processes;
        DrainBench bench = DrainBench.start(processes, root, out)) {
      report = bench.run(scenarios, quick, rounds);
    }
    report.print(out, true);
    if (json != null) {
      Files.writeString(json, report.toJson());
    }
    return report.isClean();
  }
}
