package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.Inbox.Standing;
import dev.tideover.sdk.testing.ManualConsumer;
import dev.tideover.sdk.testing.SettableClock;
import dev.tideover.sdk.testing.TestRequest;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** When the engine asks an inbox, and what it makes of each answer. */
class InboxHooksTest {

  private static final Duration HOUR = Duration.ofHours(1);
  private static final Duration SECOND = Duration.ofSeconds(1);
  private static final Reply STORED = Outcome.reply(201).header("x-a", "1").text("stored");

  private final SettableClock clock = new SettableClock(Instant.parse("2026-01-01T00:00:00Z"));
  private final ScriptedInbox inbox = new ScriptedInbox();
  private final List<String> handled = new ArrayList<>();

  private ManualConsumer start(RequestHandler handler) {
    return ManualConsumer.start(builder(handler), clock);
  }

  private ConsumerBuilder builder(RequestHandler handler) {
    return Tideover.service("orders")
        .inbox(inbox)
        .attempts(2)
        .backoff(new Backoff(SECOND, SECOND))
        .handler(
            request -> {
              handled.add(request.text());
              return handler.handle(request);
            });
  }

  private static TestRequest request(String text) {
    return TestRequest.of("POST", "/orders").key("k").text(text);
  }

  private static void assertStored(ReplyEnvelope reply) {
    assertThat(reply.outcome()).isEqualTo(ReplyOutcome.COMPLETED);
    assertThat(reply.status()).isEqualTo(201);
    assertThat(reply.fields()).isEqualTo(STORED.fields());
    assertThat(reply.body()).isEqualTo(STORED.body());
  }

  @Test
  void itIsAskedBeforeTheHandlerAndToldOfItsReplyAfterIt() {
    try (ManualConsumer consumer =
        start(
            request -> {
              inbox.asked.add("handle " + request.text());
              assertThat(request.fingerprint()).matches("[0-9a-f]{32}");
              assertThat(request.replay()).isZero();
              return Outcome.reply(204);
            })) {
      String id = consumer.deliver(request("a"));
      consumer.tick();
      assertThat(consumer.reply(id).orElseThrow().status()).isEqualTo(204);
      assertThat(inbox.asked).containsExactly("start a", "handle a", "complete a");
    }
  }

  @Test
  void whatHasBeenHandledIsAnsweredWithTheStoredReply() {
    inbox.onStart = new Standing.Completed(STORED);
    try (ManualConsumer consumer = start(request -> Outcome.reply(500))) {
      String id = consumer.deliver(request("a"));
      consumer.tick();
      consumer.tick(SECOND);
      assertStored(consumer.reply(id).orElseThrow());
      assertThat(handled).isEmpty();
      assertThat(consumer.committed()).isEqualTo(1);
    }
  }

  @Test
  void aReplyThatCameTooLateIsReplacedByTheOneThatStands() {
    inbox.onComplete = new Standing.Completed(STORED);
    try (ManualConsumer consumer = start(request -> Outcome.reply(500))) {
      String id = consumer.deliver(request("a"));
      consumer.tick();
      assertStored(consumer.reply(id).orElseThrow());
    }
  }

  @Test
  void anotherRequestUnderTheSameIdIsAMismatchAndNeitherHandledNorDead() {
    inbox.onStart = new Standing.Mismatch();
    try (ManualConsumer consumer = start(request -> Outcome.reply(204))) {
      String id = consumer.deliver(request("a"));
      consumer.tick();
      consumer.tick(SECOND);
      assertThat(consumer.reply(id).orElseThrow().outcome()).isEqualTo(ReplyOutcome.MISMATCH);
      assertThat(handled).isEmpty();
      assertThat(consumer.deadLetters()).isEmpty();
      assertThat(consumer.committed()).isEqualTo(1);
    }
  }

  @Test
  void whatHasFailedForGoodIsADeadLetterAgain() {
    inbox.onStart = new Standing.Dead();
    try (ManualConsumer consumer = start(request -> Outcome.reply(204))) {
      String id = consumer.deliver(request("a"));
      consumer.tick();
      consumer.tick(SECOND);
      assertThat(consumer.reply(id).orElseThrow().outcome()).isEqualTo(ReplyOutcome.DEAD);
      assertThat(consumer.deadLetters())
          .singleElement()
          .satisfies(dead -> assertThat(dead.error()).contains("tideover-replay"));
      assertThat(handled).isEmpty();
      assertThat(consumer.committed()).isEqualTo(1);
    }
  }

