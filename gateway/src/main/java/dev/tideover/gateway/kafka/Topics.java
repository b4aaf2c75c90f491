package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.ConfigException;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.DesiredState;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the topics that the configuration needs, and refuses those that are there but different:
 * with another number of partitions a key would change its partition, and so its order.
 */
public final class Topics {

  private static final Logger LOG = LoggerFactory.getLogger(Topics.class);
  private static final Duration LIMIT = Duration.ofSeconds(15);

  /** What brokers take unless told otherwise, in bytes; far more than a ledger's record has. */
  private static final long SMALL_RECORDS = 1_048_588;

  /**
   * A topic as the configuration wants it.
   *
   * @param where its place in the file
   * @param placed whether records are put into partitions by the configured number of them
   */
  private record Wanted(NewTopic topic, String where, long maxMessageBytes, boolean placed) {
    String name() {
      return topic.name();
    }
  }

  /**
   * Blocks until every topic is there with a leader for each partition, 15 s at most.
   *
   * @throws KafkaUnavailableException if no broker answers or it refuses
   * @throws ConfigException if a topic is there but not as the configuration says
   */
  public static void ensure(GatewayConfig config) {
    try (Admin admin = KafkaSettings.client(() -> Admin.create(KafkaSettings.admin(config)))) {
      ensure(admin, wanted(config));
      ensureOfTheSdk(admin, ofTheSdk(config));
      ensureControl(admin, control(config));
    } catch (KafkaUnavailableException | ConfigException e) {
      throw e;
    } catch (org.apache.kafka.common.KafkaException e) {
      throw unavailable(config, e);
    } catch (ExecutionException e) {
      throw unavailable(config, e.getCause() == null ? e : e.getCause());
    } catch (TimeoutException e) {
      throw unavailable(config, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw unavailable(config, e);
    }
  }

  private static void ensure(Admin admin, List<Wanted> wanted)
      throws InterruptedException, ExecutionException, TimeoutException {
    Map<String, TopicDescription> present = describe(admin, wanted);
    List<NewTopic> missing = missing(wanted, present);
    if (!missing.isEmpty()) {
      create(admin, missing);
      awaitLeaders(admin, wanted, missing);
      present.putAll(describe(admin, wanted));
    }
    check(wanted, present, sizes(admin, wanted));
  }

  /** The gateway doesn't use them, and the services can do without: so no refusal stops it. */
  private static void ensureOfTheSdk(Admin admin, List<Wanted> wanted)
      throws InterruptedException, ExecutionException, TimeoutException {
    try {
      ensure(admin, wanted);
    } catch (ExecutionException e) {
      if (!(e.getCause() instanceof AuthorizationException)) {
        throw e;
      }
      LOG.warn(
          "The topics {} can't be made or checked: {}. The services' SDK makes those that are"
              + " missing if it may; without them it forgets failed attempts at a restart and is"
              + " slow to notice a crashed instance. Allow this gateway to create and describe"
              + " them.",
          wanted.stream().map(Wanted::name).toList(),
          e.getCause().getMessage());
    }
  }

  /** Requests pass without it: so no refusal stops the gateway. */
  private static void ensureControl(Admin admin, Wanted control)
      throws InterruptedException, ExecutionException, TimeoutException {
    try {
      ensure(admin, List.of(control));
      ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, control.name());
      Config config =
          Objects.requireNonNull(
              admin
                  .describeConfigs(List.of(resource))
                  .all()
                  .get(LIMIT.toMillis(), TimeUnit.MILLISECONDS)
                  .get(resource));
      String policy = config.get(TopicConfig.CLEANUP_POLICY_CONFIG).value();
      if (!policy.equals(TopicConfig.CLEANUP_POLICY_COMPACT)) {
        LOG.warn(
            "Topic {} has cleanup.policy={}: holds, rates and active versions are forgotten after"
                + " its retention, and whoever starts then goes on as if there were none. Set"
                + " cleanup.policy=compact",
            control.name(),
            policy);
      }
    } catch (ExecutionException e) {
      if (!(e.getCause() instanceof AuthorizationException)) {
        throw e;
      }
      LOG.warn(
          "The topic {} can't be made or checked: {}. Requests are served without it; holds, rates"
              + " and releases need it. Allow this gateway to create, describe, read and write it",
          control.name(),
          e.getCause().getMessage());
    }
  }

