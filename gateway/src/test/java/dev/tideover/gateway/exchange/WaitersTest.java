package dev.tideover.gateway.exchange;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

class WaitersTest {

  private static final Vertx VERTX = Vertx.vertx();
  private static final Fingerprint FINGERPRINT = new Fingerprint(1, 2);
  private static final Fingerprint OTHER = new Fingerprint(3, 2);
  private static final long GRACE = Waiters.ACKNOWLEDGEMENT_GRACE.toNanos();

  private final Waiters waiters = new Waiters();
  private final AtomicInteger waiting = new AtomicInteger();

  @AfterAll
  static void closeVertx() throws Exception {
    VERTX.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
  }

  @Test
  void aReplyEndsItsWaitAndNoOther() throws Exception {
    Waiter one = waiter(100);
    Waiter other = waiter(100);

    waiters.reply(reply(one.id, FINGERPRINT), false);

    assertThat(ending(one))
        .isInstanceOfSatisfying(
            Waiter.Ending.With.class,
            with -> assertThat(((Answer.Replied) with.answer()).reply().id()).isEqualTo(one.id));
    assertThat(other.ended().isComplete()).isFalse();
    assertThat(waiters.size()).isOne();
    assertThat(waiting).hasValue(1);
  }

  @Test
  void aReplyToAnotherRequestUnderTheSameIdIsIgnored() throws Exception {
    Waiter waiter = waiter(100);

    waiters.reply(reply(waiter.id, new Fingerprint(4, 2)), false);
    waiters.reply(reply(RequestId.random(), FINGERPRINT), false);
    assertThat(waiters.size()).isOne();

    waiters.reply(reply(waiter.id, FINGERPRINT), false);
    assertThat(ending(waiter)).isInstanceOf(Waiter.Ending.With.class);
  }

  @Test
  void anUnreadableReplyEndsTheWait() throws Exception {
    Waiter waiter = waiter(100);

    waiters.unreadable(RequestId.random());
    waiters.unreadable(waiter.id);

    assertThat(ending(waiter)).isEqualTo(new Waiter.Ending.With(new Answer.Unreadable(waiter.id)));
  }

  @Test
  void aWaitThatIsAcknowledgedEndsAtItsDeadline() throws Exception {
    Waiter waiter = waiter(100);
    flightOf(waiter).offset = 7;

    waiters.expire(99);
    assertThat(waiters.size()).isOne();
    waiters.expire(100);

    assertThat(ending(waiter)).isEqualTo(new Waiter.Ending.TimeIsUp(false));
  }

  @Test
  void aWaitThatIsNotAcknowledgedIsGivenTheGrace() throws Exception {
    Waiter waiter = waiter(100);

    waiters.expire(100 + GRACE - 1);
    assertThat(waiters.size()).isOne();
    waiters.expire(100 + GRACE);

    assertThat(ending(waiter)).isEqualTo(new Waiter.Ending.TimeIsUp(false));
  }

  @Test
  void theGatewaysEndEndsTheWaitsOfStoredRequestsAtOnceAndGivesTheOthersTheGrace()
      throws Exception {
    Waiter stored = waiter(100_000);
    flightOf(stored).offset = 7;
    Waiter stored2 = waiter(100_000);
    Waiter open = waiter(100_000);

    waiters.endEarly(50, 50);
    assertThat(ending(stored)).isEqualTo(new Waiter.Ending.TimeIsUp(true));
    assertThat(waiters.size()).isEqualTo(2);

    flightOf(stored2).offset = 7;
    waiters.endEarly(50 + GRACE - 1, 50);
    assertThat(ending(stored2)).isEqualTo(new Waiter.Ending.TimeIsUp(true));
    assertThat(waiters.size()).isOne();

    waiters.endEarly(50 + GRACE, 50);
    assertThat(ending(open)).isEqualTo(new Waiter.Ending.TimeIsUp(true));
    assertThat(waiting).hasValue(0);
  }

  @Test
  void nanoTimeMayOverflow() throws Exception {
    Waiter waiter = waiter(Long.MAX_VALUE);
    flightOf(waiter).offset = 7;

    waiters.expire(Long.MAX_VALUE - 1);
    assertThat(waiters.size()).isOne();
    waiters.expire(Long.MIN_VALUE);

    assertThat(ending(waiter)).isEqualTo(new Waiter.Ending.TimeIsUp(false));
  }

