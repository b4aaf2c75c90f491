package dev.tideover.demo;

import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Request;
import dev.tideover.sdk.Tideover;
import dev.tideover.sdk.TideoverConsumer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The service of {@code load-tests/drill}, an instance of one version of it: with the SDK, or with
 * an HTTP server of its own as {@link DrillHttpService}, which does the same.
 *
 * <p>It prints {@code READY <epoch milliseconds>} when it is ready to work, just before it starts
 * the SDK, and {@code STARTED <epoch milliseconds>} behind that. SIGTERM lets it finish what it has
 * begun and exit with 0.
 */
@Command(name = "drill-service", description = "The drill's service.")
final class DrillService implements Callable<Integer> {

  private static final Duration START_BOUND = Duration.ofSeconds(60);

  @Option(names = "--bootstrap-servers", required = true)
  String bootstrapServers = "";

  @Option(names = "--version", required = true)
  String version = "";

  @Option(names = "--instance", required = true)
  String instance = "";

  @Option(names = "--ledger", required = true)
  Path ledgerFile = Path.of("");

  @Option(names = "--bad")
  DrillHandler.Bad bad = DrillHandler.Bad.NOT;

  @Option(names = "--work-millis")
  long workMillis = 2;

  private DrillService() {}

  /** Runs an instance until it is asked to end. */
  public static void main(String[] args) {
    System.exit(
        new CommandLine(new DrillService())
            .setCaseInsensitiveEnumValuesAllowed(true)
            .execute(args));
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    var handler =
        new DrillHandler(version + "/" + instance, bad, workMillis, Ledger.open(ledgerFile));
    var builder =
        Tideover.service("orders")
            .version(version)
            .instance(instance)
            .bootstrapServers(bootstrapServers)
            .startTimeout(START_BOUND)
            .handler(request -> handle(request, handler));
    System.out.println("READY " + System.currentTimeMillis());
    TideoverConsumer consumer = builder.start();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> drainAndExit(consumer), "drain"));
    System.out.println("STARTED " + System.currentTimeMillis());
    new CountDownLatch(1).await();
    return 0;
  }

  private static Outcome handle(Request request, DrillHandler handler)
      throws IOException, InterruptedException {
    DrillHandler.Answer answer =
        handler.handle(request.text(), request.id(), request.partition(), request.offset());
    return Outcome.reply(answer.status()).text(answer.body());
  }

  /** The JVM's exit code after SIGTERM would be 143; a clean drain is a success. */
  private static void drainAndExit(TideoverConsumer consumer) {
    consumer.close();
    Runtime.getRuntime().halt(0);
  }
}
