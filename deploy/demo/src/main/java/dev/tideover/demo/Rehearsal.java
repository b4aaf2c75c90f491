package dev.tideover.demo;

import dev.tideover.gateway.cli.GatewayCommand;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Runs everything for a moment in one JVM: Kafka, the gateway, the orders service and the client.
 * The tideover command does this once after a build, with {@code -XX:ArchiveClassesAtExit}: what is
 * loaded here is archived in parsed and verified form, and every program of ours starts in about
 * half the CPU time (class-data sharing). Exits with 0 if requests were answered.
 */
final class Rehearsal {
  private static final Duration BOUND = Duration.ofSeconds(60);
  private static final Duration TRAFFIC = Duration.ofSeconds(1);
  private static final double RATE = 20;

  private Rehearsal() {}

  /**
   * Rehearses.
   *
   * @param args a directory for data, which the caller deletes afterwards
   */
  public static void main(String[] args) throws Exception {
    DemoLogging.configure();
    Path directory = Files.createDirectories(Path.of(args[0]));
    List<Integer> ports = DemoProcesses.freePorts(0);
    int httpPort = ports.get(0);
    String kafka = "127.0.0.1:" + ports.get(1);
    int adminPort = ports.get(2);
    Path config = directory.resolve("tideover.yaml");
    Files.writeString(config, GatewayConfigFile.text(kafka, httpPort, adminPort, BOUND));

    inBackground(
        () ->
            GatewayCommand.main(
                new String[] {
                  "serve",
                  "--embedded",
                  "--config=" + config,
                  "--data=" + directory.resolve("kafka")
                }));
    Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    await(Readiness.await(vertx, adminPort, BOUND).toCompletionStage().toCompletableFuture());
    inBackground(
        () ->
            OrdersService.main(
                new String[] {
                  "--bootstrap-servers=" + kafka,
                  "--version=v1",
                  "--ledger=" + directory.resolve("ledger.txt")
                }));

    TrafficClient.Result result;
    try (var traffic = new TrafficClient(vertx, httpPort, RATE, BOUND);
        var backlog = new Backlog(kafka, "orders");
        var live = new LiveView(new Display(System.out, false), traffic, backlog)) {
      traffic.start();
      live.start("v1");
      await(vertx.timer(TRAFFIC.toMillis()).toCompletionStage().toCompletableFuture());
      result = await(traffic.finish());
    }
    Verdict verdict = Verdict.of(result.requests(), Ledger.read(directory.resolve("ledger.txt")));
    System.exit(verdict.answered() > 0 && verdict.problems(false).isEmpty() ? 0 : 1);
  }

  private static <T> T await(CompletableFuture<T> future)
      throws ExecutionException, InterruptedException, TimeoutException {
    return future.get(BOUND.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** A program's main method, which ends with the JVM. */
  private static void inBackground(Runnable main) {
    var thread = new Thread(main, "rehearsed program");
    thread.setDaemon(true);
    thread.start();
  }
}
