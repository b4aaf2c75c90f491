package dev.tideover.loadtests.bench;

import dev.tideover.loadtests.bare.BareGateway;
import dev.tideover.loadtests.bare.BareKafka;
import dev.tideover.loadtests.client.Crowd;
import dev.tideover.testkit.Tether;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;

/**
 * How many clients can wait at once, and what each costs on the heap: Tideover's gateway and the
 * bare one, each in a process of its own with the same heap, each held because its service isn't
 * there. Then the service comes and all must get their own answer. At last clients of Tideover
 * whose waits end together. Owned by one thread, but for {@link #close}.
 */
final class WaitingBench implements AutoCloseable {

  private static final Duration BOUND = Duration.ofSeconds(90);
  private static final Duration HERD_WAIT = Duration.ofSeconds(15);

  /** One answer to each request, within its wait and this. */
  private static final Duration GRACE = Duration.ofSeconds(2);

  /** Of either side's request topic. */
  private static final int PARTITIONS = BareKafka.PARTITIONS;

  private static final Pattern USED = Pattern.compile("used (\\d+)K");

  private final Processes processes;
  private final Path root;
  private final PrintStream out;
  private final List<String> flags;
  private String bootstrapServers = "";
  private boolean clean = true;

  WaitingBench(Processes processes, Path root, String heap, PrintStream out) {
    this.processes = processes;
    this.root = root;
    this.out = out;
    this.flags =
        List.of("-Xms" + heap, "-Xmx" + heap, "-XX:+ExitOnOutOfMemoryError", "-XX:+UseG1GC");
  }

  /** Whether all clients got what they should. */
  boolean run(int connections, int herd) throws BenchException, InterruptedException, IOException {
    Child broker =
        processes.start("broker", Processes.ownClassPath(), List.of(), BrokerMain.class.getName());
    bootstrapServers = broker.await(BrokerMain.READY, BOUND);
    Testbed.createTopics(bootstrapServers);
    for (Crowd.Fields fields : Crowd.Fields.values()) {
      out.printf("%s clients whose requests have %s fields:%n", connections, fields);
      double bare = bare(connections, fields);
      double tideover = tideover(connections, herd, fields);
      out.printf(
          Locale.ROOT,
          "heap for each waiting client: tideover %.2f KiB, bare %.2f KiB, ratio %.2f (target at"
              + " most 0.80)%n",
          tideover,
          bare,
          tideover / bare);
    }
    return clean;
  }

  private double bare(int connections, Crowd.Fields fields)
      throws BenchException, InterruptedException, IOException {
    Child gateway =
        processes.start(
            "bare-gateway-" + fields,
            Processes.ownClassPath(),
            flags,
            BareGateway.class.getName(),
            bootstrapServers);
    int port = Integer.parseInt(gateway.await("READY ", BOUND));
    warm(port, "/accept", connections);
    long before = usedHeap(gateway);
    try (Crowd crowd = Crowd.connect(port, connections)) {
      long stored = stored(BareKafka.REQUEST_TOPIC) + connections;
      crowd.send("/round-trip", fields);
      awaitStored(BareKafka.REQUEST_TOPIC, stored);
      return (usedHeap(gateway) - before) / 1024.0 / connections;
    } finally {
      gateway.close();
    }
  }

  private double tideover(int connections, int herd, Crowd.Fields fields)
      throws BenchException, InterruptedException, IOException {
    List<Integer> ports = Processes.freePorts(2);
    String classPath = Processes.tideoverClassPath(root);
    Child gateway =
        processes.start(
            "tideover-gateway-" + fields,
            classPath,
            flags,
            Tether.class.getName(),
            "dev.tideover.gateway.cli.GatewayCommand",
            "serve",
            "--config",
            config(ports.get(0), ports.get(1)).toString());
    Testbed.untilReady(gateway, ports.get(1));
    int port = ports.get(0);
    warm(port, "/now", connections);
    double each;
    long before = usedHeap(gateway);
    try (Crowd crowd = Crowd.connect(port, connections)) {
      long stored = stored("held.requests") + connections;
      crowd.send("/held", fields);
      awaitStored("held.requests", stored);
      each = (usedHeap(gateway) - before) / 1024.0 / connections;
      Child service =
          processes.start(
              "tideover-service-" + fields,
              classPath,
              List.of("-Xmx512m"),
              Tether.class.getName(),
              "dev.tideover.demo.EchoService",
              bootstrapServers,
              "held");
      try {
        report("tideover: all get their replies", crowd.await(BOUND), 200, connections);
      } finally {
        service.close();
      }
    }
    try (Crowd crowd = Crowd.connect(port, herd)) {
      crowd.send("/herd", fields);
      Crowd.Answers answers = crowd.await(HERD_WAIT.plus(BOUND));
      report("tideover: waits that end together", answers, 202, herd);
      if (answers.longest().compareTo(HERD_WAIT.plus(GRACE)) > 0) {
        complain("an answer came " + answers.longest().toMillis() + " ms after its request");
      }
    }
    gateway.close();
    return each;
  }

