package dev.tideover.gateway.kafka;

import dev.tideover.wire.DesiredState;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.DescribeConsumerGroupsOptions;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.jspecify.annotations.Nullable;

/**
 * Asks Kafka how far the control topic goes, and who is in a service's group. Owns its client; safe
 * for any thread, never blocks.
 */
final class ControlProbe implements AutoCloseable {

  static final TopicPartition PARTITION = new TopicPartition(DesiredState.TOPIC, 0);

  /** How long an answer may take. */
  static final Duration LIMIT = Duration.ofSeconds(2);

  private static final Duration MEMBERS_LIMIT = Duration.ofSeconds(3);

  /**
   * How far the topic went.
   *
   * @param topic which topic of that name it was: one that is made anew has another
   * @param offset behind the last record, also where that is of a transaction that hasn't ended
   */
  record End(Uuid topic, long offset) {}

  private final Admin admin;

  ControlProbe(Admin admin) {
    this.admin = admin;
  }

  /** How far the topic goes at some moment after this call; failed if that isn't told in time. */
  CompletableFuture<End> end() {
    return admin
        .listOffsets(
            Map.of(PARTITION, OffsetSpec.latest()),
            new ListOffsetsOptions().timeoutMs((int) LIMIT.toMillis()))
        .partitionResult(PARTITION)
        .toCompletionStage()
        // In this order: if the topic is still the one that the asker reads, so was it before.
        .thenCompose(end -> topic().thenApply(topic -> new End(topic, end.offset())))
        .toCompletableFuture();
  }

  /** Which topic it is; failed if there is none, which the client doesn't log. */
  CompletionStage<Uuid> topic() {
    return Objects.requireNonNull(
            admin
                .describeTopics(
                    List.of(DesiredState.TOPIC),
                    new DescribeTopicsOptions().timeoutMs((int) LIMIT.toMillis()))
                .topicNameValues()
                .get(DesiredState.TOPIC))
        .toCompletionStage()
        .thenApply(description -> description.topicId());
  }

  /** See {@link ControlTopic#members}. */
  CompletionStage<@Nullable Set<String>> members(String service) {
    CompletableFuture<@Nullable Set<String>> members = new CompletableFuture<>();
    KafkaFuture<ConsumerGroupDescription> asked =
        Objects.requireNonNull(
            admin
                .describeConsumerGroups(
                    List.of(service),
                    new DescribeConsumerGroupsOptions().timeoutMs((int) MEMBERS_LIMIT.toMillis()))
                .describedGroups()
                .get(service));
    var unused =
        asked
            .toCompletionStage()
            .whenComplete(
                (group, failure) ->
                    members.complete(
                        failure == null
                            ? members(group)
                            : cause(failure) instanceof GroupIdNotFoundException
                                ? Set.of()
                                : null));
    return members.completeOnTimeout(null, MEMBERS_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
  }

  private static Set<String> members(ConsumerGroupDescription group) {
    Set<String> members = new HashSet<>();
    for (MemberDescription member : group.members()) {
      String[] parts = member.clientId().split("/", 3);
      boolean ours = parts.length == 3 && parts[0].equals(group.groupId());
      members.add(ours ? parts[1] + "/" + parts[2] : member.clientId());
    }
    return members;
  }

  /** What has gone wrong, without what it was wrapped in on its way. */
  static Throwable cause(Throwable failure) {
    return failure instanceof CompletionException && failure.getCause() != null
        ? failure.getCause()
        : failure;
  }

  @Override
  public void close() {
    admin.close(Duration.ofSeconds(1));
  }
}
