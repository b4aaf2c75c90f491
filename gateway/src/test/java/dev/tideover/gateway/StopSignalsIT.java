package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the process does when it is told to stop, as its manager sees it. */
@Tag("long")
@KafkaTest
class StopSignalsIT {

  private static final byte[] NOTHING = new byte[0];

  @TempDir Path directory;

  @Test
  void toldTwiceItStillAnswersItsClientsAndEndsWithZero(TestKafka kafka) throws Exception {
    String service = TestGateway.uniqueService();
    Path config = config(kafka.bootstrapServers(), service, "{ delay: 1s, wait: 60s }");
    try (GatewayProcess gateway = GatewayProcess.start(config);
        RawService behind =
            RawService.start(kafka.bootstrapServers(), service, TestGateway.PARTITIONS)) {
      int port = gateway.awaitReady();
      try (RawHttp client = new RawHttp(port)) {
        client.request("POST", "/slow", NOTHING);
        RawService.Request request = behind.awaitRequest("/slow");

        gateway.signal("TERM");
        gateway.await(Pattern.compile("No new connections"));
        gateway.signal("TERM");
        gateway.signal("INT");
        gateway.await(Pattern.compile("SIGINT again"));
        assertThat(gateway.isAlive()).isTrue();
        request.reply(200, "at last".getBytes(UTF_8));

        RawHttp.Response response = client.read();
        assertThat(response.status()).isEqualTo(200);
        assertThat(response.text()).isEqualTo("at last");
        assertThat(response.field("Connection")).isEqualTo("close");
      }
      assertThat(gateway.exitCode(Duration.ofSeconds(30))).isZero();
      assertThat(gateway.log())
          .contains("SIGTERM: stopping", "SIGTERM again", "All clients were answered")
          .doesNotContain("\tat ", "did not close");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"TERM", "INT"})
  void aStartThatWaitsForKafkaEndsAtOnceWithZero(String signal) throws Exception {
    try (ServerSocket silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      // Connections are made and nothing is ever answered.
      Path config = config("127.0.0.1:" + silent.getLocalPort(), TestGateway.uniqueService(), "{}");
      try (GatewayProcess gateway = GatewayProcess.start(config)) {
        int admin = gateway.awaitStarting();
        RawHttp.Response ready = RawHttp.exchange(admin, "GET", "/health/ready", NOTHING);
        assertThat(ready.status()).isEqualTo(503);
        assertThat(ready.json().at("/checks/gateway/0/output").asText()).isEqualTo("starting");
        assertThat(RawHttp.exchange(admin, "GET", "/health/live", NOTHING).status()).isEqualTo(200);

        gateway.signal(signal);

        assertThat(gateway.exitCode(Duration.ofSeconds(5))).isZero();
        assertThat(gateway.log()).doesNotContain("can't start", "\tat ");
      }
    }
  }

  @Test
  void toldAtTheMomentItIsReadyItStopsInOrder(TestKafka kafka) throws Exception {
    Path config =
        config(kafka.bootstrapServers(), TestGateway.uniqueService(), "{ delay: 0s, wait: 0s }");
    try (GatewayProcess gateway = GatewayProcess.start(config)) {
      gateway.awaitReady();
      gateway.signal("TERM");

      assertThat(gateway.exitCode(Duration.ofSeconds(20))).isZero();
      assertThat(gateway.log()).contains("All clients were answered").doesNotContain("\tat ");
    }
  }

  @Test
  void itServesForTheDelayAlsoWhereNobodyIsConnected(TestKafka kafka) throws Exception {
    String service = TestGateway.uniqueService();
    Path config = config(kafka.bootstrapServers(), service, "{ delay: 5s, wait: 60s }");
    try (GatewayProcess gateway = GatewayProcess.start(config)) {
      int port = gateway.awaitReady();
      int admin = gateway.awaitStarting();
      long start = System.nanoTime();
      gateway.signal("TERM");

      await()
          .atMost(Duration.ofSeconds(4))
          .until(() -> RawHttp.exchange(admin, "GET", "/health/ready", NOTHING).status() == 503);
      RawHttp.Response response =
          RawHttp.exchange(port, "POST", "/x", NOTHING, "Prefer: respond-async");
      assertThat(response.status()).isEqualTo(202);

      assertThat(gateway.exitCode(Duration.ofSeconds(30))).isZero();
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThan(Duration.ofSeconds(5));
    }
  }

  private Path config(String servers, String service, String shutdown) throws IOException {
    String yaml =
        TestGateway.yaml(servers, service, "", "", "path: /**, wait: 60s")
            .replace("{ delay: 0s, wait: 0s }", shutdown);
    return Files.writeString(directory.resolve("gateway.yaml"), yaml);
  }
}
