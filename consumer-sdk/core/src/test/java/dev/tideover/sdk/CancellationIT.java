package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.Cancellation;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What clients don't want any more, on a real broker; the test does the gateway's part. */
@KafkaTest
@Timeout(120)
class CancellationIT {

  private final Queue<String> handled = new ConcurrentLinkedQueue<>();
  private final CountDownLatch started = new CountDownLatch(1);
  private final CountDownLatch release = new CountDownLatch(1);

  /** Notes each request; one whose content is {@code slow} takes until {@link #release}. */
  private Outcome handle(Request request) throws InterruptedException {
    handled.add(request.text());
    if (request.text().equals("slow")) {
      started.countDown();
      assertThat(release.await(60, TimeUnit.SECONDS)).isTrue();
    }
    return Outcome.reply(204);
  }

  /** As a gateway does it: into the ledger, and once that is acknowledged to the instances. */
  private static void cancel(TestService service, RequestEnvelope request, RecordMetadata at) {
    Cancellation cancellation = new Cancellation(at.partition(), at.offset(), request.id());
    service.kafka.produce(cancellation.toLedger(service.name + ".ledger"));
    service.kafka.produce(cancellation.toMembers(service.name + ".members"));
  }

  private static RecordMetadata append(TestService service, RequestEnvelope request) {
    return service.kafka.produce(service.record(request)).get(0);
  }

  @Test
  void whatWaitsBehindASlowOneIsAnsweredAtOnceAndNeverBegins(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    SimpleMeterRegistry meters = new SimpleMeterRegistry();
    RequestEnvelope slow = service.request("k", "slow");
    RequestEnvelope cancelled = service.request("k", "cancelled");
    RequestEnvelope behind = service.request("k", "behind");
    try (TideoverConsumer consumer =
        service.startAlone(service.builder().meters(meters).handler(this::handle))) {
      append(service, slow);
      RecordMetadata place = append(service, cancelled);
      append(service, behind);
      assertThat(started.await(30, TimeUnit.SECONDS)).isTrue();

      cancel(service, cancelled, place);

      ReplyEnvelope reply = service.awaitReply(cancelled);
      assertThat(reply.outcome()).isEqualTo(ReplyOutcome.CANCELLED);
      assertThat(reply.attempts()).isZero();
      assertThat(reply.fingerprint()).isEqualTo(cancelled.fingerprint());
      assertThat(service.replies()).doesNotContainKeys(slow.id(), behind.id());
      release.countDown();
      assertThat(service.awaitReply(slow).outcome()).isEqualTo(ReplyOutcome.COMPLETED);
      assertThat(service.awaitReply(behind).outcome()).isEqualTo(ReplyOutcome.COMPLETED);
      assertThat(meters.get("tideover.sdk.cancelled").counter().count()).isEqualTo(1);
      assertThat(consumer.failure()).isEmpty();
      // Once the offset is committed the ledger has nothing about it any more.
      TestService.await().until(() -> service.committed(0) == 3);
      TestService.await().until(() -> rememberedCancellations(service) == 0);
    }
    try (TideoverConsumer again = service.startAlone(service.builder().handler(this::handle))) {
      RequestEnvelope last = service.send(service.request("k", "last"));
      service.awaitReply(last);
      assertThat(again.failure()).isEmpty();
    }
    assertThat(handled).containsExactly("slow", "behind", "last");
    assertThat(service.dead()).isEmpty();
  }

  /** Entries about cancelled requests, wishes and decisions, that aren't forgotten. */
  private static long rememberedCancellations(TestService service) {
    Map<String, Boolean> remembered = new HashMap<>();
    for (ConsumerRecord<byte[], byte[]> record : service.kafka.readAll(service.name + ".ledger")) {
      String key = new String(record.key(), UTF_8);
      if (key.startsWith("cancel")) {
        remembered.put(key, record.value() != null);
      }
    }
    assertThat(remembered).hasSize(2);
    return remembered.values().stream().filter(present -> present).count();
  }

