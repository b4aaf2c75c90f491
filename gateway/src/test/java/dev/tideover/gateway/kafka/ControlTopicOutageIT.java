package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ControlTopic.Written;
import dev.tideover.testkit.BrokerProcess;
import dev.tideover.testkit.KafkaBroker;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ControlCodec;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.InstanceReport;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the control topic's follower and writer go through. Each test has a broker of its own. */
@Tag("long")
@Timeout(180)
class ControlTopicOutageIT {

  private static final Duration LIMIT = Duration.ofSeconds(40);
  private static final String SERVICE = "orders";

  private final List<String> gone = new CopyOnWriteArrayList<>();
  private final List<String> heard = new CopyOnWriteArrayList<>();

  private final ControlTopic.Listener listener =
      new ControlTopic.Listener() {
        @Override
        public void onDesired(DesiredState state) {
          heard.add("epoch " + state.epoch());
          throw new IllegalStateException("a listener's mistake, which ends nothing");
        }

        @Override
        public void onReport(InstanceReport report) {
          heard.add(report.instance());
        }

        @Override
        public void onGone(InstanceReport last, boolean clean) {
          gone.add(last.instance() + (clean ? " ended" : " fell silent"));
        }
      };

  private static GatewayConfig config(TestKafka kafka) {
    return TestConfig.of(kafka.bootstrapServers(), SERVICE, 1, "7d");
  }

  private ControlTopic start(GatewayConfig config) throws Exception {
    ControlTopic topic = ControlTopic.start(config, listener);
    topic.ready().toCompletableFuture().get(20, TimeUnit.SECONDS);
    return topic;
  }

  private static DesiredState state(long epoch) {
    return new DesiredState(SERVICE, epoch, "command-" + epoch, "a", 1, null, true, 0, null);
  }

  private static Written write(ControlTopic topic, long epoch) throws Exception {
    return topic
        .write(state(epoch))
        .toCompletableFuture()
        .get(ControlWriter.LIMIT.toSeconds() + 1, TimeUnit.SECONDS);
  }

  private static Written done(long epoch) {
    return new Written.Done(state(epoch));
  }

  /** Instances repeat themselves; what is being waited for may come with any of it. */
  private static void awaitInstances(
      ControlTopic topic, ControlReports reports, String... instances) {
    await()
        .atMost(LIMIT)
        .until(
            () -> {
              for (String instance : instances) {
                reports.write("v1", instance, InstanceReport.State.ACTIVE);
              }
              return topic.instances(SERVICE).stream()
                  .map(instance -> instance.report().instance())
                  .toList()
                  .containsAll(List.of(instances));
            });
  }

  @Test
  void reportsOfBeforeDontCountAndThoseOfNowDoUntilTheyCeaseOrEnd() throws Exception {
    try (KafkaBroker broker = KafkaBroker.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      GatewayConfig config = config(kafka);
      Topics.ensure(config);
      ControlReports reports = new ControlReports(kafka, SERVICE);
      reports.write("v1", "long-gone", InstanceReport.State.ACTIVE);
      kafka.produce(ControlCodec.encode(state(4)));

      try (ControlTopic topic = start(config)) {
        assertThat(topic.isFollowing()).isTrue();
        assertThat(topic.instances(SERVICE)).isEmpty();
        assertThat(topic.desired(SERVICE)).isEqualTo(state(4));
        InstanceReport clean = reports.write("v1", "clean", InstanceReport.State.ACTIVE);
        InstanceReport crashed = reports.write("v2", "crashed", InstanceReport.State.STANDBY);
        await().atMost(LIMIT).until(() -> topic.instances(SERVICE).size() == 2);
        assertThat(topic.instances(SERVICE))
            .extracting(ControlTopic.Instance::report)
            .containsExactlyInAnyOrder(clean, crashed);
        assertThat(topic.instances("other")).isEmpty();

        reports.end(clean);
        await().atMost(LIMIT).until(() -> topic.instances(SERVICE).isEmpty());
        assertThat(gone).containsExactly("clean ended", "crashed fell silent");
        assertThat(heard).containsExactly("epoch 4", "clean", "crashed");
      }
    }
  }

  @Test
  void aBrokersAbsenceSilencesNobodyAndWritesEndInTime() throws Exception {
    try (BrokerProcess broker = BrokerProcess.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      GatewayConfig config = config(kafka);
      Topics.ensure(config);
      ControlReports reports = new ControlReports(kafka, SERVICE);
      try (ControlTopic topic = start(config)) {
        assertThat(write(topic, 1)).isEqualTo(done(1));
        awaitInstances(topic, reports, "1", "2");

        broker.freeze();
        assertThat(write(topic, 2)).isInstanceOf(Written.Unknown.class);
        await().atMost(LIMIT).until(() -> !topic.isFollowing());
        assertThat(topic.instances(SERVICE)).hasSize(2);
        assertThat(topic.members(SERVICE).toCompletableFuture().get(5, TimeUnit.SECONDS)).isNull();
        broker.thaw();
        await().atMost(LIMIT).until(topic::isFollowing);
        assertThat(gone).isEmpty();

        broker.kill();
        CompletableFuture<Written> during = topic.write(state(2)).toCompletableFuture();
        broker.restart();
        Written written = during.get(11, TimeUnit.SECONDS);
        assertThat(written).isIn(done(2), written instanceof Written.Unknown ? written : null);
        await().atMost(LIMIT).until(() -> topic.isFollowing() && done(2).equals(write(topic, 2)));
        awaitInstances(topic, reports, "1", "2");
        assertThat(gone).isEmpty();
        assertThat(topic.desired(SERVICE)).isEqualTo(state(2));
      }
    }
  }

