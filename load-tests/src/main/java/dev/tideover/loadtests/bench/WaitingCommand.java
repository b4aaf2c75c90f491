package dev.tideover.loadtests.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code load-tests/waiting}: exit code 0, 1 if something was answered wrongly, 2 usage. */
@Command(
    name = "waiting",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Lets very many clients wait at Tideover's gateway and at the bare one, and prints what each"
            + " of them costs on the heap; then all must get their own reply.")
public final class WaitingCommand implements Callable<Integer> {

  @Option(
      names = "--connections",
      paramLabel = "N",
      description = "clients that wait at once; needs as many file descriptors (default: 18000)")
  private int connections = 18_000;

  @Option(
      names = "--herd",
      paramLabel = "N",
      description = "clients whose waits end together (default: 5000)")
  private int herd = 5_000;

  @Option(names = "--heap", paramLabel = "SIZE", description = "of each gateway (default: 512m)")
  private String heap = "512m";

  @Option(
      names = "--root",
      paramLabel = "DIR",
      hidden = true,
      description = "the project's directory; the script gives it")
  private Path root = Path.of("");

  /** Runs the command and exits. */
  public static void main(String[] args) {
    System.exit(new CommandLine(new WaitingCommand()).execute(args));
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (!Files.isDirectory(root.resolve("deploy/demo/target/lib"))) {
      System.err.println("Tideover is not built. Run ./mvnw -DskipTests package.");
      return CommandLine.ExitCode.USAGE;
    }
    return Run.inDirectory(
        directory -> {
          WaitingBench bench = new WaitingBench(new Processes(directory), root, heap, System.out);
          Thread hook = new Thread(bench::close, "end-processes");
          Runtime.getRuntime().addShutdownHook(hook);
          try {
            return bench.run(connections, herd);
          } finally {
            bench.close();
          }
        });
  }
}
