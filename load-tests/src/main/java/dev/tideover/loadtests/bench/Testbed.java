package dev.tideover.loadtests.bench;

import dev.tideover.loadtests.bare.BareGateway;
import dev.tideover.loadtests.bare.BareKafka;
import dev.tideover.loadtests.bare.BareService;
import dev.tideover.loadtests.client.Load;
import dev.tideover.loadtests.client.LoadClient;
import dev.tideover.loadtests.client.Measurement;
import dev.tideover.testkit.Tether;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.jspecify.annotations.Nullable;

/**
 * All processes of a run, on one machine and one broker: client, broker, bare gateway and service,
 * Tideover's gateway and a service that embeds the SDK. Started once, so that both sides are
 * equally warm; the side that is not measured idles. Owned by one thread, except for {@link
 * #close}, which a shutdown hook may call as well.
 */
final class Testbed implements AutoCloseable {

  private static final Duration START_BOUND = Duration.ofSeconds(60);
  private static final Duration ROUND_GRACE = Duration.ofSeconds(60);
  private static final Duration PROBE_INTERVAL = Duration.ofMillis(100);
  private static final int PROBE_TIMEOUT_MILLIS = 2_000;

  /** The same for every gateway and service of both sides. */
  private static final List<String> SERVER_FLAGS = List.of("-Xms512m", "-Xmx512m");

  private static final List<String> CLIENT_FLAGS = List.of("-Xmx256m", "-XX:+UseSerialGC");

  /** One of the two that are compared. */
  record Side(String name, int port, Child gateway, Child service) {}

  private final Processes processes;
  private final Map<String, String> kafkaProperties;
  private final int replyPartitions;
  private @Nullable Child broker;
  private @Nullable Child client;
  private String bootstrapServers = "";

  private Testbed(Path directory, Map<String, String> kafkaProperties, int replyPartitions) {
    this.processes = new Processes(directory);
    this.kafkaProperties = kafkaProperties;
    this.replyPartitions = replyPartitions;
  }

  /**
   * An empty one.
   *
   * @param kafkaProperties what Tideover's gateway gets as {@code kafka.properties}
   * @param replyPartitions what it gets as {@code replies.partitions}
   */
  static Testbed create(Path directory, Map<String, String> kafkaProperties, int replyPartitions) {
    return new Testbed(directory, kafkaProperties, replyPartitions);
  }

  /** Starts broker and client; the rest needs them. */
  void startBase() throws BenchException, InterruptedException {
    Child kafka =
        processes.start("broker", Processes.ownClassPath(), List.of(), BrokerMain.class.getName());
    Child load =
        processes.start(
            "client", Processes.ownClassPath(), CLIENT_FLAGS, LoadClient.class.getName());
    broker = kafka;
    client = load;
    bootstrapServers = kafka.await(BrokerMain.READY, START_BOUND);
    createTopics(bootstrapServers);
    load.await(LoadClient.READY, START_BOUND);
  }

  /**
   * Starts a bare gateway without a service, for its echo: a process of its own, so that the one
   * that is compared is no warmer than Tideover's.
   */
  Side startEcho() throws BenchException, InterruptedException {
    Child gateway = startBareGateway("echo");
    return new Side("echo", bareReady(gateway), gateway, gateway);
  }

  /** Starts the bare gateway and its service. */
  Side startBare() throws BenchException, InterruptedException {
    Child service =
        processes.start(
            "bare-service",
            Processes.ownClassPath(),
            SERVER_FLAGS,
            BareService.class.getName(),
            bootstrapServers);
    Child gateway = startBareGateway("bare-gateway");
    service.await("READY", START_BOUND);
    return new Side("bare", bareReady(gateway), gateway, service);
  }

  private Child startBareGateway(String name) throws BenchException {
    return processes.start(
        name,
        Processes.ownClassPath(),
        SERVER_FLAGS,
        BareGateway.class.getName(),
        bootstrapServers);
  }

  private static int bareReady(Child gateway) throws BenchException, InterruptedException {
    return Integer.parseInt(gateway.await("READY ", START_BOUND));
  }

  /** Starts Tideover's gateway and a service that embeds the SDK, on the broker that runs. */
  Side startTideover(Path root) throws BenchException, InterruptedException {
    List<Integer> ports = Processes.freePorts(2);
    Path config = writeConfig(ports.get(0), ports.get(1));
    String classPath = Processes.tideoverClassPath(root);
    String tether = Tether.class.getName();
    Child gateway =
        processes.start(
            "tideover-gateway",
            classPath,
            SERVER_FLAGS,
            tether,
            "dev.tideover.gateway.cli.GatewayCommand",
            "serve",
            "--config",
            config.toString());
    untilReady(gateway, ports.get(1));
    // The gateway makes the topics; a service that comes earlier would have to wait for them.
    Child service =
        processes.start(
            "tideover-service",
            classPath,
            SERVER_FLAGS,
            tether,
            "dev.tideover.demo.EchoService",
            bootstrapServers,
            "bench");
    service.await("STARTED", START_BOUND);
    return new Side("tideover", ports.get(0), gateway, service);
  }

