package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * A queue and a service are simulated second by second; what the rate says is held against them.
 */
class DrainRateTest {

  private final DrainRate rate = new DrainRate();
  private long nanos = -5_000_000_000L;
  private long committed = 1_000;
  private long end = 1_000;

  /** One second, in which so many requests come and so many are done, if there are as many. */
  private void second(long arrivals, long drained) {
    end += arrivals;
    committed = Math.min(end, committed + drained);
    nanos += TimeUnit.SECONDS.toNanos(1);
    rate.observe(nanos, committed, end);
  }

  private void seconds(int number, long arrivals, long drained) {
    for (int i = 0; i < number; i++) {
      second(arrivals, drained);
    }
  }

  @Test
  void nothingIsKnownAtFirst() {
    assertThat(rate.perSecond()).isNaN();
    second(0, 0);
    assertThat(rate.perSecond()).isNaN();
  }

  @Test
  void aSteadyRateIsKnownAfterAFewSecondsAndExact() {
    second(100_000, 0);
    seconds(3, 0, 100);
    assertThat(rate.perSecond()).isNaN();
    seconds(1, 0, 100);
    assertThat(rate.perSecond()).isCloseTo(100, within(0.001));
    seconds(60, 0, 100);
    assertThat(rate.perSecond()).isCloseTo(100, within(0.001));
  }

  @Test
  void aNewRateIsKnownWithinHalfAMinute() {
    second(1_000_000, 0);
    seconds(60, 0, 1_000);
    seconds(10, 0, 100);
    assertThat(rate.perSecond()).isBetween(400.0, 460.0);
    seconds(20, 0, 100);
    assertThat(rate.perSecond()).isBetween(100.0, 150.0);
  }

  @Test
  void lumpsOfCommitsAreAveraged() {
    second(1_000_000, 0);
    for (int i = 0; i < 20; i++) {
      seconds(4, 0, 0);
      second(0, 500);
      if (i > 0) {
        assertThat(rate.perSecond()).as("lump %d", i).isBetween(80.0, 140.0);
      }
    }
  }

  @Test
  void oneLumpAfterSilenceIsNoRate() {
    second(1_000_000, 0);
    seconds(10, 0, 0);
    second(0, 5_000);
    assertThat(rate.perSecond()).isNaN();
    seconds(9, 0, 0);
    assertThat(rate.perSecond()).isNaN();
  }

  @Test
  void oneLumpAmongASteadyRateMovesItByATenthOfItselfAtMost() {
    second(1_000_000, 0);
    seconds(60, 0, 100);
    second(0, 1_000);
    assertThat(rate.perSecond()).isBetween(100.0, 200.0);
  }

  @Test
  void afterAStopTheRateFadesAndIsThenUnknown() {
    second(1_000_000, 0);
    seconds(60, 0, 100);
    seconds(10, 50, 0);
    assertThat(rate.perSecond()).isBetween(30.0, 45.0);
    seconds(19, 50, 0);
    assertThat(rate.perSecond()).isBetween(1.0, 10.0);
    second(50, 0);
    assertThat(rate.perSecond()).isNaN();
    seconds(3_600, 50, 0);
    assertThat(rate.perSecond()).isNaN();
  }

  @Test
  void aServiceThatComesBackWithASlowStartIsMeasuredByWhatItDoesNow() {
    second(1_000_000, 0);
    seconds(60, 0, 1_000);
    seconds(120, 100, 0);
    second(100, 7);
    int[] slowStart = {10, 10, 20, 20, 40, 40};
    for (int drained : slowStart) {
      second(100, drained);
    }
    assertThat(rate.perSecond()).isBetween(20.0, 35.0);
    seconds(60, 100, 1_000);
    assertThat(rate.perSecond()).isBetween(950.0, 1_000.0);
  }

  @Test
  void anEmptyQueueIsNoRateOfZero() {
    second(10_000, 0);
    seconds(60, 0, 100);
    double before = rate.perSecond();
    seconds(41, 0, 100);
    assertThat(committed).isEqualTo(end);
    seconds(3_600, 0, 100);
    assertThat(rate.perSecond()).isCloseTo(before, within(0.001));
  }

  @Test
  void aBacklogAfterAnIdleTimeIsNoStall() {
    second(1_000_000, 0);
    seconds(30, 0, 100);
    committed = end;
    seconds(3_600, 0, 0);
    second(10_000, 0);
    seconds(5, 0, 0);
    assertThat(rate.perSecond()).isGreaterThan(0);
  }

  @Test
  void fewRequestsDoNotMakeAFastServiceLookSlow() {
    second(1_000_000, 0);
    seconds(60, 0, 1_000);
    committed = end;
    second(0, 0);
    double before = rate.perSecond();
    seconds(3_600, 3, 3);
    assertThat(rate.perSecond()).isCloseTo(before, within(0.001));
  }

  @Test
  void aServiceThatKeepsUpIsKnownToDoAtLeastWhatComes() {
    seconds(20, 200, 200);
    assertThat(rate.perSecond()).isCloseTo(200, within(0.001));
    seconds(20, 150, 150);
    assertThat(rate.perSecond()).isCloseTo(200, within(0.001));
  }

  @Test
  void aTimeWithoutObservationsIsNotTakenForSlowness() {
    second(1_000_000, 0);
    seconds(60, 0, 100);
    nanos += TimeUnit.MINUTES.toNanos(2);
    second(0, 3);
    assertThat(rate.perSecond()).isNaN();
    seconds(4, 0, 100);
    assertThat(rate.perSecond()).isCloseTo(100, within(0.001));
  }

  @Test
  void aCommitThatIsMovedBackIsNoDraining() {
    second(1_000_000, 0);
    seconds(60, 0, 100);
    committed -= 5_000;
    second(0, 0);
    assertThat(rate.perSecond()).isNaN();
    seconds(10, 0, 100);
    assertThat(rate.perSecond()).isCloseTo(100, within(0.001));
  }
}