  /**
   * A burst of requests that end at once, so that what is made once, such as the producer's
   * buffers, is there before.
   */
  private void warm(int port, String path, int connections) throws IOException {
    try (Crowd crowd = Crowd.connect(port, connections)) {
      crowd.send(path, Crowd.Fields.USUAL);
      Crowd.Answers answers = crowd.await(BOUND);
      if (answers.missing() + answers.broken() > 0) {
        complain("the first requests were not answered: " + answers);
      }
    }
  }

  private void report(String what, Crowd.Answers answers, int status, int count) {
    out.printf(
        Locale.ROOT,
        "%s: %s, wrong bodies %d, connections broken %d, without answer %d; the longest took %d"
            + " ms, from the first to the last %d ms%n",
        what,
        answers.statuses(),
        answers.wrongBodies(),
        answers.broken(),
        answers.missing(),
        answers.longest().toMillis(),
        answers.spread().toMillis());
    if (answers.statuses().getOrDefault(status, 0) != count || answers.wrongBodies() > 0) {
      complain("expected " + count + " answers with status " + status + ", each with its own body");
    }
  }

  private void complain(String what) {
    clean = false;
    out.println("NOT AS IT SHOULD BE: " + what);
  }

  private Path config(int port, int adminPort) throws IOException {
    return Files.writeString(
        processes.directory().resolve("waiting.yaml"),
        """
        kafka: { bootstrap-servers: "%s" }
        http: { host: 127.0.0.1, port: %d }
        admin: { host: 127.0.0.1, port: %d }
        secret: "only-for-this-benchmark-0123456789"
        shutdown: { delay: 0s, wait: 0s }
        services:
          held:
            topic: { partitions: %d }
            routes:
              - { path: /held, wait: 10m }
              - { path: /now, wait: 0s }
          herd:
            topic: { partitions: %d }
            routes: [ { path: /herd, wait: %ds } ]
        """
            .formatted(
                bootstrapServers, port, adminPort, PARTITIONS, PARTITIONS, HERD_WAIT.toSeconds()));
  }

  /** Bytes that live objects have: what is left after collections. */
  private static long usedHeap(Child process)
      throws BenchException, IOException, InterruptedException {
    // The second finds what the first has made unreachable, by references and finalizers.
    jcmd(process, "GC.run");
    jcmd(process, "GC.run");
    Matcher used = USED.matcher(jcmd(process, "GC.heap_info"));
    if (!used.find()) {
      throw process.failed("does not tell its heap");
    }
    return Long.parseLong(used.group(1)) * 1024;
  }

  private static String jcmd(Child process, String command)
      throws BenchException, IOException, InterruptedException {
    Path tool = Path.of(System.getProperty("java.home"), "bin", "jcmd");
    Process jcmd =
        new ProcessBuilder(tool.toString(), Long.toString(process.pid()), command)
            .redirectErrorStream(true)
            .start();
    String output = new String(jcmd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (!jcmd.waitFor(BOUND.toSeconds(), TimeUnit.SECONDS) || jcmd.exitValue() != 0) {
      jcmd.destroyForcibly();
      throw new BenchException("jcmd " + command + " failed: " + output);
    }
    return output;
  }

  private void awaitStored(String topic, long count) throws BenchException, InterruptedException {
    long until = System.nanoTime() + BOUND.toNanos();
    while (stored(topic) < count) {
      if (System.nanoTime() > until) {
        throw new BenchException(
            "only " + stored(topic) + " of " + count + " requests are in " + topic);
      }
    }
  }

  private long stored(String topic) throws BenchException, InterruptedException {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrapServers))) {
      Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
      for (int partition = 0; partition < PARTITIONS; partition++) {
        ends.put(new TopicPartition(topic, partition), OffsetSpec.latest());
      }
      return admin.listOffsets(ends).all().get(30, TimeUnit.SECONDS).values().stream()
          .mapToLong(end -> end.offset())
          .sum();
    } catch (ExecutionException | TimeoutException e) {
      throw new BenchException("The broker does not tell what it has: " + e, e);
    }
  }

  @Override
  public void close() {
    processes.close();
  }
}
