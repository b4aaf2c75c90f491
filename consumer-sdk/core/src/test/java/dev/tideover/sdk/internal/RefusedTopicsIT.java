package dev.tideover.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.sdk.Logged;
import dev.tideover.sdk.TideoverConsumer;
import dev.tideover.sdk.internal.Adopter.Result;
import dev.tideover.sdk.internal.core.LedgerEntry.Begun;
import dev.tideover.testkit.KafkaBroker;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ControlCodec;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestCodec;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AccessControlEntryFilter;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A broker that refuses the engine's own topics: it does without them. */
@Timeout(120)
class RefusedTopicsIT {

  private static KafkaBroker broker;

  private TestKafka kafka;
  private String service;
  private Settings settings;

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
  void topics() throws Exception {
    kafka = TestKafka.at(broker.bootstrapServers());
    service = kafka.uniqueName("orders");
    settings = TestSettings.of(kafka.bootstrapServers(), service, "one");
    kafka.createTopic(service + ".requests", 2);
    kafka.createTopic(service + ".dead", 1);
    if (!kafka
        .admin()
        .listTopics()
        .names()
        .get(20, TimeUnit.SECONDS)
        .contains(DesiredState.TOPIC)) {
      kafka.createTopic(DesiredState.TOPIC, 1, Map.of("cleanup.policy", "compact"));
    }
  }

  @AfterEach
  void close() {
    kafka.close();
  }

  private void deny(String topic, AclOperation operation) throws Exception {
    AclBinding nobody =
        new AclBinding(
            new ResourcePattern(ResourceType.TOPIC, topic, PatternType.LITERAL),
            new AccessControlEntry("User:ANONYMOUS", "*", operation, AclPermissionType.DENY));
    kafka.admin().createAcls(List.of(nobody)).all().get(20, TimeUnit.SECONDS);
  }

  private ServiceTopics.Usable ensure() throws InterruptedException {
    return ServiceTopics.ensure(settings, System::nanoTime, new CountDownLatch(1));
  }

  @Test
  void eachOfTheEnginesOwnIsDoneWithoutWhereItIsRefused() throws Exception {
    deny(service + ".ledger", AclOperation.ALL);
    assertThat(ensure()).isEqualTo(new ServiceTopics.Usable(false, true, true));

    deny(service + ".members", AclOperation.ALL);
    assertThat(ensure()).isEqualTo(new ServiceTopics.Usable(false, false, true));
  }

  @Test
  void whereTheRequestTopicIsRefusedTheStartFailsAndSaysSo() throws Exception {
    deny(service + ".requests", AclOperation.ALL);
    assertThatThrownBy(this::ensure)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("refuses this service")
        .hasMessageContaining("ACLs");
  }

  @Test
  void aLedgerThatMayBeSeenButNotReadIsDoneWithout() throws Exception {
    kafka.createTopic(service + ".ledger", 2, Map.of("cleanup.policy", "compact"));
    kafka.produce(LedgerCodec.encode(new Begun(Uuid.ONE_UUID), service + ".ledger", 1));
    AclBinding describe =
        new AclBinding(
            new ResourcePattern(ResourceType.TOPIC, service + ".ledger", PatternType.LITERAL),
            new AccessControlEntry(
                "User:ANONYMOUS", "*", AclOperation.DESCRIBE, AclPermissionType.ALLOW));
    kafka.admin().createAcls(List.of(describe)).all().get(20, TimeUnit.SECONDS);

    try (Adopter adopter =
        Adopter.start(
            settings,
            true,
            Duration.ofHours(1),
            System::currentTimeMillis,
            () -> {},
            Set::of,
            (old, now) -> {})) {
      adopter.awaitWarm(Duration.ofSeconds(20));
      CompletableFuture<Result> result = new CompletableFuture<>();
      adopter.adopt(new TopicPartition(service + ".requests", 1), result::complete);

      assertThat(result.get(30, TimeUnit.SECONDS))
          .isInstanceOfSatisfying(
              Result.Found.class,
              found -> {
                assertThat(found.adoption().ledger()).isEmpty();
                assertThat(found.adoption().topicId()).isNotEqualTo(Uuid.ZERO_UUID);
              });
    }
  }

