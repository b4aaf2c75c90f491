package dev.tideover.testkit;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import kafka.server.BrokerServer;
import kafka.server.ControllerServer;
import kafka.server.FaultHandlerFactory;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import kafka.server.Server;
import kafka.server.SharedServer;
import org.apache.kafka.common.errors.BrokerIdNotRegisteredException;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.controller.ControllerRequestContext;
import org.apache.kafka.raft.QuorumConfig;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A real Apache Kafka broker in this JVM: a node in KRaft's combined mode, listening on loopback;
 * as a rule the only one, and one of several in a {@link BrokerCluster}.
 *
 * <p>It is put together from Kafka's own parts and not by {@code KafkaRaftServer}, which ends the
 * JVM when something fails and opens its own sockets; here a failure is an exception and the
 * sockets are bound beforehand. Safe for any thread.
 */
public final class KafkaBroker implements AutoCloseable {

  static final byte[] LOOPBACK = {127, 0, 0, 1};

  private static final Logger log = LoggerFactory.getLogger(KafkaBroker.class);
  private static final String BROKER_LISTENER = "PLAINTEXT";
  private static final String CONTROLLER_LISTENER = "CONTROLLER";
  private static final Duration MAX_START = Duration.ofSeconds(60);

  /**
   * Which one of a cluster's nodes this is.
   *
   * @param controllerPort where the nodes' controllers talk to it; 0 for any free one, which will
   *     do where nobody has to know it
   * @param clusterId the same for all nodes; null for a new one
   */
  record Node(int id, int controllerPort, @Nullable String clusterId) {

    static final Node ALONE = new Node(1, 0, null);

    boolean isAlone() {
      return equals(ALONE);
    }
  }

  private final int port;
  private final DataDirectory data;
  private final ControllerServer controller;
  private final BrokerServer broker;
  private final CompletableFuture<String> failure;
  private boolean closed;

  private KafkaBroker(
      int port,
      DataDirectory data,
      ControllerServer controller,
      BrokerServer broker,
      CompletableFuture<String> failure) {
    this.port = port;
    this.data = data;
    this.controller = controller;
    this.broker = broker;
    this.failure = failure;
  }

  /**
   * Starts a broker on a free port with a temporary data directory, and returns when it is ready.
   *
   * @throws BrokerException if it can't
   */
  public static KafkaBroker start() {
    return builder().start();
  }

  /** A builder with a free port and a temporary data directory. */
  public static Builder builder() {
    return new Builder();
  }

  /** What a client's {@code bootstrap.servers} needs. */
  public String bootstrapServers() {
    return "127.0.0.1:" + port;
  }

  /** The port that it listens on. */
  public int port() {
    return port;
  }

  /** Where the data is; if it is temporary, {@link #close} removes it. */
  public Path dataDirectory() {
    return data.path();
  }

  boolean isTemporary() {
    return data.isTemporary();
  }

  /** Completes with the reason if the broker breaks down by itself. */
  CompletableFuture<String> failure() {
    return failure;
  }

  /** Stops the broker, within about a second; a second call does nothing. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      stop(broker, controller);
    } finally {
      data.close();
    }
  }

  private static void stop(BrokerServer broker, ControllerServer controller) {
    try {
      broker.shutdown();
    } finally {
      controller.shutdown();
    }
  }

  /** How a broker is to be. Not safe for use by several threads at once. */
  public static final class Builder {

    private final Map<String, String> properties = new HashMap<>();
    private final List<String> jvmOptions = new ArrayList<>();
    private int port;
    private @Nullable Path dataDirectory;
    private Node node = Node.ALONE;

    private Builder() {}

    /**
     * The port to listen on; 0, the default, for any free one.
     *
     * @throws IllegalArgumentException unless it is from 0 to 65535
     */
    public Builder port(int port) {
      if (port < 0 || port > 65_535) {
        throw new IllegalArgumentException("a port is from 0 to 65535, not " + port);
      }
      this.port = port;
      return this;
    }

    /**
     * Where to keep the data: created where it is missing, and found again with all topics and
     * records by a later broker, after a kill too. Without it, the data is temporary.
     */
    public Builder dataDirectory(Path directory) {
      this.dataDirectory = directory;
      return this;
    }

