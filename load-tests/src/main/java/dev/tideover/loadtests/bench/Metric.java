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
 * @param rival what it is compared with, as JSON names it: {@code bare}, {@code peer}
 * @param theirs the rival's values, in the same order; of the same number
 */
public record Metric(
    String name,
    String unit,
    @Nullable Target target,
    List<Double> ours,
    String rival,
    List<Double> theirs) {

  /** A bound on the ratio of ours to theirs. */
  public record Target(boolean atLeast, double ratio) {

    /** Of a throughput. */
    public static Target atLeast(double ratio) {
      return new Target(true, ratio);
    }

    /** Of a time. */
    public static Target atMost(double ratio) {
      return new Target(false, ratio);
    }

    boolean isMetBy(double actual) {
      return atLeast ? actual >= ratio : actual <= ratio;
    }
  }

  /** Checks that each round has its counterpart. */
  public Metric {
    ours = List.copyOf(ours);
    theirs = List.copyOf(theirs);
    if (ours.size() != theirs.size()) {
      throw new IllegalArgumentException(
          name + ": " + ours.size() + " rounds of ours, " + theirs.size() + " of " + rival);
    }
  }

  /** Of the ratios within the pairs. Where the rival has nothing it is infinite. */
  Spread ratio() {
    List<Double> ratios = new ArrayList<>();
    for (int i = 0; i < ours.size(); i++) {
      ratios.add(theirs.get(i) == 0 ? Double.POSITIVE_INFINITY : ours.get(i) / theirs.get(i));
    }
    return Spread.of(ratios);
  }
}
