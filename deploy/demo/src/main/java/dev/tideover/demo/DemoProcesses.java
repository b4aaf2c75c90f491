package dev.tideover.demo;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;

/**
 * The processes of one demo run: Kafka, the gateway and the orders service, with their directory of
 * logs and data. Closing ends them all, the last started first, and deletes the directory unless
 * something failed. The JVM's shutdown closes it too.
 *
 * <p>The waits here end early, with a {@link DemoException}, as soon as a process ends that should
 * not have. Safe for use by many threads.
 */
final class DemoProcesses implements AutoCloseable {
  private static final Duration END_PATIENCE = Duration.ofSeconds(3);

  /** What helps a JVM that lives for a minute: the quick compiler only, and no helper threads. */
  private static final List<String> SMALL_JVM =
      List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");

  private final Path directory;
  private final int httpPort;
  private final int kafkaPort;
  private final int adminPort;
  private final Deque<ChildProcess> children = new ArrayDeque<>();
  private final CompletableFuture<Void> failure = new CompletableFuture<>();
  private final Thread closeAtShutdown = new Thread(this::closeAtShutdown, "end processes");
  private boolean closed;
  private boolean keepDirectory;

  private DemoProcesses(Path directory, int httpPort, int kafkaPort, int adminPort) {
    this.directory = directory;
    this.httpPort = httpPort;
    this.kafkaPort = kafkaPort;
    this.adminPort = adminPort;
  }

  /**
   * Reserves the ports and makes the directory; starts nothing yet.
   *
   * @param httpPort the gateway's port, or 0 for a free one
   * @throws DemoException where the port is taken
   */
  static DemoProcesses create(int httpPort) throws DemoException, IOException {
    List<Integer> ports = freePorts(httpPort);
    var processes =
        new DemoProcesses(
            Files.createTempDirectory("tideover-demo-"), ports.get(0), ports.get(1), ports.get(2));
    Runtime.getRuntime().addShutdownHook(processes.closeAtShutdown);
    return processes;
  }

  int httpPort() {
    return httpPort;
  }

  int adminPort() {
    return adminPort;
  }

  String bootstrapServers() {
    return "127.0.0.1:" + kafkaPort;
  }

  Path directory() {
    return directory;
  }

  Path ledger() {
    return directory.resolve("ledger.txt");
  }

  /** Starts Kafka; its line {@code Kafka is ready} says when. */
  ChildProcess startBroker() throws IOException, DemoException {
    return start(
        new ChildProcess.Program(
            "Kafka broker",
            "dev.tideover.testkit.BrokerCommand",
            with(SMALL_JVM, "-Xmx512m"),
            List.of(
                "--port",
                String.valueOf(kafkaPort),
                "--data",
                directory.resolve("kafka").toString()),
            List.of("Kafka is ready")));
  }

  /**
   * Starts the gateway.
   *
   * @param wait how long it keeps a client's connection
   */
  ChildProcess startGateway(Duration wait) throws IOException, DemoException {
    Path config = directory.resolve("tideover.yaml");
    Files.writeString(
        config, GatewayConfigFile.text(bootstrapServers(), httpPort, adminPort, wait));
    return start(
        new ChildProcess.Program(
            "gateway",
            "dev.tideover.gateway.cli.GatewayCommand",
            List.of("-Xmx512m"),
            List.of("serve", "--config", config.toString()),
            List.of()));
  }

  /** Starts a version of the orders service; see {@link OrdersService} for the lines it prints. */
  ChildProcess startOrders(String version) throws IOException, DemoException {
    return start(
        new ChildProcess.Program(
            "orders " + version,
            OrdersService.class.getName(),
            with(SMALL_JVM, "-Xmx256m"),
            List.of(
                "--bootstrap-servers",
                bootstrapServers(),
                "--version",
                version,
                "--ledger",
                ledger().toString()),
            List.of("READY", "STARTED")));
  }

