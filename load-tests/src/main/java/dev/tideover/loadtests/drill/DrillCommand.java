package dev.tideover.loadtests.drill;

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
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code load-tests/drill}: exit code 0, 1 if Tideover has broken a promise, 2 usage. */
@Command(
    name = "drill",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Releases a service under load through Tideover, and then the same service without Tideover"
          + " behind HAProxy in the same way, and shows what became of each request.",
      "rolling replaces three instances one after the other. blue-green switches from two instances"
          + " of v1 to two of v2. bad-green does so where v2 is bad, and must end with v1. hold lets"
          + " nothing be handled for a while."
    },
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {
      "0:through Tideover no request failed, was lost, got a wrong reply or overtook another",
      "1:one did, or the release itself did not end as it should",
      "2:usage"
    })
public final class DrillCommand implements Callable<Integer> {

  private static final Duration HOLD = Duration.ofSeconds(60);
  private static final Duration SETTLE_BOUND = Duration.ofSeconds(90);

  @Option(
      names = "--kind",
      required = true,
      description = "rolling, blue-green, bad-green or hold",
      converter = KindConverter.class)
  private Kind kind = Kind.ROLLING;

  @Option(
      names = "--bad",
      description =
          "how the version of bad-green is bad: errors, hang, crash, crash-loop or all"
              + " (default ${DEFAULT-VALUE})")
  private String bad = "all";

  @Option(names = "--rate", description = "requests per second (default ${DEFAULT-VALUE})")
  private int rate = 300;

  @Option(
      names = "--seconds",
      description = "of load at least; what happens takes its own time (default ${DEFAULT-VALUE})")
  private int seconds = 15;

  @Option(
      names = "--hold",
      paramLabel = "TIME",
      converter = SecondsConverter.class,
      description = "how long hold holds (default 60s)")
  private Duration hold = HOLD;

  @Option(names = "--no-haproxy", description = "Tideover only")
  private boolean noHaproxy;

  @Option(
      names = "--seed",
      description = "of which client does what (default: another one each time)")
  private long seed = System.nanoTime() & 0xffffff;

  @Option(names = "--json", paramLabel = "FILE", description = "also write the report as JSON")
  private @Nullable Path json;

  @Option(names = "--root", paramLabel = "DIR", hidden = true)
  private Path root = Path.of("");

  /** Runs the command and exits. */
  public static void main(String[] args) {
    System.exit(new CommandLine(new DrillCommand()).execute(args));
  }

  /** Takes {@code 60s} and {@code 60}. */
  static final class SecondsConverter implements CommandLine.ITypeConverter<Duration> {
    @Override
    public Duration convert(String text) {
      if (!text.matches("[0-9]{1,4}s?")) {
        throw new CommandLine.TypeConversionException(
            "'" + text + "' is no time in seconds, such as 60s");
      }
      return Duration.ofSeconds(Long.parseLong(text.replace("s", "")));
    }
  }

  static final class KindConverter implements CommandLine.ITypeConverter<Kind> {
    @Override
    public Kind convert(String text) {
      for (Kind each : Kind.values()) {
        if (DrillReport.word(each).equals(text)) {
          return each;
        }
      }
      throw new CommandLine.TypeConversionException(
          "'" + text + "' is none of rolling, blue-green, bad-green and hold");
    }
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    List<Bad> ways = ways();
    Path directory =
        Files.createDirectories(
            root.toAbsolutePath()
                .resolve("load-tests/target/drill/" + Instant.now().toEpochMilli()));
    System.out.printf(
        Locale.ROOT,
        "%s at %d requests a second, seed %d. Logs: %s%n",
        DrillReport.word(kind),
        rate,
        seed,
        directory);
    try {
      List<DrillReport> parts = new ArrayList<>();
      if (kind == Kind.BAD_GREEN) {
        for (Bad way : ways) {
          parts.add(drill(directory, way));
        }
      } else {
        parts.add(drill(directory, null));
      }
      DrillReport report = parts.size() == 1 ? parts.get(0) : DrillReport.of(parts);
      for (DrillReport each : parts) {
        each.print(System.out);
      }
      if (parts.size() > 1) {
        report.print(System.out);
      }
      if (json != null) {
        Files.writeString(json, report.json());
      }
      return report.pass() ? 0 : 1;
    } catch (BenchException e) {
      System.err.println(e.getMessage());
      return 1;
    }
  }

  private List<Bad> ways() {
    if (bad.equals("all")) {
      return List.of(Bad.values());
    }
    for (Bad each : Bad.values()) {
      if (DrillReport.word(each).equals(bad)) {
        return List.of(each);
      }
    }
    throw new CommandLine.ParameterException(
        new CommandLine(this),
        "'" + bad + "' is none of errors, hang, crash, crash-loop and all (--bad)");
  }

  private DrillReport drill(Path directory, @Nullable Bad way)
      throws BenchException, InterruptedException, IOException {
    String part = way == null ? "" : DrillReport.word(way);
    Path logs = Files.createDirectories(directory.resolve("tideover" + part));
    Outcome tideover;
    try (Site site = TideoverSite.start(root.toAbsolutePath(), logs)) {
      tideover = run(site, way);
    }
    Outcome haproxy = null;
    if (!noHaproxy) {
      Path others = Files.createDirectories(directory.resolve("haproxy" + part));
      try (Site site = HaproxySite.start(root.toAbsolutePath(), others, kind)) {
        haproxy = run(site, way);
      }
    }
    // What a crash or the end of a handler that hangs has cut off may have its effect twice.
    boolean clean = way == null || way == Bad.ERRORS;
    return new DrillReport(kind, part, clean, rate, seed, tideover, haproxy, List.of());
  }

  private Outcome run(Site site, @Nullable Bad way) throws BenchException, InterruptedException {
    System.out.println(site.name() + (way == null ? "" : ", " + DrillReport.word(way)));
    String run = Long.toHexString(seed) + "x" + Long.toHexString(System.nanoTime());
    Facts facts = new Facts();
    try (Traffic traffic = new Traffic(site.clients(), rate, run, seed)) {
      switch (kind) {
        case ROLLING -> site.rolling(traffic, facts);
        case BLUE_GREEN -> site.blueGreen(traffic, facts);
        case BAD_GREEN -> {
          if (way == null) {
            throw new IllegalStateException("bad in which way?");
          }
          site.badGreen(way, traffic, facts);
        }
        case HOLD -> site.hold(hold, traffic, facts);
      }
      int missing = seconds * rate - traffic.sent();
      if (missing > 0) {
        traffic.awaitSent(Duration.ofMillis(missing * 1_000L / rate));
      }
      Traffic.Result result = traffic.finish(SETTLE_BOUND);
      site.stopAll();
      List<Effect> effects = Effect.read(site.ledger());
      return Outcome.of(site.name(), run, result, effects, facts);
    }
  }
}
