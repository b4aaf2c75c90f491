package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.internal.core.Seeds.Run;
import dev.tideover.sdk.internal.core.Simulation.Step;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Instances of the core against a model of Kafka, through schedules in which anything happens at
 * any moment: see {@link Simulation}, and {@link Violation.Promise} for what must hold. With {@code
 * -Dtideover.sim.seed=N} that seed alone is run, and told.
 */
@Timeout(600)
class SimulatorTest {

  private static final Long ONLY = Long.getLong("tideover.sim.seed");

  @Test
  void noneOfAHundredThousandSchedulesBreaksAPromise() {
    if (ONLY != null) {
      tell(ONLY);
      return;
    }
    SimCoverage coverage = new SimCoverage();
    check(0, 100_000, coverage);

    System.out.println(coverage);
    // A simulator in which nothing happens finds nothing.
    for (SimRequest.Kind kind : SimRequest.Kind.values()) {
      if (kind != SimRequest.Kind.MALFORMED && kind != SimRequest.Kind.EXPIRED) {
        assertThat(coverage.of("started " + kind)).as("handlers of %s", kind).isGreaterThan(10_000);
      }
    }
    for (String what :
        new String[] {
          "started alone",
          "adopted for the first time",
          "adopted clean",
          "adopted after a crash",
          "adopted with hints",
          "adopted with Attempts",
          "adopted with Parked",
          "adopted with Cancelled",
          "adopted with finished ids",
          "batch",
          "batch taken out",
          "duplicate",
          "duplicate of elsewhere",
          "mismatch",
          "handled again after a loss",
          "handled again after its window",
          "cancelled",
          "cancellation forgotten",
          "dead: failed",
          "dead: rejected",
          "dead: malformed",
          "dead: parked",
          "dead: crash-loop",
          "held",
          "interrupted as stale",
          "interrupted for its time",
          "thread given up"
        }) {
      assertThat(coverage.of(what)).as(what).isGreaterThan(10_000);
    }
    for (String what :
        new String[] {
          "still",
          "started at a rate",
          "started on trial",
          "failed on trial",
          "withheld",
          "sent after a trial"
        }) {
      assertThat(coverage.of(what)).as(what).isGreaterThan(2_000);
    }
  }

  @Test
  void norDoTenThousandThatNobodyHasSeen() {
    if (ONLY != null) {
      return;
    }
    long base = new SplittableRandom().nextLong() >>> 16;
    System.out.println("seeds from " + base);
    check(base, base + 10_000, new SimCoverage());
  }

  /**
   * Each at any moment. A kill and a request that ends its instance look alike, so the rule is that
   * two ends while a request runs alone are its own doing, and chance can do that too: here to one
   * request in more than ten thousand. That it is never less than two is checked in each run.
   */
  @Test
  void fiveKillsAreHardlyEverTakenForTheDoingOfARequest() {
    if (ONLY != null) {
      return;
    }
    SimConfig config = SimConfig.quiet(4, 1, SimConfig.Feature.KILL);
    Step[] steps = {
      Step.TURN, Step.RUN, Step.FINISH, Step.ACKNOWLEDGE, Step.END_COMMIT, Step.ADOPT, Step.TIME
    };
    SimCoverage coverage = new SimCoverage();
    for (long seed = 0; seed < 2_000; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      List<Integer> schedule = new ArrayList<>();
      for (int i = 0; i < 64; i++) {
        schedule.add(Step.PRODUCE.with(i));
      }
      for (int kill = 0; kill < 5; kill++) {
        for (int i = random.nextInt(10, 80); i > 0; i--) {
          schedule.add(steps[random.nextInt(steps.length)].with(random.nextInt(1_024)));
        }
        schedule.add(Step.KILL.with(random.nextInt(1_024)));
        schedule.add(Step.RESTART.with(0));
      }
      int[] numbers = schedule.stream().mapToInt(Integer::intValue).toArray();
      Violation violation = Simulation.run(config, numbers, SimFault.NONE, coverage);

      assertThat(violation).as(() -> Simulation.tell(config, numbers, SimFault.NONE)).isNull();
    }
    assertThat(coverage.of("started alone")).isGreaterThan(1_000);
    assertThat(coverage.of("dead: crash-loop")).isLessThan(2_000 * 64 / 10_000);
  }

  @Test
  void theSameSeedGivesTheSameRun() {
    for (long seed = 0; seed < 200; seed++) {
      Run run = Seeds.run(seed, SimFault.NONE, new SimCoverage());
      String story = Simulation.tell(run.config(), run.schedule(), SimFault.NONE);

      assertThat(story).isEqualTo(Simulation.tell(run.config(), run.schedule(), SimFault.NONE));
    }
  }

  private static void check(long from, long to, SimCoverage coverage) {
    for (long seed = from; seed < to; seed++) {
      Run run = Seeds.run(seed, SimFault.NONE, coverage);
      if (run.violation() != null) {
        throw new AssertionError(Seeds.explain(seed, run, SimFault.NONE), run.violation());
      }
    }
  }

  private static void tell(long seed) {
    Run run = Seeds.run(seed, SimFault.NONE, new SimCoverage());
    if (run.violation() != null) {
      throw new AssertionError(Seeds.explain(seed, run, SimFault.NONE), run.violation());
    }
    System.out.println(Simulation.tell(run.config(), run.schedule(), SimFault.NONE));
  }
}
