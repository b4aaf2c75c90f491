package dev.tideover.loadtests.bench;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One figure of one scenario over all its pairs of rounds. Two rounds of a pair follow each other
 * at once, so their ratio is little touched by what else the machine does meanwhile; the median of
 * these ratios is what counts, not the ratio of the medians. Immutable.
 *
 * @param name in the report and in JSON
 * @param unit of the values
 * @param target what the ratio should be; null where nothing is asked
 * @param ours Tideover's values, round by round
 * @param bare the bare program's, in the same order; of the same number
 */
record Metric(
    String name, String unit, @Nullable Target target, List<Double> ours, List<Double> bare) {

  /** A bound on the ratio of ours to bare. */
  record Target(boolean atLeast, double ratio) {

    static Target atLeast(double ratio) {
      return new Target(true, ratio);
    }

    static Target atMost(double ratio) {
      return new Target(false, ratio);
    }

    boolean isMetBy(double actual) {
      return atLeast ? actual >= ratio : actual <= ratio;
    }
  }

  Metric {
    ours = List.copyOf(ours);
    bare = List.copyOf(bare);
    if (ours.size() != bare.size()) {
      throw new IllegalArgumentException(
          name + ": " + ours.size() + " rounds of ours, " + bare.size() + " of bare");
    }
  }

  /** Of the ratios within the pairs. A pair without a bare value has none. */
  Spread ratio() {
    List<Double> ratios = new ArrayList<>();
    for (int i = 0; i < ours.size(); i++) {
      ratios.add(bare.get(i) == 0 ? Double.POSITIVE_INFINITY : ours.get(i) / bare.get(i));
    }
    return Spread.of(ratios);
  }
}
