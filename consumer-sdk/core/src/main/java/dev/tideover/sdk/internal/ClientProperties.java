package dev.tideover.sdk.internal;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The settings of the Kafka clients: those insisted on, the defaults, the user's. */
public final class ClientProperties {

  /** What the guarantees rest on: name, and what to do instead. */
  private static final Map<String, String> INSISTED =
      Map.ofEntries(
          Map.entry("bootstrap.servers", "use bootstrapServers(...)"),
          Map.entry("group.id", "it is the service's name"),
          Map.entry("client.id", "it is service/version/instance"),
          Map.entry("group.instance.id", "use instance(...)"),
          Map.entry("enable.auto.commit", "only finished requests are committed"),
          Map.entry("auto.commit.interval.ms", "only finished requests are committed"),
          Map.entry("auto.offset.reset", "no request may be skipped"),
          Map.entry("allow.auto.create.topics", "the gateway creates the topics"),
          Map.entry("partition.assignment.strategy", "cooperative-sticky, so that few move"),
          Map.entry("key.deserializer", "records are bytes"),
          Map.entry("value.deserializer", "records are bytes"),
          Map.entry("key.serializer", "records are bytes"),
          Map.entry("value.serializer", "records are bytes"),
          Map.entry("acks", "a request has ended only when all replicas have its reply"),
          Map.entry("enable.idempotence", "without it retries of a send could reorder"),
          Map.entry("transactional.id", "replies are not transactional"),
          Map.entry("partitioner.class", "a reply goes to the partition its request names"));

  /** What the broker decides under {@code group.protocol=consumer}; the client refuses them. */
  private static final Set<String> CLASSIC_ONLY =
      Set.of(
          ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG,
          ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG,
          ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG);

  /** What a reader without a group has no use for, or what would change what it reads. */
  private static final Set<String> NOT_FOR_READERS =
      Set.of(
          ConsumerConfig.GROUP_PROTOCOL_CONFIG,
          ConsumerConfig.GROUP_REMOTE_ASSIGNOR_CONFIG,
          ConsumerConfig.INTERCEPTOR_CLASSES_CONFIG,
          ConsumerConfig.ISOLATION_LEVEL_CONFIG,
          ConsumerConfig.FETCH_MIN_BYTES_CONFIG,
          ConsumerConfig.MAX_POLL_RECORDS_CONFIG);

  /**
   * How long a reply partition that was added can be unknown here, in milliseconds. Well below the
   * time after which a reply address counts as wrong.
   */
  static final int PRODUCER_METADATA_AGE = 5_000;

  /**
   * Refuses the settings that the engine insists on.
   *
   * @throws IllegalArgumentException if the key is one of them
   */
  public static void checkAllowed(String key) {
    String reason = INSISTED.get(key);
    if (reason != null) {
      throw new IllegalArgumentException("property " + key + " can't be set: " + reason);
    }
  }

