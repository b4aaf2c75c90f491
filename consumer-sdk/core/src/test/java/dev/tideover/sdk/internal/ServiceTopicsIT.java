package dev.tideover.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.config.ConfigResource;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The topics are there before an instance joins its group, on a real broker. */
@KafkaTest
@Timeout(120)
class ServiceTopicsIT {

  private final CountDownLatch stop = new CountDownLatch(1);
  private String service;
  private Settings settings;

  @BeforeEach
  void name(TestKafka kafka) {
    service = kafka.uniqueName("orders");
    settings = TestSettings.of(kafka.bootstrapServers(), service, "one");
  }

  private ServiceTopics.Usable ensure() throws InterruptedException {
    return ServiceTopics.ensure(settings, System::nanoTime, stop);
  }

  @Test
  void theEnginesOwnAreMadeLikeTheRequestTopic(TestKafka kafka) throws Exception {
    kafka.createTopic(service + ".requests", 7, Map.of("min.insync.replicas", "1"));
    kafka.createTopic(service + ".dead", 1);

    assertThat(ensure()).isEqualTo(new ServiceTopics.Usable(true, true, true));

    assertThat(describe(kafka, service + ".ledger").partitions()).hasSize(7);
    Config ledger = config(kafka, service + ".ledger");
    assertThat(ledger.get("cleanup.policy").value()).isEqualTo("compact");
    assertThat(ledger.get("min.insync.replicas").value()).isEqualTo("1");
    assertThat(ledger.get("unclean.leader.election.enable").value()).isEqualTo("false");
    assertThat(describe(kafka, service + ".members").partitions()).hasSize(1);
    Config members = config(kafka, service + ".members");
    assertThat(members.get("cleanup.policy").value()).isEqualTo("delete");
    assertThat(members.get("retention.ms").value()).isEqualTo("600000");
    // A second instance finds them there.
    assertThat(ensure()).isEqualTo(new ServiceTopics.Usable(true, true, true));
  }

  @Test
  void instancesThatStartAtOnceShareThem(TestKafka kafka) throws Exception {
    kafka.createTopic(service + ".requests", 3);
    kafka.createTopic(service + ".dead", 1);
    List<CompletableFuture<ServiceTopics.Usable>> starts = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      starts.add(
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return ensure();
                } catch (InterruptedException e) {
                  throw new AssertionError(e);
                }
              }));
    }
    for (CompletableFuture<ServiceTopics.Usable> start : starts) {
      assertThat(start.get(60, TimeUnit.SECONDS))
          .isEqualTo(new ServiceTopics.Usable(true, true, true));
    }
  }

  @Test
  void aLedgerWithTooFewPartitionsGetsTheOthers(TestKafka kafka) throws Exception {
    kafka.createTopic(service + ".requests", 5);
    kafka.createTopic(service + ".dead", 1);
    kafka.createTopic(service + ".ledger", 2, Map.of("cleanup.policy", "compact"));

    assertThat(ensure().ledger()).isTrue();

    assertThat(describe(kafka, service + ".ledger").partitions()).hasSize(5);
  }

  @Test
  void aTopicOfTheGatewaysIsWaitedForAndNamed(TestKafka kafka) throws Exception {
    Settings hasty =
        TestSettings.of(kafka.bootstrapServers(), service, "one", Map.of(), Duration.ofMillis(500));
    assertThatThrownBy(() -> ServiceTopics.ensure(hasty, System::nanoTime, stop))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining(service + ".requests isn't there after PT0.5S")
        .hasMessageContaining("start the gateway first");

    CompletableFuture<ServiceTopics.Usable> waiting =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return ensure();
              } catch (InterruptedException e) {
                throw new AssertionError(e);
              }
            });
    kafka.createTopic(service + ".requests", 1);
    assertThat(waiting).isNotDone();
    kafka.createTopic(service + ".dead", 1);
    assertThat(waiting.get(30, TimeUnit.SECONDS).ledger()).isTrue();
  }

  @Test
  void aStopEndsTheWait(TestKafka kafka) {
    stop.countDown();
    assertThatThrownBy(this::ensure).hasMessageContaining(service + ".requests isn't there");
  }

  private static TopicDescription describe(TestKafka kafka, String topic) throws Exception {
    return kafka
        .admin()
        .describeTopics(List.of(topic))
        .allTopicNames()
        .get(20, TimeUnit.SECONDS)
        .get(topic);
  }

  private static Config config(TestKafka kafka, String topic) throws Exception {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    return kafka
        .admin()
        .describeConfigs(List.of(resource))
        .all()
        .get(20, TimeUnit.SECONDS)
        .get(resource);
  }
}
