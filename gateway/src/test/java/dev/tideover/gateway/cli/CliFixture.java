package dev.tideover.gateway.cli;

import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.http.AdminFront;
import dev.tideover.gateway.http.FakeOperations;
import dev.tideover.gateway.http.ServiceLoad;
import io.vertx.core.Vertx;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Admin fronts on free ports over one set of operations by hand, and commands that ask them. */
final class CliFixture {

  /** A command under way, or over. */
  static final class Run {
    final StringWriter out = new StringWriter();
    final StringWriter err = new StringWriter();
    CompletableFuture<Integer> code;

    void awaitOut(String text) {
      await().atMost(Duration.ofSeconds(20)).until(() -> out.toString().contains(text));
    }

    int end() throws Exception {
      try {
        return code.get(30, TimeUnit.SECONDS);
      } catch (java.util.concurrent.TimeoutException e) {
        throw new AssertionError("it goes on: " + out + "\n" + err, e);
      }
    }

    String out() {
      return out.toString();
    }

    String err() {
      return err.toString();
    }
  }

  final FakeOperations operations = new FakeOperations();
  private final Vertx vertx = Vertx.vertx();

  /** One that is a gateway: its port, and how to end it. */
  record Front(int port, String deployment) {
    String url() {
      return "http://127.0.0.1:" + port;
    }
  }

  Front front() throws Exception {
    return front(0, null);
  }

  Front front(int port, String token) throws Exception {
    AdminFront front = new AdminFront(new GatewayConfig.Admin("127.0.0.1", port, token), List.of());
    front.serve(operations, service -> new ServiceLoad(12, Duration.ofMillis(3_200), 40.25));
    String id =
        vertx
            .deployVerticle(front)
            .toCompletionStage()
            .toCompletableFuture()
            .get(20, TimeUnit.SECONDS);
    return new Front(front.port(), id);
  }

  void end(Front front) throws Exception {
    vertx
        .undeploy(front.deployment())
        .toCompletionStage()
        .toCompletableFuture()
        .get(20, TimeUnit.SECONDS);
  }

  /** Begins a command. */
  static Run start(String... args) {
    Run run = new Run();
    run.code =
        CompletableFuture.supplyAsync(
            () ->
                GatewayCommand.run(
                    new PrintWriter(run.out, true), new PrintWriter(run.err, true), args));
    return run;
  }

  /** A command from its beginning to its end. */
  static Run run(String... args) throws Exception {
    Run run = start(args);
    int unused = run.end();
    return run;
  }

  void close() throws Exception {
    vertx.close().toCompletionStage().toCompletableFuture().get(20, TimeUnit.SECONDS);
  }
}
