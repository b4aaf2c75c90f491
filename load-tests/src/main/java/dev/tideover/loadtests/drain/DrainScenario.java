package dev.tideover.loadtests.drain;

import dev.tideover.loadtests.contender.Job;
import java.util.List;

/**
 * What is drained. Immutable.
 *
 * @param name as {@code --only} takes it
 * @param records in a measured round of a full run
 * @param quickRecords in one of a quick run
 * @param bodyBytes of each request
 * @param micros how long a handler blocks
 * @param failures how often a request of the failing key fails; {@link #ALWAYS} for each time
 * @param bare whether the bare loop takes part: it knows neither order nor retries
 * @param ceiling requests a second that order and the handler's time allow; 0 where the machine is
 *     the limit
 */
record DrainScenario(
    String name,
    int records,
    int quickRecords,
    int bodyBytes,
    Keys keys,
    int micros,
    int failures,
    boolean bare,
    double ceiling) {

  static final int CONCURRENCY = 64;
  static final int PARTITIONS = 12;
  static final int ALWAYS = Integer.MAX_VALUE;

  /** Between the attempts of a request that fails: the same for all, exactly. */
  private static final int PAUSE_MILLIS = 20;

  /** All of them, in the order in which they run. */
  static final List<DrainScenario> ALL =
      List.of(
          new DrainScenario("noop", 200_000, 50_000, 200, Keys.MANY, 0, 0, true, 0),
          new DrainScenario("noop-1k", 100_000, 25_000, 1_024, Keys.MANY, 0, 0, true, 0),
          new DrainScenario(
              "5ms", 50_000, 20_000, 200, Keys.MANY, 5_000, 0, true, CONCURRENCY / 0.005),
          // The hot key's requests take a millisecond each, one after another, and are a half.
          new DrainScenario("hot-key", 8_000, 3_000, 200, Keys.ONE_HOT, 1_000, 0, false, 2_000),
          new DrainScenario(
              "failing-key", 40_000, 12_000, 200, Keys.ONE_FAILING, 1_000, 3, false, 0),
          new DrainScenario(
              "failing-key-always",
              40_000,
              12_000,
              200,
              Keys.ONE_FAILING,
              1_000,
              ALWAYS,
              false,
              0));

  /** What a contender is told. */
  Job job(String service, String replyTopic) {
    return new Job(service, replyTopic, CONCURRENCY, micros, failures, PAUSE_MILLIS);
  }

  /** Whether the n-th request has to be completed. */
  boolean isWanted(int n) {
    return failures != ALWAYS || keys.isOrdinary(n);
  }
}
