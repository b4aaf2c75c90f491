package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestCodec;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import dev.tideover.wire.WireFormatException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.utils.Utils;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.jspecify.annotations.Nullable;

/** A service's topics on a real broker, and the part of the gateway: requests in, replies out. */
public final class TestService {

  static final int REPLY_PARTITIONS = 4;

  final TestKafka kafka;
  final String name;
  final String requests;
  final String dead;
  final String replies;
  final int partitions;

  private final Consumer<byte[], byte[]> replyReader;
  private final Map<RequestId, List<ReplyEnvelope>> repliesById = new HashMap<>();

  TestService(TestKafka kafka, int partitions) {
    this(kafka, partitions, Map.of());
  }

  TestService(TestKafka kafka, int partitions, Map<String, String> replySettings) {
    this.kafka = kafka;
    this.partitions = partitions;
    name = kafka.uniqueName("orders");
    requests = kafka.createTopic(name + ".requests", partitions);
    dead = kafka.createTopic(name + ".dead", 1);
    replies = kafka.createTopic(name + ".replies", REPLY_PARTITIONS, replySettings);
    replyReader = kafka.consumer(name + "-gateway");
    replyReader.assign(
        IntStream.range(0, REPLY_PARTITIONS)
            .mapToObj(p -> new TopicPartition(replies, p))
            .toList());
  }

  ConsumerBuilder builder() {
    return Tideover.service(name)
        .version("v1")
        .bootstrapServers(kafka.bootstrapServers())
        .replyTopics(replies)
        .backoff(new Backoff(Duration.ofMillis(20), Duration.ofMillis(50)));
  }

  static ConditionFactory await() {
    return Awaitility.await().atMost(Duration.ofSeconds(30)).pollInterval(Duration.ofMillis(20));
  }

  RequestEnvelope request(@Nullable String key, String body) {
    return request(key, body, null);
  }

  RequestEnvelope request(@Nullable String key, String body, @Nullable Instant deadline) {
    return request(
        key, HttpFields.of("content-type", "application/json"), body.getBytes(UTF_8), deadline);
  }

  /** One with an Idempotency-Key. */
  RequestEnvelope keyed(RequestId id, @Nullable String key, String body) {
    HttpFields fields = HttpFields.of("content-type", "application/json");
    return request(id, true, key, fields, body.getBytes(UTF_8), null);
  }

  RequestEnvelope request(
      @Nullable String key, HttpFields fields, byte[] body, @Nullable Instant deadline) {
    return request(RequestId.random(), false, key, fields, body, deadline);
  }

  private RequestEnvelope request(
      RequestId id,
      boolean idempotent,
      @Nullable String key,
      HttpFields fields,
      byte[] body,
      @Nullable Instant deadline) {
    return new RequestEnvelope(
        id,
        new ReplyAddress(replies, Math.floorMod(id.hashCode(), REPLY_PARTITIONS)),
        Instant.ofEpochMilli(System.currentTimeMillis()),
        deadline,
        idempotent,
        Fingerprint.of("POST", "/orders", "q=1", "application/json", key, body),
        key,
        "POST",
        "/orders?q=1",
        "http",
        "localhost:8080",
        fields,
        body);
  }

  ProducerRecord<byte[], byte[]> record(RequestEnvelope request) {
    int hash = Utils.toPositive(Utils.murmur2(request.recordKey().getBytes(UTF_8)));
    return RequestCodec.encode(request, requests, hash % partitions);
  }

  RequestEnvelope send(RequestEnvelope request) {
    kafka.produce(record(request));
    return request;
  }

  /** Every reply so far, by request id, in their order. One thread at a time. */
  Map<RequestId, List<ReplyEnvelope>> replies() {
    Map<TopicPartition, Long> ends = replyReader.endOffsets(replyReader.assignment());
    while (ends.entrySet().stream()
        .anyMatch(end -> replyReader.position(end.getKey()) < end.getValue())) {
      for (ConsumerRecord<byte[], byte[]> record : replyReader.poll(Duration.ofMillis(100))) {
        ReplyEnvelope reply = decode(record);
        repliesById.computeIfAbsent(reply.id(), id -> new ArrayList<>()).add(reply);
      }
    }
    return Map.copyOf(repliesById);
  }

  static ReplyEnvelope decode(ConsumerRecord<byte[], byte[]> record) {
    try {
      return ReplyCodec.decode(record);
    } catch (WireFormatException unreadable) {
      throw new AssertionError("an unreadable reply was sent", unreadable);
    }
  }

  ReplyEnvelope awaitReply(RequestEnvelope request) {
    return await()
        .until(() -> replies().getOrDefault(request.id(), List.of()), list -> !list.isEmpty())
        .get(0);
  }

  /** The offset that the group has committed; -1 for none. */
  long committed(int partition) throws InterruptedException, ExecutionException {
    Map<TopicPartition, OffsetAndMetadata> offsets =
        kafka.admin().listConsumerGroupOffsets(name).partitionsToOffsetAndMetadata().get();
    OffsetAndMetadata offset = offsets.get(new TopicPartition(requests, partition));
    return offset == null ? -1 : offset.offset();
  }

  /** Starts and waits until it has all partitions. */
  TideoverConsumer startAlone(ConsumerBuilder builder) {
    TideoverConsumer consumer = builder.start();
    await().until(() -> consumer.partitions().size() == partitions);
    return consumer;
  }

  /** What the group has committed for the partition, with its metadata; null for none. */
  @Nullable OffsetAndMetadata commit(int partition)
      throws InterruptedException, ExecutionException {
    return kafka
        .admin()
        .listConsumerGroupOffsets(name)
        .partitionsToOffsetAndMetadata()
        .get()
        .get(partition(partition));
  }

  TopicPartition partition(int number) {
    return new TopicPartition(requests, number);
  }

  /** A request for this partition without an ordering key: its id decides, so ids are drawn. */
  RequestEnvelope onPartition(int partition, String body) {
    while (true) {
      RequestEnvelope request = request(null, body);
      if (record(request).partition() == partition) {
        return request;
      }
    }
  }

  /** All dead letters, in their order. */
  List<ConsumerRecord<byte[], byte[]>> dead() {
    return kafka.readAll(dead);
  }

  /** What an operator does with a dead letter: into the request topic again, as it was. */
  ProducerRecord<byte[], byte[]> again(ConsumerRecord<byte[], byte[]> deadLetter) {
    String source = text(deadLetter, "tideover-dead-source");
    int partition = Integer.parseInt(source.split("/")[1]);
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(requests, partition, deadLetter.key(), deadLetter.value());
    for (Header header : deadLetter.headers()) {
      if (!header.key().startsWith("tideover-dead-")) {
        record.headers().add(header);
      }
    }
    return record;
  }

  static String text(ConsumerRecord<byte[], byte[]> record, String header) {
    return new String(record.headers().lastHeader(header).value(), UTF_8);
  }
}
