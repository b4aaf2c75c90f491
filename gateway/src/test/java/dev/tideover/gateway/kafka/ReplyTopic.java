package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.Partitions;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;

/** A reply topic of one test, written to as services do. */
final class ReplyTopic {

  static final int PARTITIONS = 4;

  final String name;
  private final TestKafka kafka;

  ReplyTopic(TestKafka kafka) {
    this.kafka = kafka;
    this.name = kafka.createTopic(kafka.uniqueName("replies"), PARTITIONS);
  }

  GatewayConfig config(int index, Duration retention) {
    return ConfigFile.parse(
        """
        kafka: { bootstrap-servers: "%s" }
        replies: { topic: %s, partitions: %d, retention: %ds, index: %d }
        services: { app: { routes: [ { path: /**, wait: 1s } ] } }
        """
            .formatted(kafka.bootstrapServers(), name, PARTITIONS, retention.toSeconds(), index),
        "test",
        variable -> null);
  }

  /** A store that nobody listens to, standing at the end. */
  ReplyStore store() throws Exception {
    return store(config(100_000, Duration.ofHours(1)), new Silence());
  }

  static ReplyStore store(GatewayConfig config, ReplyFeed.Listener listener) throws Exception {
    ReplyStore store = ReplyStore.start(config, listener);
    store.ready().toCompletableFuture().get(20, TimeUnit.SECONDS);
    return store;
  }

  static ReplyStore filled(ReplyStore store) throws Exception {
    store.filled().toCompletableFuture().get(60, TimeUnit.SECONDS);
    return store;
  }

  /** Writes one reply for each id, written at the same time, and waits for all. */
  void write(Instant at, RequestId... ids) throws Exception {
    List<Future<RecordMetadata>> sends = new ArrayList<>();
    for (RequestId id : ids) {
      sends.add(send(at, id, "reply to " + id, null));
    }
    kafka.producer().flush();
    for (Future<RecordMetadata> send : sends) {
      send.get(30, TimeUnit.SECONDS);
    }
  }

  /** Writes as many, the first one the longest ago. */
  RequestId[] write(int count, Instant from, Instant to) throws Exception {
    RequestId[] ids = new RequestId[count];
    Future<RecordMetadata> last = null;
    for (int i = 0; i < count; i++) {
      ids[i] = RequestId.random();
      last = send(at(i, count, from, to), ids[i], "reply " + i, null);
    }
    kafka.producer().flush();
    last.get(30, TimeUnit.SECONDS);
    return ids;
  }

  static Instant at(int i, int count, Instant from, Instant to) {
    return from.plus(Duration.between(from, to).multipliedBy(i).dividedBy(count));
  }

  Future<RecordMetadata> send(Instant at, RequestId id, String body, Callback callback) {
    return send(at, completed(id, body), callback);
  }

  private static ReplyEnvelope completed(RequestId id, String body) {
    return new ReplyEnvelope(
        id,
        new Fingerprint(1, 2),
        ReplyOutcome.COMPLETED,
        "app/v1/1",
        1,
        ReplyEnvelope.NONE,
        200,
        HttpFields.of("content-type", "text/plain"),
        body.getBytes(UTF_8));
  }

  /** Writes that a request has failed. */
  long dead(Instant at, RequestId id) throws Exception {
    return without(at, id, ReplyOutcome.DEAD, ReplyEnvelope.NONE)
        .get(30, TimeUnit.SECONDS)
        .offset();
  }

  /** Writes the reply to a request that an operator had replayed so often. */
  long replayed(Instant at, RequestId id, int replay, String body) throws Exception {
    return send(at, completed(id, body).withReplay(replay), null)
        .get(30, TimeUnit.SECONDS)
        .offset();
  }

  /** Writes what a service says to a resend that it has recognised; the offset of that. */
  long duplicate(Instant at, RequestId id, long original) throws Exception {
    return duplicateLater(at, id, original).get(30, TimeUnit.SECONDS).offset();
  }

  Future<RecordMetadata> duplicateLater(Instant at, RequestId id, long original) {
    return without(at, id, ReplyOutcome.DUPLICATE, original);
  }

  /** Writes what a service says to another request under the id; the offset of that. */
  long mismatch(Instant at, RequestId id) throws Exception {
    return without(at, id, ReplyOutcome.MISMATCH, ReplyEnvelope.NONE)
        .get(30, TimeUnit.SECONDS)
        .offset();
  }

  private Future<RecordMetadata> without(
      Instant at, RequestId id, ReplyOutcome outcome, long original) {
    ReplyEnvelope reply =
        new ReplyEnvelope(
            id,
            new Fingerprint(1, 2),
            outcome,
            "app/v1/1",
            0,
            original,
            ReplyEnvelope.NONE,
            HttpFields.EMPTY,
            new byte[0]);
    return send(at, reply, null);
  }

  private Future<RecordMetadata> send(Instant at, ReplyEnvelope reply, Callback callback) {
    RequestId id = reply.id();
    ProducerRecord<byte[], byte[]> record =
        ReplyCodec.encode(reply, new ReplyAddress(name, partition(id)));
    return kafka
        .producer()
        .send(
            new ProducerRecord<>(
                name,
                record.partition(),
                at.toEpochMilli(),
                record.key(),
                record.value(),
                record.headers()),
            callback);
  }

  static int partition(RequestId id) {
    return Partitions.of(id.toString(), PARTITIONS);
  }

  /** Deletes all records that are there. */
  void deleteRecords() throws Exception {
    Map<TopicPartition, RecordsToDelete> all = new java.util.HashMap<>();
    for (int partition = 0; partition < PARTITIONS; partition++) {
      all.put(new TopicPartition(name, partition), RecordsToDelete.beforeOffset(-1));
    }
    kafka.admin().deleteRecords(all).all().get(30, TimeUnit.SECONDS);
  }

  void deleteRecords(int partition, long before) throws Exception {
    kafka
        .admin()
        .deleteRecords(
            Map.of(new TopicPartition(name, partition), RecordsToDelete.beforeOffset(before)))
        .all()
        .get(30, TimeUnit.SECONDS);
  }

  void deleteTopic() throws Exception {
    kafka.admin().deleteTopics(List.of(name)).all().get(30, TimeUnit.SECONDS);
  }

  /** Nobody. */
  static class Silence implements ReplyFeed.Listener {
    @Override
    public void onReply(ReplyEnvelope reply, boolean replayed) {}

    @Override
    public void onUnreadable(RequestId id) {}

    @Override
    public void onOriginalMissing(RequestId id, ReplyStore.Lookup why) {}

    @Override
    public boolean awaits(RequestId id) {
      return false;
    }
  }
}
