package dev.tideover.sdk.internal.core;

import java.util.Arrays;
import java.util.function.BiPredicate;

/**
 * Makes a failing run smaller for as long as it fails in the same way: leaves out steps, from many
 * at once to single ones, then kinds of fault, then makes the numbers smaller.
 */
final class Shrinker {

  private final BiPredicate<SimConfig, int[]> fails;
  SimConfig config;
  int[] schedule;

  /** Does it; a tenth of a second, as a rule. */
  Shrinker(SimConfig config, int[] schedule, BiPredicate<SimConfig, int[]> fails) {
    this.config = config;
    this.schedule = schedule;
    this.fails = fails;
    int before;
    int rounds = 0;
    do {
      before = schedule().length;
      dropSteps();
      simplifyConfig();
      lowerNumbers();
    } while (schedule().length < before && ++rounds < 10);
  }

  private int[] schedule() {
    return schedule;
  }

  private void dropSteps() {
    for (int size = Math.max(1, schedule.length / 2); size > 0; size /= 2) {
      for (int from = 0; from < schedule.length; ) {
        int to = Math.min(schedule.length, from + size);
        int[] shorter = new int[schedule.length - (to - from)];
        System.arraycopy(schedule, 0, shorter, 0, from);
        System.arraycopy(schedule, to, shorter, from, schedule.length - to);
        if (fails.test(config, shorter)) {
          schedule = shorter;
        } else {
          from = to;
        }
      }
    }
  }

  private void simplifyConfig() {
    for (int respect = 0; respect < SimConfig.respects(); respect++) {
      SimConfig simpler = config.simpler(respect);
      if (!simpler.equals(config) && fails.test(simpler, schedule)) {
        config = simpler;
      }
    }
  }

  private void lowerNumbers() {
    for (int i = 0; i < schedule.length; i++) {
      int step = schedule[i] & 63;
      int choice = schedule[i] >>> 6;
      for (int lower : new int[] {0, choice / 16, choice / 4, choice / 2, choice - 1}) {
        if (lower >= 0 && lower < choice) {
          int[] lowered = Arrays.copyOf(schedule, schedule.length);
          lowered[i] = lower << 6 | step;
          if (fails.test(config, lowered)) {
            schedule = lowered;
            break;
          }
        }
      }
    }
  }
}
