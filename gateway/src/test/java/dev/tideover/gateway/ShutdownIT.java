package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.testkit.BrokerProcess;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** A gateway that stops breaks no connection and lies to no client. */
@KafkaTest
class ShutdownIT {

  private static final byte[] NOTHING = new byte[0];

  @Test
  void waitingClientsGetTheir202(TestKafka kafka) throws Exception {
    int clients = 30;
    TestGateway gateway = TestGateway.start(kafka.bootstrapServers(), "path: /**, wait: 60s");
    List<RawHttp> connections = new ArrayList<>();
    try (RawService service =
        RawService.start(kafka.bootstrapServers(), gateway.service, TestGateway.PARTITIONS)) {
      for (int i = 0; i < clients; i++) {
        RawHttp http = new RawHttp(gateway.port());
        connections.add(http);
        http.request(i % 2 == 0 ? "POST" : "GET", "/waiting/" + i, NOTHING);
      }
      for (int i = 0; i < clients; i++) {
        service.awaitRequest("/waiting/" + i);
      }

      long start = System.nanoTime();
      gateway.close();

      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(25));
      for (RawHttp http : connections) {
        RawHttp.Response response = http.read();
        // Also for GET: its wait is not over, so it has not expired.
        assertThat(response.status()).isEqualTo(202);
        assertThat(response.outcome()).isEqualTo("accepted");
        assertThat(response.field("Location")).isNotNull();
        assertThat(http.isClosedByServer()).isTrue();
      }
    } finally {
      for (RawHttp http : connections) {
        http.close();
      }
      gateway.close();
    }
  }

  @Test
  void withKafkaFrozenTheEndComesAllTheSame() throws Exception {
    try (BrokerProcess broker = BrokerProcess.start()) {
      TestGateway gateway = TestGateway.start(broker.bootstrapServers(), "path: /**, wait: 60s");
      try (RawService service =
              RawService.start(broker.bootstrapServers(), gateway.service, TestGateway.PARTITIONS);
          RawHttp stored = new RawHttp(gateway.port());
          RawHttp open = new RawHttp(gateway.port());
          RawHttp late = new RawHttp(gateway.port())) {
        stored.request("POST", "/stored", "x".getBytes(UTF_8));
        service.awaitRequest("/stored");
        broker.freeze();
        open.request("POST", "/open", "x".getBytes(UTF_8));
        // It has long been handed to Kafka when one that came after it is told that nobody knows.
        assertThat(gateway.send("POST", "/probe", NOTHING, "Prefer: respond-async").outcome())
            .isEqualTo("unknown");

        long start = System.nanoTime();
        CompletableFuture<Void> closed = CompletableFuture.runAsync(gateway::close);
        // While it stops it says so, to those that come now.
        await()
            .atMost(Duration.ofSeconds(8))
            .until(
                () -> {
                  late.request("POST", "/late", NOTHING, "Prefer: respond-async");
                  RawHttp.Response response = late.read();
                  return response.status() == 503
                      && response.problem().equals("stopping")
                      && response.field("Retry-After") != null;
                });
        assertThat(stored.read().status()).isEqualTo(202);
        RawHttp.Response unknown = open.read();
        assertThat(unknown.status()).isEqualTo(504);
        assertThat(unknown.outcome()).isEqualTo("unknown");
        closed.get(60, TimeUnit.SECONDS);

        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(35));
      } finally {
        gateway.close();
      }
    }
  }
}