  private static KafkaUnavailableException unavailable(GatewayConfig config, Throwable cause) {
    boolean silence =
        cause instanceof org.apache.kafka.common.errors.TimeoutException
            || cause instanceof TimeoutException;
    String reason =
        silence
            ? "no broker answered in time"
            : cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
    return new KafkaUnavailableException(
        "kafka.bootstrap-servers "
            + config.kafka().bootstrapServers()
            + ": the topics can't be made or checked: "
            + reason
            + ". Is Kafka running there, and may this client use it?",
        cause);
  }

  private static List<Wanted> wanted(GatewayConfig config) {
    List<Wanted> wanted = new ArrayList<>();
    GatewayConfig.Topic best = bestKept(config);
    GatewayConfig.Replies replies = config.replies();
    GatewayConfig.Topic replyTopic =
        new GatewayConfig.Topic(
            replies.partitions(), best.replication(), best.minInsync(), replies.retention());
    wanted.add(topic(replies.topic(), replyTopic, KafkaSettings.MAX_REPLY_BYTES, "replies", true));
    for (GatewayConfig.Service service : config.services().values()) {
      long size = service.maxBody() + KafkaSettings.ENVELOPE_BYTES;
      String where = "services." + service.name() + ".topic";
      wanted.add(topic(service.requestTopic(), service.topic(), size, where, true));
      // One partition: dead letters are few, and an operator reads them in the order of dying.
      GatewayConfig.Topic dead =
          new GatewayConfig.Topic(
              1,
              service.topic().replication(),
              service.topic().minInsync(),
              service.topic().retention());
      wanted.add(
          topic(service.deadTopic(), dead, size + KafkaSettings.ENVELOPE_BYTES, where, false));
    }
    return wanted;
  }

  /** Replies, and what is wanted of services, should survive what the best kept requests do. */
  private static GatewayConfig.Topic bestKept(GatewayConfig config) {
    return config.services().values().stream()
        .map(GatewayConfig.Service::topic)
        .max(Comparator.comparingInt(GatewayConfig.Topic::replication))
        .orElseThrow();
  }

  /**
   * What is wanted of the services. Its records are in partition 0, so that there is one order of
   * them; more partitions would do no harm.
   */
  private static Wanted control(GatewayConfig config) {
    GatewayConfig.Topic best = bestKept(config);
    NewTopic topic =
        new NewTopic(DesiredState.TOPIC, 1, (short) best.replication())
            .configs(
                Map.of(
                    TopicConfig.CLEANUP_POLICY_CONFIG, TopicConfig.CLEANUP_POLICY_COMPACT,
                    // Each start reads all of it, and each instance writes once a second: what is
                    // closed is compacted to one record an instance.
                    TopicConfig.SEGMENT_MS_CONFIG, "600000",
                    TopicConfig.SEGMENT_BYTES_CONFIG, "4194304",
                    TopicConfig.MIN_CLEANABLE_DIRTY_RATIO_CONFIG, "0.1",
                    TopicConfig.DELETE_RETENTION_MS_CONFIG, "600000",
                    TopicConfig.MAX_MESSAGE_BYTES_CONFIG, Long.toString(SMALL_RECORDS),
                    TopicConfig.UNCLEAN_LEADER_ELECTION_ENABLE_CONFIG, "false",
                    TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG, Integer.toString(best.minInsync())));
    return new Wanted(topic, "kafka", SMALL_RECORDS, false);
  }

  /** Those of the services' SDK. */
  private static List<Wanted> ofTheSdk(GatewayConfig config) {
    List<Wanted> wanted = new ArrayList<>();
    for (GatewayConfig.Service service : config.services().values()) {
      String where = "services." + service.name() + ".topic";
      wanted.add(ledger(service, where));
      wanted.add(members(service, where));
    }
    return wanted;
  }