  @Test
  void aRunThatAnOperatorHasReplacedEndsSilently() {
    inbox.onStart = new Standing.Superseded();
    try (ManualConsumer consumer = start(request -> Outcome.reply(204))) {
      consumer.deliver(request("a"));
      consumer.tick();
      consumer.tick(SECOND);
      assertThat(consumer.replies()).isEmpty();
      assertThat(consumer.deadLetters()).isEmpty();
      assertThat(handled).isEmpty();
      assertThat(consumer.committed()).isEqualTo(1);
    }
  }

  @Test
  void failuresAreToldWithWhoseTheyAreAndTheDeathBeforeItIsPublished() {
    try (ManualConsumer consumer =
        start(
            request ->
                handled.size() == 1 ? Outcome.hold("database") : Outcome.retry(Duration.ZERO))) {
      String id = consumer.deliver(request("a"));
      for (int i = 0; i < 10; i++) {
        consumer.tick(SECOND);
      }
      assertThat(consumer.reply(id).orElseThrow().outcome()).isEqualTo(ReplyOutcome.DEAD);
      assertThat(inbox.asked)
          .containsExactly(
              "start a",
              "failed 1 free a",
              "start a",
              "failed 2 charged a",
              "start a",
              "failed 3 charged a",
              "bury 3 a");
    }
  }

  @Test
  void aHandlerThatFailsAfterItsRequestWasHandledUsesNoAttempt() {
    inbox.onFailed = new Standing.Completed(STORED);
    try (ManualConsumer consumer =
        start(
            request -> {
              throw new IllegalStateException("after the commit");
            })) {
      String id = consumer.deliver(request("a"));
      consumer.tick();
      assertStored(consumer.reply(id).orElseThrow());
      assertThat(handled).hasSize(1);
      assertThat(consumer.deadLetters()).isEmpty();
    }
  }

  @Test
  void whatWasHandledAfterAllIsNoDeadLetterAndItsKeyIsFree() {
    inbox.onBury = new Standing.Completed(STORED);
    ConsumerBuilder builder =
        builder(
                request ->
                    request.text().equals("a") ? Outcome.deadLetter("no") : Outcome.reply(204))
            .onExhausted(OnExhausted.PARK_KEY);
    try (ManualConsumer consumer = ManualConsumer.start(builder, clock)) {
      String first = consumer.deliver(request("a"));
      String behind = consumer.deliver(request("b"));
      consumer.tick();
      consumer.tick(SECOND);
      assertStored(consumer.reply(first).orElseThrow());
      assertThat(consumer.reply(behind).orElseThrow().status()).isEqualTo(204);
      assertThat(consumer.deadLetters()).isEmpty();
      assertThat(consumer.committed()).isEqualTo(2);
    }
  }

  @Test
  void whereALaterStartHasTheLastWordItIsWaitedForButNotForEver() {
    inbox.onBury = new Standing.Open(7);
    try (ManualConsumer consumer = start(request -> Outcome.deadLetter("no"))) {
      consumer.deliver(request("a"));
      consumer.tick();
      assertThat(consumer.deadLetters()).isEmpty();
      for (int i = 0; i < 20 && !inbox.asked.contains("bury 0 a"); i++) {
        consumer.tick(Duration.ofSeconds(10));
      }
      assertThat(inbox.asked).contains("bury 1 a", "bury 0 a");
      inbox.onBury = null;
      consumer.tick(Duration.ofSeconds(10));
      assertThat(consumer.deadLetters()).hasSize(1);
    }
  }

  @Test
  void anInboxThatIsAwayHoldsTheConsumerAndUsesNoAttempt() {
    inbox.trouble = new InboxException("away", null);
    try (ManualConsumer consumer = start(request -> Outcome.reply(204))) {
      String id = consumer.deliver(request("a"));
      for (int i = 0; i < 600; i++) {
        consumer.tick(SECOND);
      }
      assertThat(handled).isEmpty();
      assertThat(consumer.replies()).isEmpty();
      assertThat(consumer.deadLetters()).isEmpty();
      assertThat(consumer.headOfLine().get(0).attempts()).isZero();

      inbox.trouble = null;
      consumer.tick(Duration.ofSeconds(10));
      assertThat(consumer.reply(id).orElseThrow().status()).isEqualTo(204);
      assertThat(handled).hasSize(1);
    }
  }

