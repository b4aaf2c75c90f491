package dev.tideover.loadtests.rolling;

import dev.tideover.loadtests.bench.BenchException;
import dev.tideover.loadtests.bench.Child;
import dev.tideover.loadtests.bench.Processes;
import dev.tideover.testkit.BrokerProcess;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * A broker, a service with the SDK, two gateways by {@code tideover serve} and HAProxy before them,
 * each a process of its own. One thread uses it; a shutdown hook may close it.
 */
final class Testbed implements AutoCloseable {

  /** How long a process may take to be ready, the first build of Tideover included. */
  private static final Duration START_BOUND = Duration.ofSeconds(120);

  private static final Duration STOP_BOUND = Duration.ofSeconds(40);
  private static final String SERVICE = "rolling";

  /**
   * A restart, in milliseconds.
   *
   * @param stop from SIGTERM to the process's end
   * @param start from the new process's start until HAProxy sends it requests
   */
  record Restart(String gateway, long stop, int exitCode, long start) {}

  private final Path root;
  private final Processes processes;
  private final BrokerProcess broker;
  private final List<Child> gateways = new ArrayList<>();
  private final List<Integer> ports;
  private final HttpClient client = HttpClient.newHttpClient();

  /** Starts all. */
  static Testbed start(Path root, Path directory) throws BenchException, InterruptedException {
    Testbed bed = new Testbed(root, directory);
    Runtime.getRuntime().addShutdownHook(new Thread(bed::close, "end-of-testbed"));
    try {
      for (int i = 0; i < 2; i++) {
        bed.gateways.add(bed.startGateway(i));
      }
      for (Child gateway : bed.gateways) {
        gateway.await("Tideover is ready", START_BOUND);
      }
      bed.startService();
      bed.startHaproxy();
      return bed;
    } catch (BenchException | InterruptedException | RuntimeException e) {
      bed.close();
      throw e;
    }
  }

  private Testbed(Path root, Path directory) throws BenchException {
    this.root = root.toAbsolutePath();
    this.processes = new Processes(directory);
    this.ports = Processes.freePorts(6);
    this.broker = processes.add(BrokerProcess.start());
  }

  /** Where clients connect. */
  URI clients() {
    return URI.create("http://127.0.0.1:" + ports.get(0));
  }

  int gateways() {
    return gateways.size();
  }

  /**
   * Restarts a gateway as a process manager would: SIGTERM, its end, the start of a new one.
   *
   * @param kill SIGKILL instead
   */
  Restart restart(int index, boolean kill) throws BenchException, InterruptedException {
    Child old = gateways.get(index);
    long stop = System.nanoTime();
    if (kill) {
      old.kill();
    } else {
      old.terminate();
    }
    if (!old.endsWithin(STOP_BOUND)) {
      throw old.failed("did not end within " + STOP_BOUND.toSeconds() + " s after SIGTERM");
    }
    long start = System.nanoTime();
    Child next = startGateway(index);
    gateways.set(index, next);
    next.await("Tideover is ready", START_BOUND);
    awaitUp(index);
    return new Restart(
        "gateway" + (index + 1),
        TimeUnit.NANOSECONDS.toMillis(start - stop),
        old.exitCode(),
        TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start));
  }

  private Child startGateway(int index) throws BenchException {
    String name = "gateway" + (index + 1) + "-" + System.nanoTime();
    String config =
        """
        kafka: { bootstrap-servers: "%s" }
        http: { host: 127.0.0.1, port: %d }
        admin: { host: 127.0.0.1, port: %d }
        secret: only-for-this-test-0123456789
        replies: { topic: %s.replies }
        shutdown: { delay: 3s, wait: 10s }
        services:
          %s:
            routes:
              - { path: /orders/**, key: path 2, wait: 30s }
        """
            .formatted(
                broker.bootstrapServers(),
                ports.get(2 + 2 * index),
                ports.get(3 + 2 * index),
                SERVICE,
                SERVICE);
    try {
      Path file =
          Files.writeString(
              processes.directory().resolve("gateway" + (index + 1) + ".yaml"), config);
      return processes.start(
          name,
          List.of(
              "env",
              "TIDEOVER_JAVA_OPTS=-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
              root.resolve("tideover").toString(),
              "serve",
              "--config",
              file.toString()));
    } catch (IOException e) {
      throw new BenchException("The gateway's configuration can't be written: " + e, e);
    }
  }

  private void startService() throws BenchException, InterruptedException {
    Child service =
        processes.start(
            "service",
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Dlogback.configurationFile=logback-bench.xml",
                "-cp",
                Processes.tideoverClassPath(root),
                "dev.tideover.testkit.Tether",
                "dev.tideover.demo.EchoService",
                broker.bootstrapServers(),
                SERVICE,
                "slow"));
    service.await("STARTED", START_BOUND);
  }

  private void startHaproxy() throws BenchException, InterruptedException {
    Child haproxy =
        processes.start(
            "haproxy",
            List.of(
                "env",
                "TIDEOVER_LISTEN=127.0.0.1:" + ports.get(0),
                "TIDEOVER_STATS=127.0.0.1:" + ports.get(1),
                "TIDEOVER_GATEWAY_1=127.0.0.1:" + ports.get(2),
                "TIDEOVER_ADMIN_1=" + ports.get(3),
                "TIDEOVER_GATEWAY_2=127.0.0.1:" + ports.get(4),
                "TIDEOVER_ADMIN_2=" + ports.get(5),
                "haproxy",
                "-db",
                "-f",
                root.resolve("deploy/haproxy/haproxy.cfg").toString()));
    for (int i = 0; i < gateways.size(); i++) {
      int index = i;
      await(() -> !haproxy.isAlive() || isUp(index), "HAProxy saw no gateway" + (index + 1));
      if (!haproxy.isAlive()) {
        throw haproxy.failed("ended with exit code " + haproxy.exitCode());
      }
    }
  }

  private void awaitUp(int index) throws BenchException, InterruptedException {
    await(() -> isUp(index), "HAProxy did not see gateway" + (index + 1) + " again");
  }

  /** What HAProxy's own figures say. */
  private boolean isUp(int index) {
    try {
      HttpRequest request =
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + ports.get(1) + "/stats;csv"))
              .timeout(Duration.ofSeconds(2))
              .build();
      String csv = client.send(request, HttpResponse.BodyHandlers.ofString()).body();
      List<String> lines = csv.lines().toList();
      int status = List.of(lines.get(0).split(",")).indexOf("status");
      String server = "gateways,gateway" + (index + 1) + ",";
      return lines.stream()
          .filter(line -> line.startsWith(server))
          .anyMatch(line -> line.split(",", -1)[status].equals("UP"));
    } catch (IOException notYet) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** Nothing tells when a proxy has changed its mind: it is asked a few times a second. */
  private static void await(BooleanSupplier condition, String otherwise)
      throws BenchException, InterruptedException {
    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > until) {
        throw new BenchException(otherwise + " within 30 s.");
      }
      TimeUnit.MILLISECONDS.sleep(100);
    }
  }

  /** Ends all, the latest first. */
  @Override
  public void close() {
    processes.close();
  }
}
