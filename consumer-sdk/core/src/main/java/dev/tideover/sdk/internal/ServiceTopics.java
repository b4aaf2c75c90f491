package dev.tideover.sdk.internal;

import dev.tideover.wire.DesiredState;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The service's topics, before an instance joins the group: waits for those that the gateway makes,
 * and makes those of the engine's own where they are missing. For one thread; its client lives as
 * long as the call.
 */
final class ServiceTopics {

  private static final Logger log = LoggerFactory.getLogger(ServiceTopics.class);

  /** Of which instances write their attempts into, and read them back from. */
  private static final Map<String, String> LEDGER_SETTINGS =
      Map.of(
          TopicConfig.CLEANUP_POLICY_CONFIG, TopicConfig.CLEANUP_POLICY_COMPACT,
          // Only closed segments are compacted, and only those that are worth it: so close them
          // early and find it worth it soon, since all that is there is read at each assignment.
          TopicConfig.SEGMENT_MS_CONFIG, "3600000",
          TopicConfig.SEGMENT_BYTES_CONFIG, "16777216",
          TopicConfig.MIN_CLEANABLE_DIRTY_RATIO_CONFIG, "0.1",
          // Reading takes seconds. Each batch of finished ids is taken out, one a second.
          TopicConfig.DELETE_RETENTION_MS_CONFIG, "600000",
          TopicConfig.MAX_MESSAGE_BYTES_CONFIG, "1048588",
          TopicConfig.UNCLEAN_LEADER_ELECTION_ENABLE_CONFIG, "false");

  /** Heartbeats, which nobody reads who wasn't there. One in-sync replica is enough for them. */
  private static final Map<String, String> MEMBERS_SETTINGS =
      Map.of(
          TopicConfig.CLEANUP_POLICY_CONFIG, TopicConfig.CLEANUP_POLICY_DELETE,
          TopicConfig.RETENTION_MS_CONFIG, "600000",
          TopicConfig.RETENTION_BYTES_CONFIG, "16777216",
          TopicConfig.SEGMENT_MS_CONFIG, "300000",
          TopicConfig.SEGMENT_BYTES_CONFIG, "1048576",
          TopicConfig.MAX_MESSAGE_BYTES_CONFIG, "1048588",
          TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG, "1");

  /** What operators want of all services, and what instances say of themselves each second. */
  private static final Map<String, String> CONTROL_SETTINGS =
      Map.of(
          TopicConfig.CLEANUP_POLICY_CONFIG, TopicConfig.CLEANUP_POLICY_COMPACT,
          // All that is there is read at each start: so close segments early, and compact them
          // soon.
          TopicConfig.SEGMENT_MS_CONFIG, "600000",
          TopicConfig.SEGMENT_BYTES_CONFIG, "1048576",
          TopicConfig.MIN_CLEANABLE_DIRTY_RATIO_CONFIG, "0.1",
          TopicConfig.DELETE_RETENTION_MS_CONFIG, "600000",
          TopicConfig.MAX_MESSAGE_BYTES_CONFIG, "1048588",
          TopicConfig.UNCLEAN_LEADER_ELECTION_ENABLE_CONFIG, "false");

