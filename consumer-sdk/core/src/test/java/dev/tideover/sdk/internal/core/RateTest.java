package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RateTest {

  private static final long SECOND = 1_000_000_000L;

  private final Rate rate = new Rate();

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, Double.NaN})
  void withoutALimitAsManyStartAsThereAre(double none) {
    rate.set(none, 0);

    assertThat(rate.isLimited()).isFalse();
    assertThat(starts(0, 0, 10_000)).isEqualTo(10_000);
  }

  /** At any origin of the time, also across its overflow. */
  @ParameterizedTest
  @CsvSource({
    "0.5, 5",
    "1, 10",
    "7, 70",
    "10, 100",
    "250, 2500",
    "3333.3, 33333",
    "100000, 1000000"
  })
  void soManyStartInTenSecondsAndATenthOfASecondsWorthMoreAtOnce(double perSecond, int inTen) {
    for (long begin : new long[] {0, -3 * SECOND, Long.MAX_VALUE - 2 * SECOND}) {
      Rate fresh = new Rate();
      fresh.set(perSecond, begin);
      int atOnce = Math.max(1, (int) (perSecond / 10));
      int started = 0;
      for (long now = begin; now - begin < 10 * SECOND; ) {
        if (fresh.mayStart(now)) {
          fresh.started(now);
          started++;
          assertThat(now != begin || started <= atOnce).isTrue();
        } else {
          assertThat(fresh.untilNext(now)).isPositive();
          now += fresh.untilNext(now); // and not a nanosecond more: then one may
          assertThat(fresh.mayStart(now)).isTrue();
        }
      }

      assertThat(started).isBetween(inTen - 1, inTen + atOnce);
    }
  }

  @Test
  void whatWasNotStartedInTimeIsNotMadeUpForButForATenthOfASecond() {
    rate.set(100, 0);
    starts(0, 0, 100);

    assertThat(starts(60 * SECOND, 60 * SECOND, 100)).isEqualTo(10);
  }

  @Test
  void aNewLimitHoldsAtOnce() {
    rate.set(0.001, 0);
    assertThat(starts(0, 0, 2)).isEqualTo(1);
    assertThat(rate.untilNext(0)).isEqualTo(1_000 * SECOND);

    rate.set(100, 0);
    assertThat(rate.untilNext(0)).isLessThanOrEqualTo(SECOND / 100);

    rate.set(0, 0);
    assertThat(rate.untilNext(0)).isZero();
  }

  @Test
  void theSameLimitAgainGivesNothingMore() {
    rate.set(10, 0);
    assertThat(starts(0, 0, 5)).isEqualTo(1);
    rate.set(10, 0);

    assertThat(rate.mayStart(0)).isFalse();
  }

  private int starts(long from, long to, int most) {
    int started = 0;
    for (long now = from; now <= to && started < most && rate.mayStart(now); ) {
      rate.started(now);
      started++;
    }
    return started;
  }
}
