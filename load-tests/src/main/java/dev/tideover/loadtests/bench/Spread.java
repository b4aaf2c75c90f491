package dev.tideover.loadtests.bench;

import java.util.List;

/**
 * The middle of some values and how far they lie apart. Immutable.
 *
 * @param median the middle one, or the mean of the two in the middle
 */
public record Spread(double min, double median, double max) {

  /**
   * Of at least one value.
   *
   * @throws IllegalArgumentException if there is none, or one that is not a number
   */
  public static Spread of(List<Double> values) {
    if (values.isEmpty() || values.stream().anyMatch(value -> value.isNaN())) {
      throw new IllegalArgumentException("no spread of " + values);
    }
    List<Double> sorted = values.stream().sorted().toList();
    int middle = sorted.size() / 2;
    double median =
        sorted.size() % 2 == 1
            ? sorted.get(middle)
            : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    return new Spread(sorted.get(0), median, sorted.get(sorted.size() - 1));
  }
}
