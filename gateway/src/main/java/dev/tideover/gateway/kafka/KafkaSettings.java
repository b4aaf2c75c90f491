package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What the gateway asks of its Kafka clients, with the reason beside each setting. */
final class KafkaSettings {

  /** What a record may have besides its body: the header block that HTTP allows, and ours. */
  static final int ENVELOPE_BYTES = 64 << 10;

  /** How large a reply may be, record and all. */
  static final int MAX_REPLY_BYTES = 8 << 20;

  /** How long a consumer may take to say goodbye to its brokers; by default it is half a minute. */
  static final CloseOptions CONSUMER_CLOSE = CloseOptions.timeout(Duration.ofSeconds(2));

  private static final String CLIENT_ID = "tideover-gateway";

  static Map<String, Object> producer(GatewayConfig config) {
    Map<String, Object> settings = common(config);
    settings.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
    settings.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
    // What the file may tune, and what stands where it doesn't:
    // Batches form by themselves while requests are in flight; a linger only adds to the latency.
    settings.putIfAbsent(ProducerConfig.LINGER_MS_CONFIG, 0);
    settings.putIfAbsent(ProducerConfig.BATCH_SIZE_CONFIG, 64 << 10);
    // Bounds the bytes that wait for an acknowledgement; beyond them requests get a definite 503.
    settings.putIfAbsent(ProducerConfig.BUFFER_MEMORY_CONFIG, 64L << 20);
    // Rides out a clean change of leader; after it the outcome is unknown and told as such.
    settings.putIfAbsent(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 15_000);
    // What the promises rest on, so the file can't touch it:
    settings.put(ProducerConfig.ACKS_CONFIG, "all");
    settings.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
    settings.put(ProducerConfig.MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION, 5);
    // send() is called on event loops: it must never wait, neither for metadata nor for memory. It
    // fails at once instead, before anything entered the producer, and that is a definite 503.
    settings.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 0);
    // So the metadata must stay: by default a topic idle for five minutes is forgotten.
    settings.put(ProducerConfig.METADATA_MAX_IDLE_CONFIG, Duration.ofDays(365).toMillis());
    // It bounds a whole request to a broker too, so no more than is needed.
    settings.put(
        ProducerConfig.MAX_REQUEST_SIZE_CONFIG, (int) (largestBody(config) + ENVELOPE_BYTES));
    return settings;
  }

  /** Bytes of the largest body that any route takes. */
  static long largestBody(GatewayConfig config) {
    return config.services().values().stream()
        .mapToLong(GatewayConfig.Service::maxBody)
        .max()
        .orElse(0);
  }

  /**
   * How long a producer with these settings may keep a record before it tells what became of it: it
   * looks at what is due only between its requests, each of which may last until its timeout.
   */
  static Duration longestDelivery(Map<String, Object> settings) {
    return Duration.ofMillis(number(settings, ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG))
        .plusMillis(number(settings, ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG))
        .plusSeconds(10);
  }

  private static int number(Map<String, Object> settings, String name) {
    return (Integer) ConfigDef.parseType(name, settings.get(name), ConfigDef.Type.INT);
  }

  static Map<String, Object> consumer(GatewayConfig config, String purpose) {
    Map<String, Object> settings = common(config);
    settings
        .keySet()
        .removeIf(
            name ->
                ProducerConfig.configNames().contains(name)
                    && !ConsumerConfig.configNames().contains(name));
    settings.put(CommonClientConfigs.CLIENT_ID_CONFIG, CLIENT_ID + "-" + purpose);
    settings.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
    settings.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
    // No group: the partitions are assigned by hand, so no rebalance can lose a reply.
    settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
    settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    settings.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
    settings.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_uncommitted");
    settings.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, MAX_REPLY_BYTES);
    // A gateway that starts up answers nobody yet; it should fail soon rather than wait a minute.
    settings.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, 15_000);
    return settings;
  }

  /**
   * For a consumer of the reply topic, which is told when its position is out of range: what it
   * skips must be known.
   *
   * @param fetchBytes how much of a partition it fetches at once; a larger record comes whole
   * @param fetchWait how long a broker may keep a fetch that finds nothing
   */
  static Map<String, Object> replies(
      GatewayConfig config, String purpose, int fetchBytes, Duration fetchWait) {
    Map<String, Object> settings = consumer(config, purpose);
    settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
    settings.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, fetchBytes);
    settings.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, (int) fetchWait.toMillis());
    // Whatever has been fetched is given out at once: the position tells how far that went.
    settings.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 10_000);
    return settings;
  }

  /** For the reader of the control topic: a state that lost its race is never seen. */
  static Map<String, Object> control(GatewayConfig config) {
    Map<String, Object> settings = consumer(config, "control");
    settings.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
    return settings;
  }

  /**
   * For one write to the control topic.
   *
   * @param transactionalId the same for all who write to it, so that the last one fences the others
   * @param transactionLimit after which Kafka ends the transaction of a writer that is gone
   * @param callLimit how long each call may block; a thread of its own makes them
   */
  static Map<String, Object> controlWriter(
      GatewayConfig config, String transactionalId, Duration transactionLimit, Duration callLimit) {
    Map<String, Object> settings = producer(config);
    settings.put(CommonClientConfigs.CLIENT_ID_CONFIG, CLIENT_ID + "-control");
    settings.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, transactionalId);
    settings.put(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, (int) transactionLimit.toMillis());
    settings.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, callLimit.toMillis());
    settings.put(ProducerConfig.LINGER_MS_CONFIG, 0);
    settings.put(ProducerConfig.BUFFER_MEMORY_CONFIG, 1L << 20);
    settings.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, 1 << 20);
    settings.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 2_000);
    settings.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 3_000);
    // While the transaction before is being ended the answer is "not yet", for some milliseconds.
    settings.put(ProducerConfig.RETRY_BACKOFF_MS_CONFIG, 20);
    settings.put(ProducerConfig.RETRY_BACKOFF_MAX_MS_CONFIG, 200);
    return settings;
  }

  static Map<String, Object> admin(GatewayConfig config) {
    Map<String, Object> settings = common(config);
    settings
        .keySet()
        .removeIf(
            name ->
                ProducerConfig.configNames().contains(name)
                    && !org.apache.kafka.clients.admin.AdminClientConfig.configNames()
                        .contains(name));
    settings.put(CommonClientConfigs.CLIENT_ID_CONFIG, CLIENT_ID + "-admin");
    settings.put(CommonClientConfigs.REQUEST_TIMEOUT_MS_CONFIG, 5_000);
    settings.put(CommonClientConfigs.DEFAULT_API_TIMEOUT_MS_CONFIG, 10_000);
    return settings;
  }

  private static Map<String, Object> common(GatewayConfig config) {
    Map<String, Object> settings = new HashMap<>(config.kafka().properties());
    settings.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, config.kafka().bootstrapServers());
    settings.put(CommonClientConfigs.CLIENT_ID_CONFIG, CLIENT_ID);
    // A broker that restarts should be found again quickly; the default waits up to a second.
    settings.putIfAbsent(CommonClientConfigs.RECONNECT_BACKOFF_MS_CONFIG, 50);
    settings.putIfAbsent(CommonClientConfigs.RECONNECT_BACKOFF_MAX_MS_CONFIG, 500);
    // And one that fell silent given up: until then its requests and replies wait, by default 30 s.
    settings.putIfAbsent(CommonClientConfigs.REQUEST_TIMEOUT_MS_CONFIG, 5_000);
    // The clients' own reporters publish through JMX, which nobody asked for.
    settings.put(CommonClientConfigs.METRIC_REPORTER_CLASSES_CONFIG, "");
    settings.put("enable.metrics.push", false);
    return settings;
  }

  /**
   * Makes a client.
   *
   * @throws KafkaUnavailableException if it does not take its settings, which are then the user's:
   *     those of this class it always takes
   */
  static <T> T client(Supplier<T> constructor) {
    try {
      return constructor.get();
    } catch (KafkaException e) {
      Throwable root = e;
      while (root.getCause() != null) {
        root = root.getCause();
      }
      String reason = root.getMessage() == null ? root.toString() : root.getMessage();
      throw new KafkaUnavailableException(
          "kafka.properties: Kafka's client can't work with them: " + reason, e);
    }
  }

  private KafkaSettings() {}
}
