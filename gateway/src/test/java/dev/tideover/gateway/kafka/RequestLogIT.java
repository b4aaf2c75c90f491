package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.Cancellation;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The log with real producers against a real broker. */
@KafkaTest
class RequestLogIT {

  private static final Duration LIMIT = Duration.ofSeconds(30);

  private GatewayConfig config;
  private GatewayConfig.Service service;
  private RequestLog log;

  /** All that were made; the newest is the one in use. */
  private final Queue<Producer<byte[], byte[]>> producers = new ConcurrentLinkedQueue<>();

  @BeforeEach
  void start(TestKafka kafka) {
    config = config(kafka, kafka.uniqueName("orders"));
    service = config.services().values().iterator().next();
    Topics.ensure(config);
    start(Duration.ofSeconds(30), () -> new KafkaProducer<>(KafkaSettings.producer(config)));
  }

  private void start(Duration longestDelivery, Supplier<Producer<byte[], byte[]>> producer) {
    log =
        RequestLog.start(
            config,
            sized -> {
              Producer<byte[], byte[]> made = producer.get();
              producers.add(made);
              return made;
            },
            longestDelivery,
            System::nanoTime);
  }

  @AfterEach
  void stop() {
    log.close();
  }

  private static GatewayConfig config(TestKafka kafka, String service) {
    return ConfigFile.parse(
        """
        kafka: { bootstrap-servers: "%s" }
        replies: { topic: %s.replies, partitions: 1, retention: 1h }
        services:
          %s:
            topic: { partitions: 3 }
            routes: [{ path: /** }]
        """
            .formatted(kafka.bootstrapServers(), service, service),
        "test",
        name -> null);
  }

  @Test
  void requestsWorkAgainWhenTheProducerWasKilledAndEachIsToldTheTruth(TestKafka kafka) {
    Map<RequestId, Append> told = new ConcurrentHashMap<>();
    AtomicInteger toldTwice = new AtomicInteger();
    int sent = 0;
    for (int kill = 0; kill < 3; kill++) {
      for (int i = 0; i < 2_000; i++) {
        if (i == 1_000) {
          // All that it has not yet been told of is aborted, on its own thread.
          List.copyOf(producers).get(kill).close(Duration.ZERO);
        }
        append(told, toldTwice);
        sent++;
      }
      Awaitility.await().atMost(LIMIT).until(log::isAccepting);
      RequestId last = append(told, toldTwice);
      sent++;
      Awaitility.await().atMost(LIMIT).until(() -> told.containsKey(last));
      assertThat(told.get(last)).isInstanceOf(Append.Acknowledged.class);
    }

    int all = sent;
    Awaitility.await().atMost(LIMIT).until(() -> told.size() == all);
    assertThat(toldTwice).hasValue(0);
    assertThat(producers).hasSize(4);
    Set<String> stored = new HashSet<>();
    for (ConsumerRecord<byte[], byte[]> record : kafka.readAll(service.requestTopic())) {
      stored.add(new String(record.headers().lastHeader("tideover-id").value(), UTF_8));
    }
    told.forEach(
        (id, append) -> {
          if (append instanceof Append.Acknowledged) {
            assertThat(stored).contains(id.toString());
          } else if (append instanceof Append.Refused) {
            assertThat(stored).doesNotContain(id.toString());
          }
        });
  }

  private RequestId append(Map<RequestId, Append> told, AtomicInteger toldTwice) {
    RequestEnvelope request = RequestLogFixture.request(RequestId.random().toString());
    log.append(
        request,
        service.requestTopic(),
        3,
        result -> {
          if (told.put(request.id(), result) != null) {
            toldTwice.incrementAndGet();
          }
        });
    return request.id();
  }

  @Test
  void aProducerWhoseThreadHasDiedIsReplaced() {
    log.close();
    AtomicBoolean deadly = new AtomicBoolean(true);
    start(
        Duration.ofSeconds(1),
        () ->
            new KafkaProducer<>(KafkaSettings.producer(config)) {
              @Override
              public Future<RecordMetadata> send(
                  ProducerRecord<byte[], byte[]> record, Callback callback) {
                return super.send(
                    record,
                    (metadata, exception) -> {
                      if (deadly.getAndSet(false)) {
                        throw new LinkageError("meant to end the producer's thread");
                      }
                      callback.onCompletion(metadata, exception);
                    });
              }
            });
    Map<RequestId, Append> told = new ConcurrentHashMap<>();
    RequestId deadliest = append(told, new AtomicInteger());
    Awaitility.await().atMost(LIMIT).until(() -> !deadly.get());

    Awaitility.await().atMost(LIMIT).until(() -> producers.size() == 3 && log.isAccepting());
    RequestId next = append(told, new AtomicInteger());
    Awaitility.await().atMost(LIMIT).until(() -> told.containsKey(next));

    assertThat(told.get(next)).isInstanceOf(Append.Acknowledged.class);
    assertThat(told).as("its thread is dead, so it can't be told").doesNotContainKey(deadliest);
  }

  @Test
  void aCancellationStandsInTheLedgerAndAmongTheMembers(TestKafka kafka) {
    Cancellation cancellation = new Cancellation(2, 4711, RequestId.random());

    assertThat(log.cancel(service, cancellation).toCompletableFuture()).succeedsWithin(LIMIT);

    assertThat(kafka.readAll(service.ledgerTopic()))
        .singleElement()
        .satisfies(record -> assertThat(Cancellation.decode(record)).isEqualTo(cancellation))
        .satisfies(record -> assertThat(record.partition()).isEqualTo(2));
    assertThat(kafka.readAll(service.membersTopic()))
        .singleElement()
        .satisfies(record -> assertThat(Cancellation.decode(record)).isEqualTo(cancellation));
  }

  @Test
  void learnsTheTopicsOfANewConfiguration(TestKafka kafka) {
    GatewayConfig next = config(kafka, kafka.uniqueName("bills"));
    Topics.ensure(next);

    log.update(next);

    String topic = next.services().values().iterator().next().requestTopic();
    Queue<Append> results = new ConcurrentLinkedQueue<>();
    log.append(RequestLogFixture.request("key"), topic, 3, results::add);
    Awaitility.await().atMost(LIMIT).until(() -> results.size() == 1);
    assertThat(results).singleElement().isInstanceOf(Append.Acknowledged.class);
  }
}