  /**
   * Runs one round of load.
   *
   * @throws BenchException if the client could not do it, or did not end in time
   */
  Round run(Side side, Load load) throws BenchException, InterruptedException {
    Child process = running(client);
    Round.Cpu before = cpu(side);
    process.send(load.toLine());
    Duration bound = Duration.ofMillis(load.rampMillis() + load.millis()).plus(ROUND_GRACE);
    String line = process.await("", bound);
    Round.Cpu used = cpu(side).minus(before);
    if (line.startsWith(LoadClient.FAILED)) {
      throw new BenchException(
          "The client could not put load on "
              + side.name()
              + ": "
              + line.substring(LoadClient.FAILED.length()));
    }
    return new Round(Measurement.parse(line), used);
  }

  private Round.Cpu cpu(Side side) {
    return new Round.Cpu(
        side.gateway().cpu(), side.service().cpu(), running(broker).cpu(), running(client).cpu());
  }

  private static Child running(@Nullable Child child) {
    if (child == null) {
      throw new IllegalStateException("startBase() comes first");
    }
    return child;
  }

  static void createTopics(String bootstrapServers) throws BenchException, InterruptedException {
    Collection<NewTopic> topics =
        List.of(
            new NewTopic(BareKafka.ACCEPT_TOPIC, BareKafka.PARTITIONS, (short) 1),
            new NewTopic(BareKafka.REQUEST_TOPIC, BareKafka.PARTITIONS, (short) 1),
            new NewTopic(BareKafka.REPLY_TOPIC, BareKafka.REPLY_PARTITIONS, (short) 1));
    try (Admin admin =
        Admin.create(Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers))) {
      admin.createTopics(topics).all().get(START_BOUND.toSeconds(), TimeUnit.SECONDS);
    } catch (ExecutionException | TimeoutException e) {
      throw new BenchException("The bare programs' topics could not be created: " + e, e);
    }
  }

  private Path writeConfig(int port, int adminPort) throws BenchException {
    String config =
        """
        kafka:
          bootstrap-servers: %s
          properties: { %s }
        http: { host: 127.0.0.1, port: %d }
        admin: { host: 127.0.0.1, port: %d }
        secret: "only-for-this-benchmark-0123456789"
        replies: { partitions: %d }
        shutdown: { delay: 0s }
        services:
          bench:
            routes:
              - path: /round-trip
                wait: 30s
          # Nobody takes these: what is measured is the way to a durable 202 and nothing behind it.
          bench-accept:
            routes:
              - path: /accept
        """
            .formatted(
                bootstrapServers,
                kafkaProperties.entrySet().stream()
                    .map(each -> each.getKey() + ": \"" + each.getValue() + '"')
                    .collect(Collectors.joining(", ")),
                port,
                adminPort,
                replyPartitions);
    try {
      return Files.writeString(processes.directory().resolve("gateway.yaml"), config);
    } catch (IOException e) {
      throw new BenchException("The gateway's configuration can't be written: " + e, e);
    }
  }

  static void untilReady(Child gateway, int adminPort) throws BenchException, InterruptedException {
    long until = System.nanoTime() + START_BOUND.toNanos();
    while (!isReady(adminPort)) {
      if (gateway.endsWithin(PROBE_INTERVAL)) {
        throw gateway.failed("ended before it was ready");
      }
      if (System.nanoTime() > until) {
        throw gateway.failed("was not ready within " + START_BOUND.toSeconds() + " s");
      }
    }
  }

  private static boolean isReady(int adminPort) {
    try {
      HttpURLConnection probe =
          (HttpURLConnection)
              URI.create("http://127.0.0.1:" + adminPort + "/health/ready")
                  .toURL()
                  .openConnection();
      probe.setConnectTimeout(PROBE_TIMEOUT_MILLIS);
      probe.setReadTimeout(PROBE_TIMEOUT_MILLIS);
      return probe.getResponseCode() == HttpURLConnection.HTTP_OK;
    } catch (IOException notYet) {
      return false;
    }
  }

  /** Ends all processes, the last one first. */
  @Override
  public void close() {
    processes.close();
  }
}
