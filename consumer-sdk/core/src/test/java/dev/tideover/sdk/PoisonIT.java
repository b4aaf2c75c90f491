package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.internal.core.CommitNote;
import dev.tideover.sdk.internal.core.CommitNoteCodec;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Records, notes and entries that nobody of ours has written, on a real broker. */
@KafkaTest
@Timeout(120)
class PoisonIT {

  private final ConcurrentLinkedQueue<String> handled = new ConcurrentLinkedQueue<>();

  private TideoverConsumer start(TestService service) {
    return service
        .builder()
        .handler(
            request -> {
              handled.add(request.text() + "#" + request.attempt());
              return Outcome.reply(200);
            })
        .start();
  }

  private static ProducerRecord<byte[], byte[]> good(TestService service) {
    return service.record(service.request("k", "poison"));
  }

  private static ProducerRecord<byte[], byte[]> with(
      ProducerRecord<byte[], byte[]> record, byte @Nullable [] key, byte @Nullable [] value) {
    return new ProducerRecord<>(
        record.topic(), record.partition(), null, key, value, record.headers());
  }

  private static ProducerRecord<byte[], byte[]> headers(
      ProducerRecord<byte[], byte[]> record, Consumer<Headers> change) {
    change.accept(record.headers());
    return record;
  }

