package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.Cancellation;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Requests with an Idempotency-Key that come more than once, on a real broker. */
@KafkaTest
@Timeout(120)
class IdempotencyIT {

  private final Queue<String> handled = new ConcurrentLinkedQueue<>();
  private final CountDownLatch started = new CountDownLatch(1);
  private final CountDownLatch release = new CountDownLatch(1);

  /** Notes each request and says what it was; see the cases. */
  private Outcome handle(Request request) throws InterruptedException {
    handled.add(request.text());
    switch (request.text()) {
      case "slow" -> {
        started.countDown();
        assertThat(release.await(30, TimeUnit.SECONDS)).isTrue();
      }
      case "second time lucky" -> {
        if (request.attempt() == 1) {
          return Outcome.retry(Duration.ofMillis(300));
        }
      }
      case "bad" -> {
        return Outcome.deadLetter("never");
      }
      default -> {}
    }
    return Outcome.reply(201).text(request.text());
  }

  @Test
  void aResendIsADuplicateOfTheFirstReplyAndAnotherRequestUnderTheSameKeyAMismatch(
      TestKafka kafka) {
    TestService service = new TestService(kafka, 3);
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    try (TideoverConsumer consumer =
        service.builder().handler(this::handle).meters(registry).start()) {
      RequestEnvelope first = service.send(service.keyed(RequestId.random(), null, "one"));
      assertThat(service.awaitReply(first).outcome()).isEqualTo(ReplyOutcome.COMPLETED);

      service.send(first);
      awaitReplies(service, first.id(), 2);
      service.send(service.keyed(first.id(), null, "two"));
      awaitReplies(service, first.id(), 3);
      service.send(first);

      List<ReplyEnvelope> replies = awaitReplies(service, first.id(), 4);
      assertThat(replies)
          .extracting(ReplyEnvelope::outcome)
          .containsExactly(
              ReplyOutcome.COMPLETED,
              ReplyOutcome.DUPLICATE,
              ReplyOutcome.MISMATCH,
              ReplyOutcome.DUPLICATE);
      assertThat(replies.get(1).original()).isEqualTo(offsetOfFirstReply(service, first.id()));
      assertThat(replies.get(3).original()).isEqualTo(replies.get(1).original());
      assertThat(replies.get(2).original()).isEqualTo(ReplyEnvelope.NONE);
      assertThat(handled).containsExactly("one");
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
      assertThat(registry.get("tideover.sdk.duplicates").counter().count()).isEqualTo(2);
      assertThat(registry.get("tideover.sdk.mismatches").counter().count()).isEqualTo(1);
    }
  }