  @Test
  void whatIsCancelledWhileTheServiceIsDownNeverBegins(TestKafka kafka) {
    TestService service = new TestService(kafka, 2);
    service.startAlone(service.builder().handler(this::handle)).close();
    RequestEnvelope cancelled = service.onPartition(1, "cancelled");
    RequestEnvelope wanted = service.onPartition(1, "wanted");
    RequestEnvelope another = service.onPartition(0, "another");
    RecordMetadata place = append(service, cancelled);
    append(service, wanted);
    append(service, another);

    cancel(service, cancelled, place);
    // One for an id that isn't that of the record at its offset means nothing.
    RequestEnvelope unknown = service.request(null, "unknown");
    cancel(service, unknown, new RecordMetadata(service.partition(0), 0, 0, 0, 0, 0));

    try (TideoverConsumer consumer = service.startAlone(service.builder().handler(this::handle))) {
      assertThat(service.awaitReply(cancelled).outcome()).isEqualTo(ReplyOutcome.CANCELLED);
      assertThat(service.awaitReply(wanted).outcome()).isEqualTo(ReplyOutcome.COMPLETED);
      assertThat(service.awaitReply(another).outcome()).isEqualTo(ReplyOutcome.COMPLETED);
      assertThat(consumer.failure()).isEmpty();
    }
    assertThat(handled).containsExactlyInAnyOrder("wanted", "another");
  }

  @Test
  void whatHasBegunEndsAsUsual(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    RequestEnvelope slow = service.request("k", "slow");
    RequestEnvelope marker = service.request("k", "marker");
    try (TideoverConsumer consumer = service.startAlone(service.builder().handler(this::handle))) {
      RecordMetadata place = append(service, slow);
      RecordMetadata markerPlace = append(service, marker);
      assertThat(started.await(30, TimeUnit.SECONDS)).isTrue();

      cancel(service, slow, place);
      // The notices are heard in their order, so when this one has come of it the first was heard.
      cancel(service, marker, markerPlace);
      assertThat(service.awaitReply(marker).outcome()).isEqualTo(ReplyOutcome.CANCELLED);
      release.countDown();

      assertThat(service.awaitReply(slow).outcome()).isEqualTo(ReplyOutcome.COMPLETED);
      assertThat(consumer.failure()).isEmpty();
    }
    assertThat(handled).containsExactly("slow");
    assertThat(service.replies().get(slow.id())).hasSize(1);
  }

  /** Its offset isn't committed, since one before it hasn't ended. */
  @Test
  void whatWasAnsweredAsCancelledDoesNotBeginAfterACrash(TestKafka kafka, @TempDir Path directory)
      throws Exception {
    TestService service = new TestService(kafka, 1);
    RequestEnvelope stuck = service.request("k", "crowd 1");
    RequestEnvelope cancelled = service.request("k", "ok cancelled");
    try (ScriptedProcess process =
        ScriptedProcess.start(service, directory, OnExhausted.CONTINUE, 1)) {
      append(service, stuck);
      RecordMetadata place = append(service, cancelled);
      TestService.await().until(() -> process.calls().contains("crowd 1 #1"));
      cancel(service, cancelled, place);
      assertThat(service.awaitReply(cancelled).outcome()).isEqualTo(ReplyOutcome.CANCELLED);
      process.kill();
      assertThat(process.calls()).containsExactly("crowd 1 #1");
    }
    assertThat(service.committed(0)).isZero();

    try (TideoverConsumer next =
        service.builder().instance("orders-1").handler(this::handle).start()) {
      assertThat(service.awaitReply(stuck).outcome()).isEqualTo(ReplyOutcome.COMPLETED);
      TestService.await().until(() -> service.committed(0) == 2);
      assertThat(next.failure()).isEmpty();
    }
    assertThat(handled).containsExactly("crowd 1");
    List<ReplyEnvelope> answers = service.replies().get(cancelled.id());
    assertThat(answers).allMatch(reply -> reply.outcome() == ReplyOutcome.CANCELLED);
  }
}
