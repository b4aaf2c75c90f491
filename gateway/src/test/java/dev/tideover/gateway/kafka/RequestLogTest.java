package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.BufferExhaustedException;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.MockProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.Test;

class RequestLogTest {

  private static final String TOPIC = "orders.requests";
  private static final int PARTITIONS = 4;

  private final List<Append> results = new CopyOnWriteArrayList<>();

  @Test
  void acknowledgedOnceAndOnlyWhenKafkaSaysSo() {
    MockProducer<byte[], byte[]> producer = producer(false);
    RequestLog log = new RequestLog(producer);

    log.append(request("key"), TOPIC, PARTITIONS, results::add);
    assertThat(results).isEmpty();
    producer.completeNext();

    ProducerRecord<byte[], byte[]> record = producer.history().get(0);
    assertThat(results).containsExactly(new Append.Acknowledged(record.partition(), 0));
    assertThat(record.topic()).isEqualTo(TOPIC);
    assertThat(record.key()).isEqualTo("key".getBytes(UTF_8));
  }

  @Test
  void anErrorAfterTheSendLeavesTheOutcomeOpen() {
    MockProducer<byte[], byte[]> producer = producer(false);
    RequestLog log = new RequestLog(producer);

    log.append(request("key"), TOPIC, PARTITIONS, results::add);
    producer.errorNext(new TimeoutException("Expiring 1 record(s)"));

    assertThat(results).containsExactly(new Append.Unknown("Expiring 1 record(s)"));
  }

  @Test
  void anErrorOnTheProducersThreadLeavesTheOutcomeOpenAlsoDuringTheSend() throws Exception {
    // The accumulator has the record; the sender fails it before send() has returned.
    RequestLog log =
        new RequestLog(
            new OverriddenProducer() {
              @Override
              public Future<RecordMetadata> send(
                  ProducerRecord<byte[], byte[]> record, Callback callback) {
                Thread sender =
                    new Thread(
                        () -> callback.onCompletion(null, new KafkaException("closed forcefully")));
                sender.start();
                try {
                  sender.join(10_000);
                } catch (InterruptedException e) {
                  throw new AssertionError(e);
                }
                return super.send(record, null);
              }
            });

    log.append(request("key"), TOPIC, PARTITIONS, results::add);

    assertThat(results).containsExactly(new Append.Unknown("closed forcefully"));
  }

  @Test
  void noMetadataIsARefusal() {
    refusedBecause(new TimeoutException("Topic orders.requests not present in metadata"));
  }

  @Test
  void aFullBufferIsARefusal() {
    refusedBecause(new BufferExhaustedException("Failed to allocate 16384 bytes"));
  }

  /** KafkaProducer tells of an ApiException by the callback, within send. */
  private void refusedBecause(RuntimeException reason) {
    RequestLog log =
        new RequestLog(
            new OverriddenProducer() {
              @Override
              public Future<RecordMetadata> send(
                  ProducerRecord<byte[], byte[]> record, Callback callback) {
                callback.onCompletion(
                    new RecordMetadata(
                        new org.apache.kafka.common.TopicPartition(TOPIC, -1), -1, -1, -1, -1, -1),
                    reason);
                return java.util.concurrent.CompletableFuture.failedFuture(reason);
              }
            });

    log.append(request("key"), TOPIC, PARTITIONS, results::add);

    assertThat(results).containsExactly(new Append.Refused(reason.getMessage()));
  }

  @Test
  void aThrowingSendIsARefusalToldOnce() {
    MockProducer<byte[], byte[]> producer = producer(true);
    producer.sendException = new KafkaException("fenced");
    RequestLog log = new RequestLog(producer);

    log.append(request("key"), TOPIC, PARTITIONS, results::add);

    assertThat(results).containsExactly(new Append.Refused("fenced"));
  }

  @Test
  void aSendThatBothTellsAndThrowsIsToldOnce() {
    RequestLog log =
        new RequestLog(
            new OverriddenProducer() {
              @Override
              public Future<RecordMetadata> send(
                  ProducerRecord<byte[], byte[]> record, Callback callback) {
                KafkaException failure = new KafkaException("both");
                callback.onCompletion(null, failure);
                throw failure;
              }
            });

    log.append(request("key"), TOPIC, PARTITIONS, results::add);

    assertThat(results).containsExactly(new Append.Refused("both"));
  }

  @Test
  void afterTheCloseEverythingIsRefused() {
    RequestLog log = new RequestLog(producer(true));
    log.close();

    log.append(request("key"), TOPIC, PARTITIONS, results::add);

    assertThat(results).singleElement().isInstanceOf(Append.Refused.class);
  }

  @Test
  void aKeysPartitionIsThatOfKafkasDefaultPartitioner() {
    MockProducer<byte[], byte[]> producer = producer(true);
    RequestLog log = new RequestLog(producer);
    String[] keys = {"", "a", "key", "ä日𝄞", "/orders/7", "42"};
    for (String key : keys) {
      log.append(request(key), TOPIC, PARTITIONS, results::add);
    }

    for (int i = 0; i < keys.length; i++) {
      int expected =
          org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey(
              keys[i].getBytes(UTF_8), PARTITIONS);
      assertThat(producer.history().get(i).partition()).as(keys[i]).isEqualTo(expected);
    }
  }

  @Test
  void appendsFromSeveralThreadsEachGetOneResult() throws Exception {
    MockProducer<byte[], byte[]> producer = producer(true);
    RequestLog log = new RequestLog(producer);
    CountDownLatch done = new CountDownLatch(4);
    for (int t = 0; t < 4; t++) {
      new Thread(
              () -> {
                for (int i = 0; i < 250; i++) {
                  log.append(request("k" + i), TOPIC, PARTITIONS, results::add);
                }
                done.countDown();
              })
          .start();
    }

    assertThat(done.await(30, TimeUnit.SECONDS)).isTrue();
    assertThat(results).hasSize(1_000).allMatch(Append.Acknowledged.class::isInstance);
  }

  private static MockProducer<byte[], byte[]> producer(boolean autoComplete) {
    Node node = new Node(0, "localhost", 1);
    Node[] nodes = {node};
    List<PartitionInfo> partitions =
        java.util.stream.IntStream.range(0, PARTITIONS)
            .mapToObj(partition -> new PartitionInfo(TOPIC, partition, node, nodes, nodes))
            .toList();
    Cluster cluster =
        new Cluster("c", List.of(node), partitions, java.util.Set.of(), java.util.Set.of());
    return new MockProducer<>(
        cluster, autoComplete, null, new ByteArraySerializer(), new ByteArraySerializer());
  }

  /** A producer one of whose methods a test replaces. */
  private static class OverriddenProducer extends MockProducer<byte[], byte[]> {
    OverriddenProducer() {
      super(true, null, new ByteArraySerializer(), new ByteArraySerializer());
    }
  }

  private static RequestEnvelope request(String key) {
    return new RequestEnvelope(
        RequestId.random(),
        new ReplyAddress("replies", 0),
        Instant.EPOCH,
        null,
        false,
        new Fingerprint(1, 2),
        key,
        "POST",
        "/",
        "http",
        "localhost",
        HttpFields.EMPTY,
        "body".getBytes(UTF_8));
  }
}
