package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.config.ConfigException;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.common.config.ConfigResource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A gateway takes another configuration while requests are under way, or keeps the one it has. */
@KafkaTest
class ReloadIT {

  private static final byte[] NOTHING = new byte[0];

  private final String service = TestGateway.uniqueService();
  private final String other = TestGateway.uniqueService();

  @Test
  void removedRoutesDrainAndNewServicesWork(TestKafka kafka) throws Exception {
    String before = yaml(kafka, "path: /old/**, wait: 60s", "path: /kept, wait: 60s");
    String after =
        yaml(kafka, "path: /kept, wait: 0s")
            + """
              %s:
                topic: { partitions: %d }
                routes:
                  - { path: /new, wait: 60s }
            """
                .formatted(other, TestGateway.PARTITIONS);
    try (Gateway gateway = Gateway.start(TestGateway.config(before));
        RawService behind =
            RawService.start(kafka.bootstrapServers(), service, TestGateway.PARTITIONS);
        RawHttp underWay = new RawHttp(gateway.port())) {
      underWay.request("POST", "/old/1", NOTHING);
      RawService.Request request = behind.awaitRequest("/old/1");
      String location =
          RawHttp.exchange(gateway.port(), "POST", "/old/2", NOTHING, "Prefer: respond-async")
              .field("Location");

      assertThat(gateway.reload(TestGateway.config(after)))
          .hasToString("services added: " + other + "; services changed: " + service);

      RawHttp.Response gone = RawHttp.exchange(gateway.port(), "POST", "/old/3", NOTHING);
      assertThat(gone.status()).isEqualTo(404);
      // A wait that is another now.
      RawHttp.Response kept = RawHttp.exchange(gateway.port(), "POST", "/kept", NOTHING);
      assertThat(kept.status()).isEqualTo(202);
      try (RawService added =
          RawService.start(kafka.bootstrapServers(), other, TestGateway.PARTITIONS)) {
        added.on("/new", each -> each.reply(201, "new".getBytes(UTF_8)));
        RawHttp.Response first = RawHttp.exchange(gateway.port(), "POST", "/new", NOTHING);
        assertThat(first.status()).isEqualTo(201);
      }
      // What was under way on the removed route ends as it began.
      request.reply(200, "old".getBytes(UTF_8));
      assertThat(underWay.read().text()).isEqualTo("old");
      assertThat(RawHttp.exchange(gateway.port(), "GET", location, NOTHING).status())
          .isEqualTo(202);
    }
  }