  @Tag("long")
  @Test
  void aRequestWithoutAnIdempotencyKeyIsHandledAsOftenAsItComes(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer = service.startAlone(service.builder().handler(this::handle))) {
      RequestEnvelope request = service.send(service.request(null, "one"));
      service.awaitReply(request);
      service.send(request);

      assertThat(awaitReplies(service, request.id(), 2))
          .extracting(ReplyEnvelope::outcome)
          .containsOnly(ReplyOutcome.COMPLETED);
      assertThat(handled).containsExactly("one", "one");
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
    assertThat(batches(service)).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Ordering.class)
  void aResendThatComesWhileTheFirstIsInItsHandlerWaitsForItsEnd(Ordering ordering, TestKafka kafka)
      throws InterruptedException {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer =
        service.startAlone(service.builder().ordering(ordering).handler(this::handle))) {
      String key = ordering == Ordering.NONE ? "k" : null;
      RequestEnvelope first = service.send(service.keyed(RequestId.random(), key, "slow"));
      assertThat(started.await(30, TimeUnit.SECONDS)).isTrue();
      service.send(first);
      service.send(service.keyed(first.id(), key, "other"));
      if (ordering != Ordering.PARTITION) {
        // It is behind both, and is not held up by them.
        service.awaitReply(service.send(service.request(key, "behind")));
      }
      assertThat(service.replies()).doesNotContainKey(first.id());
      release.countDown();

      assertThat(awaitReplies(service, first.id(), 3))
          .extracting(ReplyEnvelope::outcome)
          .containsExactly(ReplyOutcome.COMPLETED, ReplyOutcome.DUPLICATE, ReplyOutcome.MISMATCH);
      assertThat(handled).containsOnlyOnce("slow").doesNotContain("other");
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  @Test
  void aResendThatComesBetweenTwoAttemptsWaitsForTheLast(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer = service.startAlone(service.builder().handler(this::handle))) {
      RequestEnvelope first =
          service.send(service.keyed(RequestId.random(), null, "second time lucky"));
      service.send(first);

      List<ReplyEnvelope> replies = awaitReplies(service, first.id(), 2);
      assertThat(replies)
          .extracting(ReplyEnvelope::outcome)
          .containsExactly(ReplyOutcome.COMPLETED, ReplyOutcome.DUPLICATE);
      assertThat(replies.get(0).attempts()).isEqualTo(2);
      assertThat(handled).hasSize(2);
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  @Tag("long")
  @Test
  void aResendOfADeadOrParkedRequestIsADuplicateOfItsFailure(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer =
        service.startAlone(
            service.builder().onExhausted(OnExhausted.PARK_KEY).handler(this::handle))) {
      RequestEnvelope dead = service.send(service.keyed(RequestId.random(), "k", "bad"));
      RequestEnvelope parked = service.send(service.keyed(RequestId.random(), "k", "parked"));
      awaitReplies(service, parked.id(), 1);
      for (RequestEnvelope each : List.of(dead, parked)) {
        service.send(each);
        List<ReplyEnvelope> replies = awaitReplies(service, each.id(), 2);
        assertThat(replies)
            .extracting(ReplyEnvelope::outcome)
            .containsExactly(ReplyOutcome.DEAD, ReplyOutcome.DUPLICATE);
        assertThat(replies.get(1).original()).isEqualTo(offsetOfFirstReply(service, each.id()));
      }
      // One without an ordering key has a lane by its id, and no key that could be parked.
      RequestEnvelope keyless = service.send(service.keyed(RequestId.random(), null, "bad"));
      service.send(keyless);
      assertThat(awaitReplies(service, keyless.id(), 2))
          .extracting(ReplyEnvelope::outcome)
          .containsExactly(ReplyOutcome.DEAD, ReplyOutcome.DUPLICATE);

      assertThat(handled).containsExactly("bad", "bad");
      assertThat(service.dead()).hasSize(3);
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  @Test
  void aCancelledResendDoesNotHideThatTheFirstHasBegun(TestKafka kafka)
      throws InterruptedException {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer = service.startAlone(service.builder().handler(this::handle))) {
      RequestEnvelope first = service.send(service.keyed(RequestId.random(), null, "slow"));
      assertThat(started.await(30, TimeUnit.SECONDS)).isTrue();
      long offset = kafka.produce(service.record(first)).get(0).offset();
      Cancellation cancellation = new Cancellation(0, offset, first.id());
      kafka.produce(cancellation.toLedger(service.name + ".ledger"));
      kafka.produce(cancellation.toMembers(service.name + ".members"));
      TestService.await()
          .until(
              () ->
                  ledger(service, Cancellation.ledgerKey(offset))
                      .anyMatch(record -> record.value() == null));
      release.countDown();

      assertThat(awaitReplies(service, first.id(), 2))
          .extracting(ReplyEnvelope::outcome)
          .containsExactly(ReplyOutcome.COMPLETED, ReplyOutcome.DUPLICATE);
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  @Test
  void aResendIsRecognisedAfterARestartWithAnotherVersion(TestKafka kafka) {
    TestService service = new TestService(kafka, 2);
    List<RequestEnvelope> requests = new ArrayList<>();
    try (TideoverConsumer consumer = service.startAlone(service.builder().handler(this::handle))) {
      for (int n = 0; n < 20; n++) {
        requests.add(service.send(service.keyed(RequestId.random(), n % 2 == 0 ? "k" : null, "x")));
      }
      requests.forEach(service::awaitReply);
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
    try (TideoverConsumer next =
        service.startAlone(service.builder().version("v2").handler(this::handle))) {
      assertAllRecognised(service, requests);
      assertThat(next.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  @Tag("long")
  @Test
  void aResendIsRecognisedByWhoeverHasThePartitionAfterARebalance(TestKafka kafka) {
    TestService service = new TestService(kafka, 4);
    try (TideoverConsumer one = service.startAlone(service.builder().handler(this::handle))) {
      List<RequestEnvelope> requests = new ArrayList<>();
      for (int n = 0; n < 40; n++) {
        requests.add(service.send(service.keyed(RequestId.random(), null, "x")));
      }
      requests.forEach(service::awaitReply);
      try (TideoverConsumer other = service.builder().handler(this::handle).start()) {
        TestService.await()
            .until(() -> one.partitions().size() == 2 && other.partitions().size() == 2);
        assertAllRecognised(service, requests);
      }
    }
  }

  @Tag("long")
  @Test
  void aResendIsRecognisedAfterACrashBehindTheCommit(TestKafka kafka, @TempDir Path directory)
      throws Exception {
    TestService service = new TestService(kafka, 1);
    Path log = directory.resolve("service.log");
    Process first = ServiceProcess.start(service, log);
    Process second = null;
    try {
      List<RequestEnvelope> requests = new ArrayList<>();
      for (int n = 0; n < 10; n++) {
        requests.add(service.send(service.keyed(RequestId.random(), null, "x")));
      }
      requests.forEach(service::awaitReply);
      TestService.await().until(() -> service.committed(0) == 10);
      ServiceProcess.kill(first);
      Map<String, Long> firstReplies = offsetsOfFirstReplies(service);
      requests.forEach(service::send);
      second = ServiceProcess.start(service, log);

      for (RequestEnvelope request : requests) {
        List<ReplyEnvelope> replies = awaitReplies(service, request.id(), 2);
        assertThat(replies.get(0).outcome()).isEqualTo(ReplyOutcome.COMPLETED);
        assertThat(new String(replies.get(0).body(), UTF_8)).isEqualTo("" + first.pid());
        assertThat(replies.get(1).outcome()).isEqualTo(ReplyOutcome.DUPLICATE);
        assertThat(replies.get(1).original()).isEqualTo(firstReplies.get(request.id().toString()));
      }
    } finally {
      ServiceProcess.kill(first);
      if (second != null) {
        ServiceProcess.kill(second);
      }
    }
  }

  @Tag("long")
  @Test
  void onceItsWindowIsOverARequestIsHandledAgainAndTheLedgerForgetsIt(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    ConsumerBuilder builder = service.builder().handler(this::handle);
    builder.idempotencyWindow = Duration.ofSeconds(3);
    try (TideoverConsumer consumer = service.startAlone(builder)) {
      RequestEnvelope request = service.send(service.keyed(RequestId.random(), null, "one"));
      service.awaitReply(request);
      service.send(request);
      assertThat(awaitReplies(service, request.id(), 2).get(1).outcome())
          .isEqualTo(ReplyOutcome.DUPLICATE);
      TestService.await().until(() -> !batches(service).isEmpty());
      TestService.await().until(() -> batches(service).stream().anyMatch(b -> b.value() == null));

      service.send(request);
      assertThat(awaitReplies(service, request.id(), 3).get(2).outcome())
          .isEqualTo(ReplyOutcome.COMPLETED);
      assertThat(handled).containsExactly("one", "one");
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  private void assertAllRecognised(TestService service, List<RequestEnvelope> requests) {
    Map<String, Long> firstReplies = offsetsOfFirstReplies(service);
    requests.forEach(service::send);
    for (RequestEnvelope request : requests) {
      List<ReplyEnvelope> replies = awaitReplies(service, request.id(), 2);
      assertThat(replies)
          .extracting(ReplyEnvelope::outcome)
          .containsExactly(ReplyOutcome.COMPLETED, ReplyOutcome.DUPLICATE);
      assertThat(replies.get(1).original()).isEqualTo(firstReplies.get(request.id().toString()));
    }
    assertThat(handled).hasSize(requests.size());
    RequestEnvelope first = requests.get(0);
    service.send(service.keyed(first.id(), first.orderingKey(), "another"));
    assertThat(awaitReplies(service, first.id(), 3).get(2).outcome())
        .isEqualTo(ReplyOutcome.MISMATCH);
    assertThat(handled).hasSize(requests.size());
  }

  private static List<ReplyEnvelope> awaitReplies(TestService service, RequestId id, int count) {
    return TestService.await()
        .until(() -> service.replies().getOrDefault(id, List.of()), list -> list.size() >= count);
  }

  private static long offsetOfFirstReply(TestService service, RequestId id) {
    return offsetsOfFirstReplies(service).get(id.toString());
  }

  private static Map<String, Long> offsetsOfFirstReplies(TestService service) {
    Map<String, Long> offsets = new HashMap<>();
    for (ConsumerRecord<byte[], byte[]> record : service.kafka.readAll(service.replies)) {
      offsets.putIfAbsent(new String(record.key(), UTF_8), record.offset());
    }
    return offsets;
  }

  private static List<ConsumerRecord<byte[], byte[]>> batches(TestService service) {
    return ledger(service, "finished/").toList();
  }

  private static Stream<ConsumerRecord<byte[], byte[]>> ledger(TestService service, String key) {
    return service.kafka.readAll(service.name + ".ledger").stream()
        .filter(record -> new String(record.key(), UTF_8).startsWith(key));
  }
}
