package dev.tideover.loadtests.client;

import java.util.List;

/**
 * What one round of load came to. Immutable.
 *
 * @param throughput right answers a second
 * @param p50 median latency, microseconds
 * @param p99 the latency that 99 of 100 stay within, microseconds
 * @param max the longest latency, microseconds
 * @param answers all right answers, those of the ramp too
 * @param errors wrong statuses, wrong bodies, broken connections, answers that never came
 * @param firstError what the first error was; empty without one
 */
public record Measurement(
    double throughput,
    double p50,
    double p99,
    double max,
    long answers,
    long errors,
    String firstError) {

  private static final int WORDS = 7;

  /** The line that {@link #parse} reads. */
  public String toLine() {
    return String.join(
        " ",
        List.of(
            Double.toString(throughput),
            Double.toString(p50),
            Double.toString(p99),
            Double.toString(max),
            Long.toString(answers),
            Long.toString(errors),
            firstError.replaceAll("\\s+", " ")));
  }

  /**
   * Reads what {@link #toLine} wrote.
   *
   * @throws IllegalArgumentException if it is something else
   */
  public static Measurement parse(String line) {
    List<String> words = List.of(line.split(" ", WORDS));
    if (words.size() != WORDS) {
      throw new IllegalArgumentException("expected " + WORDS + " words: " + line);
    }
    return new Measurement(
        Double.parseDouble(words.get(0)),
        Double.parseDouble(words.get(1)),
        Double.parseDouble(words.get(2)),
        Double.parseDouble(words.get(3)),
        Long.parseLong(words.get(4)),
        Long.parseLong(words.get(5)),
        words.get(6));
  }
}
