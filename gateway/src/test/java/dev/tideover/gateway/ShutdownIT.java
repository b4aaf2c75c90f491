package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.testkit.BrokerProcess;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.io.IOException;
import java.net.ConnectException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A gateway that stops breaks no connection and lies to no client. */
@KafkaTest
class ShutdownIT {

  private static final byte[] NOTHING = new byte[0];

  private final String name = TestGateway.uniqueService();
  private Gateway gateway;
  private RawService service;

  private void start(String servers, String shutdown) {
    String yaml =
        TestGateway.yaml(servers, name, "", "", "path: /**, wait: 60s")
            .replace("{ delay: 0s, wait: 0s }", shutdown);
    gateway = Gateway.start(TestGateway.config(yaml));
    service = RawService.start(servers, name, TestGateway.PARTITIONS);
  }

  @AfterEach
  void stop() {
    service.close();
    gateway.close();
  }

  @Test
  void waitingClientsGetTheir202WhenTheWaitEnds(TestKafka kafka) throws Exception {
    start(kafka.bootstrapServers(), "{ delay: 0s, wait: 0s }");
    int clients = 30;
    List<RawHttp> connections = new ArrayList<>();
    try {
      for (int i = 0; i < clients; i++) {
        RawHttp http = new RawHttp(gateway.port());
        connections.add(http);
        http.request(i % 2 == 0 ? "POST" : "GET", "/waiting/" + i, NOTHING);
      }
      for (int i = 0; i < clients; i++) {
        service.awaitRequest("/waiting/" + i);
      }

      assertThat(timeToClose()).isLessThan(Duration.ofSeconds(10));

      for (RawHttp http : connections) {
        RawHttp.Response response = http.read();
        // Also for GET: its wait is not over, so it has not expired.
        assertThat(response.status()).isEqualTo(202);
        assertThat(response.outcome()).isEqualTo("accepted");
        assertThat(response.field("Location")).isNotNull();
        assertThat(response.field("Connection")).isEqualTo("close");
        assertThat(http.isClosedByServer()).isTrue();
      }
    } finally {
      for (RawHttp http : connections) {
        http.close();
      }
    }
  }

  @Test
  void repliesThatComeWithinTheWaitReachTheirClients(TestKafka kafka) throws Exception {
    start(kafka.bootstrapServers(), "{ delay: 0s, wait: 60s }");
    int port = gateway.port();
    try (RawHttp http = new RawHttp(port);
        RawHttp idle = new RawHttp(port)) {
      http.request("POST", "/slow", NOTHING);
      RawService.Request request = service.awaitRequest("/slow");

      CompletableFuture<Void> closed = CompletableFuture.runAsync(gateway::close);
      // Who has no open request is let go, and nobody else comes in.
      assertThat(idle.isClosedByServer()).isTrue();
      await().until(() -> refusesConnections(port));
      assertThat(closed).isNotDone();
      request.reply(200, "in time".getBytes(UTF_8));

      RawHttp.Response response = http.read();
      assertThat(response.status()).isEqualTo(200);
      assertThat(response.text()).isEqualTo("in time");
      assertThat(response.field("Connection")).isEqualTo("close");
      // And nothing is waited for when nobody waits any more.
      closed.get(20, TimeUnit.SECONDS);
    }
  }