  private static final long CHECK_PAUSE = 100;
  private static final int CHECK_TIMEOUT = 3_000;
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);

  /**
   * Which of the engine's own topics can be used.
   *
   * @param ledger whether attempts can be kept; else they are counted in memory only
   * @param members whether instances can hear each other
   * @param control whether what operators want can be known
   */
  record Usable(boolean ledger, boolean members, boolean control) {}

  private final Settings settings;
  private final Admin admin;
  private final LongSupplier nanoTime;
  private final CountDownLatch stop;
  private final long deadline;

  private ServiceTopics(
      Settings settings, Admin admin, LongSupplier nanoTime, CountDownLatch stop) {
    this.settings = settings;
    this.admin = admin;
    this.nanoTime = nanoTime;
    this.stop = stop;
    this.deadline = nanoTime.getAsLong() + settings.startTimeout().toNanos();
  }

  static String ledger(Settings settings) {
    return settings.service() + ".ledger";
  }

  static String members(Settings settings) {
    return settings.service() + ".members";
  }

  /**
   * Waits until the service's topics are there, since a gateway that is started along with the
   * service may create them just now; and sees to the engine's own, without which it can do.
   *
   * @param stop ends every pause
   * @throws IllegalStateException if Kafka or a topic isn't there within the start timeout
   * @throws IllegalArgumentException if Kafka's client doesn't take its settings
   */
  static Usable ensure(Settings settings, LongSupplier nanoTime, CountDownLatch stop)
      throws InterruptedException {
    Map<String, Object> config = ClientProperties.admin(settings, "topics");
    Admin admin = ClientProperties.client(() -> Admin.create(config));
    try {
      return new ServiceTopics(settings, admin, nanoTime, stop).ensure();
    } finally {
      admin.close(CLOSE_TIMEOUT);
    }
  }

  private Usable ensure() throws InterruptedException {
    List<String> needed = new ArrayList<>(List.of(settings.requestTopic(), settings.deadTopic()));
    needed.addAll(settings.replyTopics());
    TopicDescription requests = await(() -> requests(needed));
    boolean ledger =
        usable(
            ledger(settings),
            "failed attempts are counted in memory only and begin at 1 after a restart, and a"
                + " request that crashes its instance is not told from the others, so it can crash"
                + " one after the other",
            () -> ledger(requests));
    boolean members =
        usable(
            members(settings),
            "an instance that has crashed is noticed only at the end of Kafka's session timeout,"
                + " and its requests wait until then",
            () -> members(requests));
    boolean control =
        usable(
            DesiredState.TOPIC,
            "this instance can't be held by an operator and takes part in no release: it works on,"
                + " whatever version is to be the active one",
            () -> control(requests));
    return new Usable(ledger, members, control);
  }

  /** Something asked of Kafka. */
  private interface Question<T> {
    T ask() throws InterruptedException, ExecutionException;
  }

  /** Asks until there is an answer, or it is too late for another try. */
  private <T> T await(Question<T> question) throws InterruptedException {
    while (true) {
      RuntimeException problem;
      try {
        return question.ask();
      } catch (ExecutionException failed) {
        Throwable cause = failed.getCause();
        if (cause instanceof AuthenticationException || cause instanceof AuthorizationException) {
          throw refused(cause);
        }
        problem = kafkaAway(cause == null ? failed : cause);
      } catch (IllegalStateException missing) {
        problem = missing;
      }
      boolean late = nanoTime.getAsLong() - deadline >= 0;
      if (late || stop.await(CHECK_PAUSE, TimeUnit.MILLISECONDS)) {
        throw problem;
      }
    }
  }

  /** The request topic, once all that are needed are there. */
  private TopicDescription requests(List<String> needed)
      throws InterruptedException, ExecutionException {
    Map<String, TopicDescription> found = describe(needed);
    for (String topic : needed) {
      if (!found.containsKey(topic)) {
        throw topicMissing(topic);
      }
    }
    return Objects.requireNonNull(found.get(settings.requestTopic()));
  }

  private Map<String, TopicDescription> describe(Collection<String> topics)
      throws InterruptedException, ExecutionException {
    Map<String, KafkaFuture<TopicDescription>> futures =
        admin
            .describeTopics(topics, new DescribeTopicsOptions().timeoutMs(timeout()))
            .topicNameValues();
    Map<String, TopicDescription> found = new HashMap<>();
    for (Map.Entry<String, KafkaFuture<TopicDescription>> future : futures.entrySet()) {
      try {
        found.put(future.getKey(), future.getValue().get());
      } catch (ExecutionException failed) {
        if (!(failed.getCause() instanceof UnknownTopicOrPartitionException)) {
          throw failed;
        }
      }
    }
    return found;
  }

  /** Every question has an end of its own, at most this far away. */
  private int timeout() {
    long left = TimeUnit.NANOSECONDS.toMillis(deadline - nanoTime.getAsLong());
    return (int) Math.max(500, Math.min(CHECK_TIMEOUT, left));
  }

  /**
   * Sees to one of the engine's own topics. What only takes time is waited for; what is refused is
   * said, and done without.
   */
  private boolean usable(String topic, String lost, Question<Boolean> question)
      throws InterruptedException {
    try {
      return await(
          () -> {
            try {
              return question.ask();
            } catch (ExecutionException failed) {
              if (failed.getCause() instanceof ApiException refused
                  && !(refused instanceof RetriableException)) {
                throw new Refused(refused);
              }
              throw failed;
            }
          });
    } catch (Refused refused) {
      log.warn(
          "Topic {} can't be used: {}. Without it {}. Let the gateway create it, or allow this"
              + " service to create, describe, read and write it; then restart this instance.",
          topic,
          refused.getMessage(),
          lost);
      return false;
    }
  }

  /** Kafka has said no, and will again. */
  private static final class Refused extends RuntimeException {
    private static final long serialVersionUID = 1;

    Refused(Throwable cause) {
      super(cause.getMessage() == null ? cause.toString() : cause.getMessage(), cause);
    }
  }

  private boolean ledger(TopicDescription requests)
      throws InterruptedException, ExecutionException {
    String topic = ledger(settings);
    int partitions = requests.partitions().size();
    TopicDescription present = describe(List.of(topic)).get(topic);
    if (present == null) {
      create(topic, partitions, requests, withMinInsync(LEDGER_SETTINGS, requests));
      return true;
    }
    String policy = setting(topic, TopicConfig.CLEANUP_POLICY_CONFIG);
    if (policy != null && !policy.equals(TopicConfig.CLEANUP_POLICY_COMPACT)) {
      log.warn(
          "Topic {} has cleanup.policy={}, expected compact: what it remembers of failed attempts"
              + " is lost with its retention. Change it with kafka-configs.",
          topic,
          policy);
    }
    int found = present.partitions().size();
    if (found < partitions) {
      // Nobody looks for an entry by a hash: those that are there stay where they belong.
      addPartitions(topic, found, partitions);
    }
    return true;
  }

  private void addPartitions(String topic, int found, int wanted)
      throws InterruptedException, ExecutionException {
    try {
      admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(wanted))).all().get();
      log.info("Topic {} had {} partitions and has {} now", topic, found, wanted);
    } catch (ExecutionException failed) {
      // Another instance was faster.
      if (!(failed.getCause() instanceof InvalidPartitionsException)) {
        throw failed;
      }
    }
    awaitLeaders(topic, wanted);
  }

  private boolean members(TopicDescription requests)
      throws InterruptedException, ExecutionException {
    String topic = members(settings);
    if (!describe(List.of(topic)).containsKey(topic)) {
      create(topic, 1, requests, MEMBERS_SETTINGS);
    }
    return true;
  }

  /** Its settings are like the request topic's: whoever makes it has only this service to go by. */
  private boolean control(TopicDescription requests)
      throws InterruptedException, ExecutionException {
    if (!describe(List.of(DesiredState.TOPIC)).containsKey(DesiredState.TOPIC)) {
      create(DesiredState.TOPIC, 1, requests, withMinInsync(CONTROL_SETTINGS, requests));
    }
    return true;
  }

  private Map<String, String> withMinInsync(Map<String, String> settings, TopicDescription like)
      throws InterruptedException, ExecutionException {
    Map<String, String> config = new HashMap<>(settings);
    String minInsync = setting(like.name(), TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG);
    if (minInsync != null) {
      config.put(TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG, minInsync);
    }
    return config;
  }

  private void create(
      String name, int partitions, TopicDescription like, Map<String, String> config)
      throws InterruptedException, ExecutionException {
    short replication = (short) like.partitions().get(0).replicas().size();
    NewTopic topic = new NewTopic(name, partitions, replication).configs(config);
    try {
      admin.createTopics(List.of(topic)).all().get();
      log.info("Created topic {}", name);
    } catch (ExecutionException failed) {
      // Another instance was faster, or the gateway.
      if (!(failed.getCause() instanceof TopicExistsException)) {
        throw failed;
      }
    }
    awaitLeaders(name, partitions);
  }

  /**
   * Waits until the leader of each partition answers: the controller knows of them before the
   * brokers do. What fails here is tried again from the start.
   */
  private void awaitLeaders(String topic, int partitions)
      throws InterruptedException, ExecutionException {
    Map<TopicPartition, OffsetSpec> all = new HashMap<>();
    for (int partition = 0; partition < partitions; partition++) {
      all.put(new TopicPartition(topic, partition), OffsetSpec.latest());
    }
    admin.listOffsets(all).all().get();
  }

  /** A topic's setting; null where it may not be seen. */
  private @Nullable String setting(String topic, String name)
      throws InterruptedException, ExecutionException {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    try {
      Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
      ConfigEntry entry = config == null ? null : config.get(name);
      return entry == null ? null : entry.value();
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof AuthorizationException) {
        return null;
      }
      throw failed;
    }
  }

  private IllegalStateException refused(Throwable cause) {
    return new IllegalStateException(
        "Kafka at "
            + settings.bootstrapServers()
            + " refuses this service: "
            + cause.getMessage()
            + ". Check the security properties given to the builder, and the ACLs.",
        cause);
  }

  private IllegalStateException topicMissing(String topic) {
    return new IllegalStateException(
        "topic "
            + topic
            + " isn't there after "
            + settings.startTimeout()
            + ". The gateway creates it when its configuration has the service \""
            + settings.service()
            + "\": start the gateway first, and check that both use the same names and the same"
            + " Kafka ("
            + settings.bootstrapServers()
            + ").");
  }

  private IllegalStateException kafkaAway(Throwable failure) {
    return new IllegalStateException(
        "Kafka doesn't answer at "
            + settings.bootstrapServers()
            + " within "
            + settings.startTimeout()
            + " ("
            + failure.getMessage()
            + "). Check the address, and that Kafka runs.",
        failure);
  }
}