  @Test
  void allWhoWaitForOneReplyGetIt() throws Exception {
    Waiter sender = waiter(100);
    List<Waiter> askers = List.of(asker(sender.id, 100), asker(sender.id, 50));

    waiters.reply(reply(sender.id, FINGERPRINT), false);

    assertThat(ending(sender)).isInstanceOf(Waiter.Ending.With.class);
    for (Waiter asker : askers) {
      assertThat(ending(asker)).isInstanceOf(Waiter.Ending.With.class);
    }
    assertThat(waiters.size()).isZero();
    assertThat(waiting).hasValue(0);
  }

  @Test
  void whoLeavesTakesNobodyAlong() throws Exception {
    for (int leaving = 0; leaving < 3; leaving++) {
      RequestId id = RequestId.random();
      List<Waiter> all = List.of(asker(id, 100), asker(id, 100), asker(id, 100));

      assertThat(waiters.end(all.get(leaving), new Waiter.Ending.TimeIsUp(false))).isTrue();
      assertThat(waiters.end(all.get(leaving), new Waiter.Ending.TimeIsUp(false))).isFalse();
      assertThat(ending(all.get(leaving))).isEqualTo(new Waiter.Ending.TimeIsUp(false));
      assertThat(waiting).hasValue(2);

      waiters.reply(reply(id, FINGERPRINT), false);
      for (int i = 0; i < 3; i++) {
        if (i != leaving) {
          assertThat(ending(all.get(i))).isInstanceOf(Waiter.Ending.With.class);
        }
      }
      assertThat(waiting).hasValue(0);
    }
  }

  @Test
  void whoOnlyAsksIsNotKeptForAnAcknowledgement() throws Exception {
    Waiter sender = waiter(100);
    Waiter asker = asker(sender.id, 100);

    waiters.expire(100);

    assertThat(ending(asker)).isEqualTo(new Waiter.Ending.TimeIsUp(false));
    assertThat(sender.ended().isComplete()).isFalse();
  }

  @Test
  void aReplyUnderAKeyEndsTheWaitsOfAnotherRequestWithAMismatch() throws Exception {
    RequestId id = RequestId.random();
    Waiter first = sender(flight(id, FINGERPRINT, true), 100);
    Waiter other = sender(flight(id, OTHER, true), 100);
    Waiter asksForFirst = asker(id, FINGERPRINT.high(), 100);
    Waiter asksForOther = asker(id, OTHER.high(), 100);

    waiters.reply(reply(id, FINGERPRINT), true);

    assertThat(answer(first)).isInstanceOf(Answer.Replied.class);
    assertThat(answer(asksForFirst)).isEqualTo(answer(first));
    assertThat(((Answer.Replied) answer(first)).replayed()).isTrue();
    assertThat(answer(other)).isEqualTo(new Answer.Mismatch(id, true));
    assertThat(answer(asksForOther)).isEqualTo(new Answer.Mismatch(id, true));
    assertThat(waiters.size()).isZero();
  }

  @Test
  void wordOfAMismatchLeavesTheRequestAloneThatHadTheKeyFirst() throws Exception {
    RequestId id = RequestId.random();
    Waiter first = sender(flight(id, FINGERPRINT, true), 100);
    Waiter other = sender(flight(id, OTHER, true), 100);

    waiters.reply(reply(id, OTHER, ReplyOutcome.MISMATCH), false);

    assertThat(answer(other)).isEqualTo(new Answer.Mismatch(id, true));
    assertThat(first.ended().isComplete()).isFalse();
    waiters.reply(reply(id, FINGERPRINT), false);
    assertThat(answer(first)).isInstanceOf(Answer.Replied.class);
  }

  @Test
  void theSameRequestJoinsTheOneThatIsOnItsWayUntilThatHasItsReply() {
    RequestId id = RequestId.random();
    Flight first = flight(id, FINGERPRINT, true);
    Flight again = flight(id, FINGERPRINT, true);

    assertThat(waiters.join(first)).isSameAs(first);
    assertThat(waiters.join(again)).isSameAs(first);
    waiters.reply(reply(id, OTHER, ReplyOutcome.MISMATCH), false);
    assertThat(waiters.join(again)).as("another's mismatch says nothing of it").isSameAs(first);

    waiters.reply(reply(id, FINGERPRINT), false);
    assertThat(waiters.join(again)).isSameAs(again);
  }

