package dev.tideover.demo;

import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@link DrillService} without Tideover, for a proxy to stand before: the same handler behind an
 * HTTP server. {@code /health} says whether to send it requests. On SIGTERM it says no for a while,
 * which is longer than the proxy takes to notice, still serves, finishes what it has begun and
 * exits with 0.
 */
@Command(name = "drill-http-service", description = "The drill's service without Tideover.")
final class DrillHttpService implements Callable<Integer> {

  private static final long STILL_SERVING_MILLIS = 1_000;
  private static final long DRAIN_SECONDS = 10;

  /** As many as the SDK runs at once. */
  private static final int CONCURRENCY = 64;

  @Option(names = "--port", required = true)
  int port;

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

  private volatile boolean stopping;

  private DrillHttpService() {}

  /** Runs an instance until it is asked to end. */
  public static void main(String[] args) {
    System.exit(
        new CommandLine(new DrillHttpService())
            .setCaseInsensitiveEnumValuesAllowed(true)
            .execute(args));
  }

  @Override
  public Integer call()
      throws IOException, InterruptedException, ExecutionException, TimeoutException {
    var handler =
        new DrillHandler(version + "/" + instance, bad, workMillis, Ledger.open(ledgerFile));
    Vertx vertx = Vertx.vertx(new VertxOptions().setWorkerPoolSize(CONCURRENCY));
    HttpServer server =
        vertx
            .createHttpServer(new HttpServerOptions().setHost("127.0.0.1").setPort(port))
            .requestHandler(request -> answer(vertx, handler, request));
    server.listen().toCompletionStage().toCompletableFuture().get(DRAIN_SECONDS, TimeUnit.SECONDS);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> drainAndExit(vertx, server), "drain"));
    System.out.println("READY " + System.currentTimeMillis());
    System.out.println("STARTED " + System.currentTimeMillis());
    new CountDownLatch(1).await();
    return 0;
  }

  private void answer(Vertx vertx, DrillHandler handler, HttpServerRequest request) {
    if (request.path().equals("/health")) {
      request.response().setStatusCode(stopping ? 503 : 200).end();
      return;
    }
    request
        .body()
        .compose(
            body ->
                vertx.executeBlocking(() -> handler.handle(body.toString(), "-", -1, -1), false))
        .onSuccess(
            answer -> {
              // So that nobody sends another request on a connection that is about to end.
              if (stopping) {
                request.response().putHeader("connection", "close");
              }
              request
                  .response()
                  .setStatusCode(answer.status())
                  .putHeader("content-type", "text/plain; charset=utf-8")
                  .end(Buffer.buffer(answer.body()));
            })
        .onFailure(failure -> request.response().setStatusCode(500).end());
  }

  private void drainAndExit(Vertx vertx, HttpServer server) {
    stopping = true;
    CountDownLatch drained = new CountDownLatch(1);
    vertx.setTimer(
        STILL_SERVING_MILLIS,
        id ->
            server
                .shutdown(DRAIN_SECONDS, TimeUnit.SECONDS)
                .onComplete(done -> drained.countDown()));
    try {
      boolean unused = drained.await(2 * DRAIN_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Runtime.getRuntime().halt(0);
  }
}