  /** Of what the service's instances remember; the SDK makes it alike where it is missing. */
  private static Wanted ledger(GatewayConfig.Service service, String where) {
    NewTopic topic =
        new NewTopic(
                service.ledgerTopic(),
                service.topic().partitions(),
                (short) service.topic().replication())
            .configs(
                Map.of(
                    TopicConfig.CLEANUP_POLICY_CONFIG, TopicConfig.CLEANUP_POLICY_COMPACT,
                    // Closed segments are compacted, and what is there is read at each assignment.
                    TopicConfig.SEGMENT_MS_CONFIG, "3600000",
                    TopicConfig.SEGMENT_BYTES_CONFIG, "16777216",
                    TopicConfig.MIN_CLEANABLE_DIRTY_RATIO_CONFIG, "0.1",
                    TopicConfig.DELETE_RETENTION_MS_CONFIG, "600000",
                    TopicConfig.MAX_MESSAGE_BYTES_CONFIG, Long.toString(SMALL_RECORDS),
                    TopicConfig.UNCLEAN_LEADER_ELECTION_ENABLE_CONFIG, "false",
                    TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG,
                        Integer.toString(service.topic().minInsync())));
    return new Wanted(topic, where, SMALL_RECORDS, false);
  }

  /** Of heartbeats, which nobody reads who wasn't there. One in-sync replica is enough for them. */
  private static Wanted members(GatewayConfig.Service service, String where) {
    NewTopic topic =
        new NewTopic(service.membersTopic(), 1, (short) service.topic().replication())
            .configs(
                Map.of(
                    TopicConfig.CLEANUP_POLICY_CONFIG, TopicConfig.CLEANUP_POLICY_DELETE,
                    TopicConfig.RETENTION_MS_CONFIG, "600000",
                    TopicConfig.RETENTION_BYTES_CONFIG, "16777216",
                    TopicConfig.SEGMENT_MS_CONFIG, "300000",
                    TopicConfig.SEGMENT_BYTES_CONFIG, "1048576",
                    TopicConfig.MAX_MESSAGE_BYTES_CONFIG, Long.toString(SMALL_RECORDS),
                    TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG, "1"));
    return new Wanted(topic, where, SMALL_RECORDS, false);
  }

  private static Wanted topic(
      String name, GatewayConfig.Topic topic, long maxMessageBytes, String where, boolean placed) {
    NewTopic created =
        new NewTopic(name, topic.partitions(), (short) topic.replication())
            .configs(
                Map.of(
                    TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG, Integer.toString(topic.minInsync()),
                    TopicConfig.RETENTION_MS_CONFIG, Long.toString(topic.retention().toMillis()),
                    TopicConfig.CLEANUP_POLICY_CONFIG, TopicConfig.CLEANUP_POLICY_DELETE,
                    TopicConfig.MAX_MESSAGE_BYTES_CONFIG, Long.toString(maxMessageBytes),
                    TopicConfig.UNCLEAN_LEADER_ELECTION_ENABLE_CONFIG, "false"));
    return new Wanted(created, where, maxMessageBytes, placed);
  }

  private static Map<String, TopicDescription> describe(Admin admin, List<Wanted> wanted)
      throws InterruptedException, ExecutionException, TimeoutException {
    Map<String, KafkaFuture<TopicDescription>> futures =
        admin.describeTopics(wanted.stream().map(Wanted::name).toList()).topicNameValues();
    Map<String, TopicDescription> present = new HashMap<>();
    for (Map.Entry<String, KafkaFuture<TopicDescription>> entry : futures.entrySet()) {
      try {
        present.put(entry.getKey(), entry.getValue().get(LIMIT.toMillis(), TimeUnit.MILLISECONDS));
      } catch (ExecutionException e) {
        if (!(e.getCause() instanceof UnknownTopicOrPartitionException)) {
          throw e;
        }
      }
    }
    return present;
  }