  @Test
  void aTopicThatIsMadeAnewIsFollowedAndGoesOnWithTheNextEpoch() throws Exception {
    try (KafkaBroker broker = KafkaBroker.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      GatewayConfig config = config(kafka);
      Topics.ensure(config);
      ControlReports reports = new ControlReports(kafka, SERVICE);
      try (LogLines log = LogLines.of(ControlFollower.class);
          ControlTopic topic = start(config)) {
        assertThat(write(topic, 1)).isEqualTo(done(1));
        assertThat(write(topic, 2)).isEqualTo(done(2));

        kafka.admin().deleteTopics(List.of(DesiredState.TOPIC)).all().get(20, TimeUnit.SECONDS);
        await().atMost(LIMIT).until(() -> topic.problem() != null && !topic.isFollowing());
        assertThat(write(topic, 3)).isInstanceOf(Written.Unknown.class);
        Topics.ensure(config);
        await().atMost(LIMIT).until(topic::isFollowing);

        assertThat(topic.problem()).isNull();
        assertThat(log.with("was made anew")).hasSize(1);
        assertThat(topic.desired(SERVICE)).isEqualTo(state(2));
        assertThat(write(topic, 3)).isEqualTo(done(3));
        awaitInstances(topic, reports, "1");
      }
    }
  }

  @Test
  void whatMeansNothingIsIgnoredAndSaidOnce() throws Exception {
    try (KafkaBroker broker = KafkaBroker.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      GatewayConfig config = config(kafka);
      Topics.ensure(config);
      ControlReports reports = new ControlReports(kafka, SERVICE);
      try (LogLines log = LogLines.of(ControlFollower.class);
          ControlTopic topic = start(config)) {
        for (String key : List.of("", SERVICE, "a/b/c", "a/b", "a/b/c/d", "\u0000")) {
          kafka.produce(
              new ProducerRecord<>(DesiredState.TOPIC, 0, key.getBytes(UTF_8), new byte[] {1}));
        }
        awaitInstances(topic, reports, "1");

        assertThat(log.with("WARN")).hasSize(1);
        // It may be of a newer gateway, so nothing is written over it.
        assertThat(write(topic, 1))
            .isInstanceOfSatisfying(
                Written.Unknown.class, unknown -> assertThat(unknown.why()).contains("newer"));
        kafka.produce(ControlCodec.encode(state(1)));
        await().atMost(LIMIT).until(() -> topic.desired(SERVICE) != null);
        assertThat(write(topic, 2)).isEqualTo(done(2));
      }
    }
  }

  @Test
  void aGatewayThatMayNotUseTheTopicSaysWhatItNeedsAndBeginsWhenItMay() throws Exception {
    try (KafkaBroker broker =
            KafkaBroker.builder()
                .property(
                    "authorizer.class.name",
                    "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
                .property("allow.everyone.if.no.acl.found", "true")
                .start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      GatewayConfig config = config(kafka);
      AclBinding topicDenied = deny(kafka, ResourceType.TOPIC, DesiredState.TOPIC);
      AclBinding idDenied =
          deny(kafka, ResourceType.TRANSACTIONAL_ID, ControlWriter.TRANSACTIONAL_ID);
      try (LogLines log = LogLines.ofPackage("dev.tideover.gateway.kafka");
          ControlTopic topic = ControlTopic.start(config, listener)) {
        Topics.ensure(config);
        assertThat(log.with("WARN Topic")).isEmpty();
        assertThat(log.with("tideover.control can't be made or checked")).hasSize(1);
        assertThatThrownBy(() -> topic.ready().toCompletableFuture().get(20, TimeUnit.SECONDS))
            .hasCauseInstanceOf(KafkaUnavailableException.class)
            .hasMessageContaining("allow it to read");
        assertThat(topic.isFollowing()).isFalse();
        assertThat(write(topic, 1))
            .isInstanceOfSatisfying(
                Written.Unknown.class,
                unknown -> assertThat(unknown.why()).contains("allow it to read and describe"));

        kafka.admin().deleteAcls(List.of(topicDenied.toFilter())).all().get(20, TimeUnit.SECONDS);
        Topics.ensure(config);
        await().atMost(LIMIT).until(topic::isFollowing);
        assertThat(write(topic, 1))
            .isInstanceOfSatisfying(
                Written.Unknown.class,
                unknown ->
                    assertThat(unknown.why())
                        .contains("transactional id tideover-control", "topic tideover.control"));

        kafka.admin().deleteAcls(List.of(idDenied.toFilter())).all().get(20, TimeUnit.SECONDS);
        assertThat(write(topic, 1)).isEqualTo(done(1));
      }
    }
  }

  private static AclBinding deny(TestKafka kafka, ResourceType type, String name) throws Exception {
    ResourcePattern resource = new ResourcePattern(type, name, PatternType.LITERAL);
    AclBinding denied = binding(resource, AclPermissionType.DENY);
    kafka
        .admin()
        .createAcls(List.of(denied, binding(resource, AclPermissionType.ALLOW)))
        .all()
        .get(20, TimeUnit.SECONDS);
    return denied;
  }

  private static AclBinding binding(ResourcePattern resource, AclPermissionType permission) {
    return new AclBinding(
        resource, new AccessControlEntry("User:ANONYMOUS", "*", AclOperation.ALL, permission));
  }

  @Test
  void aTopicThatIsNotCompactedIsSaidToForget() throws Exception {
    try (KafkaBroker broker = KafkaBroker.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers());
        LogLines log = LogLines.of(Topics.class)) {
      kafka.createTopic(DesiredState.TOPIC, 1);
      Topics.ensure(config(kafka));
      assertThat(log.with("Set cleanup.policy=compact")).hasSize(1);
    }
  }
}
