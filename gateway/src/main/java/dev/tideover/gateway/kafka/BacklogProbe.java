package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsResult;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.jspecify.annotations.Nullable;

/**
 * Asks Kafka where the services stand. Each call waits {@link #LIMIT} at most and gives what was
 * answered until then; what wasn't is not in its result. For one thread, that of the {@link
 * Backlog}, its owner; only {@link #close} is for any.
 */
final class BacklogProbe implements AutoCloseable {

  static final Duration LIMIT = Duration.ofSeconds(3);

  /**
   * What is known of one partition.
   *
   * @param committed -1 if the group has committed nothing there
   * @param begin the first offset that the log still has
   * @param end the one behind the last
   */
  record Position(long committed, long begin, long end) {}

  /**
   * What was answered in time.
   *
   * @param positions only of partitions of which everything is known
   * @param denied by service, why Kafka refuses to tell
   * @param byKafka whether anything was answered at all
   */
  record Answer(
      Map<TopicPartition, Position> positions, Map<String, String> denied, boolean byKafka) {}

  /** A topic that isn't there is asked for again after so long: the client logs each time. */
  private static final long MISSING_NANOS = TimeUnit.SECONDS.toNanos(10);

  private final Admin admin;

  /** Services without their request topic, and when that was seen. */
  private final Map<String, Long> missing = new HashMap<>();

  BacklogProbe(Admin admin) {
    this.admin = admin;
  }

  static BacklogProbe start(GatewayConfig config) {
    return new BacklogProbe(KafkaSettings.client(() -> Admin.create(KafkaSettings.admin(config))));
  }

  /** Waits for several answers until one deadline. */
  private static final class Round {

    private final long deadline = System.nanoTime() + LIMIT.toNanos();
    private boolean answered;
    private boolean complete = true;

    /** The last answer where it was an error that won't go away by itself. */
    private @Nullable Throwable refusal;

    /** The answer; null if it hasn't come or is that there is no such topic or group. */
    <T> @Nullable T get(KafkaFuture<T> future) {
      refusal = null;
      try {
        long left = Math.max(0, deadline - System.nanoTime());
        T value = future.get(left, TimeUnit.NANOSECONDS);
        answered = true;
        return value;
      } catch (ExecutionException e) {
        if (e.getCause() instanceof AuthorizationException denied) {
          answered = true;
          throw denied;
        }
        boolean definite =
            e.getCause() instanceof UnknownTopicOrPartitionException
                || e.getCause() instanceof ApiException
                    && !(e.getCause() instanceof RetriableException);
        answered |= definite;
        complete &= definite;
        refusal = definite ? e.getCause() : null;
        return null;
      } catch (TimeoutException e) {
        complete = false;
        return null;
      } catch (InterruptedException e) {
        throw new InterruptException(e);
      }
    }
  }

  private static int limit() {
    return (int) LIMIT.toMillis();
  }

  /**
   * Where each partition of the services' request topics stands.
   *
   * @param nanos the time by a clock that only goes forward
   */
  Answer positions(Collection<GatewayConfig.Service> services, long nanos) {
    missing.values().removeIf(since -> nanos - since >= MISSING_NANOS);
    Map<String, ListConsumerGroupOffsetsSpec> groups = new HashMap<>();
    Map<TopicPartition, OffsetSpec> begins = new HashMap<>();
    Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
    for (GatewayConfig.Service service : services) {
      List<TopicPartition> partitions = partitions(service);
      groups.put(service.name(), new ListConsumerGroupOffsetsSpec().topicPartitions(partitions));
      if (missing.containsKey(service.name())) {
        continue;
      }
      for (TopicPartition partition : partitions) {
        begins.put(partition, OffsetSpec.earliest());
        ends.put(partition, OffsetSpec.latest());
      }
    }
    // All are under way at once, so a commit may be newer than the end beside it.
    ListConsumerGroupOffsetsResult committed =
        admin.listConsumerGroupOffsets(
            groups, new ListConsumerGroupOffsetsOptions().timeoutMs(limit()));
    ListOffsetsResult first =
        admin.listOffsets(begins, new ListOffsetsOptions().timeoutMs(limit()));
    ListOffsetsResult last = admin.listOffsets(ends, new ListOffsetsOptions().timeoutMs(limit()));

    Round round = new Round();
    Map<TopicPartition, Position> positions = new HashMap<>();
    Map<String, String> denied = new HashMap<>();
    for (GatewayConfig.Service service : services) {
      try {
        Map<TopicPartition, OffsetAndMetadata> offsets =
            committed(round, committed, service.name());
        if (offsets != null && !missing.containsKey(service.name())) {
          positions.putAll(positions(round, service, offsets, first, last));
          if (round.refusal instanceof UnknownTopicOrPartitionException) {
            missing.put(service.name(), nanos);
          }
        }
      } catch (AuthorizationException e) {
        denied.put(service.name(), String.valueOf(e.getMessage()));
      }
    }
    return new Answer(positions, denied, round.answered);
  }

