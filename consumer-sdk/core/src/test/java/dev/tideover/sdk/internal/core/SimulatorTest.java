package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.internal.core.Seeds.Run;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Instances of the core against a model of Kafka, through schedules in which anything happens at
 * any moment: see {@link Simulation}, and {@link Violation.Promise} for what must hold.
 */
@Timeout(600)
class SimulatorTest {

  @Test
  void theSameSeedGivesTheSameRun() {
    for (long seed = 0; seed < 200; seed++) {
      Run run = Seeds.run(seed, SimFault.NONE, new SimCoverage());
      String story = Simulation.tell(run.config(), run.schedule(), SimFault.NONE);

      assertThat(story).isEqualTo(Simulation.tell(run.config(), run.schedule(), SimFault.NONE));
    }
  }
}
