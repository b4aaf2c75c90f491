package dev.tideover.testkit;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;
import org.apache.kafka.common.Uuid;

/**
 * Three Kafka brokers as processes of their own, each a controller too, for tests of what happens
 * when one of them goes. Topics have three replicas by default, two of which have to be in sync for
 * {@code acks=all}, so that one broker may be away and nothing is lost; a broker that is killed is
 * noticed after 2 s, where Kafka's default is 9 s. Safe for any thread.
 */
public final class BrokerCluster implements AutoCloseable {

  private static final int SIZE = 3;
  private static final int START_ATTEMPTS = 3;

  private final List<BrokerProcess> brokers;

  private BrokerCluster(List<BrokerProcess> brokers) {
    this.brokers = brokers;
  }

  /**
   * Starts the brokers on free ports with temporary data, and returns when all are ready.
   *
   * @throws BrokerException if they can't; the message has the last output of one that failed
   */
  public static BrokerCluster start() {
    for (int attempt = 1; ; attempt++) {
      try {
        return startOnce();
      } catch (BrokerException e) {
        // A controller's port has to be known before any broker is there to bind it, so somebody
        // may have taken it meanwhile.
        if (attempt == START_ATTEMPTS
            || !String.valueOf(e.getMessage()).contains("can't listen on port")) {
          throw e;
        }
      }
    }
  }

  private static BrokerCluster startOnce() {
    String clusterId = Uuid.randomUuid().toString();
    List<Integer> controllerPorts = new ArrayList<>();
    while (controllerPorts.size() < SIZE) {
      int port = BrokerProcess.freePort();
      if (!controllerPorts.contains(port)) {
        controllerPorts.add(port);
      }
    }
    List<String> voters = new ArrayList<>();
    for (int id = 1; id <= SIZE; id++) {
      voters.add(id + "@127.0.0.1:" + controllerPorts.get(id - 1));
    }
    // None is ready before two are there, so they have to be started at the same time.
    ExecutorService threads = Executors.newFixedThreadPool(SIZE);
    try {
      List<CompletableFuture<BrokerProcess>> starting = new ArrayList<>();
      for (int id = 1; id <= SIZE; id++) {
        KafkaBroker.Node node = new KafkaBroker.Node(id, controllerPorts.get(id - 1), clusterId);
        KafkaBroker.Builder settings = settings(String.join(",", voters)).node(node);
        starting.add(CompletableFuture.supplyAsync(settings::startProcess, threads));
      }
      return new BrokerCluster(allOrNone(starting));
    } finally {
      threads.shutdown();
    }
  }

  private static List<BrokerProcess> allOrNone(List<CompletableFuture<BrokerProcess>> starting) {
    List<BrokerProcess> started = new ArrayList<>();
    BrokerException failure = null;
    // Each ends: a broker's start has a bound.
    for (CompletableFuture<BrokerProcess> one : starting) {
      try {
        started.add(one.join());
      } catch (CompletionException e) {
        failure = e.getCause() instanceof BrokerException cause ? cause : failure;
        if (failure == null) {
          throw e;
        }
      }
    }
    if (failure != null) {
      end(started);
      throw failure;
    }
    return started;
  }

  private static KafkaBroker.Builder settings(String voters) {
    return KafkaBroker.builder()
        .property("controller.quorum.voters", voters)
        .property("default.replication.factor", "" + SIZE)
        .property("min.insync.replicas", "2")
        .property("offsets.topic.replication.factor", "" + SIZE)
        .property("transaction.state.log.replication.factor", "" + SIZE)
        .property("transaction.state.log.min.isr", "2")
        .property("broker.heartbeat.interval.ms", "500")
        .property("broker.session.timeout.ms", "2000")
        .jvmOption("-Xmx384m");
  }

  /** What a client's {@code bootstrap.servers} needs: all brokers. */
  public String bootstrapServers() {
    return brokers.stream().map(BrokerProcess::bootstrapServers).collect(Collectors.joining(","));
  }

  /**
   * One of the brokers, to be killed, frozen, and started again.
   *
   * @param id its number in Kafka's own terms, from 1 to 3
   */
  public BrokerProcess broker(int id) {
    return brokers.get(id - 1);
  }

  /** Ends all brokers, by SIGKILL, since the last ones can't stop in order; removes their data. */
  @Override
  public void close() {
    end(brokers);
  }

  private static void end(List<BrokerProcess> brokers) {
    brokers.forEach(BrokerProcess::kill);
    brokers.forEach(BrokerProcess::close);
  }
}