  @Test
  void largerBodiesAreTakenWhereTheirTopicTakesThem(TestKafka kafka) throws Exception {
    byte[] body = new byte[100_000];
    String before = yaml(kafka, "path: /x, wait: 0s, max-body: 1KiB");
    try (Gateway gateway = Gateway.start(TestGateway.config(before))) {
      assertThat(RawHttp.exchange(gateway.port(), "POST", "/x", body).status()).isEqualTo(413);
      ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, service + ".requests");
      AlterConfigOp larger =
          new AlterConfigOp(
              new ConfigEntry("max.message.bytes", "1000000"), AlterConfigOp.OpType.SET);
      kafka
          .admin()
          .incrementalAlterConfigs(Map.of(topic, List.of(larger)))
          .all()
          .get(20, TimeUnit.SECONDS);

      gateway.reload(TestGateway.config(before.replace("1KiB", "200KiB")));

      assertThat(RawHttp.exchange(gateway.port(), "POST", "/x", body).status()).isEqualTo(202);
    }
  }

  @Test
  void aRemovedServiceKeepsItsStatusAddresses(TestKafka kafka) throws Exception {
    String before = yaml(kafka, "path: /old, wait: 60s");
    String after = before.replace("  " + service + ":", "  " + other + ":");
    try (Gateway gateway = Gateway.start(TestGateway.config(before));
        RawService behind =
            RawService.start(kafka.bootstrapServers(), service, TestGateway.PARTITIONS)) {
      String location =
          RawHttp.exchange(gateway.port(), "POST", "/old", NOTHING, "Prefer: respond-async")
              .field("Location");

      gateway.reload(TestGateway.config(after));
      behind.awaitRequest("/old").reply(200, "still".getBytes(UTF_8));

      await()
          .atMost(Duration.ofSeconds(20))
          .until(
              () ->
                  RawHttp.exchange(gateway.port(), "GET", location, NOTHING)
                      .text()
                      .equals("still"));
    }
  }

  @Test
  void aConfigurationThatCantBeUsedChangesNothing(TestKafka kafka) throws Exception {
    String before = yaml(kafka, "path: /old, wait: 0s");
    kafka.createTopic(other + ".requests", TestGateway.PARTITIONS + 1);
    String after =
        before.replace("/old", "/new")
            + """
              %s:
                topic: { partitions: %d }
                routes:
                  - { path: /other }
            """
                .formatted(other, TestGateway.PARTITIONS);
    try (Gateway gateway = Gateway.start(TestGateway.config(before))) {
      assertThatThrownBy(() -> gateway.reload(TestGateway.config(after)))
          .isInstanceOf(ConfigException.class)
          .hasMessageContaining("services." + other + ".topic.partitions");
      assertThatThrownBy(
              () ->
                  gateway.reload(
                      TestGateway.config(before.replace("retention: 1h", "retention: 2h"))))
          .isInstanceOf(ConfigException.class)
          .hasMessageContaining("replies.retention: the file says PT2H, what runs is PT1H");

      assertThat(RawHttp.exchange(gateway.port(), "POST", "/old", NOTHING).status()).isEqualTo(202);
      assertThat(RawHttp.exchange(gateway.port(), "POST", "/new", NOTHING).status()).isEqualTo(404);
    }
  }

  @Test
  void underTrafficEachReloadTakesEffectAndNoRequestFails(TestKafka kafka, @TempDir Path directory)
      throws Exception {
    String traffic = "path: /x, wait: 60s";
    Path file = Files.writeString(directory.resolve("gateway.yaml"), yaml(kafka, traffic));
    try (GatewayProcess gateway = GatewayProcess.start(file)) {
      int port = gateway.awaitReady();
      int admin = gateway.awaitStarting();
      try (RawService behind =
          RawService.start(kafka.bootstrapServers(), service, TestGateway.PARTITIONS)) {
        behind.on("/x", request -> request.reply(200, NOTHING));
        Traffic load = Traffic.start(port, "/x", 4, 0);

        // Asked for by SIGHUP.
        Files.writeString(file, yaml(kafka, traffic, "path: /one, wait: 0s"));
        gateway.signal("HUP");
        awaitStatus(port, "/one", 202);

        // Noticed: renamed into place, as editors do.
        replace(file, yaml(kafka, traffic, "path: /two, wait: 0s"));
        awaitStatus(port, "/two", 202);
        awaitStatus(port, "/one", 404);

        // Bad: told, and nothing changes.
        Files.writeString(file, yaml(kafka, traffic, "path: /three, wait: 0"));
        await()
            .atMost(Duration.ofSeconds(20))
            .until(() -> health(admin).json().get("status").asText().equals("warn"));
        assertThat(health(admin).status()).isEqualTo(200);
        assertThat(health(admin).json().at("/checks/config/0/output").asText())
            .contains("services." + service + ".routes[1].wait: found \"0\", expected a duration");
        assertThat(gateway.log()).contains("ERROR").contains("found \"0\", expected a duration");
        assertThat(RawHttp.exchange(port, "POST", "/two", NOTHING).status()).isEqualTo(202);

        // A link that is pointed elsewhere, as Kubernetes does.
        Path elsewhere = directory.resolve("elsewhere.yaml");
        Files.writeString(elsewhere, yaml(kafka, traffic, "path: /four, wait: 0s"));
        Path link = Files.createSymbolicLink(directory.resolve("link"), elsewhere);
        Files.move(link, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        awaitStatus(port, "/four", 202);
        await()
            .atMost(Duration.ofSeconds(20))
            .until(() -> health(admin).json().get("status").asText().equals("pass"));

        List<Traffic.Sent> sent = load.stop();
        assertThat(sent).hasSizeGreaterThan(20);
        assertThat(sent).allSatisfy(each -> assertThat(each.status()).isEqualTo(200));
      }
      gateway.signal("TERM");
      assertThat(gateway.exitCode(Duration.ofSeconds(30))).isZero();
    }
  }

  private static void replace(Path file, String text) throws IOException {
    Path beside = Files.writeString(file.resolveSibling("beside"), text);
    Files.move(beside, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
  }

  private static void awaitStatus(int port, String path, int status) {
    await()
        .atMost(Duration.ofSeconds(20))
        .until(() -> RawHttp.exchange(port, "POST", path, NOTHING).status() == status);
  }

  private static RawHttp.Response health(int admin) throws IOException {
    return RawHttp.exchange(admin, "GET", "/health/ready", NOTHING);
  }

  private String yaml(TestKafka kafka, String... routes) {
    return TestGateway.yaml(kafka.bootstrapServers(), service, "", "", routes);
  }
}