  @Test
  void whileItDrainsItServesAndEachAnswerEndsItsConnection(TestKafka kafka) throws Exception {
    start(kafka.bootstrapServers(), "{ delay: 8s, wait: 0s }");
    service.on("/x", request -> request.reply(200, NOTHING));
    int admin = gateway.adminPort();
    try (RawHttp kept = new RawHttp(gateway.port());
        RawHttp streamed = new RawHttp(gateway.port());
        RawHttp pipelining = new RawHttp(gateway.port())) {
      RawHttp.Response before = kept.exchange("POST", "/x", NOTHING);
      assertThat(before.field("Connection")).isNull();

      CompletableFuture<Void> closed = CompletableFuture.runAsync(gateway::close);
      await().until(() -> RawHttp.exchange(admin, "GET", "/health/ready", NOTHING).status() == 503);
      assertThat(RawHttp.exchange(admin, "GET", "/health/live", NOTHING).status()).isEqualTo(200);

      RawHttp.Response after = kept.exchange("POST", "/x", NOTHING);
      assertThat(after.status()).isEqualTo(200);
      assertThat(after.field("Connection")).isEqualTo("close");
      assertThat(kept.isClosedByServer()).isTrue();
      RawHttp.Response noStream =
          streamed.exchange(
              "GET",
              "/.tideover/requests/x",
              NOTHING,
              "Accept: text/event-stream",
              "Last-Event-ID: end");
      assertThat(noStream.status()).isEqualTo(204);
      assertThat(noStream.field("Connection")).isEqualTo("close");
      assertThat(streamed.isClosedByServer()).isTrue();
      // It still serves, so this was not the end of all connections.
      RawHttp.Response late = RawHttp.exchange(gateway.port(), "POST", "/x", NOTHING);
      assertThat(late.status()).isEqualTo(200);
      assertThat(late.field("Connection")).isEqualTo("close");
      String one = "POST /%s HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n";
      pipelining.send(one.formatted("x") + one.formatted("behind"));
      assertThat(pipelining.read().status()).isEqualTo(200);
      assertThat(pipelining.isClosedByServer()).isTrue();
      assertThat(closed).isNotDone();

      closed.get(30, TimeUnit.SECONDS);
      // What was pipelined behind the last answer was not taken.
      assertThat(stored(kafka)).isEqualTo(4);
    }
  }

  /** A load balancer that sees it ready would send clients to a port that is about to close. */
  @Test
  void toldToStopWhileItOpensItNeverLooksReady(TestKafka kafka) throws Exception {
    service = RawService.start(kafka.bootstrapServers(), name, TestGateway.PARTITIONS);
    String yaml =
        TestGateway.yaml(kafka.bootstrapServers(), name, "", "", "path: /**, wait: 60s")
            .replace("{ delay: 0s, wait: 0s }", "{ delay: 3s, wait: 0s }");
    gateway = new Gateway(TestGateway.config(yaml));
    Thread closer = new Thread(this::closeWhileItOpens, "closer");
    closer.start();
    gateway.start();
    // It looks for the port without pause, so once it waits it has told the gateway to stop.
    await().until(() -> closer.getState() != Thread.State.RUNNABLE);

    RawHttp.Response ready = RawHttp.exchange(gateway.adminPort(), "GET", "/health/ready", NOTHING);

    assertThat(closer.isAlive()).isTrue();
    assertThat(ready.status()).isEqualTo(503);
    assertThat(ready.json().at("/checks/gateway/0/output").asText()).isEqualTo("stopping");
    closer.join(Duration.ofSeconds(30).toMillis());
    assertThat(closer.isAlive()).isFalse();
  }

