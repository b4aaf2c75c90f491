package dev.tideover.demo;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Request;
import dev.tideover.sdk.Tideover;
import dev.tideover.sdk.TideoverConsumer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The service behind the gateway: it places orders. It embeds the SDK as any service would; what is
 * more than that here is the {@link Ledger}, by which the demo checks it.
 *
 * <p>It prints {@code READY <epoch milliseconds>} when it is ready to work, just before it starts
 * the SDK, and {@code STARTED} when requests reach it. SIGTERM lets it finish what it has begun and
 * exit with 0.
 */
@Command(name = "orders", description = "The demo's orders service.")
final class OrdersService implements Callable<Integer> {
  /** Letters, digits, {@code -} and {@code _}: what a customer's name may have. */
  private static final String CUSTOMER = "[A-Za-z0-9_-]{1,64}";

  private static final String PREFIX = "/orders/";
  private static final Duration ASSIGNMENT = Duration.ofSeconds(30);

  @Option(names = "--bootstrap-servers", required = true)
  String bootstrapServers = "";

  @Option(names = "--version", required = true)
  String version = "";

  @Option(names = "--ledger", required = true)
  Path ledgerFile = Path.of("");

  @Option(names = "--work-time", converter = DurationConverter.class)
  Duration workTime = Duration.ofMillis(2);

  private volatile int exitCode;

  /** The body of a request. */
  @JsonIgnoreProperties(ignoreUnknown = true)
  record Order(int seq) {}

  private OrdersService() {}

  /** Runs the service until it is asked to end. */
  public static void main(String[] args) {
    DemoLogging.configure();
    System.exit(new CommandLine(new OrdersService()).execute(args));
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    Ledger ledger = Ledger.open(ledgerFile);
    var builder =
        Tideover.service("orders")
            .version(version)
            // The same name in every version: a release in place, so the next one takes over at
            // once even where this one was killed and could not leave.
            .instance("orders-1")
            .bootstrapServers(bootstrapServers)
            // In the demo Kafka, the gateway and this service start at the same time.
            .startTimeout(Duration.ofSeconds(30))
            .handler(request -> handle(request, ledger));
    System.out.println("READY " + System.currentTimeMillis());
    TideoverConsumer consumer;
    try {
      consumer = builder.start();
    } catch (IllegalStateException e) {
      System.err.println("The orders service can't start: " + e.getMessage());
      return 1;
    }
    Runtime.getRuntime().addShutdownHook(new Thread(() -> drainAndExit(consumer), "drain"));
    if (!consumer.awaitAssignment(ASSIGNMENT)) {
      System.err.println("The orders service got no partition within " + ASSIGNMENT);
      exitCode = 1; // The shutdown hook has the last word.
      return exitCode;
    }
    System.out.println("STARTED");
    new CountDownLatch(1).await();
    return 0;
  }

  private Outcome handle(Request request, Ledger ledger) throws IOException {
    String customer = customerOf(request.path());
    if (!customer.matches(CUSTOMER)) {
      return Outcome.reply(404).text("There are orders at /orders/{customer} only.\n");
    }
    if (!request.method().equals("POST")) {
      return Outcome.reply(405).header("allow", "POST").text("POST an order.\n");
    }
    int seq = request.json(Order.class).seq();
    work();
    String order = OrderReply.orderId(customer, seq);
    ledger.append(
        new LedgerEntry(
            customer,
            seq,
            order,
            request.id(),
            request.partition(),
            request.offset(),
            version,
            System.currentTimeMillis()));
    return Outcome.reply(201).json(new OrderReply(order, customer, seq, version));
  }

  private static String customerOf(String path) {
    return path.startsWith(PREFIX) ? path.substring(PREFIX.length()) : "";
  }

  /** Takes as long as a call to a database would, and no CPU. */
  private void work() {
    long end = System.nanoTime() + workTime.toNanos();
    for (long left = workTime.toNanos(); left > 0; left = end - System.nanoTime()) {
      LockSupport.parkNanos(this, left);
    }
  }

  private void drainAndExit(TideoverConsumer consumer) {
    consumer.close();
    System.out.println("DRAINED");
    // The JVM's exit code after SIGTERM would be 143; a clean drain is a success. All is done here,
    // and the ledger has no buffer, so nothing is cut off.
    Runtime.getRuntime().halt(exitCode);
  }
}
