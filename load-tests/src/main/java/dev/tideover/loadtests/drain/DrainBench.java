package dev.tideover.loadtests.drain;

import dev.tideover.loadtests.bench.BenchException;
import dev.tideover.loadtests.bench.BrokerMain;
import dev.tideover.loadtests.bench.Child;
import dev.tideover.loadtests.bench.Metric;
import dev.tideover.loadtests.bench.Metric.Target;
import dev.tideover.loadtests.bench.Processes;
import dev.tideover.loadtests.bench.Report;
import dev.tideover.loadtests.contender.BareLoop;
import dev.tideover.loadtests.contender.Contender;
import dev.tideover.loadtests.contender.ParallelConsumerPeer;
import dev.tideover.testkit.TestKafka;
import java.io.File;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One run, from top to bottom: start the broker; for each scenario start the contenders, then let
 * them drain the same requests one after another, again and again; report. Owned by one thread.
 */
final class DrainBench implements AutoCloseable {

  static final Duration START_BOUND = Duration.ofSeconds(60);
  static final Duration STOP_BOUND = Duration.ofSeconds(60);
  static final String SDK_MAIN = "dev.tideover.demo.DrainService";

  /** The same for all contenders. */
  private static final List<String> FLAGS =
      List.of("-Xms512m", "-Xmx512m", "-XX:+ExitOnOutOfMemoryError");

  private static final Target AHEAD = Target.atLeast(1);

  /** One of those that are compared, and where its replies go. */
  private record Side(String name, Child process) {

    String replyTopic(Preload preload) {
      return name.equals("tideover") ? preload.replyTopic() : preload.service() + "-" + name;
    }
  }

  /**
   * What one round came to.
   *
   * @param cpuMicros processor time of the contender for each reply
   */
  private record Drained(double perSecond, double ordinaryPerSecond, double cpuMicros) {}

  private final Processes processes;
  private final Path root;
  private final PrintStream out;
  private final Report report = new Report("the other");
  private final TestKafka kafka;

  private DrainBench(Processes processes, Path root, PrintStream out, TestKafka kafka) {
    this.processes = processes;
    this.root = root;
    this.out = out;
    this.kafka = kafka;
  }

  /**
   * Starts the broker.
   *
   * @param root the project's directory, in which everything is built
   */
  static DrainBench start(Processes processes, Path root, PrintStream out)
      throws BenchException, InterruptedException {
    return new DrainBench(processes, root, out, TestKafka.at(startBroker(processes)));
  }

  static String startBroker(Processes processes) throws BenchException, InterruptedException {
    return processes
        .start("broker", Processes.ownClassPath(), List.of(), BrokerMain.class.getName())
        .await(BrokerMain.READY, START_BOUND);
  }

  /** Runs the scenarios, each with so many measured rounds. */
  Report run(List<DrainScenario> scenarios, boolean quick, int rounds)
      throws BenchException, InterruptedException {
    for (DrainScenario scenario : scenarios) {
      List<Side> sides = start(scenario);
      try {
        compare(scenario, sides, quick ? scenario.quickRecords() : scenario.records(), rounds);
      } finally {
        sides.forEach(side -> side.process().close());
      }
    }
    return report;
  }

  private List<Side> start(DrainScenario scenario) throws BenchException {
    List<Side> sides = new ArrayList<>();
    if (scenario.bare()) {
      sides.add(start(scenario, "bare", Processes.ownClassPath(), BareLoop.class.getName()));
    }
    sides.add(start(scenario, "tideover", Processes.tideoverClassPath(root), SDK_MAIN));
    sides.add(start(scenario, "peer", peerClassPath(), ParallelConsumerPeer.class.getName()));
    return sides;
  }

  /** The benchmark's own, but with the kafka-clients that the peer was made for. */
  private String peerClassPath() {
    Path kafkaClients = root.resolve("load-tests/target/peer/kafka-clients.jar");
    return kafkaClients
        + File.pathSeparator
        + Arrays.stream(Processes.ownClassPath().split(File.pathSeparator, -1))
            .filter(entry -> !Path.of(entry).getFileName().toString().startsWith("kafka-clients-"))
            .collect(Collectors.joining(File.pathSeparator));
  }

  private Side start(DrainScenario scenario, String name, String classPath, String main)
      throws BenchException {
    return new Side(
        name,
        processes.start(
            scenario.name() + "-" + name, classPath, FLAGS, main, kafka.bootstrapServers()));
  }

