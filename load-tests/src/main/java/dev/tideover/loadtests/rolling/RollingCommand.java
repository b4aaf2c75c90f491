package dev.tideover.loadtests.rolling;

import dev.tideover.loadtests.bench.BenchException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code load-tests/rolling}: exit code 0, 1 if any request failed, 2 usage. */
@Command(
    name = "rolling",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Restarts two gateways behind HAProxy in turn while clients send requests, and checks"
            + " every answer. Exit code 0 if no request failed, was lost or got a wrong answer.")
public final class RollingCommand implements Callable<Integer> {

  @Option(names = "--rounds", description = "restarts of each gateway (default ${DEFAULT-VALUE})")
  private int rounds = 2;

  @Option(names = "--rate", description = "requests per second (default ${DEFAULT-VALUE})")
  private int rate = 200;

  @Option(names = "--seconds", description = "of load at least (default ${DEFAULT-VALUE})")
  private int seconds = 40;

  @Option(
      names = "--kill",
      description = "end the gateways with SIGKILL: shows that the check sees what it should see")
  private boolean kill;

  @Option(names = "--json", paramLabel = "FILE", description = "also write the report as JSON")
  private @Nullable Path json;

  @Option(names = "--root", paramLabel = "DIR", hidden = true)
  private Path root = Path.of("");

  /** Runs the command and exits. */
  public static void main(String[] args) {
    System.exit(new CommandLine(new RollingCommand()).execute(args));
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    Path directory =
        Files.createDirectories(
            root.toAbsolutePath()
                .resolve("load-tests/target/rolling/" + Instant.now().toEpochMilli()));
    System.out.println("Logs: " + directory);
    try (Testbed bed = Testbed.start(root, directory);
        OpenLoop load = new OpenLoop(bed.clients(), rate)) {
      System.out.printf(Locale.ROOT, "All is up; %d requests a second from now on%n", rate);
      long start = System.nanoTime();
      load.start();
      load.awaitMore(2L * rate);
      List<Testbed.Restart> restarts = new ArrayList<>();
      for (int round = 0; round < rounds; round++) {
        for (int gateway = 0; gateway < bed.gateways(); gateway++) {
          Testbed.Restart restart = bed.restart(gateway, kill);
          restarts.add(restart);
          System.out.printf(
              Locale.ROOT,
              "  %s: stopped in %.1f s with exit code %d, served again %.1f s later%n",
              restart.gateway(),
              restart.stop() / 1e3,
              restart.exitCode(),
              restart.start() / 1e3);
          load.awaitMore(rate);
        }
      }
      long left = TimeUnit.SECONDS.toNanos(seconds) - (System.nanoTime() - start);
      if (left > 0) {
        load.awaitMore(rate * left / TimeUnit.SECONDS.toNanos(1));
      }
      long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
      return report(load.stop(), restarts, took);
    } catch (BenchException e) {
      System.err.println(e.getMessage());
      return 1;
    }
  }

  private int report(OpenLoop.Tally tally, List<Testbed.Restart> restarts, long millis)
      throws IOException {
    boolean exits = restarts.stream().allMatch(restart -> restart.exitCode() == 0);
    // A run that sent next to nothing has shown nothing.
    boolean enough = tally.sent() >= 0.9 * rate * millis / 1_000 && tally.repliedLater() > 0;
    boolean clean =
        tally.failed() == 0
            && tally.lost() == 0
            && tally.wrong() == 0
            && tally.confirmed() == tally.repliedLater()
            && tally.replied() + tally.repliedLater() == tally.sent();
    boolean pass = exits && enough && clean && restarts.size() == 2 * rounds;
    System.out.printf(
        Locale.ROOT,
        "%d sent in %.1f s: %d replied, %d by 202 and later, %d failed, %d lost, %d wrong%n"
            + "%d status addresses asked again after the last restart, %d answered as before%n"
            + "p50 %.1f ms, p99 %.1f ms, max %.1f ms (1 in 50 works for 1.5 s on purpose);"
            + " sent %d ms late at most%n%s%n",
        tally.sent(),
        millis / 1e3,
        tally.replied(),
        tally.repliedLater(),
        tally.failed(),
        tally.lost(),
        tally.wrong(),
        tally.repliedLater(),
        tally.confirmed(),
        tally.p50Millis(),
        tally.p99Millis(),
        tally.maxMillis(),
        tally.latestSendMillis(),
        pass ? "PASS" : "FAIL");
    tally.problems().forEach(problem -> System.out.println("  " + problem));
    if (!exits) {
      System.out.println("  a gateway ended with another exit code than 0");
    }
    if (!enough) {
      System.out.println("  too few requests were sent, or none got a 202, to show anything");
    }
    if (json != null) {
      Files.writeString(json, json(pass, tally, restarts, millis));
    }
    return pass ? 0 : 1;
  }

  private static String json(
      boolean pass, OpenLoop.Tally tally, List<Testbed.Restart> restarts, long millis) {
    String each =
        restarts.stream()
            .map(
                restart ->
                    String.format(
                        Locale.ROOT,
                        "    {\"gateway\": \"%s\", \"stopMs\": %d, \"exitCode\": %d, \"startMs\": %d}",
                        restart.gateway(),
                        restart.stop(),
                        restart.exitCode(),
                        restart.start()))
            .collect(Collectors.joining(",\n"));
    return String.format(
        Locale.ROOT,
        """
        {
          "pass": %b,
          "ms": %d,
          "sent": %d,
          "replied": %d,
          "repliedLater": %d,
          "confirmed": %d,
          "failed": %d,
          "lost": %d,
          "wrong": %d,
          "p50Ms": %.1f,
          "p99Ms": %.1f,
          "maxMs": %.1f,
          "latestSendMs": %d,
          "restarts": [
        %s
          ]
        }
        """,
        pass,
        millis,
        tally.sent(),
        tally.replied(),
        tally.repliedLater(),
        tally.confirmed(),
        tally.failed(),
        tally.lost(),
        tally.wrong(),
        tally.p50Millis(),
        tally.p99Millis(),
        tally.maxMillis(),
        tally.latestSendMillis(),
        each);
  }
}
