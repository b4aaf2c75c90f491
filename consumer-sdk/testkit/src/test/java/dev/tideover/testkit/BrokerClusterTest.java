package dev.tideover.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(180)
class BrokerClusterTest {

  @Test
  void recordsAreTakenAndKeptWhileOneBrokerIsDeadAndItComesBack() throws Exception {
    try (BrokerCluster cluster = BrokerCluster.start();
        TestKafka kafka = TestKafka.at(cluster.bootstrapServers())) {
      String topic = kafka.createTopic("orders", 1);
      kafka.produce(record(topic, "before"));
      int leader = describe(kafka, topic).partitions().get(0).leader().id();
      assertThat(describe(kafka, topic).partitions().get(0).replicas()).hasSize(3);

      cluster.broker(leader).kill();
      kafka.produce(record(topic, "meanwhile"));
      assertThat(describe(kafka, topic).partitions().get(0).leader().id()).isNotEqualTo(leader);
      cluster.broker(leader).restart();
      kafka.produce(record(topic, "after"));

      assertThat(kafka.readAll(topic))
          .extracting(record -> new String(record.value(), UTF_8))
          .containsExactly("before", "meanwhile", "after");
    }
  }

  private static TopicDescription describe(TestKafka kafka, String topic) throws Exception {
    return kafka.admin().describeTopics(List.of(topic)).allTopicNames().get().get(topic);
  }

  private static ProducerRecord<byte[], byte[]> record(String topic, String value) {
    return new ProducerRecord<>(topic, 0, null, value.getBytes(UTF_8));
  }
}
