package dev.tideover.loadtests.drain;

import dev.tideover.loadtests.bench.BenchException;
import dev.tideover.loadtests.bench.Processes;
import dev.tideover.loadtests.bench.Run;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

/**
 * {@code load-tests/sdk-bench backlog}: exit code 0 if the memory stays flat and nothing is lost.
 */
@Command(
    name = "backlog",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Lets the SDK drain a large backlog with a small heap, and looks at the heap's live set"
            + " on the way: is it flat?")
final class BacklogCommand implements Callable<Integer> {

  @ParentCommand
  @SuppressWarnings("NullAway.Init") // picocli sets it before it calls
  private DrainCommand parent;

  @Option(
      names = "--records",
      paramLabel = "N",
      defaultValue = "1000000",
      description = "how many requests of 1 KiB, at least 100,000. Default: ${DEFAULT-VALUE}.")
  private int records;

  @Option(
      names = "--heap",
      paramLabel = "MIB",
      defaultValue = "256",
      description = "the SDK's heap. Default: ${DEFAULT-VALUE} MiB.")
  private int heap;

  @Option(names = "--json", paramLabel = "FILE", description = "also write the figures as JSON")
  private @Nullable Path json;

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (records < 100_000 || heap < 16) {
      System.err.println(
          "--records " + records + ", --heap " + heap + ": expected at least 100000 and 16.");
      return CommandLine.ExitCode.USAGE;
    }
    return Run.inDirectory(directory -> run(directory, System.out));
  }

  private boolean run(Path directory, PrintStream out)
      throws BenchException, InterruptedException, IOException {
    Processes processes = new Processes(directory);
    Runtime.getRuntime().addShutdownHook(new Thread(processes::close, "end-processes"));
    Backlog.Result result;
    try (processes) {
      result = new Backlog(processes, parent.root(), out).run(records, heap);
    }
    result.print(out);
    if (json != null) {
      Files.writeString(json, result.toJson());
    }
    return result.isGood();
  }
}