    /** One of the broker's own properties; stronger than what this class sets. */
    public Builder property(String name, String value) {
      properties.put(name, value);
      return this;
    }

    /**
     * An option for the JVM of {@link #startProcess}, stronger than what that sets by itself: 512
     * MiB of heap and the fast compiler only, {@code -XX:TieredStopAtLevel=1}, which halves the
     * time to be ready but not what it takes under full load.
     */
    public Builder jvmOption(String option) {
      jvmOptions.add(option);
      return this;
    }

    /** One of several; the property {@code controller.quorum.voters} has to name them all. */
    Builder node(Node node) {
      this.node = node;
      return this;
    }

    Node node() {
      return node;
    }

    Builder copy() {
      Builder copy = new Builder();
      copy.properties.putAll(properties);
      copy.jvmOptions.addAll(jvmOptions);
      copy.port = port;
      copy.dataDirectory = dataDirectory;
      copy.node = node;
      return copy;
    }

    List<String> jvmOptions() {
      return jvmOptions;
    }

    int port() {
      return port;
    }

    @Nullable Path dataDirectory() {
      return dataDirectory;
    }

    Map<String, String> properties() {
      return properties;
    }

    /**
     * Starts the broker in this JVM and returns when it is ready.
     *
     * @throws BrokerException if it can't: the port is taken, the data can't be used, or a property
     *     is wrong
     */
    public KafkaBroker start() {
      try (ListeningSockets sockets = new ListeningSockets()) {
        int brokerPort = sockets.bind(BROKER_LISTENER, port);
        int controllerPort = sockets.bind(CONTROLLER_LISTENER, node.controllerPort());
        DataDirectory data = DataDirectory.open(dataDirectory, node, CONTROLLER_LISTENER);
        try {
          return launch(data, sockets, brokerPort, controllerPort);
        } catch (Exception e) {
          if (e instanceof InterruptedException) {
            Thread.currentThread().interrupt();
          }
          data.close();
          throw new BrokerException(
              "Kafka did not start on the data in "
                  + data.path()
                  + ": "
                  + rootCause(e)
                  + ". Correct the property that this names, or, if the data is at fault and you can"
                  + " do without it, choose another directory.",
              e);
        }
      }
    }

    private KafkaBroker launch(
        DataDirectory data, ListeningSockets sockets, int brokerPort, int controllerPort)
        throws InterruptedException, ExecutionException, TimeoutException {
      Properties settings = settings(node.id(), data.path(), brokerPort, controllerPort);
      settings.putAll(properties);
      KafkaConfig config = KafkaConfig.fromProps(settings, false);
      var directories = KafkaRaftServer.initializeLogDirs(config, log, "");
      String clusterId = directories._1().clusterId().orElseThrow();
      CompletableFuture<String> failure = new CompletableFuture<>();
      SharedServer shared =
          new SharedServer(
              config,
              directories._1(),
              Time.SYSTEM,
              Server.initializeMetrics(config, Time.SYSTEM, clusterId),
              CompletableFuture.completedFuture(
                  QuorumConfig.parseVoterConnections(config.quorumConfig().voters())),
              QuorumConfig.parseBootstrapServers(config.quorumConfig().bootstrapServers()),
              faultHandlers(failure),
              sockets);
      ControllerServer controller =
          new ControllerServer(shared, KafkaRaftServer.configSchema(), directories._2());
      BrokerServer broker = new BrokerServer(shared);
      try {
        controller.startup();
        if (data.wasKilled() && node.isAlone()) {
          unregisterPredecessor(controller);
        }
        broker.startup();
      } catch (Throwable e) {
        // Scala declares no exceptions, so that any may come.
        try {
          stop(broker, controller);
        } catch (RuntimeException more) {
          e.addSuppressed(more);
        }
        throw e;
      }
      return new KafkaBroker(brokerPort, data, controller, broker, failure);
    }

