package dev.tideover.loadtests.bench;

import dev.tideover.loadtests.bench.Metric.Target;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * One run of the benchmark, from top to bottom: start everything, warm it, show what the client can
 * carry, then for each scenario alternate bare and Tideover, or Tideover without and with keys, and
 * report. Owned by one thread.
 */
final class Bench {

  private static final Target THROUGHPUT = Target.atLeast(0.8);
  private static final Target KEYED_THROUGHPUT = Target.atLeast(0.95);
  private static final Target MEDIAN = Target.atMost(1.25);
  private static final Target TAIL = Target.atMost(1.5);
  private static final int ECHO_CONNECTIONS = 64;
  private static final int ECHO_ROUNDS = 3;

  private final Testbed testbed;
  private final Plan plan;
  private final PrintStream out;
  private final List<String> errors = new ArrayList<>();

  Bench(Testbed testbed, Plan plan, PrintStream out) {
    this.testbed = testbed;
    this.plan = plan;
    this.out = out;
  }

  /**
   * Runs the scenarios.
   *
   * @param root the project's directory; null measures the bare programs alone, so that no scenario
   *     may have keys
   */
  Report run(List<Scenario> scenarios, @Nullable Path root)
      throws BenchException, InterruptedException {
    out.println("Starting broker, client, gateways and services ...");
    testbed.startBase();
    Report report = new Report("bare");
    report.ceiling(
        "client-ceiling-echo-64",
        clientCeiling(),
        "The client against a server that only echoes: %,.0f/s.");
    Testbed.Side bare = testbed.startBare();
    Testbed.Side ours = root == null ? null : testbed.startTideover(root);
    warmUp(bare, ours, scenarios);
    for (Scenario scenario : scenarios) {
      if (scenario.keyed()) {
        report.add("Tideover with a key, beside the same without:", keyed(scenario, ours));
      } else {
        report.add(compare(scenario, bare, ours));
      }
    }
    errors.forEach(report::error);
    return report;
  }

  private void warmUp(Testbed.Side bare, Testbed.@Nullable Side ours, List<Scenario> scenarios)
      throws BenchException, InterruptedException {
    out.println("Warming up (not measured) ...");
    for (Testbed.Side side : ours == null ? List.of(bare) : List.of(bare, ours)) {
      for (Scenario scenario : List.of(scenarios.get(0), scenarios.get(scenarios.size() - 1))) {
        testbed.run(side, scenario.load(side.port(), 0, plan.warmUpMillis() / 2));
      }
    }
  }

  /** Against a server that does nothing, so that a reader sees whether the client is the limit. */
  private double clientCeiling() throws BenchException, InterruptedException {
    Scenario scenario = Scenario.echo(ECHO_CONNECTIONS);
    Testbed.Side echo = testbed.startEcho();
    try {
      testbed.run(echo, scenario.load(echo.port(), 0, plan.millis()));
      List<Double> rates = new ArrayList<>();
      for (int i = 0; i < ECHO_ROUNDS; i++) {
        rates.add(measure(scenario, echo, i + 1).seen().throughput());
      }
      return Spread.of(rates).median();
    } finally {
      echo.gateway().close();
    }
  }

  private List<Metric> compare(Scenario scenario, Testbed.Side bare, Testbed.@Nullable Side ours)
      throws BenchException, InterruptedException {
    List<Round> bareRounds = new ArrayList<>();
    List<Round> ourRounds = new ArrayList<>();
    for (Testbed.Side side : ours == null ? List.of(bare) : List.of(bare, ours)) {
      testbed.run(side, scenario.load(side.port(), 0, plan.millis()));
    }
    for (int i = 0; i < plan.pairs(); i++) {
      bareRounds.add(measure(scenario, bare, i + 1));
      if (ours != null) {
        ourRounds.add(measure(scenario, ours, i + 1));
      }
    }
    List<Round> left = ours == null ? bareRounds : ourRounds;
    Target tail = scenario.isRoundTrip() ? TAIL : null;
    return metrics(scenario, "bare", left, bareRounds, THROUGHPUT, MEDIAN, tail);
  }

  private static List<Metric> metrics(
      Scenario scenario,
      String rival,
      List<Round> ours,
      List<Round> theirs,
      @Nullable Target throughput,
      @Nullable Target median,
      @Nullable Target tail) {
    List<Metric> metrics = new ArrayList<>();
    Section section = new Section(scenario.name(), rival, ours, theirs);
    metrics.add(section.metric("", "1/s", throughput, r -> r.seen().throughput()));
    metrics.add(section.metric("-p50", "us", median, r -> r.seen().p50()));
    metrics.add(section.metric("-p99", "us", tail, r -> r.seen().p99()));
    metrics.add(section.cpu("gateway", r -> r.perAnswer(r.cpu().gateway())));
    if (scenario.isRoundTrip()) {
      metrics.add(section.cpu("service", r -> r.perAnswer(r.cpu().service())));
    }
    metrics.add(section.cpu("broker", r -> r.perAnswer(r.cpu().broker())));
    metrics.add(section.cpu("client", r -> r.perAnswer(r.cpu().client())));
    return metrics;
  }

  /** What a key costs: both sides are Tideover's, so that all else is the same. */
  private List<Metric> keyed(Scenario scenario, Testbed.@Nullable Side ours)
      throws BenchException, InterruptedException {
    if (ours == null) {
      throw new IllegalArgumentException(scenario.name() + " needs Tideover");
    }
    Scenario plain = scenario.withoutKey();
    List<Round> with = new ArrayList<>();
    List<Round> without = new ArrayList<>();
    testbed.run(ours, plain.load(ours.port(), 0, plan.millis()));
    testbed.run(ours, scenario.load(ours.port(), 0, plan.millis()));
    for (int i = 0; i < plan.pairs(); i++) {
      without.add(measure(plain, ours, i + 1));
      with.add(measure(scenario, ours, i + 1));
    }
    return metrics(scenario, "unkeyed", with, without, KEYED_THROUGHPUT, null, null);
  }

  private Round measure(Scenario scenario, Testbed.Side side, int number)
      throws BenchException, InterruptedException {
    Round round = testbed.run(side, scenario.load(side.port(), plan.rampMillis(), plan.millis()));
    out.printf(
        Locale.ROOT,
        "%-19s round %d  %-8s %,9.0f/s   p50 %7.2f ms   p99 %7.2f ms   max %7.1f ms%n",
        scenario.name(),
        number,
        side.name(),
        round.seen().throughput(),
        round.seen().p50() / 1000,
        round.seen().p99() / 1000,
        round.seen().max() / 1000);
    if (round.seen().errors() > 0) {
      String error =
          "%s round %d %s: %d errors, the first: %s"
              .formatted(
                  scenario.name(),
                  number,
                  side.name(),
                  round.seen().errors(),
                  round.seen().firstError());
      out.println("  ERROR " + error);
      errors.add(error);
    }
    return round;
  }

  /** The rounds of one scenario on both sides. */
  private record Section(String name, String rival, List<Round> ours, List<Round> theirs) {

    Metric cpu(String process, ToDoubleFunction<Round> value) {
      return metric("-cpu-" + process, "us/request", null, value);
    }

    Metric metric(
        String suffix, String unit, @Nullable Target target, ToDoubleFunction<Round> value) {
      return new Metric(
          name + suffix,
          unit,
          target,
          ours.stream().mapToDouble(value).boxed().toList(),
          rival,
          theirs.stream().mapToDouble(value).boxed().toList());
    }
  }
}
