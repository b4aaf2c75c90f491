package dev.tideover.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.util.Map;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.Test;

@KafkaTest
class ReplySenderIT {

  /** Holds Kafka's producer to what {@link ReplySender} reads from its exception. */
  @Test
  void aTopicThatIsNotThereHasNoPartition(TestKafka kafka) {
    Map<String, Object> config =
        Map.of(
            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
            kafka.bootstrapServers(),
            ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG,
            ByteArraySerializer.class,
            ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG,
            ByteArraySerializer.class,
            ProducerConfig.MAX_BLOCK_MS_CONFIG,
            2_000);
    String topic = kafka.createTopic(kafka.uniqueName("replies"), 2);

    try (ReplySender sender = new ReplySender(config)) {
      assertThat(sender.hasPartition(kafka.uniqueName("nowhere"), 0)).isFalse();
      assertThat(sender.hasPartition(topic, 1)).isTrue();
      assertThat(sender.hasPartition(topic, 2)).isFalse();
    }
  }
}
