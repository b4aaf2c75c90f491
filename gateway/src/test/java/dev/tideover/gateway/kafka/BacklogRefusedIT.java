package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.testkit.KafkaBroker;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A broker that doesn't let the gateway see: it says so once and does without. */
@Timeout(120)
class BacklogRefusedIT {

  private static final Duration LIMIT = Duration.ofSeconds(30);

  private static KafkaBroker broker;

  private final AtomicLong nanos = new AtomicLong();
  private TestKafka kafka;
  private String service;
  private GatewayConfig config;

  @BeforeAll
  static void startBroker() {
    broker =
        KafkaBroker.builder()
            .property(
                "authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
            .property("allow.everyone.if.no.acl.found", "true")
            .start();
  }

  @AfterAll
  static void stopBroker() {
    broker.close();
  }

  @BeforeEach
  void topics() {
    kafka = TestKafka.at(broker.bootstrapServers());
    service = kafka.uniqueName("svc");
    kafka.createTopic(service + ".requests", 1);
    kafka.createTopic(service + ".ledger", 1);
    kafka.produce(new ProducerRecord<>(service + ".requests", 0, new byte[] {1}, new byte[] {1}));
    config = TestConfig.of(kafka.bootstrapServers(), service, 1, "7d");
  }

  @AfterEach
  void close() {
    kafka.close();
  }

  /** Everything else stays allowed, which a refusal alone would end. */
  private AclBinding deny(ResourceType type, String name, AclOperation operation) throws Exception {
    ResourcePattern resource = new ResourcePattern(type, name, PatternType.LITERAL);
    AclBinding denied = binding(resource, operation, AclPermissionType.DENY);
    kafka
        .admin()
        .createAcls(List.of(denied, binding(resource, AclOperation.ALL, AclPermissionType.ALLOW)))
        .all()
        .get(20, TimeUnit.SECONDS);
    return denied;
  }

  private static AclBinding binding(
      ResourcePattern resource, AclOperation operation, AclPermissionType permission) {
    return new AclBinding(
        resource, new AccessControlEntry("User:ANONYMOUS", "*", operation, permission));
  }

  private void look(Backlog backlog, int times) {
    for (int i = 0; i < times; i++) {
      nanos.addAndGet(TimeUnit.SECONDS.toNanos(10));
      backlog.runOnce();
    }
  }

  @Test
  void aGroupThatMayNotBeDescribedHasNoPositionUntilItMay() throws Exception {
    AclBinding denied = deny(ResourceType.GROUP, service, AclOperation.DESCRIBE);
    try (LogLines log = LogLines.of(ServiceBacklog.class);
        Backlog backlog = Backlog.create(config, nanos::get, Instant::now)) {
      look(backlog, 3);
      assertThat(backlog.isReachable()).isTrue();
      assertThat(backlog.queue(service, 0, 1)).isNull();
      assertThat(backlog.age(service)).isNull();
      assertThat(backlog.isTooOld(service)).isFalse();
      assertThat(log.with(service))
          .singleElement()
          .asString()
          .startsWith("WARN")
          .contains("Allow this gateway to describe the group " + service);

      kafka.admin().deleteAcls(List.of(denied.toFilter())).all().get(20, TimeUnit.SECONDS);
      await()
          .atMost(LIMIT)
          .until(
              () -> {
                look(backlog, 1);
                return new Backlog.Queue(1, null).equals(backlog.queue(service, 0, 1));
              });
    }
  }

  @Test
  void requestsThatMayNotBeReadHaveAPositionButNoAge() throws Exception {
    deny(ResourceType.TOPIC, service + ".requests", AclOperation.READ);
    try (LogLines log = LogLines.of(OldestRequests.class);
        LogLines search = LogLines.of(RequestSearch.class);
        Backlog backlog = Backlog.create(config, nanos::get, Instant::now);
        RequestSearch searching = RequestSearch.create(config, Duration.ofSeconds(10))) {
      look(backlog, 3);
      assertThat(backlog.queue(service, 0, 1)).isEqualTo(new Backlog.Queue(1, null));
      assertThat(backlog.age(service)).isNull();
      assertThat(log.with(service)).singleElement().asString().startsWith("WARN");

      for (int i = 0; i < 2; i++) {
        CompletableFuture<OptionalLong> answer =
            searching
                .find(service + ".requests", 0, RequestId.random(), Instant.now())
                .toCompletableFuture();
        searching.runOnce();
        assertThatThrownBy(() -> answer.get(1, TimeUnit.SECONDS))
            .cause()
            .isInstanceOf(KafkaUnavailableException.class)
            .hasCauseInstanceOf(AuthorizationException.class);
      }
      assertThat(search.with(service)).singleElement().asString().startsWith("WARN");
    }
  }

  @Test
  void aLedgerThatMayNotBeReadHidesNoOther() throws Exception {
    deny(ResourceType.TOPIC, service + ".ledger", AclOperation.READ);
    String other = kafka.uniqueName("other");
    kafka.createTopic(other + ".ledger", 1);
    ProducerRecord<byte[], byte[]> entry =
        new ProducerRecord<>(other + ".ledger", 0, "request/5".getBytes(UTF_8), new byte[0]);
    entry.headers().add("tideover-attempts", "4".getBytes(UTF_8));
    kafka.produce(entry);
    GatewayConfig both =
        dev.tideover.gateway.config.ConfigFile.parse(
            """
            kafka: { bootstrap-servers: "%s" }
            services:
              %s: { topic: { partitions: 1 }, routes: [ { path: /a } ] }
              %s: { topic: { partitions: 1 }, routes: [ { path: /b } ] }
            """
                .formatted(kafka.bootstrapServers(), service, other),
            "test",
            variable -> null);
    try (LogLines log = LogLines.of(Attempts.class);
        Backlog backlog = Backlog.create(both, nanos::get, Instant::now)) {
      look(backlog, 1);

      await().atMost(LIMIT).until(() -> backlog.attempts(other, 0, 5) == 4);
      await().atMost(LIMIT).until(() -> log.with(service).size() == 1);
      assertThat(log.with("WARN")).hasSize(1);
    }
  }
}
