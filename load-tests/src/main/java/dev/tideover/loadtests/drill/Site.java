package dev.tideover.loadtests.drill;

import dev.tideover.loadtests.bench.BenchException;
import dev.tideover.loadtests.bench.Child;
import dev.tideover.loadtests.bench.Processes;
import dev.tideover.testkit.Tether;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * All processes of a run, and how a release is done there. One thread uses it; a supervisor may
 * start instances beside it, and a shutdown hook close it.
 */
abstract class Site implements AutoCloseable {

  static final String OLD = "v1";
  static final String NEW = "v2";

  /** How long a process may take to be ready. */
  static final Duration START_BOUND = Duration.ofSeconds(120);

  static final Duration STOP_BOUND = Duration.ofSeconds(40);
  private static final Duration FIRST_REPLY_BOUND = Duration.ofSeconds(30);

  /** How long a new version is watched. */
  static final Duration VERIFY = Duration.ofSeconds(8);

  /** How long the load goes on before and behind what happens, and between its parts. */
  static final Duration CALM = Duration.ofSeconds(2);

  private static final List<String> SMALL =
      List.of(
          "-Xmx160m",
          "-XX:+UseSerialGC",
          "-XX:TieredStopAtLevel=1",
          "-Dlogback.configurationFile=logback-once.xml");

  /** An instance of the service. */
  static final class Instance {
    final String version;
    final String name;
    final int number;
    final Child child;
    long readyAtMillis;
    long startedAtMillis;

    Instance(String version, String name, int number, Child child) {
      this.version = version;
      this.name = name;
      this.number = number;
      this.child = child;
    }

    String by() {
      return version + "/" + name;
    }
  }

  final Path root;
  final Processes processes;
  private final List<Instance> running = new CopyOnWriteArrayList<>();
  private final AtomicInteger lives = new AtomicInteger();

  Site(Path root, Path directory) {
    this.root = root;
    this.processes = new Processes(directory);
  }

  /** For people. */
  abstract String name();

  /** The port on this machine that clients send to. */
  abstract int clients();

  /** The file of all effects. */
  final Path ledger() {
    return processes.directory().resolve("effects");
  }

  /** The main class of the service here, and what it takes beside what each takes. */
  abstract List<String> service(String version, int number);

  /**
   * Starts an instance, and doesn't wait.
   *
   * @param number among those of its version, from 1 on
   */
  final Instance begin(String version, int number, @Nullable Bad bad) throws BenchException {
    String name = "i" + number + "-" + lives.incrementAndGet();
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(SMALL);
    command.addAll(List.of("-cp", Processes.tideoverClassPath(root), Tether.class.getName()));
    command.addAll(service(version, number));
    command.addAll(
        List.of("--version", version, "--instance", name, "--ledger", ledger().toString()));
    if (bad != null) {
      command.addAll(List.of("--bad", bad.flag));
    }
    Child child = processes.start(version + "-" + name, command);
    Instance instance = new Instance(version, name, number, child);
    running.add(instance);
    return instance;
  }

  /** Waits until it says that it is ready. */
  final void awaitReady(Instance instance) throws BenchException, InterruptedException {
    instance.readyAtMillis = Long.parseLong(instance.child.await("READY ", START_BOUND));
    instance.startedAtMillis = Long.parseLong(instance.child.await("STARTED ", START_BOUND));
  }

  /** Starts so many of a version and waits for all. */
  final List<Instance> startAll(String version, int count, @Nullable Bad bad)
      throws BenchException, InterruptedException {
    List<Instance> all = new ArrayList<>();
    for (int i = 1; i <= count; i++) {
      all.add(begin(version, i, bad));
    }
    for (Instance each : all) {
      awaitReady(each);
    }
    return all;
  }

  /** Stops an instance as a process manager does: SIGTERM, its end. */
  final void stop(Instance instance, Facts facts) throws BenchException, InterruptedException {
    running.remove(instance);
    long began = System.nanoTime();
    instance.child.terminate();
    if (!instance.child.endsWithin(STOP_BOUND)) {
      throw instance.child.failed("did not end within " + STOP_BOUND.toSeconds() + " s");
    }
    if (instance.child.exitCode() != 0) {
      facts.problem(instance.by() + " ended with exit code " + instance.child.exitCode());
    }
    facts.say(
        String.format(
            Locale.ROOT,
            "%s stopped in %.1f s",
            instance.by(),
            TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began) / 1e3));
  }

  /** Stops those that run, so that nothing is written any more; a bad one may be dead already. */
  final void stopAll() throws BenchException, InterruptedException {
    for (Instance each : running) {
      each.child.terminate();
    }
    for (Instance each : running) {
      if (!each.child.endsWithin(STOP_BOUND)) {
        throw each.child.failed("did not end within " + STOP_BOUND.toSeconds() + " s");
      }
    }
    running.clear();
  }

  /**
   * Says when an instance's first reply came: from its word that it is ready, before it starts the
   * SDK, and from when that has started.
   */
  final void noteFirstReply(Instance instance, Traffic traffic, Facts facts)
      throws InterruptedException {
    Long at = traffic.firstReplyBy(instance.by(), FIRST_REPLY_BOUND);
    if (at == null) {
      facts.problem(
          instance.by() + " gave no reply within " + FIRST_REPLY_BOUND.toSeconds() + " s");
      return;
    }
    long sinceReady = at - instance.readyAtMillis;
    long sinceStart = at - instance.startedAtMillis;
    facts.firstReplyMillis.put(instance.by(), sinceReady);
    facts.sinceStartMillis.put(instance.by(), sinceStart);
    facts.say(
        String.format(
            Locale.ROOT,
            "%s: first reply %d ms after it was ready, %d ms after it had started",
            instance.by(),
            sinceReady,
            sinceStart));
  }

  /** Replaces three instances, one after the other: stop one, start one. */
  void rolling(Traffic traffic, Facts facts) throws BenchException, InterruptedException {
    List<Instance> old = startAll(OLD, 3, null);
    isUp();
    traffic.warmUp();
    for (Instance each : old) {
      stop(each, facts);
      Instance next = begin(NEW, each.number, null);
      awaitReady(next);
      noteFirstReply(next, traffic, facts);
      traffic.awaitSent(CALM);
    }
    facts.onlyVersion = NEW;
    facts.onlyFrom = traffic.sent();
    traffic.awaitSent(CALM);
  }

  /** Waits until what was started first can be sent requests. */
  abstract void isUp() throws BenchException, InterruptedException;

  /** Switches from two instances of one version to two of the next. */
  abstract void blueGreen(Traffic traffic, Facts facts) throws BenchException, InterruptedException;

  /** Tries to, where the next one is bad. */
  abstract void badGreen(Bad bad, Traffic traffic, Facts facts)
      throws BenchException, InterruptedException;

  /** Lets nothing be handled for a while. */
  abstract void hold(Duration length, Traffic traffic, Facts facts)
      throws BenchException, InterruptedException;

  /** Ends all processes. */
  @Override
  public void close() {
    processes.close();
  }
}