    /**
     * A killed broker's registration would count as alive for another 9 s, and a second broker with
     * its number be turned away as long. But we hold the lock on the data: it is dead for certain.
     */
    private static void unregisterPredecessor(ControllerServer controller)
        throws InterruptedException, ExecutionException, TimeoutException {
      long end = System.nanoTime() + MAX_START.toNanos();
      while (!controller.controller().isActive()) {
        if (System.nanoTime() > end) {
          throw new TimeoutException("the controller was not elected within " + MAX_START);
        }
        // The election of a single voter; it takes milliseconds and tells nobody when it is over.
        LockSupport.parkNanos(1_000_000);
      }
      ControllerRequestContext context =
          new ControllerRequestContext(
              new RequestHeaderData(), KafkaPrincipal.ANONYMOUS, OptionalLong.empty());
      try {
        controller
            .controller()
            .unregisterBroker(context, Node.ALONE.id())
            .get(MAX_START.toSeconds(), TimeUnit.SECONDS);
      } catch (ExecutionException e) {
        if (!(e.getCause() instanceof BrokerIdNotRegisteredException)) {
          throw e;
        }
        // It was killed before it had registered.
      }
    }

    /** Kafka's own would end the JVM, and with it the tests of others. */
    private static FaultHandlerFactory faultHandlers(CompletableFuture<String> failure) {
      return (name, fatal, action) ->
          (message, cause) -> {
            action.run();
            String text = name + ": " + message;
            log.error("Kafka reports a fault in {}", text, cause);
            if (fatal) {
              failure.complete(text + (cause == null ? "" : " (" + rootCause(cause) + ")"));
            }
            return new IllegalStateException(text, cause);
          };
    }

    private static Properties settings(int id, Path data, int port, int controllerPort) {
      Properties settings = new Properties();
      settings.put("process.roles", "broker,controller");
      settings.put("node.id", Integer.toString(id));
      // Static voters: the controller may have another port at each start.
      settings.put("controller.quorum.voters", id + "@127.0.0.1:" + controllerPort);
      settings.put("controller.listener.names", CONTROLLER_LISTENER);
      settings.put(
          "listeners",
          "%s://127.0.0.1:%d,%s://127.0.0.1:%d"
              .formatted(BROKER_LISTENER, port, CONTROLLER_LISTENER, controllerPort));
      settings.put(
          "listener.security.protocol.map",
          BROKER_LISTENER + ":PLAINTEXT," + CONTROLLER_LISTENER + ":PLAINTEXT");
      settings.put("log.dirs", data.toString());
      settings.put("server.max.startup.time.ms", Long.toString(MAX_START.toMillis()));
      // A typo in a topic's name should fail, not make a topic.
      settings.put("auto.create.topics.enable", "false");
      // Internal topics fit for one node, and few partitions, each of which costs files and memory.
      settings.put("offsets.topic.replication.factor", "1");
      settings.put("offsets.topic.num.partitions", "1");
      settings.put("transaction.state.log.replication.factor", "1");
      settings.put("transaction.state.log.min.isr", "1");
      settings.put("transaction.state.log.num.partitions", "1");
      settings.put("share.coordinator.state.topic.replication.factor", "1");
      settings.put("share.coordinator.state.topic.min.isr", "1");
      settings.put("share.coordinator.state.topic.num.partitions", "1");
      // By default the first member of a group waits 3 s for others.
      settings.put("group.initial.rebalance.delay.ms", "0");
      // By default a member (KIP-848) learns only every 5 s that partitions come or go.
      settings.put("group.consumer.min.heartbeat.interval.ms", "500");
      settings.put("group.consumer.heartbeat.interval.ms", "500");
      // The metadata log waits this long for more before it writes: each new topic pays it.
      settings.put("controller.quorum.append.linger.ms", "0");
      // Sized for thousands of records, not millions; the cleaner's default is 128 MiB.
      settings.put("log.cleaner.dedupe.buffer.size", Integer.toString(4 << 20));
      settings.put("log.cleaner.io.buffer.size", Integer.toString(128 << 10));
      settings.put("num.network.threads", "2");
      settings.put("num.io.threads", "4");
      settings.put("background.threads", "2");
      settings.put("num.recovery.threads.per.data.dir", "1");
      return settings;
    }

    /**
     * Starts the broker as a process of its own and returns when it is ready. It ends with this JVM
     * at the latest.
     *
     * @throws BrokerException if it can't; the message has the process's last output
     */
    public BrokerProcess startProcess() {
      return BrokerProcess.start(this);
    }

    private static String rootCause(Throwable error) {
      Throwable cause = error;
      while (cause.getCause() != null) {
        cause = cause.getCause();
      }
      return cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
    }
  }
}