  @Test
  void whatCantBeReadIsADeadLetterAsItWasAndHoldsNobody(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    ProducerRecord<byte[], byte[]> manyHeaders = good(service);
    for (int n = 0; n < 10_000; n++) {
      manyHeaders.headers().add("h" + n, new byte[] {'x'});
    }
    List<ProducerRecord<byte[], byte[]>> poison =
        List.of(
            with(good(service), "k".getBytes(UTF_8), null),
            with(good(service), null, "poison".getBytes(UTF_8)),
            with(good(service), null, null),
            with(good(service), new byte[] {(byte) 0xFF}, "poison".getBytes(UTF_8)),
            new ProducerRecord<>(service.requests, 0, "k".getBytes(UTF_8), new byte[0]),
            headers(good(service), headers -> headers.remove("tideover-id")),
            headers(good(service), headers -> headers.remove("tideover-reply-to")),
            headers(good(service), headers -> headers.add(":method", "GET".getBytes(UTF_8))),
            headers(good(service), headers -> headers.add("tideover-v", "1".getBytes(UTF_8))),
            headers(good(service), headers -> headers.add("empty", null)),
            headers(good(service), headers -> headers.add("A B", new byte[0])),
            manyHeaders);
    try (TideoverConsumer consumer = start(service)) {
      List<RequestEnvelope> between = new ArrayList<>();
      for (ProducerRecord<byte[], byte[]> record : poison) {
        kafka.produce(record);
        between.add(service.send(service.request("k", "good")));
      }
      for (RequestEnvelope request : between) {
        assertThat(service.awaitReply(request).outcome()).isEqualTo(ReplyOutcome.COMPLETED);
      }
      TestService.await().until(() -> service.dead().size() == poison.size());
      List<ConsumerRecord<byte[], byte[]>> dead = new ArrayList<>(service.dead());
      dead.sort(
          Comparator.comparingInt(
              record ->
                  Integer.parseInt(
                      TestService.text(record, "tideover-dead-source").split("/")[2])));
      for (int n = 0; n < poison.size(); n++) {
        assertThat(dead.get(n).key()).isEqualTo(poison.get(n).key());
        assertThat(dead.get(n).value()).isEqualTo(poison.get(n).value());
        Header[] original = poison.get(n).headers().toArray();
        assertThat(List.of(dead.get(n).headers().toArray()).subList(0, original.length))
            .containsExactly(original);
        assertThat(TestService.text(dead.get(n), "tideover-dead-reason")).isEqualTo("malformed");
        assertThat(TestService.text(dead.get(n), "tideover-dead-attempts")).isEqualTo("0");
      }
      assertThat(handled).hasSize(between.size()).containsOnly("good#1");
      TestService.await().until(() -> service.committed(0) == 2L * poison.size());
      assertThat(service.replies()).hasSize(between.size());
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  @Test
  void anEmptyBodyIsAnOrdinaryRequest(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer = start(service)) {
      RequestEnvelope empty = service.send(service.request("k", ""));
      assertThat(service.awaitReply(empty).status()).isEqualTo(200);
      assertThat(handled).containsExactly("#1");
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void anUnknownVersionStopsItsPartitionAgainAfterARestartAndNothingBehindItIsSkipped(
      TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 2);
    RequestEnvelope before = service.send(service.onPartition(0, "before"));
    ProducerRecord<byte[], byte[]> future = service.record(service.onPartition(0, "future"));
    future.headers().remove("tideover-v").add("tideover-v", "2".getBytes(UTF_8));
    kafka.produce(future);
    RequestEnvelope behind = service.send(service.onPartition(0, "behind"));
    for (int start = 1; start <= 2; start++) {
      try (Logged logged = new Logged();
          TideoverConsumer consumer = start(service)) {
        RequestEnvelope other = service.send(service.onPartition(1, "other"));
        service.awaitReply(before);
        service.awaitReply(other);
        TestService.await().until(() -> consumer.stoppedPartitions().equals(Set.of(0)));
        assertThat(logged.lines(service, "-0 stops: offset 1: "))
            .singleElement()
            .asString()
            .contains(
                "tideover-v", "\"2\"", "until this service runs an SDK that knows the version");
        assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
      }
    }
    assertThat(service.committed(0)).isEqualTo(1);
    assertThat(handled).containsExactlyInAnyOrder("before#1", "other#1", "other#1");
    assertThat(service.replies()).doesNotContainKey(behind.id());
    assertThat(service.dead()).isEmpty();
  }

  @Test
  void whatStandsBesideTheCommittedOffsetAndIsNotOursIsIgnored(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    CommitNote skipping =
        new CommitNote(Uuid.randomUuid(), false, List.of(new CommitNote.OffsetRange(1_000, 2_000)));
    List<String> metadata =
        List.of(
            "",
            "somebody else's",
            "t1:",
            "t1:====",
            "t1:" + "A".repeat(4_000),
            "t2:" + CommitNoteCodec.encode(skipping, 5).substring(3),
            CommitNoteCodec.encode(skipping, 999)); // was written for another offset
    try (TideoverConsumer first = start(service)) {
      service.awaitReply(service.send(service.request("k", "first")));
      assertThat(first.failure()).isEmpty();
    }
    long offset = 1;
    for (String garbage : metadata) {
      kafka
          .admin()
          .alterConsumerGroupOffsets(
              service.name, Map.of(service.partition(0), new OffsetAndMetadata(offset, garbage)))
          .all()
          .get(30, TimeUnit.SECONDS);
      handled.clear();
      try (TideoverConsumer consumer = start(service)) {
        RequestEnvelope next = service.send(service.request("k", "next"));
        assertThat(service.awaitReply(next).status()).isEqualTo(200);
        assertThat(handled).as("after " + garbage).containsExactly("next#1");
        assertThat(consumer.stoppedPartitions()).isEmpty();
      }
      offset++;
      assertThat(service.committed(0)).isEqualTo(offset);
    }
  }

  @Test
  void entriesOfTheLedgerThatNobodyUnderstandsAreIgnored(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer first = start(service)) {
      service.awaitReply(service.send(service.request("k", "first")));
      assertThat(first.failure()).isEmpty();
    }
    byte[] noText = {(byte) 0xC3, 0x28};
    kafka.produce(
        entry(service, noText, noText),
        entry(service, noText, null),
        entry(service, "".getBytes(UTF_8), new byte[0]),
        entry(service, "what/is/this", new byte[0]),
        entry(service, "begun", "no header at all".getBytes(UTF_8)),
        attempts(service, "request/1", "1", "many", RequestId.random().toString()),
        attempts(service, "request/1", "9", "4", RequestId.random().toString()),
        attempts(service, "request/-1", "1", "4", RequestId.random().toString()),
        // Readable, but about another request than the one that is there.
        attempts(service, "request/1", "1", "4", RequestId.random().toString()));

    handled.clear();
    try (TideoverConsumer second = start(service)) {
      RequestEnvelope next = service.send(service.request("k", "next"));
      assertThat(service.awaitReply(next).attempts()).isEqualTo(1);
      assertThat(handled).containsExactly("next#1");
      assertThat(second.stoppedPartitions()).isEmpty();
      assertThat(service.dead()).isEmpty();
    }
  }

  private static ProducerRecord<byte[], byte[]> entry(
      TestService service, String key, byte @Nullable [] value) {
    return entry(service, key.getBytes(UTF_8), value);
  }

  private static ProducerRecord<byte[], byte[]> entry(
      TestService service, byte[] key, byte @Nullable [] value) {
    return new ProducerRecord<>(service.name + ".ledger", 0, key, value);
  }

  private static ProducerRecord<byte[], byte[]> attempts(
      TestService service, String key, String version, String attempts, String id) {
    ProducerRecord<byte[], byte[]> record = entry(service, key, new byte[0]);
    record
        .headers()
        .add("tideover-v", version.getBytes(UTF_8))
        .add("tideover-id", id.getBytes(UTF_8))
        .add("tideover-attempts", attempts.getBytes(UTF_8))
        .add("tideover-crashes", "2".getBytes(UTF_8))
        .add("tideover-start", "alone".getBytes(UTF_8))
        .add("tideover-by", "somebody".getBytes(UTF_8));
    return record;
  }
}
