package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class PartitionBreakerTest {

  private static final long SECOND = 1_000_000_000;
  private static final long MILLI = 1_000_000;

  /** Not 0, as System.nanoTime() is not, and near its overflow. */
  private static final long START = Long.MAX_VALUE - SECOND;

  private final PartitionBreaker breaker = new PartitionBreaker("t/0", START);

  private static long at(double seconds) {
    return START + (long) (seconds * SECOND);
  }

  @Test
  void opensWhenNothingWasAcknowledgedForTwoSeconds() {
    assertThat(breaker.admit(at(10))).isTrue();
    assertThat(breaker.admit(at(11.999))).isTrue();
    assertThat(breaker.admit(at(12))).isFalse();
    assertThat(breaker.wouldAdmit(at(12))).isFalse();
  }

  @Test
  void staysClosedWhileAcknowledgementsComeHoweverManyAreOutstanding() {
    for (int i = 0; i < 100; i++) {
      assertThat(breaker.admit(at(i))).isTrue();
      assertThat(breaker.admit(at(i + 0.1))).isTrue();
      breaker.acknowledged(at(i + 0.2));
    }
  }

  @Test
  void anIdlePartitionIsAWellOne() {
    assertThat(breaker.admit(at(1))).isTrue();
    breaker.acknowledged(at(1.1));

    assertThat(breaker.admit(at(1_000))).isTrue();
    assertThat(breaker.admit(at(1_001.9))).isTrue();
    assertThat(breaker.admit(at(1_002))).isFalse();
  }

  @Test
  void oneAcknowledgementClosesItForAll() {
    breaker.admit(at(0));
    breaker.admit(at(0));
    assertThat(breaker.admit(at(9))).isFalse();

    breaker.acknowledged(at(9.1));

    assertThat(breaker.admit(at(9.1))).isTrue();
    assertThat(breaker.admit(at(11))).isTrue();
    assertThat(breaker.admit(at(11.2))).isFalse();
  }

  @Test
  void addsNoProbeWhileAppendsAreOutstanding() {
    breaker.admit(at(0));
    breaker.admit(at(0));
    breaker.failed();

    for (double second = 2; second < 100; second += 0.1) {
      assertThat(breaker.admit(at(second))).isFalse();
    }
  }

  @Test
  void probesOnceInHalfASecondWhenAllHaveFailed() {
    breaker.admit(at(0));
    breaker.failed();

    int admitted = 0;
    for (double second = 2; second < 12; second += 0.01) {
      if (breaker.admit(at(second))) {
        admitted++;
        breaker.failed();
      }
    }

    assertThat(admitted).isBetween(19, 20);
  }

  @Test
  void appendsThatFailAtOnceOpenItToo() {
    for (double second = 0; second < 2; second += 0.1) {
      assertThat(breaker.admit(at(second))).isTrue();
      breaker.failed();
    }
    assertThat(breaker.admit(at(2))).isTrue();
    breaker.failed();
    assertThat(breaker.admit(at(2.1))).isFalse();
  }

  @Test
  void whatTheProducerRefusedSaysNothingAboutThePartition() {
    breaker.admit(at(0));
    breaker.refused(at(0));

    assertThat(breaker.admit(at(5))).isTrue();
    assertThat(breaker.admit(at(6.9))).isTrue();
  }

  @Test
  void aRefusalDoesNotHideThatOthersGoUnacknowledged() {
    breaker.admit(at(0));
    breaker.admit(at(1));
    breaker.refused(at(1));
    breaker.failed();

    assertThat(breaker.admit(at(2))).as("the probe").isTrue();
    assertThat(breaker.admit(at(2))).isFalse();
  }

  @Test
  void asksToComeAgainLaterTheLongerItIsOpenButInHalfAMinuteAtMost() {
    breaker.admit(at(0));
    assertThat(breaker.retryAfter(at(1))).isEqualTo(Duration.ofSeconds(1));
    assertThat(breaker.admit(at(2))).isFalse();

    assertThat(breaker.retryAfter(at(2))).isEqualTo(Duration.ofSeconds(1));
    assertThat(breaker.retryAfter(at(4.5))).isEqualTo(Duration.ofSeconds(2));
    assertThat(breaker.retryAfter(at(10))).isEqualTo(Duration.ofSeconds(8));
    assertThat(breaker.retryAfter(at(33))).isEqualTo(Duration.ofSeconds(16));
    assertThat(breaker.retryAfter(at(1_000))).isEqualTo(Duration.ofSeconds(30));

    breaker.acknowledged(at(1_000));
    assertThat(breaker.retryAfter(at(1_001))).isEqualTo(Duration.ofSeconds(1));
  }

  @Test
  void isStuckWhenAnAppendIsOutstandingLongerThanTheProducerMayKeepIt() {
    Duration limit = Duration.ofSeconds(20);
    breaker.admit(at(0));
    assertThat(breaker.isStuck(at(21.9), limit)).isFalse();
    assertThat(breaker.isStuck(at(22.1), limit)).isTrue();

    breaker.failed();
    assertThat(breaker.isStuck(at(23), limit)).as("nothing outstanding").isFalse();

    assertThat(breaker.admit(at(30))).as("the probe").isTrue();
    assertThat(breaker.isStuck(at(49), limit)).isFalse();
    assertThat(breaker.isStuck(at(51), limit)).isTrue();
  }

  @Test
  void aPartitionWithTrafficIsNeverStuck() {
    for (int i = 0; i < 100; i++) {
      breaker.admit(at(i));
      breaker.admit(at(i));
      breaker.acknowledged(at(i + 0.5));
      assertThat(breaker.isStuck(at(i + 1), Duration.ofSeconds(5))).isFalse();
    }
  }

  @Test
  void anAppendThatEndsTwiceIsABug() {
    breaker.admit(at(0));
    breaker.failed();

    assertThatThrownBy(() -> breaker.acknowledged(at(1))).isInstanceOf(IllegalStateException.class);
  }

  /** Any schedule of appends and ends, held against what the class promises, worked out slowly. */
  @Property(tries = 2_000)
  void keepsItsPromisesUnderAnySchedule(@ForAll long seed) {
    Random random = new Random(seed);
    PartitionBreaker breaker = new PartitionBreaker("t/0", START);
    Deque<Long> outstanding = new ArrayDeque<>();
    long time = START + MILLI;
    long quietSince = Long.MIN_VALUE; // the first append since the last acknowledgement, or that
    boolean quiet = false;
    long probe = Long.MIN_VALUE;
    boolean probed = false;
    double acknowledging = random.nextDouble();
    for (int step = 0; step < 300; step++) {
      time += random.nextInt(4) == 0 ? random.nextInt(1_500) * MILLI : random.nextInt(20) * MILLI;
      if (random.nextInt(60) == 0) {
        acknowledging = random.nextInt(3) / 2.0;
      }
      boolean open = quiet && time - quietSince >= 2 * SECOND;
      if (outstanding.isEmpty() || random.nextBoolean()) {
        boolean mayEnter =
            !open || outstanding.isEmpty() && (!probed || time - probe >= SECOND / 2);
        assertThat(breaker.wouldAdmit(time)).isEqualTo(mayEnter);
        assertThat(breaker.admit(time)).isEqualTo(mayEnter);
        if (mayEnter) {
          if (open) {
            probe = time;
            probed = true;
          }
          outstanding.add(time);
          if (!quiet) {
            quiet = true;
            quietSince = time;
          }
        } else {
          assertThat(breaker.retryAfter(time))
              .isBetween(Duration.ofSeconds(1), Duration.ofSeconds(30));
        }
      } else if (random.nextDouble() < acknowledging) {
        outstanding.poll();
        breaker.acknowledged(time);
        quiet = !outstanding.isEmpty();
        quietSince = time;
        assertThat(breaker.wouldAdmit(time)).as("closed by an acknowledgement").isTrue();
      } else {
        outstanding.poll();
        breaker.failed();
      }
    }
  }

  /** However they hit upon each other, one enters in each half second. */
  @Test
  void manyThreadsGetOneProbeBetweenThem() throws Exception {
    breaker.admit(at(0));
    breaker.failed();
    AtomicLong now = new AtomicLong(at(5));
    AtomicInteger probes = new AtomicInteger();
    int threads = 4;
    int rounds = 2_000;
    CountDownLatch done = new CountDownLatch(threads);
    for (int t = 0; t < threads; t++) {
      new Thread(
              () -> {
                for (int i = 0; i < rounds; i++) {
                  // Time goes on by 10 ms for each of the threads' turns.
                  if (breaker.admit(now.addAndGet(10 * MILLI))) {
                    probes.incrementAndGet();
                    breaker.failed();
                  }
                }
                done.countDown();
              })
          .start();
    }

    assertThat(done.await(30, TimeUnit.SECONDS)).isTrue();
    long halfSeconds = threads * rounds * 10L / 500;
    assertThat((long) probes.get()).isBetween(1L, halfSeconds + 1);
  }

  @Test
  void noAppendIsLostFromTheCountHoweverManyThreadsThereAre() throws Exception {
    int threads = 4;
    CountDownLatch done = new CountDownLatch(threads);
    for (int t = 0; t < threads; t++) {
      int turn = t;
      new Thread(
              () -> {
                for (int i = 0; i < 20_000; i++) {
                  if (breaker.admit(at(1))) {
                    if (turn % 2 == 0) {
                      breaker.acknowledged(at(1));
                    } else {
                      breaker.failed();
                    }
                  }
                }
                done.countDown();
              })
          .start();
    }

    assertThat(done.await(30, TimeUnit.SECONDS)).isTrue();
    assertThatThrownBy(breaker::failed).isInstanceOf(IllegalStateException.class);
  }
}