  /**
   * Waits for a value.
   *
   * @param bound the longest wait
   * @param what what is waited for, for the message
   * @throws DemoException where it takes longer, or fails, or a process ends unexpectedly
   */
  <T> T await(CompletableFuture<T> future, Duration bound, String what)
      throws DemoException, InterruptedException {
    try {
      CompletableFuture.anyOf(future, failure).get(bound.toMillis(), TimeUnit.MILLISECONDS);
      return future.join();
    } catch (TimeoutException e) {
      throw new DemoException(
          "Waited " + bound.toSeconds() + " s for " + what + ", in vain. " + tails(), e);
    } catch (ExecutionException e) {
      throw asDemoException(e, what);
    }
  }

  /** Lets time pass until a moment of {@link System#nanoTime()}. */
  void pauseUntil(long nanoTime) throws DemoException, InterruptedException {
    long left = Math.max(0, nanoTime - System.nanoTime());
    try {
      failure.get(left, TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      return; // The time is over, and nothing failed.
    } catch (ExecutionException e) {
      throw asDemoException(e, "time to pass");
    }
  }

  /** Waits until a process ends unexpectedly. Interrupt the program to end it before. */
  void awaitFailure() throws DemoException, InterruptedException {
    try {
      failure.get();
    } catch (ExecutionException e) {
      throw asDemoException(e, "the end");
    }
  }

  /** Keeps logs and data after the end, for a look at what went wrong. */
  synchronized void keepDirectory() {
    keepDirectory = true;
  }

  @Override
  public void close() {
    endAll();
    try {
      Runtime.getRuntime().removeShutdownHook(closeAtShutdown);
    } catch (IllegalStateException e) {
      // The JVM is ending; the hook finds everything closed.
    }
  }

  private void closeAtShutdown() {
    endAll();
  }

  private synchronized ChildProcess start(ChildProcess.Program program)
      throws IOException, DemoException {
    if (closed) {
      throw new DemoException("The demo is ending, so the " + program.name() + " isn't started.");
    }
    ChildProcess child = ChildProcess.start(program, directory, failure::completeExceptionally);
    children.push(child);
    return child;
  }

  /**
   * Service and gateway first, while Kafka still answers them; all are told at once to expect it.
   */
  private synchronized void endAll() {
    if (closed) {
      return;
    }
    closed = true;
    children.forEach(ChildProcess::expectEnd);
    try {
      for (ChildProcess child : children) {
        child.end(END_PATIENCE);
      }
    } catch (InterruptedException e) {
      children.forEach(ChildProcess::kill);
      Thread.currentThread().interrupt();
    }
    if (!keepDirectory) {
      deleteDirectory();
    }
  }

  private void deleteDirectory() {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      System.err.println("Could not delete " + directory + " (" + e + "); delete it by hand.");
    }
  }

  private synchronized String tails() {
    var tails = new ArrayList<String>();
    children.forEach(child -> tails.add(child.name() + ": " + child.tail()));
    return String.join("\n", tails);
  }

  private static DemoException asDemoException(ExecutionException e, String what) {
    return e.getCause() instanceof DemoException known
        ? known
        : new DemoException("Waiting for " + what + " failed: " + e.getCause(), e);
  }

  private static List<String> with(List<String> options, String more) {
    return Stream.concat(options.stream(), Stream.of(more)).toList();
  }

  /** The wanted port, and two free ones; all are held at once, so that they differ. */
  static List<Integer> freePorts(int wanted) throws DemoException, IOException {
    InetAddress loopback = InetAddress.getByName("127.0.0.1");
    try (ServerSocket http = new ServerSocket();
        ServerSocket kafka = new ServerSocket(0, 1, loopback);
        ServerSocket admin = new ServerSocket(0, 1, loopback)) {
      // As the gateway will: connections of an earlier run that are closing don't block the port.
      http.setReuseAddress(true);
      try {
        http.bind(new InetSocketAddress(loopback, wanted));
      } catch (IOException e) {
        throw new DemoException(
            "Port "
                + wanted
                + " can't be used ("
                + e.getMessage()
                + "): another program probably listens there. Nothing was started. End that"
                + " program, or choose another port: ./tideover demo --port 8090",
            e);
      }
      return List.of(http.getLocalPort(), kafka.getLocalPort(), admin.getLocalPort());
    }
  }
}
