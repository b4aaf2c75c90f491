package dev.tideover.sdk.internal.core;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** From a seed to a run of the simulator, and from a failing run to what a human can read. */
final class Seeds {

  private static final int LEAST_STEPS = 100;
  private static final int MOST_STEPS = 200;

  /** A run; what it fails by, null if it doesn't. */
  record Run(SimConfig config, int[] schedule, @Nullable Violation violation) {}

  static Run run(long seed, SimFault fault, SimCoverage coverage) {
    SplittableRandom random = new SplittableRandom(seed);
    SimConfig config = SimConfig.random(random);
    int[] schedule = new int[random.nextInt(LEAST_STEPS, MOST_STEPS + 1)];
    for (int i = 0; i < schedule.length; i++) {
      schedule[i] = random.nextInt(1 << 16);
    }
    return new Run(config, schedule, Simulation.run(config, schedule, fault, coverage));
  }

  /** The smallest run found that fails in the same way. */
  static Run shrink(Run run, SimFault fault) {
    Violation.Promise broken = run.violation.promise;
    Shrinker shrinker =
        new Shrinker(
            run.config,
            run.schedule,
            (config, schedule) -> {
              Violation v = Simulation.run(config, schedule, fault, new SimCoverage());
              return v != null && v.promise == broken;
            });
    return new Run(
        shrinker.config,
        shrinker.schedule,
        Simulation.run(shrinker.config, shrinker.schedule, fault, new SimCoverage()));
  }

  /** All that is needed to see what went wrong, and to keep it as a test. */
  static String explain(long seed, Run run, SimFault fault) {
    Run small = shrink(run, fault);
    return "seed "
        + seed
        + " (run it alone with -Dtideover.sim.seed="
        + seed
        + ") breaks a promise; the same in "
        + small.schedule.length
        + " steps, for SimulatedSchedulesTest: ("
        + (small.config.steering() == 0
            ? small.config.bits()
            : "new SimConfig(" + small.config.bits() + ", " + small.config.steering() + ")")
        + ", "
        + Arrays.toString(small.schedule).replaceAll("[\\[\\]]", "")
        + ")\n"
        + small.config
        + "\n"
        + Simulation.tell(small.config, small.schedule, fault);
  }

  private Seeds() {}
}
