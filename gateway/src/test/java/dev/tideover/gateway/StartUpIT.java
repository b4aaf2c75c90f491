package dev.tideover.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.gateway.config.ConfigException;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.KafkaUnavailableException;
import dev.tideover.testkit.KafkaBroker;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A gateway starts, or says in one line what keeps it from starting. */
@KafkaTest
class StartUpIT {

  private static final String ROUTE = "path: /**, wait: 1s";

  @Test
  void withoutKafkaTheCommandEndsAndSaysSo(@TempDir Path directory) throws Exception {
    int nobody;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      nobody = free.getLocalPort();
    }
    String servers = "127.0.0.1:" + nobody;
    Path file =
        Files.writeString(
            directory.resolve("gateway.yaml"),
            TestGateway.yaml(servers, TestGateway.uniqueService(), "", "", ROUTE));

    Command command = Command.run(directory, "serve", "--config", file.toString());

    assertThat(command.exit).isEqualTo(1);
    assertThat(command.err)
        .contains(
            "The gateway can't start:", "kafka.bootstrap-servers " + servers, "Is Kafka running")
        .doesNotContain("\tat ", "Exception");
    assertThat(command.seconds).isLessThan(25);
  }

  @Test
  void userMistakesAreToldInALineEach(@TempDir Path directory) throws Exception {
    Command noFile = Command.run(directory, "serve", "--config", "not-there.yaml");
    assertThat(noFile.exit).isEqualTo(1);
    assertThat(noFile.err)
        .contains("not-there.yaml: there is no such file")
        .doesNotContain("\tat ", "Exception");

    Command wrongUse = Command.run(directory, "serve");
    assertThat(wrongUse.exit).isEqualTo(2);
    assertThat(wrongUse.err).contains("Give --config FILE").doesNotContain("\tat ", "Exception");
  }

  @ParameterizedTest
  @CsvSource({
    "buffer.memory: lots, buffer.memory",
    "security.protocol: TELEPATHY, TELEPATHY",
    "delivery.timeout.ms: 1, delivery.timeout.ms",
    "ssl.truststore.location: /not/there.p12, /not/there.p12",
  })
  void aClientSettingThatKafkaRefusesIsNamed(String property, String named, TestKafka kafka) {
    String more = property.startsWith("ssl.") ? property + ", security.protocol: SSL" : property;

    assertThatThrownBy(() -> start(kafka, TestGateway.uniqueService(), more))
        .isInstanceOf(KafkaUnavailableException.class)
        .hasMessageContaining("kafka.properties")
        .hasMessageContaining(named);
  }

  @Test
  void aTakenPortIsNamed(TestKafka kafka) throws Exception {
    String service = TestGateway.uniqueService();
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String yaml =
          TestGateway.yaml(kafka.bootstrapServers(), service, "", "", ROUTE)
              .replace(
                  "http: { host: 127.0.0.1, port: 0 }",
                  "http: { host: 127.0.0.1, port: %d }".formatted(taken.getLocalPort()));
      GatewayConfig config = TestGateway.config(yaml);

      assertThatThrownBy(() -> Gateway.start(config))
          .isInstanceOf(Gateway.StartException.class)
          .hasMessageContaining("http.port")
          .hasMessageContaining(Integer.toString(taken.getLocalPort()))
          .hasMessageContaining("taken");

      String admin =
          TestGateway.yaml(kafka.bootstrapServers(), service, "", "", ROUTE)
              .replace(
                  "admin: { host: 127.0.0.1, port: 0 }",
                  "admin: { host: 127.0.0.1, port: %d }".formatted(taken.getLocalPort()));
      assertThatThrownBy(() -> Gateway.start(TestGateway.config(admin)))
          .isInstanceOf(Gateway.StartException.class)
          .hasMessageContaining("admin.port");
    }
    // What was started before the failure is gone, so the next attempt is free to start.
    start(kafka, service, "").close();
  }

  @Test
  void aTopicWithAnotherNumberOfPartitionsIsRefused(TestKafka kafka) {
    String service = TestGateway.uniqueService();
    kafka.createTopic(service + ".requests", 5);

    assertThatThrownBy(() -> start(kafka, service, ""))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("services." + service + ".topic.partitions")
        .hasMessageContaining(service + ".requests has 5")
        .hasMessageContaining("says " + TestGateway.PARTITIONS);
  }

  @Test
  void aDeadLetterTopicMayHaveAnyNumberOfPartitions(TestKafka kafka) {
    String service = TestGateway.uniqueService();
    kafka.createTopic(service + ".dead", 4);

    start(kafka, service, "").close();
  }

  @Test
  void theTopicsOfTheServicesSdkAreMadeToo(TestKafka kafka) throws Exception {
    String service = TestGateway.uniqueService();
    start(kafka, service, "").close();

    assertThat(
            kafka
                .admin()
                .describeTopics(List.of(service + ".ledger", service + ".members"))
                .allTopicNames()
                .get(20, TimeUnit.SECONDS))
        .hasEntrySatisfying(
            service + ".ledger",
            topic -> assertThat(topic.partitions()).hasSize(TestGateway.PARTITIONS))
        .hasEntrySatisfying(
            service + ".members", topic -> assertThat(topic.partitions()).hasSize(1));
    assertThat(setting(kafka, service + ".ledger", "cleanup.policy")).isEqualTo("compact");
    assertThat(setting(kafka, service + ".ledger", "min.insync.replicas")).isEqualTo("1");
    assertThat(setting(kafka, service + ".members", "cleanup.policy")).isEqualTo("delete");
    assertThat(setting(kafka, service + ".members", "retention.ms")).isEqualTo("600000");
  }

  private static String setting(TestKafka kafka, String topic, String name) throws Exception {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    return kafka
        .admin()
        .describeConfigs(List.of(resource))
        .all()
        .get(20, TimeUnit.SECONDS)
        .get(resource)
        .get(name)
        .value();
  }

  @Test
  void aGatewayThatMayNotSeeTheTopicsOfTheSdkStartsAllTheSame() throws Exception {
    try (KafkaBroker broker =
            KafkaBroker.builder()
                .property(
                    "authorizer.class.name",
                    "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
                .property("allow.everyone.if.no.acl.found", "true")
                .start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      String service = TestGateway.uniqueService();
      for (String topic : List.of(service + ".ledger", service + ".members")) {
        AclBinding nobody =
            new AclBinding(
                new ResourcePattern(ResourceType.TOPIC, topic, PatternType.LITERAL),
                new AccessControlEntry(
                    "User:ANONYMOUS", "*", AclOperation.ALL, AclPermissionType.DENY));
        kafka.admin().createAcls(List.of(nobody)).all().get(20, TimeUnit.SECONDS);
      }

      try (Gateway gateway = start(kafka, service, "")) {
        assertThat(
                RawHttp.exchange(gateway.adminPort(), "GET", "/health/ready", new byte[0]).status())
            .isEqualTo(200);
      }
    }
  }

  @Test
  void gatewaysThatStartAtOnceShareTheTopics(TestKafka kafka) throws Exception {
    int gateways = 3;
    String service = TestGateway.uniqueService();
    ExecutorService threads = Executors.newFixedThreadPool(gateways);
    CyclicBarrier together = new CyclicBarrier(gateways);
    List<Future<Gateway>> starts = new ArrayList<>();
    for (int i = 0; i < gateways; i++) {
      starts.add(
          threads.submit(
              () -> {
                together.await(20, TimeUnit.SECONDS);
                return start(kafka, service, "");
              }));
    }
    for (Future<Gateway> start : starts) {
      start.get(60, TimeUnit.SECONDS);
    }
    try (RawService behind =
        RawService.start(kafka.bootstrapServers(), service, TestGateway.PARTITIONS)) {
      behind.on("/x", request -> request.reply(200, new byte[0]));
      for (Future<Gateway> start : starts) {
        RawHttp.Response response = RawHttp.exchange(start.get().port(), "POST", "/x", new byte[0]);
        assertThat(response.status()).isEqualTo(200);
      }
      assertThat(
              kafka
                  .admin()
                  .describeTopics(List.of(service + ".requests", service + ".replies"))
                  .allTopicNames()
                  .get(20, TimeUnit.SECONDS)
                  .values())
          .allSatisfy(topic -> assertThat(topic.partitions()).hasSize(TestGateway.PARTITIONS));
      for (Future<Gateway> start : starts) {
        start.get().close();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void aStartedGatewayIsAliveAndReady(TestKafka kafka) throws Exception {
    try (Gateway gateway = start(kafka, TestGateway.uniqueService(), "")) {
      int admin = gateway.adminPort();
      assertThat(RawHttp.exchange(admin, "GET", "/health/live", new byte[0]).status())
          .isEqualTo(200);
      RawHttp.Response ready = RawHttp.exchange(admin, "GET", "/health/ready", new byte[0]);
      assertThat(ready.status()).isEqualTo(200);
      assertThat(ready.json().get("status").asText()).isEqualTo("pass");
      for (String target : List.of("/other", "*", "other", "http://test", "?")) {
        assertThat(RawHttp.exchange(admin, "OPTIONS", target, new byte[0]).status())
            .as(target)
            .isEqualTo(404);
      }
    }
  }

  private static Gateway start(TestKafka kafka, String service, String properties) {
    return Gateway.start(
        TestGateway.config(
            TestGateway.yaml(kafka.bootstrapServers(), service, properties, "", ROUTE)));
  }

  /** The gateway's command as a process of its own. */
  private record Command(int exit, String err, long seconds) {

    static Command run(Path directory, String... arguments)
        throws IOException, InterruptedException {
      Path err = directory.resolve("err");
      List<String> line = new ArrayList<>();
      line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      line.add("-Dlogback.configurationFile=logback.xml");
      line.add("-cp");
      line.add(System.getProperty("java.class.path"));
      line.add("dev.tideover.gateway.cli.GatewayCommand");
      line.addAll(List.of(arguments));
      long start = System.nanoTime();
      Process process =
          new ProcessBuilder(line)
              .directory(directory.toFile())
              .redirectError(err.toFile())
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      if (!process.waitFor(60, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new AssertionError("no end after 60 s: " + Files.readString(err));
      }
      return new Command(
          process.exitValue(),
          Files.readString(err, StandardCharsets.UTF_8),
          TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start));
    }
  }
}
