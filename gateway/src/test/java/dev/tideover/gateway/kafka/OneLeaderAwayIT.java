package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.testkit.BrokerCluster;
import dev.tideover.testkit.BrokerProcess;
import dev.tideover.testkit.TestKafka;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.TopicPartitionInfo;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Three brokers, partitions of one replica each; the leader of one of them is frozen. */
@Tag("long")
class OneLeaderAwayIT {

  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final int PARTITIONS = RequestLogFixture.PARTITIONS;

  /** What became of one append. */
  private record Told(int partition, long at, Append append) {}

  private final Queue<Told> told = new ConcurrentLinkedQueue<>();

  @Test
  void itsPartitionsSayNoTheOthersGoOnAndBothAreWellSoonAfterItsReturn() throws Exception {
    ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
    try (BrokerCluster cluster = BrokerCluster.start();
        TestKafka kafka = TestKafka.at(cluster.bootstrapServers())) {
      GatewayConfig config = config(cluster.bootstrapServers(), kafka.uniqueName("orders"));
      String topic = config.services().values().iterator().next().requestTopic();
      Topics.ensure(config);
      List<TopicPartitionInfo> partitions =
          kafka
              .admin()
              .describeTopics(List.of(topic))
              .allTopicNames()
              .get(20, TimeUnit.SECONDS)
              .get(topic)
              .partitions();
      int victim = partitions.get(0).leader().id();
      List<Integer> lost =
          partitions.stream()
              .filter(partition -> partition.leader().id() == victim)
              .map(TopicPartitionInfo::partition)
              .toList();
      assertThat(lost).hasSizeLessThan(PARTITIONS);

      try (RequestLog log = RequestLog.start(config)) {
        var unused =
            clock.scheduleWithFixedDelay(() -> append(log, topic), 0, 20, TimeUnit.MILLISECONDS);
        Awaitility.await().atMost(LIMIT).until(() -> told.size() > 400);

        BrokerProcess broker = cluster.broker(victim);
        broker.freeze();
        long frozen = System.nanoTime();
        long refusing = frozen + Duration.ofMillis(2_500).toNanos();
        Awaitility.await().atMost(LIMIT).until(() -> countSince(refusing) > 1_000);
        assertThat(log.isAccepting()).isTrue();
        long thawing = System.nanoTime();
        broker.thaw();
        long well = System.nanoTime() + Duration.ofSeconds(5).toNanos();
        Awaitility.await().atMost(LIMIT).until(() -> countSince(well) > 200);
        clock.shutdown();
        assertThat(clock.awaitTermination(10, TimeUnit.SECONDS)).isTrue();

        assertThat(told)
            .filteredOn(each -> each.at - refusing >= 0 && each.at - thawing < 0)
            .as("some were refused")
            .anyMatch(each -> each.append instanceof Append.Refused);
        for (Told each : told) {
          boolean away = lost.contains(each.partition);
          if (each.at - well >= 0 || !away) {
            assertThat(each.append).isInstanceOf(Append.Acknowledged.class);
          } else if (each.at - refusing >= 0 && each.at - thawing < 0) {
            assertThat(each.append).isInstanceOf(Append.Refused.class);
          }
        }
      }
    } finally {
      clock.shutdownNow();
    }
  }

  /** One for each partition. */
  private void append(RequestLog log, String topic) {
    for (int partition = 0; partition < PARTITIONS; partition++) {
      int number = partition;
      long at = System.nanoTime();
      log.append(
          RequestLogFixture.request(RequestLogFixture.key(partition)),
          topic,
          PARTITIONS,
          append -> told.add(new Told(number, at, append)));
    }
  }

  private long countSince(long nanoTime) {
    return told.stream().filter(each -> each.at - nanoTime >= 0).count();
  }

  private static GatewayConfig config(String bootstrapServers, String service) {
    return ConfigFile.parse(
        """
        kafka: { bootstrap-servers: "%s" }
        replies: { topic: %s.replies, partitions: 1, retention: 1h }
        services:
          %s:
            topic: { partitions: %d }
            routes: [{ path: /** }]
        """
            .formatted(bootstrapServers, service, service, PARTITIONS),
        "test",
        name -> null);
  }
}