  private static List<NewTopic> missing(
      List<Wanted> wanted, Map<String, TopicDescription> present) {
    return wanted.stream()
        .filter(topic -> !present.containsKey(topic.name()))
        .map(Wanted::topic)
        .toList();
  }

  private static void create(Admin admin, List<NewTopic> missing)
      throws InterruptedException, ExecutionException, TimeoutException {
    for (Map.Entry<String, KafkaFuture<Void>> entry :
        admin.createTopics(missing).values().entrySet()) {
      try {
        entry.getValue().get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        LOG.info("Created topic {}", entry.getKey());
      } catch (ExecutionException e) {
        // Another gateway of the cell was faster.
        if (!(e.getCause() instanceof TopicExistsException)) {
          throw e;
        }
      }
    }
  }

  /**
   * Waits until the leader of every partition answers for it. The controller knows of a new topic
   * before its brokers do, and a producer must not meet one that doesn't: if the broker refuses a
   * producer's first batch to a partition and then takes the second, it takes the first no more
   * (KAFKA-15591).
   */
  private static void awaitLeaders(Admin admin, List<Wanted> wanted, List<NewTopic> created)
      throws InterruptedException, ExecutionException, TimeoutException {
    Map<TopicPartition, OffsetSpec> partitions = new HashMap<>();
    for (NewTopic topic : created) {
      for (int partition = 0; partition < topic.numPartitions(); partition++) {
        partitions.put(new TopicPartition(topic.name(), partition), OffsetSpec.latest());
      }
    }
    long start = System.nanoTime();
    while (true) {
      try {
        if (describe(admin, wanted).size() == wanted.size()) {
          admin.listOffsets(partitions).all().get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
          return;
        }
      } catch (ExecutionException e) {
        // This call does not wait for a topic that the broker it asks hasn't learnt of.
        if (!(e.getCause() instanceof UnknownTopicOrPartitionException)) {
          throw e;
        }
      }
      if (System.nanoTime() - start > LIMIT.toNanos()) {
        throw new TimeoutException(
            "not every partition had a leader within " + LIMIT.toSeconds() + " s");
      }
      // Nothing tells when a broker has learnt of a topic; ask again shortly.
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private static Map<String, Long> sizes(Admin admin, List<Wanted> wanted)
      throws InterruptedException, ExecutionException, TimeoutException {
    Map<ConfigResource, Config> configs =
        admin
            .describeConfigs(
                wanted.stream()
                    .map(topic -> new ConfigResource(ConfigResource.Type.TOPIC, topic.name()))
                    .toList())
            .all()
            .get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
    return configs.entrySet().stream()
        .collect(
            Collectors.toMap(
                entry -> entry.getKey().name(),
                entry ->
                    Long.parseLong(
                        entry.getValue().get(TopicConfig.MAX_MESSAGE_BYTES_CONFIG).value())));
  }

  private static void check(
      List<Wanted> wanted, Map<String, TopicDescription> present, Map<String, Long> sizes) {
    List<String> problems = new ArrayList<>();
    for (Wanted topic : wanted) {
      TopicDescription description = present.get(topic.name());
      int found = description == null ? 0 : description.partitions().size();
      if (topic.placed() && found != topic.topic().numPartitions()) {
        problems.add(
            topic.where()
                + ".partitions: the file says "
                + topic.topic().numPartitions()
                + ", topic "
                + topic.name()
                + " has "
                + found
                + "; with another number keys would change their partition and lose their order");
      }
      long size = sizes.getOrDefault(topic.name(), 0L);
      if (size < topic.maxMessageBytes()) {
        LOG.warn(
            "Topic {} takes records up to {} bytes, this configuration can make some of {}: "
                + "larger ones will fail with 504; raise its max.message.bytes",
            topic.name(),
            size,
            topic.maxMessageBytes());
      }
    }
    if (!problems.isEmpty()) {
      throw new ConfigException(problems);
    }
  }

  private Topics() {}
}
