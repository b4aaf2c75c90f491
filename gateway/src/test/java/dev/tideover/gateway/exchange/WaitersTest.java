package dev.tideover.gateway.exchange;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
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

    waiters.reply(reply(one.id, FINGERPRINT));

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

    waiters.reply(reply(waiter.id, new Fingerprint(1, 3)));
    waiters.reply(reply(RequestId.random(), FINGERPRINT));
    assertThat(waiters.size()).isOne();

    waiters.reply(reply(waiter.id, FINGERPRINT));
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
    waiter.acknowledged = true;

    waiters.expire(99);
    assertThat(waiters.size()).isOne();
    waiters.expire(100);

    assertThat(ending(waiter)).isEqualTo(new Waiter.Ending.TimeIsUp(true, false));
  }

  @Test
  void aWaitThatIsNotAcknowledgedIsGivenTheGrace() throws Exception {
    Waiter waiter = waiter(100);

    waiters.expire(100 + GRACE - 1);
    assertThat(waiters.size()).isOne();
    waiters.expire(100 + GRACE);

    assertThat(ending(waiter)).isEqualTo(new Waiter.Ending.TimeIsUp(false, false));
  }

  @Test
  void theGatewaysEndEndsTheWaitsOfStoredRequestsAtOnceAndGivesTheOthersTheGrace()
      throws Exception {
    Waiter stored = waiter(100_000);
    stored.acknowledged = true;
    Waiter stored2 = waiter(100_000);
    Waiter open = waiter(100_000);

    waiters.endEarly(50, 50);
    assertThat(ending(stored)).isEqualTo(new Waiter.Ending.TimeIsUp(true, true));
    assertThat(waiters.size()).isEqualTo(2);

    stored2.acknowledged = true;
    waiters.endEarly(50 + GRACE - 1, 50);
    assertThat(ending(stored2)).isEqualTo(new Waiter.Ending.TimeIsUp(true, true));
    assertThat(waiters.size()).isOne();

    waiters.endEarly(50 + GRACE, 50);
    assertThat(ending(open)).isEqualTo(new Waiter.Ending.TimeIsUp(false, true));
    assertThat(waiting).hasValue(0);
  }

  @Test
  void nanoTimeMayOverflow() throws Exception {
    Waiter waiter = waiter(Long.MAX_VALUE);
    waiter.acknowledged = true;

    waiters.expire(Long.MAX_VALUE - 1);
    assertThat(waiters.size()).isOne();
    waiters.expire(Long.MIN_VALUE);

    assertThat(ending(waiter)).isEqualTo(new Waiter.Ending.TimeIsUp(true, false));
  }

  @Test
  void twoWaitersCantShareAnId() {
    Waiter waiter = waiter(100);

    assertThatThrownBy(() -> waiters.add(waiter)).isInstanceOf(IllegalStateException.class);
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

    waiters.reply(reply(waiter.id, FINGERPRINT));

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
          waiter.acknowledged = i % 2 == 0;
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
                    () -> race(start, batch, w -> waiters.reply(reply(w.id, FINGERPRINT)))),
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
    Waiter waiter =
        new Waiter(RequestId.random(), FINGERPRINT, deadline, waiting, VERTX.getOrCreateContext());
    waiters.add(waiter);
    return waiter;
  }

  private static Waiter.Ending ending(Waiter waiter) throws Exception {
    return waiter.ended().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
  }

  private static ReplyEnvelope reply(RequestId id, Fingerprint fingerprint) {
    return new ReplyEnvelope(
        id,
        fingerprint,
        ReplyOutcome.COMPLETED,
        "",
        1,
        ReplyEnvelope.NONE,
        200,
        HttpFields.EMPTY,
        new byte[0]);
  }

  @Test
  void theGraceKeepsTheAnswerWithinTwoSecondsOfTheWait() {
    assertThat(Waiters.ACKNOWLEDGEMENT_GRACE).isLessThan(Duration.ofSeconds(2));
  }
}
