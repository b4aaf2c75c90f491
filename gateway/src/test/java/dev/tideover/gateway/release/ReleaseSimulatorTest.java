package dev.tideover.gateway.release;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.release.ReleaseSimulator.Fault;
import dev.tideover.wire.DesiredState.Step;
import java.util.EnumMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ReleaseSimulatorTest {

  private static final int SCHEDULES = Integer.getInteger("tideover.schedules", 2_000);

  @Test
  void everyReleaseEndsWithOneVersionWhoeverCrashes() {
    Map<Step, Integer> ends = new EnumMap<>(Step.class);
    for (long seed = 0; seed < SCHEDULES; seed++) {
      ends.merge(new ReleaseSimulator(seed, Fault.NONE).run(), 1, Integer::sum);
    }
    System.out.println("Ends of " + SCHEDULES + " releases: " + ends);
    assertThat(ends).containsOnlyKeys(Step.DONE, Step.ROLLED_BACK, Step.ABANDONED);
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
  void aBrokenOneIsSeen(Fault fault) {
    AssertionError seen = null;
    for (long seed = 0; seed < SCHEDULES && seen == null; seed++) {
      try {
        Step ignored = new ReleaseSimulator(seed, fault).run();
      } catch (AssertionError e) {
        seen = e;
      }
    }
    assertThat(seen).as("what the checks say of %s", fault).isNotNull();
    System.out.println(fault + ": " + seen.getMessage().lines().findFirst().orElseThrow());
  }
}