  /** Looks all the time, since the moment is short. */
  private void closeWhileItOpens() {
    long limit = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!hasOpenedAPort() && System.nanoTime() - limit < 0) {
      Thread.onSpinWait();
    }
    gateway.close();
  }

  /** The first of them, which is when the others are being opened. */
  private boolean hasOpenedAPort() {
    try {
      return gateway.port() > 0;
    } catch (IndexOutOfBoundsException notYet) {
      return false;
    }
  }

  @Test
  void whoAsksAtAStatusAddressIsLetGoWhenTheWaitEnds(TestKafka kafka) throws Exception {
    start(kafka.bootstrapServers(), "{ delay: 0s, wait: 0s }");
    String location =
        RawHttp.exchange(gateway.port(), "POST", "/slow", NOTHING, "Prefer: respond-async")
            .field("Location");
    try (RawHttp longPoll = new RawHttp(gateway.port());
        EventReader stream = new EventReader(gateway.port(), location)) {
      // Pipelined, so that the second is being dealt with when the first one's answer is here.
      String one = "GET " + location + " HTTP/1.1\r\nHost: test\r\n%s\r\n";
      longPoll.send(one.formatted("") + one.formatted("Prefer: wait=60\r\n"));
      assertThat(longPoll.read().status()).isEqualTo(202);
      assertThat(stream.next().name()).isEqualTo("pending");

      assertThat(timeToClose()).isLessThan(Duration.ofSeconds(10));

      RawHttp.Response pending = longPoll.read();
      assertThat(pending.status()).isEqualTo(202);
      assertThat(pending.field("Connection")).isEqualTo("close");
      // A stream that ends as a body does, so that its client connects again, elsewhere.
      while (stream.next() != null) {
        // It may have told a state more.
      }
    }
  }

  @Test
  void withNobodyConnectedNothingIsWaitedFor(TestKafka kafka) {
    start(kafka.bootstrapServers(), "{ delay: 0s, wait: 5m }");

    assertThat(timeToClose()).isLessThan(Duration.ofSeconds(10));
  }

  @Test
  void aBodyThatIsNotCompleteIsRefusedDefinitely(TestKafka kafka) throws Exception {
    start(kafka.bootstrapServers(), "{ delay: 0s, wait: 0s }");
    try (RawHttp http = new RawHttp(gateway.port())) {
      http.send(
          "POST /half HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
      assertThat(http.readHead().status()).isEqualTo(100);
      http.send("half");

      CompletableFuture<Void> closed = CompletableFuture.runAsync(gateway::close);

      RawHttp.Response response = http.read();
      assertThat(response.status()).isEqualTo(503);
      assertThat(response.problem()).isEqualTo("stopping");
      assertThat(response.outcome()).isEqualTo("not-accepted");
      closed.get(30, TimeUnit.SECONDS);
      assertThat(stored(kafka)).isZero();
    }
  }

  @Test
  void withKafkaFrozenTheEndComesAllTheSame() throws Exception {
    try (BrokerProcess broker = BrokerProcess.start()) {
      start(broker.bootstrapServers(), "{ delay: 0s, wait: 1s }");
      try (RawHttp stored = new RawHttp(gateway.port());
          RawHttp open = new RawHttp(gateway.port())) {
        stored.request("POST", "/stored", "x".getBytes(UTF_8));
        service.awaitRequest("/stored");
        broker.freeze();
        open.request("POST", "/open", "x".getBytes(UTF_8));
        // It has long been handed to Kafka when one that came after it is told that nobody knows.
        RawHttp.Response probe =
            RawHttp.exchange(gateway.port(), "POST", "/probe", NOTHING, "Prefer: respond-async");
        assertThat(probe.outcome()).isEqualTo("unknown");

        long start = System.nanoTime();
        CompletableFuture<Void> closed = CompletableFuture.runAsync(gateway::close);
        assertThat(stored.read().status()).isEqualTo(202);
        RawHttp.Response unknown = open.read();
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(8));
        assertThat(unknown.status()).isEqualTo(504);
        assertThat(unknown.outcome()).isEqualTo("unknown");
        closed.get(60, TimeUnit.SECONDS);

        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(35));
      }
    }
  }

  /** How many requests Kafka has. */
  private long stored(TestKafka kafka) throws Exception {
    Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
    for (int partition = 0; partition < TestGateway.PARTITIONS; partition++) {
      ends.put(new TopicPartition(name + ".requests", partition), OffsetSpec.latest());
    }
    return kafka.admin().listOffsets(ends).all().get(20, TimeUnit.SECONDS).values().stream()
        .mapToLong(end -> end.offset())
        .sum();
  }

  private Duration timeToClose() {
    long start = System.nanoTime();
    gateway.close();
    return Duration.ofNanos(System.nanoTime() - start);
  }

  private static boolean refusesConnections(int port) throws IOException {
    try {
      new RawHttp(port).close();
      return false;
    } catch (ConnectException e) {
      return true;
    }
  }
}
