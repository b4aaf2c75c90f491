package dev.tideover.sdk.testing;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.sdk.Backoff;
import dev.tideover.sdk.ConsumerBuilder;
import dev.tideover.sdk.OnExhausted;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.RequestHandler;
import dev.tideover.sdk.Tideover;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What users see of the engine by hand; and, without a broker, what the engine promises. */
class ManualConsumerTest {

  private static final Duration HOUR = Duration.ofHours(1);

  private final SettableClock clock = new SettableClock(Instant.parse("2026-01-01T00:00:00Z"));
  private final List<String> handled = new ArrayList<>();

  private static TestRequest request(String key, String text) {
    return TestRequest.of("POST", "/orders?x=1").key(key).header("X-One", "1").text(text);
  }

  private static ConsumerBuilder orders(RequestHandler handler) {
    return Tideover.service("orders").version("v1").handler(handler);
  }

  @Test
  void aRequestThatIsCancelledBeforeItsTurnNeverBeginsAlsoWhenItComesAgain() {
    ConsumerBuilder builder =
        orders(
            request -> {
              handled.add(request.text());
              return request.attempt() < 2
                  ? Outcome.retry(Duration.ofSeconds(1))
                  : Outcome.reply(204);
            });
    try (ManualConsumer consumer = ManualConsumer.start(builder, clock)) {
      String first = consumer.deliver(request("k", "first"));
      String second = consumer.deliver(request("k", "second"));
      consumer.tick();
      consumer.cancel(first); // which has begun
      consumer.cancel(second); // which waits for it
      consumer.tick();

      assertThat(consumer.reply(first)).isEmpty();
      assertThat(consumer.reply(second).orElseThrow().outcome()).isEqualTo(ReplyOutcome.CANCELLED);
      assertThat(consumer.committed()).isZero();
      consumer.redeliver();
      consumer.tick(HOUR);
      consumer.tick(HOUR);

      assertThat(consumer.committed()).isEqualTo(2);
      assertThat(handled).contains("first").doesNotContain("second");
      assertThatThrownBy(() -> consumer.cancel("nobody"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("nobody");
    }
  }

  @Test
  void repliesAreThereAfterATickAndCommittedASecondLater() {
    try (ManualConsumer consumer =
        ManualConsumer.start(
            orders(
                request -> {
                  assertThat(request.path()).isEqualTo("/orders");
                  assertThat(request.header("x-one")).contains("1");
                  return Outcome.reply(201).text(request.text() + "!");
                }),
            clock)) {
      String id = consumer.deliver(request("k", "a"));
      assertThat(consumer.replies()).isEmpty();
      consumer.tick();
      ReplyEnvelope reply = consumer.reply(id).orElseThrow();
      assertThat(reply.status()).isEqualTo(201);
      assertThat(new String(reply.body(), UTF_8)).isEqualTo("a!");
      assertThat(consumer.committed()).isZero();
      consumer.tick(Duration.ofSeconds(1));
      assertThat(consumer.committed()).isEqualTo(1);
    }
  }

  @Test
  void aFailingHeadIsTriedInItsPlaceAndThenIsDead() {
    try (ManualConsumer consumer =
        ManualConsumer.start(
            orders(
                    request -> {
                      handled.add(request.text() + request.attempt());
                      if (request.text().equals("bad")) {
                        throw new IllegalStateException("no");
                      }
                      return Outcome.reply(204);
                    })
                .attempts(2)
                .backoff(new Backoff(HOUR, HOUR)),
            clock)) {
      String bad = consumer.deliver(request("k", "bad"));
      String behind = consumer.deliver(request("k", "behind"));
      consumer.deliver(request("other", "other"));
      consumer.tick();
      assertThat(handled).containsExactly("bad1", "other1");
      consumer.tick(Duration.ofSeconds(1));
      assertThat(consumer.committed()).isZero();
      assertThat(consumer.headOfLine())
          .singleElement()
          .satisfies(
              head -> {
                assertThat(head.id()).isEqualTo(bad);
                assertThat(head.attempts()).isEqualTo(1);
                assertThat(head.age()).isEqualTo(Duration.ofSeconds(1));
              });

      consumer.tick(HOUR);
      assertThat(handled).containsExactly("bad1", "other1", "bad2", "behind1");
      assertThat(consumer.deadLetters())
          .containsExactly(
              new ManualConsumer.DeadRequest(
                  bad, "failed", "java.lang.IllegalStateException: no", 2));
      assertThat(consumer.reply(bad).orElseThrow().outcome()).isEqualTo(ReplyOutcome.DEAD);
      assertThat(consumer.reply(behind).orElseThrow().status()).isEqualTo(204);
      consumer.tick(Duration.ofSeconds(1));
      assertThat(consumer.committed()).isEqualTo(3);
    }
  }

  @Test
  void whatIsNotCommittedComesAgainAndWhatIsDoesNot() {
    try (ManualConsumer consumer =
        ManualConsumer.start(
            orders(
                request -> {
                  handled.add(request.text());
                  return Outcome.reply(204);
                }),
            clock)) {
      consumer.deliver(request("k", "a"));
      consumer.tick();
      consumer.tick(Duration.ofSeconds(1));
      consumer.deliver(request("k", "b"));
      consumer.tick();
      consumer.redeliver();
      consumer.tick();
      assertThat(handled).containsExactly("a", "b", "b");
    }
  }

  @Test
  void anExpiredRequestIsNotHandled() {
    try (ManualConsumer consumer =
        ManualConsumer.start(
            orders(
                request -> {
                  handled.add(request.text());
                  return Outcome.reply(204);
                }),
            clock)) {
      String id = consumer.deliver(request("k", "late").deadlineAfter(Duration.ofSeconds(5)));
      clock.advance(Duration.ofSeconds(5));
      consumer.tick();
      assertThat(handled).isEmpty();
      assertThat(consumer.reply(id).orElseThrow().outcome()).isEqualTo(ReplyOutcome.EXPIRED);
    }
  }

  @Test
  void tenMinutesWithoutTheDatabaseMakeNoDeadLetter() {
    boolean[] up = {false};
    try (ManualConsumer consumer =
        ManualConsumer.start(
            orders(
                    request -> {
                      handled.add(request.text() + request.attempt());
                      return up[0] ? Outcome.reply(204) : Outcome.hold("the database is away");
                    })
                .attempts(1),
            clock)) {
      for (int n = 0; n < 100; n++) {
        consumer.deliver(request("k" + n, "" + n));
      }
      for (int second = 0; second < 600; second++) {
        consumer.tick(Duration.ofSeconds(1));
      }
      assertThat(consumer.deadLetters()).isEmpty();
      assertThat(consumer.replies()).isEmpty();
      assertThat(handled).as("one probe every five seconds").hasSizeBetween(115, 125);
      up[0] = true;
      for (int second = 0; second < 15; second++) {
        consumer.tick(Duration.ofSeconds(1));
      }
      assertThat(consumer.replies()).hasSize(100);
      assertThat(handled).allMatch(each -> each.endsWith("1"), "no attempt was used");
      assertThat(consumer.committed()).isEqualTo(100);
    }
  }

  @Test
  void aParkedKeyTakesItsLaterRequestsAlongInTheirOrder() {
    try (ManualConsumer consumer =
        ManualConsumer.start(
            orders(
                    request -> {
                      handled.add(request.text());
                      return request.text().equals("bad")
                          ? Outcome.deadLetter("never")
                          : Outcome.reply(204);
                    })
                .onExhausted(OnExhausted.PARK_KEY),
            clock)) {
      String bad = consumer.deliver(request("k", "bad"));
      String second = consumer.deliver(request("k", "2"));
      consumer.deliver(request("other", "other"));
      String third = consumer.deliver(request("k", "3"));
      consumer.tick();
      assertThat(handled).containsExactly("bad", "other");
      assertThat(consumer.deadLetters())
          .extracting(dead -> dead.requestId() + " " + dead.reason())
          .containsExactly(bad + " rejected", second + " parked", third + " parked");
    }
  }

  @Test
  void whereTooManyKeysAreParkedFurtherRequestsAreTriedOnWhenTheirAttemptsAreUsedUp() {
    try (ManualConsumer consumer =
        ManualConsumer.start(
            orders(
                    request -> {
                      if (request.text().equals("park")) {
                        return Outcome.deadLetter("never");
                      }
                      handled.add("attempt " + request.attempt());
                      return Outcome.retry(Duration.ofSeconds(1));
                    })
                .attempts(2)
                .onExhausted(OnExhausted.PARK_KEY),
            clock)) {
      for (int n = 0; n < 10_000; n++) {
        consumer.deliver(request("k" + n, "park"));
      }
      consumer.tick();
      consumer.deliver(request("one more", "fails"));
      consumer.tick();
      for (int second = 0; second < 12; second++) {
        consumer.tick(Duration.ofSeconds(1));
      }
      assertThat(handled).containsExactly("attempt 1", "attempt 2", "attempt 2", "attempt 2");
      assertThat(consumer.deadLetters()).hasSize(10_000);
    }
  }

  @Test
  void aParkedKeyIsNotFreedByItsFirstRequestExpiring() {
    try (ManualConsumer consumer =
        ManualConsumer.start(
            orders(
                    request -> {
                      handled.add(request.text());
                      return request.text().equals("bad")
                          ? Outcome.deadLetter("never")
                          : Outcome.reply(204);
                    })
                .onExhausted(OnExhausted.PARK_KEY),
            clock)) {
      consumer.deliver(request("k", "bad").deadlineAfter(Duration.ofSeconds(5)));
      consumer.tick();
      consumer.redeliverDead(0);
      consumer.deliver(request("k", "2"));
      consumer.tick(Duration.ofSeconds(10));
      assertThat(handled).containsExactly("bad");
      assertThat(consumer.deadLetters())
          .extracting(ManualConsumer.DeadRequest::reason)
          .containsExactly("rejected", "parked");
    }
  }

  @Test
  void aParkedKeyIsFreeOnceItsFirstRequestHasBeenHandled() {
    boolean[] mended = {false};
    try (ManualConsumer consumer =
        ManualConsumer.start(
            orders(
                    request -> {
                      handled.add(request.text());
                      return request.text().equals("bad") && !mended[0]
                          ? Outcome.deadLetter("never")
                          : Outcome.reply(204);
                    })
                .onExhausted(OnExhausted.PARK_KEY),
            clock)) {
      consumer.deliver(request("k", "bad"));
      consumer.deliver(request("k", "2"));
      consumer.tick();
      mended[0] = true;
      consumer.redeliverDead(0);
      consumer.redeliverDead(1);
      consumer.deliver(request("k", "3"));
      consumer.tick();
      assertThat(handled).containsExactly("bad", "bad", "2", "3");
    }
  }

  @Test
  void aRequestThatIsSentAgainIsAnsweredAsADuplicateAndOneThatAsksForSomethingElseAsAMismatch() {
    try (ManualConsumer consumer =
        ManualConsumer.start(
            orders(
                request -> {
                  handled.add(request.text());
                  return Outcome.reply(201);
                }),
            clock)) {
      TestRequest order = TestRequest.of("POST", "/orders").idempotencyKey("o1").text("one");
      consumer.deliver(request(null, "before"));
      String id = consumer.deliver(order);
      assertThat(consumer.deliver(order)).isEqualTo(id); // while the first hasn't ended
      consumer.tick();
      consumer.deliver(order);
      consumer.deliver(order.text("two"));
      consumer.deliver(order.idempotencyKey("o2"));
      consumer.deliver(request("k", "without"));
      consumer.deliver(request("k", "without"));
      consumer.tick(Duration.ofSeconds(1));

      assertThat(handled).containsExactly("before", "one", "one", "without", "without");
      assertThat(consumer.replies().stream().filter(reply -> reply.id().toString().equals(id)))
          .extracting(reply -> reply.outcome().text() + " " + reply.original())
          .containsExactly("completed -1", "duplicate 1", "duplicate 1", "mismatch -1");
    }
  }

  @Test
  void whatHasFinishedIsKnownAfterThePartitionHasMovedUntilItsWindowIsOver() {
    try (ManualConsumer consumer =
        ManualConsumer.start(
            orders(
                    request -> {
                      handled.add(request.text());
                      return Outcome.reply(201);
                    })
                .idempotencyWindow(Duration.ofMinutes(8)),
            clock)) {
      TestRequest order = TestRequest.of("POST", "/orders").idempotencyKey("o1").text("one");
      consumer.deliver(order);
      consumer.tick();
      consumer.tick(Duration.ofSeconds(2)); // is committed now
      consumer.redeliver();
      consumer.deliver(order);
      consumer.tick(Duration.ofMinutes(7));
      assertThat(handled).containsExactly("one");
      assertThat(consumer.replies()).hasSize(2);

      consumer.tick(Duration.ofMinutes(3));
      consumer.deliver(order);
      consumer.tick();
      assertThat(handled).containsExactly("one", "one");
    }
  }

  @Test
  void aFailureIsReplayedUntilAnOperatorHasTheRequestHandledAgain() {
    boolean[] mended = {false};
    try (ManualConsumer consumer =
        ManualConsumer.start(
            orders(
                request -> {
                  handled.add(request.text());
                  return mended[0] ? Outcome.reply(204) : Outcome.deadLetter("never");
                }),
            clock)) {
      TestRequest order = TestRequest.of("POST", "/orders").idempotencyKey("o1").text("one");
      consumer.deliver(order);
      consumer.tick();
      mended[0] = true;
      consumer.deliver(order);
      consumer.tick();
      assertThat(handled).hasSize(1);
      consumer.redeliverDead(0);
      consumer.tick();

      assertThat(handled).hasSize(2);
      consumer.deliver(order);
      consumer.redeliverDead(0); // the same replay once more
      consumer.tick();
      assertThat(handled).hasSize(2);
      assertThat(consumer.replies())
          .extracting(reply -> reply.outcome().text() + " " + reply.replay())
          .containsExactly("dead 0", "duplicate 0", "completed 1", "duplicate 0", "duplicate 0");
    }
  }

  @Test
  void whatIsMissingIsSaid() {
    assertThatThrownBy(() -> ManualConsumer.start(Tideover.service("orders"), clock))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("no handler");
    assertThatThrownBy(() -> clock.advance(Duration.ofSeconds(-1)))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
