package dev.tideover.loadtests.once;

import dev.tideover.loadtests.once.Checker.Verdict;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What came of a run, for people and as JSON.
 *
 * @param killed how often each process was
 * @param begun how many keys were begun
 * @param latestMillis how late they began at most
 * @param counts what happened to the clients how often
 */
record OnceReport(
    Verdict verdict,
    boolean inbox,
    long seed,
    int rounds,
    Map<String, Integer> killed,
    long begun,
    long latestMillis,
    Map<String, Long> counts) {

  private static final int SHOWN_PROBLEMS = 10;

  /** What was to happen and didn't; a run with any of these shows nothing. */
  List<String> reasonsForVoid() {
    List<String> reasons = new ArrayList<>();
    killed.forEach(
        (name, times) -> {
          if (times < (name.equals("broker") ? 1 : rounds)) {
            reasons.add(name + " was killed " + times + " times only");
          }
        });
    if (killed.size() < (inbox ? 7 : 6)) {
      reasons.add("not everything was killed: " + killed.keySet());
    }
    atLeast(reasons, "resent", 50);
    atLeast(reasons, "connections lost", 10);
    atLeast(reasons, "replayed", 20);
    atLeast(reasons, "swept", 50);
    if (verdict.successes() < 0.8 * begun) {
      reasons.add("only " + verdict.successes() + " successes of " + begun + " keys");
    }
    if (verdict.mismatches() < 20) {
      reasons.add("only " + verdict.mismatches() + " answers 422");
    }
    if (verdict.cutOff() == 0) {
      reasons.add("no kill hit a handler at work");
    }
    if (inbox && verdict.cutOffEffects() == 0) {
      reasons.add("no kill hit a handler between its effect and its reply");
    }
    return reasons;
  }

  private void atLeast(List<String> reasons, String what, long least) {
    long count = counts.getOrDefault(what, 0L);
    if (count < least) {
      reasons.add("only " + count + " " + what);
    }
  }

  private String result() {
    return !verdict.pass() ? "FAIL" : reasonsForVoid().isEmpty() ? "PASS" : "VOID";
  }

  void print(PrintStream out) {
    out.printf(
        Locale.ROOT,
        "killed: %s%n"
            + "%d keys, begun %d ms late at most; clients: %s%n"
            + "final answers: %d successes, %d times 422, %d dead%n"
            + "%d effects in the database; %d calls of handlers beyond a key's first, explained: %s%n"
            + "%d calls were cut off by a kill, %d of them behind their effect%n%s%n",
        new TreeMap<>(killed),
        begun,
        latestMillis,
        counts,
        verdict.successes(),
        verdict.mismatches(),
        verdict.dead(),
        verdict.effects(),
        verdict.extraCalls(),
        inbox ? "by the inbox" : verdict.explained(),
        verdict.cutOff(),
        verdict.cutOffEffects(),
        result());
    if (verdict.pass()) {
      reasonsForVoid().forEach(reason -> out.println("  " + reason));
    }
    verdict.broken().forEach((rule, times) -> out.printf("  %s broken %d times%n", rule, times));
    verdict.broken().keySet().stream()
        .flatMap(
            rule ->
                verdict.problems().stream()
                    .filter(problem -> problem.rule() == rule)
                    .limit(SHOWN_PROBLEMS))
        .forEach(
            problem ->
                out.printf("  %s, key %s: %s%n", problem.rule(), problem.key(), problem.detail()));
  }

  String json() {
    return String.format(
        Locale.ROOT,
        """
        {
          "result": "%s",
          "inbox": %b,
          "seed": %d,
          "killed": %s,
          "keys": %d,
          "clients": %s,
          "successes": %d,
          "mismatches": %d,
          "dead": %d,
          "effects": %d,
          "extraCalls": %d,
          "explained": %s,
          "cutOff": %d,
          "cutOffEffects": %d,
          "broken": %s,
          "void": [%s]
        }
        """,
        result(),
        inbox,
        seed,
        object(killed),
        begun,
        object(counts),
        verdict.successes(),
        verdict.mismatches(),
        verdict.dead(),
        verdict.effects(),
        verdict.extraCalls(),
        object(verdict.explained()),
        verdict.cutOff(),
        verdict.cutOffEffects(),
        object(verdict.broken()),
        reasonsForVoid().stream().map(OnceReport::quoted).collect(Collectors.joining(", ")));
  }

  private static String object(Map<?, ? extends Number> map) {
    Map<String, Number> sorted = new TreeMap<>();
    map.forEach((name, number) -> sorted.put(String.valueOf(name), number));
    return sorted.entrySet().stream()
        .map(each -> quoted(each.getKey()) + ": " + each.getValue())
        .collect(Collectors.joining(", ", "{", "}"));
  }

  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}