  /** A group that nobody has been in has committed nothing. */
  private static @Nullable Map<TopicPartition, OffsetAndMetadata> committed(
      Round round, ListConsumerGroupOffsetsResult result, String group) {
    Map<TopicPartition, OffsetAndMetadata> offsets =
        round.get(result.partitionsToOffsetAndMetadata(group));
    return round.refusal instanceof GroupIdNotFoundException ? Map.of() : offsets;
  }

  private static Map<TopicPartition, Position> positions(
      Round round,
      GatewayConfig.Service service,
      Map<TopicPartition, OffsetAndMetadata> committed,
      ListOffsetsResult first,
      ListOffsetsResult last) {
    Map<TopicPartition, Position> positions = new HashMap<>();
    for (TopicPartition partition : partitions(service)) {
      ListOffsetsResult.ListOffsetsResultInfo begin = round.get(first.partitionResult(partition));
      ListOffsetsResult.ListOffsetsResultInfo end = round.get(last.partitionResult(partition));
      if (begin != null && end != null) {
        OffsetAndMetadata offset = committed.get(partition);
        positions.put(
            partition,
            new Position(offset == null ? -1 : offset.offset(), begin.offset(), end.offset()));
      }
    }
    return positions;
  }

  private static List<TopicPartition> partitions(GatewayConfig.Service service) {
    return java.util.stream.IntStream.range(0, service.topic().partitions())
        .mapToObj(partition -> new TopicPartition(service.requestTopic(), partition))
        .toList();
  }

  /** The retention.ms of those request topics of which it can be had; by service. */
  Map<String, Long> retentions(Collection<GatewayConfig.Service> services) {
    Map<String, ConfigResource> resources =
        services.stream()
            .collect(
                Collectors.toMap(
                    GatewayConfig.Service::name,
                    service ->
                        new ConfigResource(ConfigResource.Type.TOPIC, service.requestTopic())));
    Map<ConfigResource, KafkaFuture<Config>> futures =
        admin
            .describeConfigs(resources.values(), new DescribeConfigsOptions().timeoutMs(limit()))
            .values();
    Map<String, Long> retentions = new HashMap<>();
    Round round = new Round();
    resources.forEach(
        (service, resource) -> {
          Config config = getIfAllowed(round, futures.get(resource));
          ConfigEntry entry = config == null ? null : config.get(TopicConfig.RETENTION_MS_CONFIG);
          if (entry != null && entry.value() != null) {
            retentions.put(service, Long.parseLong(entry.value()));
          }
        });
    return retentions;
  }

  /**
   * Those of the services' ledgers that exist and may be seen, and their numbers of partitions;
   * null if that couldn't be found out.
   */
  @Nullable Map<String, Integer> ledgers(Collection<GatewayConfig.Service> services) {
    Map<String, KafkaFuture<TopicDescription>> futures =
        admin
            .describeTopics(
                services.stream().map(GatewayConfig.Service::ledgerTopic).toList(),
                new DescribeTopicsOptions().timeoutMs(limit()))
            .topicNameValues();
    Round round = new Round();
    Map<String, Integer> ledgers = new HashMap<>();
    futures.forEach(
        (topic, future) -> {
          TopicDescription description = getIfAllowed(round, future);
          if (description != null) {
            ledgers.put(topic, description.partitions().size());
          }
        });
    return round.complete ? ledgers : null;
  }

  private static <T> @Nullable T getIfAllowed(Round round, @Nullable KafkaFuture<T> future) {
    try {
      return future == null ? null : round.get(future);
    } catch (AuthorizationException e) {
      return null;
    }
  }

  /** Ends also a call that is under way. */
  @Override
  public void close() {
    admin.close(Duration.ZERO);
  }
}
