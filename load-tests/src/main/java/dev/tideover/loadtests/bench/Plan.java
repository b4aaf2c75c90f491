package dev.tideover.loadtests.bench;

/**
 * How long a run takes: its rounds. Immutable.
 *
 * @param pairs measured pairs of rounds of each scenario, and one unmeasured before them
 * @param millis of each round
 * @param rampMillis at the start of each round that do not count
 * @param warmUpMillis of load on each side before the first scenario
 */
record Plan(String name, int pairs, int millis, int rampMillis, int warmUpMillis) {

  static final Plan QUICK = new Plan("quick", 3, 1_500, 200, 4_000);
  static final Plan FULL = new Plan("full", 7, 5_000, 500, 30_000);
}
