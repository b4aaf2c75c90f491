package dev.tideover.loadtests.once;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.loadtests.once.Faults.Blow;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class FaultsTest {

  private static final List<String> OFTEN = List.of("gateway1", "gateway2", "service1");
  private static final List<String> ONCE = List.of("broker");

  @Test
  void theSameSeedMakesTheSameSchedule() {
    List<Blow> schedule = Faults.schedule(7, OFTEN, ONCE, 3, 30_000);

    assertThat(Faults.schedule(7, OFTEN, ONCE, 3, 30_000)).isEqualTo(schedule);
    assertThat(Faults.schedule(8, OFTEN, ONCE, 3, 30_000)).isNotEqualTo(schedule);
  }

  @Test
  void eachIsKilledInEachRoundAndTheBrokerOnceWithinTheSpan() {
    for (long seed = 0; seed < 200; seed++) {
      List<Blow> schedule = Faults.schedule(seed, OFTEN, ONCE, 3, 30_000);

      assertThat(schedule.stream().collect(Collectors.groupingBy(Blow::target)))
          .allSatisfy((target, blows) -> assertThat(blows).hasSize(target.equals("broker") ? 1 : 3))
          .hasSize(4);
      assertThat(schedule).extracting(Blow::atMillis).isSorted();
      assertThat(schedule)
          .allSatisfy(blow -> assertThat(blow.atMillis()).isBetween(0L, 30_000L))
          .allSatisfy(blow -> assertThat(blow.downMillis()).isBetween(0L, 2_000L));
    }
  }
}
