package dev.tideover.testkit;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * {@code tideover broker}: a Kafka broker as a process of its own. It prints one line when it is
 * ready and runs until SIGTERM or SIGINT, which end it cleanly and with exit code 0; errors are one
 * line and exit code 1.
 */
@Command(
    name = "broker",
    mixinStandardHelpOptions = true,
    description = "Runs a real Kafka broker of one node, for development and tests.",
    exitCodeOnInvalidInput = 1)
public final class BrokerCommand implements Callable<Integer> {

  /** Begins the line that says that the broker is ready; the port follows. */
  static final String READY = "Kafka is ready at localhost:";

  private static final long MAX_START_SECONDS = 60;
  private static final Duration MAX_CLEAN_EXIT = Duration.ofSeconds(90);

  @Option(
      names = "--port",
      paramLabel = "N",
      defaultValue = "9092",
      description = "Port on localhost; 0 takes a free one. Default: ${DEFAULT-VALUE}.")
  private int port;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "Keeps the data here and finds it again. Default: a temporary directory.")
  private @Nullable Path data;

  @Option(
      names = "--property",
      paramLabel = "NAME=VALUE",
      description = "A property of Kafka's broker; may be repeated.")
  private Map<String, String> properties = Map.of();

  @Option(names = "--until-stdin-closes", hidden = true)
  private boolean untilStdinCloses;

  @Option(names = "--remove-data-then", hidden = true)
  private boolean removeDataThen;

  @Option(names = "--node-id", hidden = true)
  private int nodeId = KafkaBroker.Node.ALONE.id();

  @Option(names = "--controller-port", hidden = true)
  private int controllerPort;

  @Option(names = "--cluster-id", hidden = true)
  private @Nullable String clusterId;

  @Spec
  @SuppressWarnings("NullAway.Init") // picocli sets it before it calls
  private CommandSpec spec;

  private volatile int exitCode;

  /** Whoever started this broker is gone, so that nobody else can clean up behind it. */
  private volatile boolean abandoned;

  /** Runs the command and ends the JVM with its exit code. */
  public static void main(String[] args) {
    // Kafka says much. Its own file, so that the jar brings no logback.xml to programs that embed
    // it.
    System.getProperties()
        .putIfAbsent("logback.configurationFile", "dev/tideover/testkit/broker-logback.xml");
    CommandLine command = new CommandLine(new BrokerCommand()).setCommandName("tideover broker");
    command.setParameterExceptionHandler(
        (e, ignored) -> {
          command.getErr().println(e.getMessage() + ". See tideover broker --help.");
          return 1;
        });
    System.exit(command.execute(args));
  }

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    CompletableFuture<KafkaBroker> started = new CompletableFuture<>();
    // Before the start, so that even an interrupted start leaves no temporary directory behind.
    Runtime.getRuntime().addShutdownHook(new Thread(() -> closeAndHalt(started), "broker-stop"));
    KafkaBroker broker;
    try {
      KafkaBroker.Builder builder = KafkaBroker.builder().port(port);
      builder.node(new KafkaBroker.Node(nodeId, controllerPort, clusterId));
      if (data != null) {
        builder.dataDirectory(data);
      }
      properties.forEach(builder::property);
      broker = builder.start();
    } catch (BrokerException | IllegalArgumentException e) {
      started.completeExceptionally(e);
      err.println(e.getMessage());
      return 1;
    }
    started.complete(broker);
    out.println(
        READY
            + broker.port()
            + " (data in "
            + broker.dataDirectory()
            + (broker.isTemporary() ? ", removed at the end" : "")
            + ")");
    out.flush();
    if (untilStdinCloses) {
      Tether.attach(0, MAX_CLEAN_EXIT, () -> abandoned = true);
    }
    String reason = broker.failure().join();
    exitCode = 1;
    err.println(
        "The broker broke down: "
            + reason
            + ". Look at the disk and the log, then start it again.");
    return 1;
  }

  /**
   * Closes the broker and ends the JVM by {@code halt}: after a signal, the JVM's own exit code
   * would be 143, as if the end had not been clean.
   */
  private void closeAndHalt(CompletableFuture<KafkaBroker> started) {
    int code = exitCode;
    try {
      KafkaBroker broker = started.get(MAX_START_SECONDS, TimeUnit.SECONDS);
      broker.close();
      if (abandoned && removeDataThen) {
        DataDirectory.delete(broker.dataDirectory());
      }
    } catch (ExecutionException startFailed) {
      return;
    } catch (TimeoutException | InterruptedException | RuntimeException e) {
      spec.commandLine().getErr().println("The broker's end was not clean: " + e.getMessage());
      code = 1;
    }
    Runtime.getRuntime().halt(code);
  }
}
