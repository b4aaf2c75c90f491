package dev.tideover.loadtests.bare;

import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The topics of the bare programs and the clients they use, each setting with its reason. */
public final class BareKafka {

  /** Where {@code /accept} writes; nothing reads it. */
  public static final String ACCEPT_TOPIC = "bare.accept";

  /** Where {@code /round-trip} writes and {@link BareService} reads. */
  public static final String REQUEST_TOPIC = "bare.requests";

  /** Where {@link BareService} writes and {@link BareGateway} reads. */
  public static final String REPLY_TOPIC = "bare.replies";

  /** As many as a Tideover service has by default. */
  public static final int PARTITIONS = 12;

  /** One reader, so one partition: the fewest fetches and the largest batches. */
  public static final int REPLY_PARTITIONS = 1;

  static KafkaProducer<byte[], byte[]> producer(String bootstrapServers) {
    return new KafkaProducer<>(
        Map.of(
            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
            bootstrapServers,
            ProducerConfig.ACKS_CONFIG,
            "all",
            ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG,
            "true",
            // While one request to the broker is under way the next batch gathers by itself.
            ProducerConfig.LINGER_MS_CONFIG,
            Integer.getInteger("bare.linger", 0),
            ProducerConfig.BATCH_SIZE_CONFIG,
            64 * 1024,
            // The key is only a name here: without it the partitioner may fill one batch after
            // another instead of spreading every moment's records over all partitions.
            ProducerConfig.PARTITIONER_IGNORE_KEYS_CONFIG,
            "true"),
        new ByteArraySerializer(),
        new ByteArraySerializer());
  }

  static KafkaConsumer<byte[], byte[]> consumer(String bootstrapServers, String group) {
    return new KafkaConsumer<>(
        Map.of(
            ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
            bootstrapServers,
            ConsumerConfig.GROUP_ID_CONFIG,
            group,
            ConsumerConfig.AUTO_OFFSET_RESET_CONFIG,
            "latest",
            ConsumerConfig.MAX_POLL_RECORDS_CONFIG,
            2000),
        new ByteArrayDeserializer(),
        new ByteArrayDeserializer());
  }

  private BareKafka() {}
}