  /** Its client has left, or took its 202: so nobody waits when the service's word comes. */
  @Test
  void aResendThatWasRecognisedWhileNobodyWaitedIsNotJoined() {
    RequestId id = RequestId.random();
    waiters.join(flight(id, FINGERPRINT, true));

    waiters.onRecognised(id);

    Flight again = flight(id, FINGERPRINT, true);
    assertThat(waiters.awaits(id)).isFalse();
    assertThat(waiters.join(again)).isSameAs(again);
  }

  @Test
  void aRequestThatWasAMismatchIsNotJoined() {
    RequestId id = RequestId.random();
    waiters.join(flight(id, OTHER, true));

    waiters.reply(reply(id, OTHER, ReplyOutcome.MISMATCH), false);

    Flight first = flight(id, FINGERPRINT, true);
    assertThat(waiters.join(first)).isSameAs(first);
  }

  @Test
  void aFailedAppendEndsTheWaitsOfAllWhoSentItAndOfNobodyElse() throws Exception {
    RequestId id = RequestId.random();
    Flight flight = flight(id, FINGERPRINT, true);
    waiters.join(flight);
    Waiter sender = sender(flight, 100);
    Waiter joined = sender(flight(id, FINGERPRINT, true), 100);
    joined.flight = flight;
    Waiter asker = asker(id, 100);
    Waiter.Ending refused = new Waiter.Ending.TimeIsUp(false);

    waiters.failed(flight, refused);

    assertThat(ending(sender)).isSameAs(refused);
    assertThat(ending(joined)).isSameAs(refused);
    assertThat(asker.ended().isComplete()).isFalse();
    assertThat(flight.failure).as("for one that joins just now").isSameAs(refused);
    Flight again = flight(id, FINGERPRINT, true);
    assertThat(waiters.join(again)).isSameAs(again);
  }

  @Test
  void theAcknowledgementEndsTheWaitsThatAreOverAndNoOthers() throws Exception {
    RequestId id = RequestId.random();
    Flight flight = flight(id, FINGERPRINT, true);
    Waiter over = sender(flight, 100);
    Waiter waits = sender(flight, 200);

    flight.offset = 7;
    waiters.stored(flight, 150);

    assertThat(ending(over)).isEqualTo(new Waiter.Ending.TimeIsUp(false));
    assertThat(waits.ended().isComplete()).isFalse();
  }