  @Test
  void aDefectOfAnInboxIsNoFaultOfARequestsEither() {
    inbox.trouble = new IllegalStateException("defect");
    try (ManualConsumer consumer = start(request -> Outcome.reply(204))) {
      consumer.deliver(request("a"));
      for (int i = 0; i < 100; i++) {
        consumer.tick(SECOND);
      }
      assertThat(consumer.deadLetters()).isEmpty();
      assertThat(consumer.headOfLine().get(0).attempts()).isZero();
    }
  }

  @Test
  void aDeathWaitsForTheInbox() {
    try (ManualConsumer consumer =
        start(
            request -> {
              inbox.trouble = new InboxException("away", null);
              return Outcome.deadLetter("no");
            })) {
      consumer.deliver(request("a"));
      consumer.tick();
      consumer.tick(HOUR);
      assertThat(consumer.deadLetters()).isEmpty();
      inbox.trouble = null;
      consumer.tick(HOUR);
      assertThat(consumer.deadLetters()).hasSize(1);
      assertThat(handled).hasSize(1);
    }
  }

  @Test
  void whatIsParkedOrMalformedWasNeverStartedAndNobodyIsAsked() {
    ConsumerBuilder builder =
        builder(request -> Outcome.deadLetter("no")).onExhausted(OnExhausted.PARK_KEY);
    try (ManualConsumer consumer = ManualConsumer.start(builder, clock)) {
      consumer.deliver(request("a"));
      consumer.deliver(request("b"));
      consumer.tick();
      assertThat(consumer.deadLetters()).hasSize(2);
      assertThat(inbox.asked).containsExactly("start a", "failed 1 charged a", "bury 1 a");
    }
  }

  @Test
  void aMalformedBodysAnswerIsStoredLikeAnyOther() {
    try (ManualConsumer consumer =
        start(request -> Outcome.reply(200).json(request.json(Integer.class)))) {
      String id = consumer.deliver(request("no number"));
      consumer.tick();
      assertThat(consumer.reply(id).orElseThrow().status()).isEqualTo(400);
      assertThat(inbox.asked).containsExactly("start no number", "complete no number");
    }
  }

  @Test
  void whatWasHandledBeforeACrashIsNeitherExpiredNorCancelled() {
    inbox.onFind = new Standing.Completed(STORED);
    try (ManualConsumer consumer =
        start(
            request -> request.text().equals("first") ? Outcome.retry(HOUR) : Outcome.reply(204))) {
      consumer.deliver(request("first"));
      String cancelled = consumer.deliver(request("cancelled"));
      consumer.tick();
      consumer.cancel(cancelled);
      consumer.tick();
      assertStored(consumer.reply(cancelled).orElseThrow());

      String expired =
          consumer.deliver(
              TestRequest.of("GET", "/a").text("expired").deadlineAfter(Duration.ZERO));
      consumer.tick();
      assertStored(consumer.reply(expired).orElseThrow());

      inbox.onFind = null;
      String really =
          consumer.deliver(TestRequest.of("GET", "/a").text("x").deadlineAfter(Duration.ZERO));
      consumer.tick();
      assertThat(consumer.reply(really).orElseThrow().outcome()).isEqualTo(ReplyOutcome.EXPIRED);
      assertThat(handled).containsExactly("first");
    }
  }

  @Test
  void aStoredReplyIsWhatIsSentByteForByteHoweverOftenItComes() {
    inbox.onStart = new Standing.Completed(STORED);
    try (ManualConsumer consumer = start(request -> Outcome.reply(204))) {
      consumer.deliver(request("a"));
      consumer.tick();
      consumer.redeliver();
      consumer.tick();
      assertThat(consumer.replies()).hasSize(2).allSatisfy(InboxHooksTest::assertStored);
      assertThat(new String(consumer.replies().get(1).body(), UTF_8)).isEqualTo("stored");
    }
  }
}
