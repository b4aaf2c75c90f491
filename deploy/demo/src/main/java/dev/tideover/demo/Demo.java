package dev.tideover.demo;

import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One run of the demo. {@link #run} is the whole story, top to bottom. The thread that calls it
 * owns everything here.
 */
final class Demo {
  private static final Duration START = Duration.ofSeconds(45);
  private static final Duration STOP = Duration.ofSeconds(60);
  private static final Duration SETTLE = Duration.ofSeconds(20);

  private final DemoOptions options;
  private final Display display;

  Demo(DemoOptions options, Display display) {
    this.options = options;
    this.display = display;
  }

  /**
   * Runs the demo.
   *
   * @return whether all was well
   * @throws DemoException where it can't go on; the message is for people
   */
  boolean run() throws DemoException, IOException, InterruptedException {
    long began = System.nanoTime();
    try (var processes = DemoProcesses.create(options.port())) {
      display.event(null, "Starting Kafka, the gateway and version v1 of the orders service ...");
      ChildProcess broker = processes.startBroker();
      ChildProcess v1 = processes.startOrders("v1");
      // One event loop: the client below owns its state by it, and 300 requests a second are few.
      Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
      try {
        processes.await(broker.line("Kafka is ready"), START, "Kafka to start");
        processes.startGateway(options.gatewayWait());
        processes.await(gatewayReady(vertx, processes), START, "the gateway to be ready");
        processes.await(v1.line("STARTED"), START, "the orders service to start");
        display.event(
            null,
            "Ready after "
                + TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began)
                + " ms. Sending "
                + options.rate()
                + " requests a second to http://127.0.0.1:"
                + processes.httpPort()
                + "/orders/...");
        return release(vertx, processes, v1);
      } catch (DemoException | IOException e) {
        processes.keepDirectory();
        throw e;
      } finally {
        vertx.close().toCompletionStage().toCompletableFuture().orTimeout(5, TimeUnit.SECONDS);
      }
    }
  }

  private boolean release(Vertx vertx, DemoProcesses processes, ChildProcess v1)
      throws DemoException, IOException, InterruptedException {
    var problems = new ArrayList<String>();
    TrafficClient.Result result;
    String ready;
    try (var traffic =
            new TrafficClient(vertx, processes.httpPort(), options.rate(), options.answerWithin());
        var backlog = new Backlog(processes.bootstrapServers(), "orders");
        var live = new LiveView(display, traffic, backlog)) {
      traffic.start();
      live.start("v1");
      long start = System.nanoTime();

      processes.pauseUntil(start + options.releaseAt().toNanos());
      stopV1(processes, v1, live, problems);
      processes.pauseUntil(System.nanoTime() + options.downtime().toNanos());

      live.event("Starting v2", "none: v2 is starting");
      ChildProcess v2 = processes.startOrders("v2");
      CompletableFuture<String> v2Ready =
          v2.line("READY").whenComplete((line, failure) -> live.event("v2 is ready", "v2"));
      processes.pauseUntil(start + options.duration().toNanos());

      live.event("No more requests; waiting for the last answers", null);
      result =
          processes.await(
              traffic.finish(), options.answerWithin().multipliedBy(3), "the last answers");
      ready = processes.await(v2Ready, START, "v2 to be ready");
      settle(processes, live, problems);
    }
    return judge(processes, result, readyMillis(ready), problems);
  }

  private void stopV1(
      DemoProcesses processes, ChildProcess v1, LiveView live, List<String> problems)
      throws DemoException, InterruptedException {
    live.event(options.kill() ? "Killing v1 (SIGKILL)" : "Stopping v1 (SIGTERM)", "v1 is stopping");
    if (options.kill()) {
      v1.kill();
    } else {
      v1.stop();
    }
    int exitCode = processes.await(v1.exitCode(), STOP, "v1 to end");
    live.event("v1 is gone; its clients wait", "none: v1 is gone");
    if (!options.kill() && exitCode != 0) {
      processes.keepDirectory();
      problems.add("v1 did not end cleanly: exit code " + exitCode + ". " + v1.tail());
    }
  }

  /**
   * Waits until Kafka has all requests committed as handled: only then is the ledger complete,
   * since an uncommitted request may be handled once more.
   */
  private static void settle(DemoProcesses processes, LiveView live, List<String> problems)
      throws DemoException, InterruptedException {
    long giveUp = System.nanoTime() + SETTLE.toNanos();
    long left = live.awaitBacklog();
    while (left != 0 && System.nanoTime() < giveUp) {
      processes.pauseUntil(System.nanoTime() + Duration.ofMillis(200).toNanos());
      left = live.awaitBacklog();
    }
    if (left != 0) {
      problems.add(
          (left < 0 ? "Kafka did not say how many" : left + "")
              + " requests are still in the backlog "
              + SETTLE.toSeconds()
              + " s after the last answer");
    }
  }

  private boolean judge(
      DemoProcesses processes, TrafficClient.Result result, long readyMillis, List<String> problems)
      throws DemoException, IOException, InterruptedException {
    Verdict verdict = Verdict.of(result.requests(), Ledger.read(processes.ledger()));
    problems.addAll(verdict.problems(options.kill()));
    for (String version : List.of("v1", "v2")) {
      if (!verdict.answeredBy().containsKey(version)) {
        problems.add(version + " answered nothing");
      }
    }
    @Nullable Long firstByV2 = result.firstAnswerAtMillis().get("v2");
    Report report = Report.of(verdict, result, firstByV2 == null ? null : firstByV2 - readyMillis);
    if (options.report() != null) {
      report.write(options.report());
    }
    display.table(report, options.kill());
    if (problems.isEmpty()) {
      display.event(null, "Every request got its own answer, and had its effect in order.");
    } else {
      processes.keepDirectory();
      problems.forEach(problem -> display.event(null, "FAILED: " + problem));
      display.event(null, "Logs, ledger and data are in " + processes.directory());
    }
    if (options.keep()) {
      stayUp(processes);
    }
    return problems.isEmpty();
  }

  private void stayUp(DemoProcesses processes) throws DemoException, InterruptedException {
    String gateway = "http://127.0.0.1:" + processes.httpPort();
    String admin = "http://127.0.0.1:" + processes.adminPort();
    display.event(
        null,
        """
        Everything stays up until Ctrl-C.
          gateway   %s
          admin     %s
          Kafka     %s
          logs      %s
        Try:
          curl -i -d '{"seq":1}' %s/orders/you
          curl -i -d '{"seq":2}' -H 'Prefer: respond-async' %s/orders/you
          curl -s %s/metrics\
        """
            .formatted(
                gateway,
                admin,
                processes.bootstrapServers(),
                processes.directory(),
                gateway,
                gateway,
                admin));
    processes.awaitFailure();
  }

  private static CompletableFuture<Void> gatewayReady(Vertx vertx, DemoProcesses processes) {
    return Readiness.await(vertx, processes.adminPort(), START)
        .toCompletionStage()
        .toCompletableFuture();
  }

  private static long readyMillis(String line) {
    return Long.parseLong(line.substring("READY ".length()));
  }
}