  @Test
  void whereFinishedIdsCannotBeWrittenOffsetsAreCommittedAllTheSameAndAResendIsRecognised()
      throws Exception {
    String replies = kafka.createTopic(service + ".replies", 1);
    kafka.createTopic(service + ".ledger", 2, Map.of("cleanup.policy", "compact"));
    AclBinding read =
        new AclBinding(
            new ResourcePattern(ResourceType.TOPIC, service + ".ledger", PatternType.LITERAL),
            new AccessControlEntry(
                "User:ANONYMOUS", "*", AclOperation.READ, AclPermissionType.ALLOW));
    kafka.admin().createAcls(List.of(read)).all().get(20, TimeUnit.SECONDS);
    RequestEnvelope request = request(replies);

    TideoverConsumer consumer = Engine.start(settings);
    try {
      kafka.produce(RequestCodec.encode(request, service + ".requests", 1));
      await().until(() -> committed() == 1);
      kafka.produce(RequestCodec.encode(request, service + ".requests", 1));
      await().until(() -> kafka.readAll(replies).size() == 2);
      assertThat(kafka.readAll(replies))
          .extracting(record -> ReplyCodec.decode(record).outcome())
          .containsExactly(ReplyOutcome.COMPLETED, ReplyOutcome.DUPLICATE);
    } finally {
      consumer.close();
    }
    assertThat(committed()).isEqualTo(2);
  }

  @Test
  void whereTheControlTopicIsRefusedItWorksWithoutAndTakesPartInNoRelease() throws Exception {
    kafka.produce(ControlCodec.encode(wanted(1, "another", false)));
    AccessControlEntry no =
        new AccessControlEntry("User:ANONYMOUS", "*", AclOperation.ALL, AclPermissionType.DENY);
    AclBinding refused = new AclBinding(control(), no);
    kafka.admin().createAcls(List.of(refused)).all().get(20, TimeUnit.SECONDS);
    try {
      assertThat(ensure()).isEqualTo(new ServiceTopics.Usable(true, true, false));
      TideoverConsumer consumer = Engine.start(settings);
      try {
        assertThat(consumer.awaitAssignment(Duration.ofSeconds(20))).isTrue();
      } finally {
        consumer.close();
      }
    } finally {
      allow();
    }
  }

  @Test
  void whileTheControlTopicCannotBeReadTheLastStateStands() throws Exception {
    String replies = kafka.createTopic(service + ".replies", 1);
    kafka.produce(ControlCodec.encode(wanted(1, "v1", true)));
    TideoverConsumer consumer = Engine.start(settings);
    try (Logged logged = new Logged()) {
      assertThat(consumer.awaitAssignment(Duration.ofSeconds(20))).isTrue();
      AccessControlEntry write =
          new AccessControlEntry(
              "User:ANONYMOUS", "*", AclOperation.WRITE, AclPermissionType.ALLOW);
      AclBinding onlyWrite = new AclBinding(control(), write);
      kafka.admin().createAcls(List.of(onlyWrite)).all().get(20, TimeUnit.SECONDS);
      // Not sooner: a fetch that was let in before is answered for half a second more.
      await().until(() -> !logged.lines(service, "may not read").isEmpty());
      kafka.produce(RequestCodec.encode(request(replies), service + ".requests", 1));
      kafka.produce(ControlCodec.encode(wanted(2, "v1", false)));
      await()
          .until(
              () ->
                  consumer.headOfLine().stream()
                      .anyMatch(head -> head.age().compareTo(Duration.ofSeconds(2)) > 0));
      assertThat(kafka.readAll(replies)).isEmpty();
      assertThat(consumer.failure()).isEmpty();

      allow();
      await().until(() -> kafka.readAll(replies).size() == 1);
    } finally {
      allow();
      consumer.close();
    }
  }

  private static RequestEnvelope request(String replies) {
    return new RequestEnvelope(
        RequestId.random(),
        new ReplyAddress(replies, 0),
        Instant.ofEpochMilli(System.currentTimeMillis()),
        null,
        true,
        new Fingerprint(1, 2),
        null,
        "POST",
        "/orders",
        "http",
        "localhost",
        HttpFields.EMPTY,
        new byte[0]);
  }

  private DesiredState wanted(long epoch, String version, boolean held) {
    return new DesiredState(service, epoch, "command", "test", 1, version, held, 0, null);
  }

  private static ResourcePattern control() {
    return new ResourcePattern(ResourceType.TOPIC, DesiredState.TOPIC, PatternType.LITERAL);
  }

  private void allow() throws Exception {
    AclBindingFilter all = new AclBindingFilter(control().toFilter(), AccessControlEntryFilter.ANY);
    kafka.admin().deleteAcls(List.of(all)).all().get(20, TimeUnit.SECONDS);
  }

  private long committed() throws Exception {
    OffsetAndMetadata offset =
        kafka
            .admin()
            .listConsumerGroupOffsets(service)
            .partitionsToOffsetAndMetadata()
            .get(20, TimeUnit.SECONDS)
            .get(new TopicPartition(service + ".requests", 1));
    return offset == null ? -1 : offset.offset();
  }

  private static ConditionFactory await() {
    return Awaitility.await().atMost(Duration.ofSeconds(20));
  }
}
