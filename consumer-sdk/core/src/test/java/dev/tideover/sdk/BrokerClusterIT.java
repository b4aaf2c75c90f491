package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.BrokerCluster;
import dev.tideover.testkit.TestKafka;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** One of three brokers is killed, under load. */
@Tag("long")
@Timeout(240)
class BrokerClusterIT {

  @Test
  void theDeathOfTheCoordinatorAndOfALeaderLosesNothingAndKeepsOrder() throws Exception {
    try (BrokerCluster cluster = BrokerCluster.start();
        TestKafka kafka = TestKafka.at(cluster.bootstrapServers());
        // Both protocols at the same time, since a broker takes some seconds to come back.
        Fleet classic = Fleet.start(kafka, "classic", 6, 2);
        Fleet consumer = Fleet.start(kafka, "consumer", 6, 2)) {
      List<Fleet> both = List.of(classic, consumer);
      int coordinator = coordinator(classic);
      assertThat(coordinator(consumer)).isEqualTo(coordinator);
      killAndGoOn(cluster, coordinator, both);
      assertThat(coordinator(classic)).isNotEqualTo(coordinator);

      for (Fleet fleet : both) {
        awaitInSync(fleet.service());
      }
      leadFromSeveralBrokers(classic.service());
      killAndGoOn(cluster, leader(classic.service(), coordinator(classic)), both);

      for (Fleet fleet : both) {
        History history = fleet.finish();
        Guarantee.always(history);
        System.out.printf(
            "%d requests, %d handled twice, longest wait %d ms%n",
            history.sent().size(),
            history.handledTwice(),
            TimeUnit.NANOSECONDS.toMillis(history.longestWait()));
      }
    }
  }

  /** Handling goes on while it is dead, and after it is back. */
  private static void killAndGoOn(BrokerCluster cluster, int broker, List<Fleet> fleets) {
    fleets.forEach(fleet -> fleet.traffic().awaitReplies(100));
    fleets.forEach(fleet -> fleet.traffic().outage());
    cluster.broker(broker).kill();
    fleets.forEach(fleet -> fleet.traffic().awaitCaughtUp());
    fleets.forEach(fleet -> fleet.traffic().awaitReplies(100));
    fleets.forEach(fleet -> fleet.traffic().outage());
    cluster.broker(broker).restart();
    fleets.forEach(fleet -> fleet.traffic().awaitReplies(100));
    fleets.forEach(fleet -> fleet.traffic().awaitCaughtUp());
  }

  private static int coordinator(Fleet fleet) throws Exception {
    String group = fleet.service().name;
    return fleet
        .service()
        .kafka
        .admin()
        .describeConsumerGroups(List.of(group))
        .describedGroups()
        .get(group)
        .get(30, TimeUnit.SECONDS)
        .coordinator()
        .id();
  }

  /** The leader of a request partition, another broker than the one given. */
  private static int leader(TestService service, int not) throws Exception {
    return describe(service).partitions().stream()
        .map(partition -> partition.leader().id())
        .filter(id -> id != not)
        .findFirst()
        .orElseThrow();
  }

  /** On a slow machine one broker can have taken over from both others meanwhile. */
  private static void leadFromSeveralBrokers(TestService service) throws Exception {
    Set<TopicPartition> all =
        describe(service).partitions().stream()
            .map(partition -> new TopicPartition(service.requests, partition.partition()))
            .collect(Collectors.toSet());
    try {
      var unused =
          service
              .kafka
              .admin()
              .electLeaders(ElectionType.PREFERRED, all)
              .all()
              .get(30, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      assertThat(e).hasCauseInstanceOf(ElectionNotNeededException.class);
    }
  }

  private static void awaitInSync(TestService service) {
    TestService.await()
        .atMost(Duration.ofSeconds(60))
        .until(
            () ->
                describe(service).partitions().stream()
                    .map(TopicPartitionInfo::isr)
                    .allMatch(inSync -> inSync.size() == 3));
  }

  private static TopicDescription describe(TestService service) throws Exception {
    return service
        .kafka
        .admin()
        .describeTopics(List.of(service.requests))
        .allTopicNames()
        .get(30, TimeUnit.SECONDS)
        .get(service.requests);
  }
}
