package dev.tideover.gateway.release;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class HistogramTest {

  @Property(tries = 2_000)
  void aQuantileIsWithinFivePercentOfTheValueAtItsRank(
      @ForAll @Size(min = 1, max = 200)
          List<@LongRange(min = 0, max = Histogram.MOST) Long> values) {
    Histogram histogram = new Histogram();
    for (long value : values) {
      histogram.record(value);
    }
    long[] sorted = values.stream().mapToLong(Long::longValue).sorted().toArray();
    for (double share : new double[] {0, 0.01, 0.5, 0.9, 0.99, 1}) {
      int rank = Math.max(1, (int) Math.ceil(share * sorted.length));
      double exact = sorted[rank - 1];
      assertThat(histogram.quantile(share)).isCloseTo(exact, Offset.offset(exact * 0.05));
    }
    assertThat(histogram.max()).isEqualTo(sorted[sorted.length - 1]);
    assertThat(histogram.count()).isEqualTo(sorted.length);
  }

  @Property(tries = 500)
  void theSumOfTwoIsTheHistogramOfBoth(
      @ForAll @Size(max = 50) List<@LongRange(min = 0, max = 1L << 41) Long> some,
      @ForAll @Size(max = 50) List<@LongRange(min = 0, max = 1L << 41) Long> others) {
    Histogram sum = new Histogram();
    Histogram second = new Histogram();
    Histogram both = new Histogram();
    for (long value : some) {
      sum.record(value);
      both.record(value);
    }
    for (long value : others) {
      second.record(value);
      both.record(value);
    }
    sum.add(second);
    for (double share : new double[] {0, 0.25, 0.5, 0.99, 1}) {
      assertThat(sum.quantile(share)).isEqualTo((Double) both.quantile(share));
    }
    assertThat(sum.max()).isEqualTo(both.max());
    assertThat(sum.count()).isEqualTo(both.count());
  }

  @Test
  void whatIsOutOfItsRangeCountsAsTheNearestInIt() {
    Histogram histogram = new Histogram();
    histogram.record(-5);
    assertThat(histogram.quantile(1)).isZero();
    histogram.record(Long.MAX_VALUE);
    assertThat(histogram.max()).isEqualTo(Histogram.MOST);
    assertThat(histogram.quantile(1))
        .isCloseTo(Histogram.MOST, Offset.offset(Histogram.MOST * 0.05));
  }

  @Test
  void ofNothingThereIsNoQuantile() {
    Histogram histogram = new Histogram();
    assertThat(histogram.quantile(0.5)).isNaN();
    histogram.record(7);
    histogram.clear();
    assertThat(histogram.quantile(0.5)).isNaN();
    assertThat(histogram.count()).isZero();
  }
}
