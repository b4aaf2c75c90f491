package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of the requests behind one that has failed for good, on a real broker. */
@KafkaTest
@Timeout(120)
class ParkedKeysIT {

  private final ConcurrentLinkedQueue<String> handled = new ConcurrentLinkedQueue<>();

  /** Requests whose content begins with {@code fail} fail until this. */
  private final AtomicBoolean repaired = new AtomicBoolean();

  private TideoverConsumer start(TestService service) {
    return service
        .builder()
        .instance("orders-1")
        .attempts(2)
        .onExhausted(OnExhausted.PARK_KEY)
        .handler(
            request -> {
              handled.add(request.text());
              if (request.text().startsWith("fail") && !repaired.get()) {
                throw new IllegalStateException("broken");
              }
              return Outcome.reply(200);
            })
        .start();
  }

  private static ReplyEnvelope lastReply(TestService service, RequestEnvelope request, int count) {
    return TestService.await()
        .until(
            () -> service.replies().getOrDefault(request.id(), List.of()),
            replies -> replies.size() == count)
        .get(count - 1);
  }

  private static void assertDead(TestService service, String... contentAndReason) {
    assertThat(service.dead())
        .extracting(
            dead ->
                new String(dead.value(), java.nio.charset.StandardCharsets.UTF_8)
                    + " "
                    + TestService.text(dead, "tideover-dead-reason"))
        .containsExactly(contentAndReason);
  }

  @Test
  void aParkedKeyIsFreeOnceTheFailedOneHasBeenAppendedAgainAndHandled(TestKafka kafka) {
    TestService service = new TestService(kafka, 2);
    try (TideoverConsumer consumer = start(service)) {
      RequestEnvelope a = service.request("k", "fail-a");
      RequestEnvelope b = service.request("k", "b");
      RequestEnvelope c = service.request("k", "c");
      RequestEnvelope other = service.request("other", "d");
      kafka.produce(service.record(a), service.record(b), service.record(c), service.record(other));

      assertThat(service.awaitReply(other).status()).isEqualTo(200);
      for (RequestEnvelope request : List.of(a, b, c)) {
        assertThat(service.awaitReply(request).outcome()).isEqualTo(ReplyOutcome.DEAD);
      }
      assertThat(service.awaitReply(a).attempts()).isEqualTo(2);
      assertThat(service.awaitReply(b).attempts()).isZero();
      assertDead(service, "fail-a failed", "b parked", "c parked");
      assertThat(handled).containsExactlyInAnyOrder("fail-a", "fail-a", "d");
      List<ConsumerRecord<byte[], byte[]>> dead = service.dead();
      assertThat(TestService.text(dead.get(1), "tideover-dead-error")).contains(a.id().toString());

      // Appended again before what it failed by is repaired, it blocks its key still.
      kafka.produce(service.again(dead.get(0)), service.again(dead.get(1)));
      assertThat(lastReply(service, b, 2).outcome()).isEqualTo(ReplyOutcome.DEAD);
      assertDead(service, "fail-a failed", "b parked", "c parked", "fail-a failed", "b parked");

      repaired.set(true);
      handled.clear();
      kafka.produce(
          service.again(dead.get(0)), service.again(dead.get(1)), service.again(dead.get(2)));
      assertThat(lastReply(service, c, 2).status()).isEqualTo(200);
      assertThat(lastReply(service, a, 3).status()).isEqualTo(200);
      assertThat(lastReply(service, b, 3).status()).isEqualTo(200);
      RequestEnvelope later = service.send(service.request("k", "e"));
      assertThat(service.awaitReply(later).status()).isEqualTo(200);
      assertThat(handled).containsExactly("fail-a", "b", "c", "e");
      assertThat(consumer.failure()).isEmpty();
    }
    // It is free for those who come next, too.
    try (TideoverConsumer next = start(service)) {
      RequestEnvelope last = service.send(service.request("k", "f"));
      assertThat(service.awaitReply(last).status()).isEqualTo(200);
      assertThat(service.dead()).hasSize(5);
      assertThat(next.failure()).isEmpty();
    }
  }

  @Test
  void aParkedKeyStaysParkedThroughAKillAndIsFreedThereafter(
      TestKafka kafka, @TempDir Path directory) throws Exception {
    TestService service = new TestService(kafka, 1);
    RequestEnvelope a = service.send(service.request("k", "fail-a"));
    RequestEnvelope b = service.send(service.request("k", "ok b"));
    try (ScriptedProcess first = ScriptedProcess.start(service, directory, OnExhausted.PARK_KEY)) {
      assertThat(service.awaitReply(b).outcome()).isEqualTo(ReplyOutcome.DEAD);
      assertThat(first.calls()).doesNotContain("ok b #1");
      // What isn't committed is handled again, dead letters as well; this is about the key.
      TestService.await().until(() -> service.committed(0) == 2);
    }

    try (TideoverConsumer second = start(service)) {
      RequestEnvelope c = service.send(service.request("k", "c"));
      assertThat(service.awaitReply(c).outcome()).isEqualTo(ReplyOutcome.DEAD);
      assertDead(service, "fail-a failed", "ok b parked", "c parked");
      assertThat(handled).isEmpty();
      assertThat(second.failure()).isEmpty();
    }

    repaired.set(true);
    service.dead().forEach(dead -> kafka.produce(service.again(dead)));
    try (TideoverConsumer third = start(service)) {
      RequestEnvelope d = service.send(service.request("k", "d"));
      assertThat(service.awaitReply(d).status()).isEqualTo(200);
      assertThat(handled).containsExactly("fail-a", "ok b", "c", "d");
      assertThat(lastReply(service, a, 2).status()).isEqualTo(200);
      assertThat(service.dead()).hasSize(3);
      assertThat(third.failure()).isEmpty();
    }
  }
}
