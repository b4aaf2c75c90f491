package dev.tideover.loadtests.drill;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.HdrHistogram.Histogram;

/**
 * How a run went. Immutable but for its histogram, which nobody changes.
 *
 * @param waits of the successes behind the warm-up, from when they were due to their reply, in
 *     microseconds; with a 202 in between, to when its client had asked for it
 * @param startedWhileHeld effects in the time in which nothing may start
 * @param problems what makes it a failure, beside what became of the requests
 */
record Outcome(
    String name,
    Verdict verdict,
    Histogram waits,
    int peak,
    long latestMillis,
    long startedWhileHeld,
    Map<String, Long> firstReplyMillis,
    Map<String, Long> sinceStartMillis,
    Map<String, Long> figures,
    List<String> problems,
    List<String> seen,
    String report) {

  private static final long MOST_MICROS = 600_000_000;

  /** Puts together what a script, its clients and the service have seen. */
  static Outcome of(
      String name, String run, Traffic.Result traffic, List<Effect> effects, Facts facts) {
    Histogram waits = new Histogram(MOST_MICROS, 3);
    traffic.requests().stream()
        .skip(traffic.timedFrom())
        .filter(Sent::succeeded)
        .forEach(each -> waits.recordValue(Math.min(each.waitMicros(), MOST_MICROS)));
    List<String> problems = new ArrayList<>(facts.problems);
    String only = facts.onlyVersion;
    if (only != null) {
      long others =
          traffic.requests().stream()
              .skip(facts.onlyFrom)
              .map(Sent::reply)
              .filter(reply -> reply != null && !Effect.versionOf(reply.by()).equals(only))
              .count();
      if (others > 0) {
        problems.add(others + " requests were answered by another version than " + only);
      }
    }
    long started =
        effects.stream()
            .filter(each -> each.atMillis() > facts.heldFrom && each.atMillis() < facts.heldUntil)
            .count();
    return new Outcome(
        name,
        Verdict.of(run, traffic.requests(), effects),
        waits,
        traffic.peak(),
        traffic.latestMillis(),
        started,
        Map.copyOf(facts.firstReplyMillis),
        Map.copyOf(facts.sinceStartMillis),
        Map.copyOf(facts.figures),
        problems,
        traffic.problems(),
        facts.report == null ? "null" : facts.report.strip());
  }

  /** Both together, as if they were one. */
  Outcome plus(Outcome other) {
    Histogram both = waits.copy();
    both.add(other.waits);
    Map<String, Long> first = new TreeMap<>(firstReplyMillis);
    first.putAll(other.firstReplyMillis);
    Map<String, Long> started = new TreeMap<>(sinceStartMillis);
    started.putAll(other.sinceStartMillis);
    List<String> allProblems = new ArrayList<>(problems);
    allProblems.addAll(other.problems);
    List<String> allSeen = new ArrayList<>(seen);
    allSeen.addAll(other.seen);
    return new Outcome(
        name,
        verdict.plus(other.verdict),
        both,
        Math.max(peak, other.peak),
        Math.max(latestMillis, other.latestMillis),
        startedWhileHeld + other.startedWhileHeld,
        first,
        started,
        Map.of(),
        allProblems,
        allSeen,
        "null");
  }

  double p50Millis() {
    return waits.getTotalCount() == 0 ? 0 : waits.getValueAtPercentile(50) / 1e3;
  }

  double p99Millis() {
    return waits.getTotalCount() == 0 ? 0 : waits.getValueAtPercentile(99) / 1e3;
  }

  long longestHoldMillis() {
    return waits.getTotalCount() == 0 ? 0 : waits.getMaxValue() / 1_000;
  }

  /** Whether Tideover has kept what it promises. */
  boolean pass(boolean clean) {
    return problems.isEmpty()
        && verdict.failed() == 0
        && verdict.lost() == 0
        && verdict.wrongReply() == 0
        && verdict.outOfOrder() == 0
        && startedWhileHeld == 0
        && verdict.answered() == verdict.sent()
        && (!clean || verdict.duplicated() == 0);
  }
}
