package dev.tideover.loadtests.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.tideover.loadtests.bench.Metric.Target;
import java.util.List;
import org.junit.jupiter.api.Test;

class StatisticsTest {

  @Test
  void theMedianOfAnOddNumberIsTheMiddleOne() {
    assertThat(Spread.of(List.of(9.0, 1.0, 5.0))).isEqualTo(new Spread(1, 5, 9));
  }

  @Test
  void theMedianOfAnEvenNumberIsBetweenTheMiddleTwo() {
    assertThat(Spread.of(List.of(8.0, 1.0, 2.0, 4.0))).isEqualTo(new Spread(1, 3, 8));
  }

  @Test
  void oneValueIsItsOwnSpread() {
    assertThat(Spread.of(List.of(7.0))).isEqualTo(new Spread(7, 7, 7));
  }

  @Test
  void thereIsNoSpreadOfNothingOrOfNoNumber() {
    assertThatThrownBy(() -> Spread.of(List.of())).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Spread.of(List.of(1.0, Double.NaN)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void theRatioIsTakenWithinPairsSoThatABusyMomentFallsOnBothSides() {
    // The machine was three times slower in the second and third pair; ours is always at 0.9.
    Metric metric = metric(null, List.of(900.0, 300.0, 300.0), List.of(1000.0, 333.3, 333.3));
    assertThat(metric.ratio().median()).isCloseTo(0.9, within(0.001));
    assertThat(metric.ratio().max() - metric.ratio().min()).isLessThan(0.001);
  }

  @Test
  void aBareRoundOfZeroMakesNoRatioThatLooksGood() {
    Metric metric = metric(Target.atMost(1.25), List.of(1.0), List.of(0.0));
    assertThat(metric.ratio().median()).isInfinite();
  }

  @Test
  void bothSidesNeedTheSameRounds() {
    assertThatThrownBy(() -> metric(null, List.of(1.0, 2.0), List.of(1.0)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aTargetIsMetAtItsBound() {
    assertThat(Target.atLeast(0.8).isMetBy(0.8)).isTrue();
    assertThat(Target.atLeast(0.8).isMetBy(0.79)).isFalse();
    assertThat(Target.atMost(1.25).isMetBy(1.25)).isTrue();
    assertThat(Target.atMost(1.25).isMetBy(1.26)).isFalse();
  }

  @Test
  void onlyMeansAScenarioOrAKindOfThem() {
    assertThat(Scenario.ALL.stream().filter(each -> each.isMeantBy("round-trip"))).hasSize(3);
    assertThat(Scenario.ALL.stream().filter(each -> each.isMeantBy("accept-64"))).hasSize(1);
    assertThat(Scenario.ALL.stream().filter(each -> each.isMeantBy("keyed")))
        .hasSize(2)
        .allMatch(Scenario::keyed)
        .allMatch(each -> Scenario.ALL.contains(each.withoutKey()));
    assertThat(Scenario.ALL.stream().filter(each -> each.isMeantBy("round-trip-6"))).isEmpty();
  }

  private static Metric metric(Target target, List<Double> ours, List<Double> bare) {
    return new Metric("name", "1/s", target, ours, "bare", bare);
  }
}
