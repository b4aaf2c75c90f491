package dev.tideover.loadtests.drain;

import static java.util.concurrent.TimeUnit.SECONDS;

import dev.tideover.loadtests.bench.BenchException;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.Partitions;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.RequestCodec;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Instant;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;

/**
 * A service's topics with requests in them, as a gateway would have written them. The n-th
 * request's id has {@code n} as its low half and a random high half, the same for all, by which a
 * reply is known. Immutable once written.
 */
final class Preload {

  private static final long BOUND_SECONDS = 60;

  private final TestKafka kafka;
  private final String service;
  private final String replyTopic;
  private final int records;
  private final long mark = RequestId.random().high();

  private Preload(TestKafka kafka, String service, int records) {
    this.kafka = kafka;
    this.service = service;
    this.replyTopic = service + "-replies";
    this.records = records;
  }

  /**
   * Makes the topics that a gateway makes (the SDK makes its own), and the requests, whose replies
   * go to {@link #replyTopic()}.
   */
  static Preload write(TestKafka kafka, String service, int records, int bodyBytes, Keys keys)
      throws BenchException {
    Preload preload = new Preload(kafka, service, records);
    kafka.createTopic(service + ".requests", DrainScenario.PARTITIONS);
    kafka.createTopic(service + ".dead", DrainScenario.PARTITIONS);
    preload.send(bodyBytes, keys);
    return preload;
  }

  private void send(int bodyBytes, Keys keys) throws BenchException {
    byte[] body = new byte[bodyBytes];
    new Random(1).nextBytes(body);
    HttpFields fields =
        HttpFields.builder()
            .add("content-type", "application/octet-stream")
            .add("user-agent", "tideover-load-tests")
            .build();
    AtomicReference<@Nullable Exception> failure = new AtomicReference<>();
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(
            Map.of(
                ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
                kafka.bootstrapServers(),
                ProducerConfig.LINGER_MS_CONFIG,
                20,
                ProducerConfig.BATCH_SIZE_CONFIG,
                256 * 1024),
            new ByteArraySerializer(),
            new ByteArraySerializer())) {
      for (int n = 0; n < records && failure.get() == null; n++) {
        RequestEnvelope request = request(n, keys.of(n), fields, body);
        int partition = Partitions.of(request.recordKey(), DrainScenario.PARTITIONS);
        var unused =
            producer.send(
                RequestCodec.encode(request, service + ".requests", partition),
                (metadata, error) -> {
                  if (error != null) {
                    failure.set(error);
                  }
                });
      }
    }
    Exception error = failure.get();
    if (error != null) {
      throw new BenchException("The requests could not be written: " + error, error);
    }
  }

  private RequestEnvelope request(int n, @Nullable String key, HttpFields fields, byte[] body) {
    RequestId id = new RequestId(mark, n);
    return new RequestEnvelope(
        id,
        new ReplyAddress(replyTopic, Partitions.of(id.toString(), DrainScenario.PARTITIONS)),
        Instant.now(),
        null,
        false,
        Fingerprint.of("POST", "/drain", null, "application/octet-stream", key, body),
        key,
        "POST",
        "/drain",
        "http",
        "localhost",
        fields,
        body);
  }

  /** What contenders are told. */
  String service() {
    return service;
  }

  /** Where the SDK's replies go, since the requests say so. */
  String replyTopic() {
    return replyTopic;
  }

  /** How many requests there are. */
  int records() {
    return records;
  }

  /** Which of the requests it is; -1 for none. */
  int numberOf(@Nullable RequestId id) {
    return id == null || id.high() != mark || id.low() < 0 || id.low() >= records
        ? -1
        : (int) id.low();
  }

  /** Removes all topics of the service, so that a run needs no more disk than its largest round. */
  void delete() throws BenchException, InterruptedException {
    try {
      Set<String> topics =
          new HashSet<>(kafka.admin().listTopics().names().get(BOUND_SECONDS, SECONDS));
      topics.removeIf(name -> !name.startsWith(service + ".") && !name.startsWith(service + "-"));
      kafka.admin().deleteTopics(topics).all().get(BOUND_SECONDS, SECONDS);
    } catch (ExecutionException | TimeoutException | KafkaException e) {
      throw new BenchException("The topics of a round could not be deleted: " + e, e);
    }
  }
}
