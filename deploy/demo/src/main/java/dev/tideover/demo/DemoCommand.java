package dev.tideover.demo;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code tideover demo}: a release under traffic, live, with a check of what became of it. */
@Command(
    name = "tideover demo",
    usageHelpAutoWidth = true,
    sortOptions = false,
    description = {
      "Starts Kafka, the gateway and version v1 of a small orders service, sends it steady traffic,"
          + " stops v1, waits, and starts v2. Clients should see nothing but a slower answer.",
      "Exits with 0 if every request got its own answer and had its effect once and in order."
    })
public final class DemoCommand implements Callable<Integer> {
  @Option(
      names = "--rate",
      paramLabel = "N",
      description = "Requests a second (default ${DEFAULT-VALUE}).")
  private int rate = 200;

  @Option(
      names = "--duration",
      paramLabel = "TIME",
      converter = DurationConverter.class,
      defaultValue = "30s",
      description = "How long requests are sent (default ${DEFAULT-VALUE}).")
  private Duration duration = Duration.ZERO;

  @Option(
      names = "--release-at",
      paramLabel = "TIME",
      converter = DurationConverter.class,
      defaultValue = "10s",
      description = "When v1 is stopped (default ${DEFAULT-VALUE}).")
  private Duration releaseAt = Duration.ZERO;

  @Option(
      names = "--downtime",
      paramLabel = "TIME",
      converter = DurationConverter.class,
      defaultValue = "5s",
      description = "From the end of v1 to the start of v2 (default ${DEFAULT-VALUE}).")
  private Duration downtime = Duration.ZERO;

  @Option(names = "--kill", description = "Kill v1 with SIGKILL instead of stopping it cleanly.")
  private boolean kill;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      description = "Write the result to this file, as JSON.")
  private @Nullable Path report;

  @Option(
      names = "--keep",
      description = "Stay up afterwards, and print what to try. Ctrl-C ends everything.")
  private boolean keep;

  @Option(
      names = "--port",
      paramLabel = "N",
      description = "The gateway's port (default ${DEFAULT-VALUE}; 0 for a free one).")
  private int port = 8080;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  boolean help;

  private DemoCommand() {}

  /** Runs the demo; exits with 0 if all was well, 1 if not, 2 for options it doesn't know. */
  public static void main(String[] args) {
    DemoLogging.configure();
    System.exit(execute(args));
  }

  /** The same, without the end of the JVM. */
  static int execute(String... args) {
    return new CommandLine(new DemoCommand()).execute(args);
  }

  @Override
  public Integer call() throws InterruptedException {
    var display = new Display(System.out, isTerminal());
    try {
      var options = new DemoOptions(rate, duration, releaseAt, downtime, kill, report, keep, port);
      options.validate();
      return new Demo(options, display).run() ? 0 : 1;
    } catch (DemoException e) {
      System.err.println(e.getMessage());
    } catch (IOException e) {
      System.err.println("The demo could not use a file: " + e);
    }
    return 1;
  }

  /** The tideover command says what standard output is; without it, the JVM guesses. */
  private static boolean isTerminal() {
    String said = System.getProperty("tideover.terminal");
    return said != null ? Boolean.parseBoolean(said) : System.console() != null;
  }
}