  /** Many ask for the same reply, some leave, and then it comes: everybody hears one end. */
  @Test
  void joiningLeavingAndTheReplyAtOnceLoseNobody() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(3);
    try {
      for (int round = 0; round < 500; round++) {
        RequestId id = RequestId.random();
        CyclicBarrier start = new CyclicBarrier(3);
        List<Waiter> joined = java.util.Collections.synchronizedList(new ArrayList<>());
        Future<?> joins =
            threads.submit(
                () -> {
                  start.await(30, TimeUnit.SECONDS);
                  for (int i = 0; i < 20; i++) {
                    joined.add(asker(id, 100));
                  }
                  return null;
                });
        Future<?> leaves =
            threads.submit(
                () -> {
                  start.await(30, TimeUnit.SECONDS);
                  for (int i = 0; i < 20; i++) {
                    for (Waiter waiter : List.copyOf(joined)) {
                      waiters.end(waiter, new Waiter.Ending.TimeIsUp(false));
                    }
                  }
                  return null;
                });
        Future<?> replies =
            threads.submit(
                () -> {
                  start.await(30, TimeUnit.SECONDS);
                  waiters.reply(reply(id, FINGERPRINT), false);
                  return null;
                });
        for (Future<?> each : List.of(joins, leaves, replies)) {
          each.get(30, TimeUnit.SECONDS);
        }
        // Who joined behind the reply looks into the index; here another reply ends it.
        waiters.reply(reply(id, FINGERPRINT), false);
        for (Waiter waiter : joined) {
          ending(waiter);
        }
        assertThat(waiting).hasValue(0);
        assertThat(waiters.size()).isZero();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void endsCompleteOnTheEventLoopOfTheRequest() throws Exception {
    Waiter waiter = waiter(100);
    CountDownLatch done = new CountDownLatch(1);
    List<String> threads = new ArrayList<>();
    waiter
        .ended()
        .onComplete(
            ending -> {
              threads.add(Thread.currentThread().getName());
              done.countDown();
            });

    waiters.reply(reply(waiter.id, FINGERPRINT), false);

    assertThat(done.await(10, TimeUnit.SECONDS)).isTrue();
    assertThat(threads).singleElement().asString().contains("eventloop");
  }

  /** Everything that may end a wait, at once, from several threads, many times over. */
  @Test
  void eachWaitEndsExactlyOnceUnderARace() throws Exception {
    int rounds = 2_000;
    int perRound = 10;
    List<AtomicInteger> ends = new ArrayList<>();
    AtomicInteger won = new AtomicInteger();
    CountDownLatch allEnded = new CountDownLatch(rounds * perRound);
    ExecutorService threads = Executors.newFixedThreadPool(4);
    CyclicBarrier start = new CyclicBarrier(4);
    try {
      for (int round = 0; round < rounds; round++) {
        List<Waiter> batch = new ArrayList<>();
        for (int i = 0; i < perRound; i++) {
          Waiter waiter = waiter(100);
          flightOf(waiter).offset = i % 2 == 0 ? 7 : Flight.NOWHERE;
          AtomicInteger ended = new AtomicInteger();
          ends.add(ended);
          waiter
              .ended()
              .onComplete(
                  ending -> {
                    ended.incrementAndGet();
                    allEnded.countDown();
                  });
          batch.add(waiter);
        }
        List<Future<?>> racers =
            List.of(
                threads.submit(
                    () -> race(start, batch, w -> waiters.reply(reply(w.id, FINGERPRINT), false))),
                threads.submit(() -> race(start, batch, w -> waiters.expire(100 + GRACE))),
                threads.submit(() -> race(start, batch, w -> waiters.unreadable(w.id))),
                threads.submit(
                    () ->
                        race(
                            start,
                            batch,
                            w -> {
                              var gone = new Waiter.Ending.With(new Answer.Abandoned(w.id));
                              won.addAndGet(waiters.end(w, gone) ? 1 : 0);
                            })));
        for (Future<?> racer : racers) {
          racer.get(30, TimeUnit.SECONDS);
        }
      }
    } finally {
      threads.shutdownNow();
    }

    assertThat(allEnded.await(30, TimeUnit.SECONDS)).isTrue();
    assertThat(ends).allSatisfy(count -> assertThat(count).hasValue(1));
    assertThat(waiting).hasValue(0);
    assertThat(waiters.size()).isZero();
    assertThat(won.get())
        .as("the leaving client won some races and lost some")
        .isBetween(1, rounds * perRound - 1);
  }

  private static void race(
      CyclicBarrier start, List<Waiter> batch, java.util.function.Consumer<Waiter> end) {
    try {
      start.await(30, TimeUnit.SECONDS);
    } catch (Exception e) {
      throw new AssertionError(e);
    }
    batch.forEach(end);
  }

  private Waiter waiter(long deadline) {
    return sender(flight(RequestId.random(), FINGERPRINT, false), deadline);
  }

  private Waiter sender(Flight flight, long deadline) {
    Waiter waiter = new Waiter(flight, deadline, waiting, VERTX.getOrCreateContext());
    waiters.add(waiter);
    return waiter;
  }

  private Waiter asker(RequestId id, long deadline) {
    return asker(id, StatusToken.ANY, deadline);
  }

  private Waiter asker(RequestId id, long fingerprint, long deadline) {
    StatusToken asked = new StatusToken(id, Instant.EPOCH, 0, 0, 0, fingerprint);
    Waiter waiter = new Waiter(asked, deadline, waiting, VERTX.getOrCreateContext());
    waiters.add(waiter);
    return waiter;
  }

  private static Flight flight(RequestId id, Fingerprint fingerprint, boolean keyed) {
    return new Flight(id, fingerprint, keyed, Instant.EPOCH, 0);
  }

  private static Flight flightOf(Waiter waiter) {
    return Objects.requireNonNull(waiter.flight);
  }

  private static Answer answer(Waiter waiter) throws Exception {
    return ((Waiter.Ending.With) ending(waiter)).answer();
  }

  private static Waiter.Ending ending(Waiter waiter) throws Exception {
    return waiter.ended().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
  }

  private static ReplyEnvelope reply(RequestId id, Fingerprint fingerprint) {
    return reply(id, fingerprint, ReplyOutcome.COMPLETED);
  }

  private static ReplyEnvelope reply(RequestId id, Fingerprint fingerprint, ReplyOutcome outcome) {
    return new ReplyEnvelope(
        id, fingerprint, outcome, "", 1, ReplyEnvelope.NONE, 200, HttpFields.EMPTY, new byte[0]);
  }

  @Test
  void theGraceKeepsTheAnswerWithinTwoSecondsOfTheWait() {
    assertThat(Waiters.ACKNOWLEDGEMENT_GRACE).isLessThan(Duration.ofSeconds(2));
  }
}
