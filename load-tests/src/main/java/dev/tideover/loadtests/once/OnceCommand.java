package dev.tideover.loadtests.once;

import dev.tideover.loadtests.bench.BenchException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code load-tests/once}: exit code 0, 1 if a rule was broken, 2 usage, 3 if nothing was shown.
 */
@Command(
    name = "once",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Kills two gateways, three instances of a service, Kafka and PostgreSQL in turn while clients"
          + " send requests with idempotency keys, again and again until they have an answer, and"
          + " checks that each key has one answer and one effect.",
      "With --inbox: exactly one effect in the database for each key. Without: a handler is only"
          + " called again for a key after a crash or a lost partition."
    },
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {
      "0:every rule held",
      "1:a rule was broken",
      "2:usage",
      "3:VOID: what was to happen did not, so that nothing is shown"
    })
public final class OnceCommand implements Callable<Integer> {

  private static final Duration SETTLE_BOUND = Duration.ofSeconds(60);
  private static final Duration SWEEP_BOUND = Duration.ofSeconds(30);
  private static final int SWEPT = 300;
  private static final int VOID = 3;

  @Option(names = "--inbox", description = "the service uses the inbox, with PostgreSQL")
  private boolean inbox;

  @Option(names = "--rate", description = "keys per second (default ${DEFAULT-VALUE})")
  private int rate = 150;

  @Option(names = "--seconds", description = "of load (default ${DEFAULT-VALUE})")
  private int seconds = 60;

  @Option(
      names = "--rounds",
      description = "kills of each but the broker, which is killed once (default ${DEFAULT-VALUE})")
  private int rounds = 2;

  @Option(
      names = "--seed",
      description = "of what is sent and what is killed when (default: another one each time)")
  private long seed = System.nanoTime() & 0xffffff;

  @Option(names = "--json", paramLabel = "FILE", description = "also write the report as JSON")
  private @Nullable Path json;

  @Option(names = "--root", paramLabel = "DIR", hidden = true)
  private Path root = Path.of("");

  /** Runs the command and exits. */
  public static void main(String[] args) {
    System.exit(new CommandLine(new OnceCommand()).execute(args));
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    Path directory =
        Files.createDirectories(
            root.toAbsolutePath()
                .resolve("load-tests/target/once/" + Instant.now().toEpochMilli()));
    System.out.printf(
        Locale.ROOT, "%s, seed %d. Logs: %s%n", inbox ? "inbox" : "no inbox", seed, directory);
    try {
      OnceReport report = run(directory);
      report.print(System.out);
      if (json != null) {
        Files.writeString(json, report.json());
      }
      return !report.verdict().pass() ? 1 : report.reasonsForVoid().isEmpty() ? 0 : VOID;
    } catch (BenchException e) {
      System.err.println(e.getMessage());
      return 1;
    }
  }

  private OnceReport run(Path directory) throws BenchException, InterruptedException {
    long began = System.nanoTime();
    try (OnceTestbed bed = OnceTestbed.start(root, directory, inbox);
        Clients clients = new Clients(bed.clients(), rate, seed, inbox)) {
      System.out.printf(
          Locale.ROOT,
          "All is up after %.1f s; %d keys a second from now on%n",
          (System.nanoTime() - began) / 1e9,
          rate);
      List<Faults.Target> targets = new ArrayList<>(bed.often());
      List<String> often = targets.stream().map(Faults.Target::name).toList();
      targets.add(bed.kafka());
      List<Faults.Blow> schedule =
          Faults.schedule(
              seed,
              often,
              List.of(bed.kafka().name()),
              rounds,
              TimeUnit.SECONDS.toMillis(Math.max(1, seconds - 4)));
      clients.start();
      long start = System.nanoTime();
      try (Faults faults = new Faults(targets, schedule)) {
        faults.run();
        clients.runUntil(start + TimeUnit.SECONDS.toNanos(seconds));
        clients.settle(SETTLE_BOUND);
        clients.sweep(SWEPT, SWEEP_BOUND);
        bed.stopInstances();
        History history =
            new History(
                inbox,
                clients.sent(),
                clients.answers(),
                clients.unanswered(),
                bed.effects(),
                bed.calls(),
                bed.kills(),
                bed.losses(),
                bed.outages());
        return new OnceReport(
            Checker.judge(history),
            inbox,
            seed,
            rounds,
            faults.done(),
            clients.begun(),
            clients.latestMillis(),
            clients.counts());
      }
    }
  }
}
