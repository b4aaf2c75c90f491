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
 * carry, then for each scenario alternate bare and Tideover, and report. Owned by one thread.
 */
final class Bench {

  private static final Target THROUGHPUT = Target.atLeast(0.8);
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
   * @param root the project's directory; null measures the bare programs alone
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
      report.add(compare(scenario, bare, ours));
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
    String name = scenario.name();
    List<Metric> metrics = new ArrayList<>();
    metrics.add(metric(name, "1/s", THROUGHPUT, left, bareRounds, r -> r.seen().throughput()));
    metrics.add(metric(name + "-p50", "us", MEDIAN, left, bareRounds, r -> r.seen().p50()));
    Target tail = scenario.isRoundTrip() ? TAIL : null;
    metrics.add(metric(name + "-p99", "us", tail, left, bareRounds, r -> r.seen().p99()));
    metrics.add(cpu(name, "gateway", left, bareRounds, r -> r.perAnswer(r.cpu().gateway())));
    if (scenario.isRoundTrip()) {
      metrics.add(cpu(name, "service", left, bareRounds, r -> r.perAnswer(r.cpu().service())));
    }
    metrics.add(cpu(name, "broker", left, bareRounds, r -> r.perAnswer(r.cpu().broker())));
    metrics.add(cpu(name, "client", left, bareRounds, r -> r.perAnswer(r.cpu().client())));
    return metrics;
  }

  private Round measure(Scenario scenario, Testbed.Side side, int number)
      throws BenchException, InterruptedException {
    Round round = testbed.run(side, scenario.load(side.port(), plan.rampMillis(), plan.millis()));
    out.printf(
        Locale.ROOT,
        "%-15s round %d  %-8s %,9.0f/s   p50 %7.2f ms   p99 %7.2f ms   max %7.1f ms%n",
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

  private static Metric cpu(
      String scenario,
      String process,
      List<Round> ours,
      List<Round> bare,
      ToDoubleFunction<Round> value) {
    return metric(scenario + "-cpu-" + process, "us/request", null, ours, bare, value);
  }

  private static Metric metric(
      String name,
      String unit,
      @Nullable Target target,
      List<Round> ours,
      List<Round> bare,
      ToDoubleFunction<Round> value) {
    return new Metric(
        name,
        unit,
        target,
        ours.stream().mapToDouble(value).boxed().toList(),
        "bare",
        bare.stream().mapToDouble(value).boxed().toList());
  }
}