  private void compare(DrainScenario scenario, List<Side> sides, int records, int rounds)
      throws BenchException, InterruptedException {
    // The first is not measured: the same load, until the code that it needs is compiled.
    round(scenario, sides, scenario.quickRecords(), 0);
    List<List<Drained>> drained = new ArrayList<>();
    for (int i = 1; i <= rounds; i++) {
      drained.add(round(scenario, sides, records, i));
    }
    int ours = scenario.bare() ? 1 : 0;
    List<Metric> metrics = new ArrayList<>();
    if (scenario.bare()) {
      metrics.addAll(metrics(scenario, drained, ours, 0, "bare", null));
    }
    metrics.addAll(metrics(scenario, drained, ours, ours + 1, "peer", AHEAD));
    report.add(metrics);
    if (scenario.ceiling() > 0) {
      report.ceiling(
          scenario.name() + "-ceiling",
          scenario.ceiling(),
          scenario.name() + ": order and the handler's time allow %,.0f/s.");
    }
  }

  private List<Drained> round(DrainScenario scenario, List<Side> sides, int records, int number)
      throws BenchException, InterruptedException {
    String service = "drain-" + scenario.name() + "-" + number;
    Preload preload = Preload.write(kafka, service, records, scenario.bodyBytes(), scenario.keys());
    List<Drained> drained = new ArrayList<>();
    for (Side side : sides) {
      String replyTopic = side.replyTopic(preload);
      kafka.createTopic(
          replyTopic, DrainScenario.PARTITIONS, Map.of("message.timestamp.type", "LogAppendTime"));
      drained.add(drain(scenario, side, preload, replyTopic, number));
    }
    preload.delete();
    return drained;
  }

  private Drained drain(
      DrainScenario scenario, Side side, Preload preload, String replyTopic, int number)
      throws BenchException, InterruptedException {
    Child process = side.process();
    try (Tally tally =
        new Tally(
            kafka.bootstrapServers(),
            replyTopic,
            preload,
            scenario::isWanted,
            scenario.keys()::isOrdinary)) {
      Duration before = process.cpu();
      process.send(scenario.job(preload.service(), replyTopic).toLine());
      process.await(Contender.STARTED, START_BOUND);
      tally.awaitAll(process, ignored -> {});
      Duration used = process.cpu().minus(before);
      process.send(Contender.STOP);
      process.await(Contender.STOPPED, STOP_BOUND);
      tally.read();
      check(scenario, side, number, tally);
      Drained drained =
          new Drained(
              tally.perSecond(),
              tally.ordinaryPerSecond(),
              used.toNanos() / 1000.0 / Math.max(1, tally.answered()));
      print(scenario, side, number, drained);
      return drained;
    }
  }

  private void check(DrainScenario scenario, Side side, int number, Tally tally) {
    if (tally.lost() + tally.duplicates() + tally.strangers() > 0) {
      String error =
          "%s round %d %s: %d requests without a reply, %d replies too many, %d to nobody's request"
              .formatted(
                  scenario.name(),
                  number,
                  side.name(),
                  tally.lost(),
                  tally.duplicates(),
                  tally.strangers());
      out.println("  ERROR " + error);
      report.error(error);
    }
  }

  private void print(DrainScenario scenario, Side side, int number, Drained drained) {
    out.printf(
        Locale.ROOT,
        "%-19s %-13s %-9s %,9.0f/s   ordinary keys %,9.0f/s   %6.1f us of processor each%n",
        scenario.name(),
        number == 0 ? "not measured" : "round " + number,
        side.name(),
        drained.perSecond(),
        drained.ordinaryPerSecond(),
        drained.cpuMicros());
  }

  private static List<Metric> metrics(
      DrainScenario scenario,
      List<List<Drained>> drained,
      int ours,
      int theirs,
      String rival,
      @Nullable Target target) {
    String name = scenario.name();
    List<Metric> metrics = new ArrayList<>();
    boolean special = scenario.keys() == Keys.ONE_HOT || scenario.keys() == Keys.ONE_FAILING;
    // Where a key fails for ever there is no end but that of the others.
    if (scenario.failures() != DrainScenario.ALWAYS) {
      metrics.add(metric(name, "1/s", target, drained, ours, theirs, rival, Drained::perSecond));
    }
    if (special) {
      metrics.add(
          metric(
              name + "-others",
              "1/s",
              target,
              drained,
              ours,
              theirs,
              rival,
              Drained::ordinaryPerSecond));
    }
    metrics.add(
        metric(
            name + "-cpu", "us/request", null, drained, ours, theirs, rival, Drained::cpuMicros));
    return metrics;
  }

  private static Metric metric(
      String name,
      String unit,
      @Nullable Target target,
      List<List<Drained>> drained,
      int ours,
      int theirs,
      String rival,
      ToDoubleFunction<Drained> value) {
    return new Metric(
        name + "-vs-" + rival,
        unit,
        target,
        drained.stream().map(round -> value.applyAsDouble(round.get(ours))).toList(),
        rival,
        drained.stream().map(round -> value.applyAsDouble(round.get(theirs))).toList());
  }

  @Override
  public void close() {
    kafka.close();
  }
}
