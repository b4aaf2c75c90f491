package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.Partitions;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.MockProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterEach;

/** A log over producers that a test controls, and a clock that only the test moves. */
abstract class RequestLogFixture {

  static final String TOPIC = "orders.requests";
  static final int PARTITIONS = 4;
  static final Duration LONGEST_DELIVERY = Duration.ofSeconds(30);

  final List<Append> results = new CopyOnWriteArrayList<>();
  final AtomicLong now = new AtomicLong(1_000_000_000_000L);
  private final List<RequestLog> logs = new ArrayList<>();

  @AfterEach
  void closeLogs() {
    logs.forEach(RequestLog::close);
  }

  RequestLog start(Producer<byte[], byte[]> producer) {
    return start(
        producer,
        () -> {
          throw new IllegalStateException("this test has no second producer");
        });
  }

  /** The first producer, and what makes those that replace it. */
  RequestLog start(Producer<byte[], byte[]> first, Supplier<Producer<byte[], byte[]>> others) {
    List<Producer<byte[], byte[]>> unused = new CopyOnWriteArrayList<>(List.of(first));
    RequestLog log =
        RequestLog.start(
            config("orders"),
            config -> unused.isEmpty() ? others.get() : unused.remove(0),
            LONGEST_DELIVERY,
            now::get);
    logs.add(log);
    return log;
  }

  void append(RequestLog log, String key) {
    log.append(request(key), TOPIC, PARTITIONS, results::add);
  }

  static GatewayConfig config(String service) {
    return config(service, "1MiB");
  }

  static GatewayConfig config(String service, String maxBody) {
    return ConfigFile.parse(
        """
        kafka: { bootstrap-servers: "localhost:9092" }
        services:
          %s:
            topic: { partitions: %d }
            routes: [{ path: /**, max-body: %s }]
        """
            .formatted(service, PARTITIONS, maxBody),
        "test",
        name -> null);
  }

  static GatewayConfig.Service orders() {
    return config("orders").services().values().iterator().next();
  }

  /** A key whose partition is this. */
  static String key(int partition) {
    return IntStream.iterate(0, i -> i + 1)
        .mapToObj(Integer::toString)
        .filter(key -> Partitions.of(key, PARTITIONS) == partition)
        .findFirst()
        .orElseThrow();
  }

  static void await(CountDownLatch latch) {
    try {
      if (!latch.await(20, TimeUnit.SECONDS)) {
        throw new AssertionError("waited 20 s in vain");
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  static MockProducer<byte[], byte[]> producer(boolean autoComplete) {
    Node node = new Node(0, "localhost", 1);
    Node[] nodes = {node};
    List<PartitionInfo> partitions =
        Stream.of(TOPIC, "orders.ledger")
            .flatMap(
                topic ->
                    IntStream.range(0, PARTITIONS)
                        .mapToObj(number -> new PartitionInfo(topic, number, node, nodes, nodes)))
            .toList();
    Cluster cluster = new Cluster("c", List.of(node), partitions, Set.of(), Set.of());
    return new MockProducer<>(
        cluster, autoComplete, null, new ByteArraySerializer(), new ByteArraySerializer());
  }

  /** A producer one of whose methods a test replaces. */
  static class OverriddenProducer extends MockProducer<byte[], byte[]> {
    OverriddenProducer() {
      super(true, null, new ByteArraySerializer(), new ByteArraySerializer());
    }
  }

  /** KafkaProducer tells of an ApiException by the callback, within send. */
  static Producer<byte[], byte[]> failingWithin(RuntimeException reason) {
    return new OverriddenProducer() {
      @Override
      public Future<RecordMetadata> send(ProducerRecord<byte[], byte[]> record, Callback callback) {
        callback.onCompletion(
            new RecordMetadata(
                new org.apache.kafka.common.TopicPartition(TOPIC, -1), -1, -1, -1, -1, -1),
            reason);
        return java.util.concurrent.CompletableFuture.failedFuture(reason);
      }
    };
  }

  static RequestEnvelope request(String key) {
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
