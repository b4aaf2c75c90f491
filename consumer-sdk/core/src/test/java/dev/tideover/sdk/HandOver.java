package dev.tideover.sdk;

import dev.tideover.testkit.BrokerProcess;
import dev.tideover.testkit.KafkaBroker;
import dev.tideover.testkit.TestKafka;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Measures how long requests wait while instances go and come: {@code ./load-tests/handover} is the
 * way to run it, docs/handover.md has what it said. One broker with Kafka's own settings, child
 * processes for the instances, 100 requests a second over 120 keys in 12 partitions, handlers that
 * take 3 ms.
 */
final class HandOver {

  private static final int PARTITIONS = 12;
  private static final int PER_SECOND = 100;
  private static final int KEYS = 120;

  /** How an instance goes and comes. */
  private enum Case {
    STOP_ONE_OF_THREE("clean stop of one of three, started again", 3, true, false),
    KILL_ONE_OF_THREE("SIGKILL of one of three, not started again", 3, false, false),
    KILL_THE_ONLY_NAMED("SIGKILL of the only one, restarted under its name", 1, true, true),
    KILL_THE_ONLY_NAMELESS("SIGKILL of the only one, restarted without a name", 1, false, true),
    STOP_THE_ONLY("clean stop of the only one, started again", 1, true, false);

    final String title;
    final int instances;
    final boolean named;
    final boolean kill;

    Case(String title, int instances, boolean named, boolean killTheOnly) {
      this.title = title;
      this.instances = instances;
      this.named = named;
      this.kill = killTheOnly || title.startsWith("SIGKILL");
    }
  }

  /** What one round saw, in nanoseconds; negative for what there was none of. */
  private record Round(long longest, long firstAfterReady, long readyAfterStart) {}

  private final TestKafka kafka;
  private final Path directory;
  private final int rounds;

  private HandOver(TestKafka kafka, Path directory, int rounds) {
    this.kafka = kafka;
    this.directory = directory;
    this.rounds = rounds;
  }

  /**
   * Arguments, each with a default: rounds; words that protocol and case must have; the broker's
   * group.initial.rebalance.delay.ms and group.consumer.heartbeat.interval.ms.
   */
  public static void main(String[] args) throws Exception {
    int rounds = args.length > 0 ? Integer.parseInt(args[0]) : 5;
    String only = args.length > 1 ? args[1] : "";
    String delay = args.length > 2 ? args[2] : "3000";
    String heartbeat = args.length > 3 ? args[3] : "5000";
    Path directory = Files.createTempDirectory("tideover-handover-");
    System.out.printf(
        "%d rounds each, group.initial.rebalance.delay.ms=%s,"
            + " group.consumer.heartbeat.interval.ms=%s; logs in %s%n",
        rounds, delay, heartbeat, directory);
    System.out.println(
        "| what | protocol | longest wait: median | worst | JVM start to start() returned"
            + " | from there to its first reply: median | worst | handled twice, a round |");
    System.out.println("|---|---|---|---|---|---|---|---|");
    try (BrokerProcess broker =
            KafkaBroker.builder()
                .property("group.initial.rebalance.delay.ms", delay)
                .property("group.consumer.heartbeat.interval.ms", heartbeat)
                .startProcess();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      HandOver handOver = new HandOver(kafka, directory, rounds);
      for (Case one : Case.values()) {
        for (String protocol : List.of("classic", "consumer")) {
          if ((protocol + " " + one.name()).toLowerCase(Locale.ROOT).contains(only)) {
            handOver.measure(one, protocol);
          }
        }
      }
    }
    try (Stream<Path> files = Files.walk(directory)) {
      if (only.isEmpty()) {
        files.sorted(Collections.reverseOrder()).forEach(path -> path.toFile().delete());
      }
    }
  }

  private void measure(Case what, String protocol) throws Exception {
    TestService service = new TestService(kafka, PARTITIONS);
    List<InstanceProcess> instances = new ArrayList<>();
    List<Journal> journals = new ArrayList<>();
    List<Round> results = new ArrayList<>();
    try (Traffic traffic = Traffic.start(service, PER_SECOND, KEYS)) {
      for (int i = 0; i < what.instances; i++) {
        instances.add(start(service, protocol, name(what, i), journals));
      }
      for (InstanceProcess instance : instances) {
        instance.awaitReady();
        traffic.awaitReplyBy(instance.version());
      }
      traffic.awaitCaughtUp();
      long begin = System.nanoTime();
      for (int round = 0; round < rounds; round++) {
        results.add(round(what, protocol, service, instances, journals, traffic, round));
      }
      traffic.finish();
      History history = traffic.history(journals);
      Guarantee.always(history);
      print(what, protocol, results, history.sentBetween(begin, Long.MAX_VALUE).handledTwice());
    } finally {
      InstanceProcess.closeAll(instances);
    }
  }

  private Round round(
      Case what,
      String protocol,
      TestService service,
      List<InstanceProcess> instances,
      List<Journal> journals,
      Traffic traffic,
      int round)
      throws Exception {
    traffic.awaitReplies(PER_SECOND);
    int which = round % what.instances;
    long begin = System.nanoTime();
    if (what.kill) {
      instances.get(which).kill();
    } else {
      instances.get(which).stop();
    }
    long longest = -1;
    if (what == Case.KILL_ONE_OF_THREE) {
      // The others have taken over, and nothing else mixes with that.
      traffic.awaitReplies(PER_SECOND);
      longest = longestWaitSince(begin, traffic);
    }
    long started = System.nanoTime();
    InstanceProcess fresh = start(service, protocol, name(what, which), journals);
    instances.set(which, fresh);
    long ready = fresh.awaitReady();
    long first = traffic.awaitReplyBy(fresh.version()).at();
    if (longest < 0) {
      longest = longestWaitSince(begin, traffic);
    }
    return new Round(longest, first - ready, ready - started);
  }

  private static long longestWaitSince(long begin, Traffic traffic) {
    long end = System.nanoTime();
    traffic.awaitCaughtUp();
    return traffic.history(List.of()).sentBetween(begin, end).longestWait();
  }

  private static @Nullable String name(Case what, int instance) {
    return what.named ? "orders-" + instance : null;
  }

  private InstanceProcess start(
      TestService service, String protocol, @Nullable String name, List<Journal> journals)
      throws Exception {
    InstanceProcess instance = InstanceProcess.start(service, protocol, name, directory);
    journals.add(instance.journal());
    return instance;
  }

  private static void print(Case what, String protocol, List<Round> rounds, long twice) {
    List<Long> longest = sorted(rounds.stream().map(Round::longest).toList());
    List<Long> first = sorted(rounds.stream().map(Round::firstAfterReady).toList());
    List<Long> ready = sorted(rounds.stream().map(Round::readyAfterStart).toList());
    System.out.printf(
        Locale.ROOT,
        "| %s | %s | %s | %s | %s | %s | %s | %.1f |%n",
        what.title,
        protocol,
        seconds(median(longest)),
        seconds(longest.get(longest.size() - 1)),
        seconds(median(ready)),
        seconds(median(first)),
        seconds(first.get(first.size() - 1)),
        (double) twice / rounds.size());
  }

  private static List<Long> sorted(List<Long> values) {
    return values.stream().sorted().toList();
  }

  private static long median(List<Long> sorted) {
    return sorted.get(sorted.size() / 2);
  }

  private static String seconds(long nanos) {
    return String.format(Locale.ROOT, "%.2f s", (double) nanos / TimeUnit.SECONDS.toNanos(1));
  }
}