  static Map<String, Object> consumer(Settings settings) {
    Map<String, Object> config = new HashMap<>();
    // A crashed instance without a name of its own is noticed after this time, the least that a
    // broker allows by default. Members learn at their next heartbeat that another one joins or
    // leaves, twice until partitions have moved; so a fast release needs them often.
    config.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, "6000");
    config.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, "150");
    // Work is bounded by pausing; small polls only cost time (KAFKA-18376).
    config.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, "1000");
    config.put(ConsumerConfig.FETCH_MAX_BYTES_CONFIG, "" + (16 << 20));
    config.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, "10000");
    config.put(ConsumerConfig.REQUEST_TIMEOUT_MS_CONFIG, "10000");
    config.put(ConsumerConfig.RECONNECT_BACKOFF_MAX_MS_CONFIG, "500");
    overlay(config, settings, ConsumerConfig.configNames(), ProducerConfig.configNames());
    common(config, settings);
    config.put(ConsumerConfig.GROUP_ID_CONFIG, settings.service());
    config.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
    config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
    config.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, "false");
    config.put(
        ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG,
        CooperativeStickyAssignor.class.getName());
    config.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class.getName());
    config.put(
        ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class.getName());
    config.put(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, memberName(settings));
    if (!isClassic(settings)) {
      config.keySet().removeAll(CLASSIC_ONLY);
    }
    return config;
  }

  static Map<String, Object> producer(Settings settings) {
    Map<String, Object> config = new HashMap<>();
    // A reply waits for nothing; under load batches form behind the requests in flight.
    config.put(ProducerConfig.LINGER_MS_CONFIG, "0");
    // The topic's own limit decides, so that a reply which is too large can be told from others.
    config.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, "" + (9 << 20));
    // Blocks a worker, which is what should slow down when Kafka doesn't take replies.
    config.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, "5000");
    config.put(ProducerConfig.METADATA_MAX_AGE_CONFIG, "" + PRODUCER_METADATA_AGE);
    config.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, "10000");
    config.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, "30000");
    config.put(ProducerConfig.RECONNECT_BACKOFF_MAX_MS_CONFIG, "500");
    overlay(config, settings, ProducerConfig.configNames(), ConsumerConfig.configNames());
    common(config, settings);
    config.put(ProducerConfig.ACKS_CONFIG, "all");
    config.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, "true");
    config.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class.getName());
    config.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class.getName());
    return config;
  }

  /**
   * For an admin client.
   *
   * @param purpose a word that tells it from the instance's other clients
   */
  static Map<String, Object> admin(Settings settings, String purpose) {
    Map<String, Object> config = new HashMap<>();
    // Who asks also asks again, so a broker that has fallen silent is given up soon.
    config.put(AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, "5000");
    config.put(AdminClientConfig.REQUEST_TIMEOUT_MS_CONFIG, "3000");
    config.put(AdminClientConfig.RECONNECT_BACKOFF_MAX_MS_CONFIG, "500");
    overlay(config, settings, AdminClientConfig.configNames(), ConsumerConfig.configNames());
    config.keySet().removeIf(key -> !forAdmin(key));
    common(config, settings);
    config.put(AdminClientConfig.CLIENT_ID_CONFIG, settings.by() + "/" + purpose);
    return config;
  }

  private static boolean forAdmin(String key) {
    return AdminClientConfig.configNames().contains(key)
        || !ProducerConfig.configNames().contains(key);
  }

  /**
   * For a consumer that is in no group and gets its partitions by hand.
   *
   * @param purpose a word that tells it from the instance's other clients
   * @param reset where it begins without a position: {@code earliest} or {@code latest}
   * @param fetchWait how long a broker may wait for something to come before it answers that there
   *     is nothing, in milliseconds. A reader that turns to another partition waits for that first
   */
  static Map<String, Object> reader(
      Settings settings, String purpose, String reset, int fetchWait) {
    Map<String, Object> config = consumer(settings);
    config.keySet().removeAll(NOT_FOR_READERS);
    config.keySet().removeAll(CLASSIC_ONLY);
    config.remove(ConsumerConfig.GROUP_ID_CONFIG);
    config.remove(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG);
    config.put(ConsumerConfig.CLIENT_ID_CONFIG, settings.by() + "/" + purpose);
    config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, reset);
    config.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, Integer.toString(fetchWait));
    config.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, "5000");
    config.put(ConsumerConfig.REQUEST_TIMEOUT_MS_CONFIG, "3000");
    return config;
  }

  /**
   * Makes a client.
   *
   * @throws IllegalArgumentException if it doesn't take its settings, which are then the user's
   */
  static <T> T client(Supplier<T> constructor) {
    try {
      return constructor.get();
    } catch (KafkaException refused) {
      Throwable root = refused;
      while (root.getCause() != null) {
        root = root.getCause();
      }
      throw new IllegalArgumentException(
          "Kafka's client doesn't take its settings: " + root.getMessage(), refused);
    }
  }

  /** Whether the group is the older kind, rather than KIP-848's. */
  static boolean isClassic(Settings settings) {
    return !"consumer".equalsIgnoreCase(settings.properties().get("group.protocol"));
  }

  /** The instance's name in the group. */
  static String memberName(Settings settings) {
    return settings.service() + "-" + settings.instance();
  }

  private static void common(Map<String, Object> config, Settings settings) {
    config.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, settings.bootstrapServers());
    config.put(ConsumerConfig.CLIENT_ID_CONFIG, settings.by());
  }

  /** A setting that only the other client knows is left out; plugins' own go to both. */
  private static void overlay(
      Map<String, Object> config, Settings settings, Set<String> own, Set<String> other) {
    settings
        .properties()
        .forEach(
            (key, value) -> {
              if (own.contains(key) || !other.contains(key)) {
                config.put(key, value);
              }
            });
  }

  private ClientProperties() {}
}
