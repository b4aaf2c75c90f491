package dev.tideover.demo;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/**
 * How many requests of a service are in Kafka and not committed as handled: the lag of its consumer
 * group, as any Kafka tool shows it. Safe for use by many threads.
 */
final class Backlog implements AutoCloseable {
  private static final int TIMEOUT_MILLIS = 3_000;

  private final Admin admin;
  private final String group;
  private final String topic;

  Backlog(String bootstrapServers, String service) {
    this.admin =
        Admin.create(
            Map.of(
                AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG,
                bootstrapServers,
                AdminClientConfig.CLIENT_ID_CONFIG,
                "tideover-demo",
                AdminClientConfig.REQUEST_TIMEOUT_MS_CONFIG,
                TIMEOUT_MILLIS,
                AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG,
                TIMEOUT_MILLIS));
    this.group = service;
    this.topic = service + ".requests";
  }

  /**
   * The lag now, in requests. Fails, within a few seconds, where Kafka doesn't answer. The commits
   * come once a second or so, so the figure is that much behind.
   */
  CompletableFuture<Long> lag() {
    CompletableFuture<Map<TopicPartition, OffsetAndMetadata>> committed =
        admin
            .listConsumerGroupOffsets(group)
            .partitionsToOffsetAndMetadata()
            .toCompletionStage()
            .toCompletableFuture();
    CompletableFuture<Map<TopicPartition, ListOffsetsResultInfo>> ends =
        admin
            .describeTopics(List.of(topic))
            .allTopicNames()
            .toCompletionStage()
            .toCompletableFuture()
            .thenCompose(
                topics -> {
                  var latest = new HashMap<TopicPartition, OffsetSpec>();
                  topics
                      .values()
                      .iterator()
                      .next()
                      .partitions()
                      .forEach(
                          info ->
                              latest.put(
                                  new TopicPartition(topic, info.partition()),
                                  OffsetSpec.latest()));
                  return admin.listOffsets(latest).all().toCompletionStage();
                });
    return committed.thenCombine(ends, Backlog::sum);
  }

  private static long sum(
      Map<TopicPartition, OffsetAndMetadata> committed,
      Map<TopicPartition, ListOffsetsResultInfo> ends) {
    long lag = 0;
    for (var end : ends.entrySet()) {
      OffsetAndMetadata position = committed.get(end.getKey());
      lag += end.getValue().offset() - (position == null ? 0 : position.offset());
    }
    return lag;
  }

  @Override
  public void close() {
    admin.close(Duration.ofMillis(TIMEOUT_MILLIS));
  }
}
