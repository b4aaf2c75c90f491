package dev.tideover.loadtests.drill;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What a drill has shown, for people and as JSON.
 *
 * @param part which of the ways of being bad; empty where there is only one way
 * @param haproxy the same through HAProxy; null where it wasn't run
 */
record DrillReport(
    Kind kind,
    String part,
    boolean clean,
    int rate,
    long seed,
    Outcome tideover,
    @Nullable Outcome haproxy,
    List<DrillReport> parts) {

  private static final String INDENT = "  ";

  /** All parts as one, with each of them beside it. */
  static DrillReport of(List<DrillReport> parts) {
    DrillReport first = parts.get(0);
    Outcome ours = first.tideover;
    Outcome theirs = first.haproxy;
    for (DrillReport each : parts.subList(1, parts.size())) {
      ours = ours.plus(each.tideover);
      theirs = theirs == null || each.haproxy == null ? null : theirs.plus(each.haproxy);
    }
    return new DrillReport(
        first.kind,
        "all",
        parts.stream().allMatch(DrillReport::clean),
        first.rate,
        first.seed,
        ours,
        theirs,
        parts);
  }

  boolean pass() {
    return parts.isEmpty() ? tideover.pass(clean) : parts.stream().allMatch(DrillReport::pass);
  }

  void print(PrintStream out) {
    out.printf(
        Locale.ROOT, "%n%-26s%20s%20s%n", title(), "Tideover", haproxy == null ? "" : "HAProxy");
    row(out, "requests sent", each -> count(each.verdict().sent()));
    row(out, "answered", each -> count(each.verdict().answered()));
    row(out, "failed", each -> count(each.verdict().failed()));
    row(out, "lost", each -> count(each.verdict().lost()));
    row(out, "duplicated effects", each -> count(each.verdict().duplicated()));
    row(out, "wrong replies", each -> count(each.verdict().wrongReply()));
    row(out, "out of order", each -> count(each.verdict().outOfOrder()));
    row(out, "told 202, replied later", each -> count(each.verdict().later202()));
    if (kind == Kind.HOLD) {
      row(out, "effects during the hold", each -> count(each.startedWhileHeld()));
    }
    row(out, "most waiting at once", each -> count(each.peak()));
    row(out, "longest wait", each -> millis(each.longestHoldMillis()));
    row(out, "p50", each -> millis(each.p50Millis()));
    row(out, "p99", each -> millis(each.p99Millis()));
    if (kind == Kind.ROLLING) {
      row(out, "slowest first reply", each -> slowest(each.firstReplyMillis()));
      row(out, "  since start", each -> slowest(each.sinceStartMillis()));
    }
    row(out, "sent late at most", each -> millis(each.latestMillis()));
    row(out, "answered by", each -> each.verdict().answeredBy().toString());
    for (Outcome each : sides()) {
      List<String> lines = new ArrayList<>(each.problems());
      lines.addAll(each.seen());
      lines.addAll(each.verdict().examples());
      lines.forEach(line -> out.println(INDENT + each.name() + ": " + line));
    }
    out.println(pass() ? "PASS" : "FAIL");
  }

  private String title() {
    String name = word(kind);
    return part.isEmpty() ? name : name + ", " + part;
  }

  static String word(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private List<Outcome> sides() {
    return haproxy == null ? List.of(tideover) : List.of(tideover, haproxy);
  }

  private void row(PrintStream out, String what, Function<Outcome, String> value) {
    out.printf(
        "%-26s%20s%20s%n",
        what, value.apply(tideover), haproxy == null ? "" : value.apply(haproxy));
  }

  private static String slowest(Map<String, Long> millis) {
    return millis.values().stream().max(Long::compare).map(DrillReport::millis).orElse("-");
  }

  private static String count(long count) {
    return Long.toString(count);
  }

  private static String millis(double millis) {
    return millis < 1_000
        ? String.format(Locale.ROOT, "%.0f ms", millis)
        : String.format(Locale.ROOT, "%.1f s", millis / 1e3);
  }

  String json() {
    List<String> fields = new ArrayList<>();
    fields.add("\"kind\": \"" + word(kind) + "\"");
    if (!part.isEmpty()) {
      fields.add("\"bad\": \"" + part + "\"");
    }
    fields.add("\"pass\": " + pass());
    fields.add("\"rate\": " + rate);
    fields.add("\"seed\": " + seed);
    fields.addAll(fields(tideover));
    fields.add("\"haproxy\": " + (haproxy == null ? "null" : object(fields(haproxy))));
    if (!parts.isEmpty()) {
      fields.add(
          "\"parts\": "
              + parts.stream()
                  .map(each -> each.json().strip())
                  .collect(Collectors.joining(",\n", "[", "]")));
    }
    return object(fields) + "\n";
  }

  private static List<String> fields(Outcome of) {
    Verdict verdict = of.verdict();
    List<String> fields = new ArrayList<>();
    fields.add("\"sent\": " + verdict.sent());
    fields.add("\"answered\": " + verdict.answered());
    fields.add("\"failed\": " + verdict.failed());
    fields.add("\"lost\": " + verdict.lost());
    fields.add("\"duplicated\": " + verdict.duplicated());
    fields.add("\"wrongReply\": " + verdict.wrongReply());
    fields.add("\"outOfOrder\": " + verdict.outOfOrder());
    fields.add("\"longestHoldMs\": " + of.longestHoldMillis());
    fields.add(String.format(Locale.ROOT, "\"p50Ms\": %.1f", of.p50Millis()));
    fields.add(String.format(Locale.ROOT, "\"p99Ms\": %.1f", of.p99Millis()));
    fields.add("\"later202\": " + verdict.later202());
    fields.add("\"startedWhileHeld\": " + of.startedWhileHeld());
    fields.add("\"waitingPeak\": " + of.peak());
    fields.add("\"sentLateMs\": " + of.latestMillis());
    fields.add("\"firstReplyMs\": " + object(of.firstReplyMillis()));
    fields.add("\"firstReplySinceStartMs\": " + object(of.sinceStartMillis()));
    fields.add("\"answeredBy\": " + object(verdict.answeredBy()));
    of.figures().forEach((name, value) -> fields.add(quoted(name) + ": " + value));
    fields.add("\"problems\": " + array(of.problems()));
    fields.add("\"seen\": " + array(of.seen()));
    fields.add("\"examples\": " + array(verdict.examples()));
    fields.add("\"report\": " + of.report());
    return fields;
  }

  private static String object(List<String> fields) {
    return fields.stream()
        .map(field -> INDENT + field.replace("\n", "\n" + INDENT))
        .collect(Collectors.joining(",\n", "{\n", "\n}"));
  }

  private static String object(Map<String, ? extends Number> map) {
    return new TreeMap<>(map)
        .entrySet().stream()
            .map(each -> quoted(each.getKey()) + ": " + each.getValue())
            .collect(Collectors.joining(", ", "{", "}"));
  }

  private static String array(List<String> texts) {
    return texts.stream().map(DrillReport::quoted).collect(Collectors.joining(", ", "[", "]"));
  }

  private static String quoted(String text) {
    StringBuilder json = new StringBuilder("\"");
    for (char each : text.toCharArray()) {
      if (each == '"' || each == '\\') {
        json.append('\\').append(each);
      } else if (each < ' ') {
        json.append(String.format(Locale.ROOT, "\\u%04x", (int) each));
      } else {
        json.append(each);
      }
    }
    return json.append('"').toString();
  }
}
