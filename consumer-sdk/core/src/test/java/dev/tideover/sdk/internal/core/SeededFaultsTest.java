package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.internal.core.Seeds.Run;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The simulator finds faults: each of those that are built in, soon, and by the right promise. Two
 * are too rare for that, so {@link SimulatedSchedulesTest} has the schedules that were found.
 */
@Timeout(120)
class SeededFaultsTest {

  private static final int SEEDS = 2_000;

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"NONE", "CANCELLATION_NOT_RECORDED", "ANOTHER_BATCH_COUNTS"})
  void aFaultThatIsBuiltInIsFoundAndShrunk(SimFault fault) {
    Run found = null;
    long seed = 0;
    for (; found == null && seed < SEEDS; seed++) {
      Run run = Seeds.run(seed, fault, new SimCoverage());
      if (run.violation() != null && fault.promises.contains(run.violation().promise)) {
        found = run;
      }
    }
    assertThat(found).as("%s within %s seeds", fault, SEEDS).isNotNull();

    Run small = Seeds.shrink(found, fault);
    System.out.println(
        fault
            + ": "
            + seed
            + " seeds, "
            + found.schedule().length
            + " steps shrunk to "
            + small.schedule().length
            + "; "
            + small.violation().getMessage());
    assertThat(small.schedule().length).isLessThan(found.schedule().length / 2);
    // It is the fault that breaks the promise.
    Violation without =
        Simulation.run(small.config(), small.schedule(), SimFault.NONE, new SimCoverage());
    assertThat(without).isNull();
  }
}
