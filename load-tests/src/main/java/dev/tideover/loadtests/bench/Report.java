package dev.tideover.loadtests.bench;

import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What a run came to: a table for people, JSON for programs. Owned by one thread. */
public final class Report {

  /** What something could do at best. */
  private record Ceiling(String name, double value, String text) {}

  /** The figures of one scenario; the heading may be empty. */
  private record Section(String heading, List<Metric> metrics) {}

  private final String rivals;
  private final List<Ceiling> ceilings = new ArrayList<>();
  private final List<Section> sections = new ArrayList<>();
  private final List<String> errors = new ArrayList<>();

  /** With the title of the column beside Tideover's. */
  public Report(String rivals) {
    this.rivals = rivals;
  }

  /**
   * Adds what could be reached at best, for the line at the end.
   *
   * @param value a second
   * @param text with one place for the value
   */
  public void ceiling(String name, double value, String text) {
    ceilings.add(new Ceiling(name, value, text));
  }

  /** Adds the figures of one scenario. */
  public void add(List<Metric> metrics) {
    add("", metrics);
  }

  /** The same with a line above them: for those that are compared with something else. */
  public void add(String heading, List<Metric> metrics) {
    sections.add(new Section(heading, List.copyOf(metrics)));
  }

  /** Adds what went wrong. */
  public void error(String error) {
    errors.add(error);
  }

  /** Whether every answer of every measured round was right. */
  public boolean isClean() {
    return errors.isEmpty();
  }

  /** The table: medians, in brackets the spread over the rounds. */
  public void print(PrintStream out, boolean compared) {
    out.printf(Locale.ROOT, "%nMedians, in brackets the lowest and highest round.%n");
    String head = compared ? "Tideover" : "";
    out.printf(
        "%-32s %-27s %-27s %-20s %s%n",
        "",
        compared ? head : rivals,
        compared ? rivals : "",
        compared ? "ratio" : "",
        compared ? "target" : "");
    for (Section section : sections) {
      if (!section.heading().isEmpty()) {
        out.println(section.heading());
      }
      for (Metric metric : section.metrics()) {
        out.println(row(metric, compared));
      }
      out.println();
    }
    ceilings.forEach(each -> out.println(String.format(Locale.ROOT, each.text(), each.value())));
    if (compared) {
      out.println("The ratios count: the medians of the pairs' ratios, each pair in one moment.");
    }
    errors.forEach(error -> out.println("ERROR " + error));
  }

  private static String row(Metric metric, boolean compared) {
    String bare = "%-27s".formatted(values(metric, Spread.of(metric.theirs())));
    if (!compared) {
      return "%-32s %s".formatted(metric.name(), bare).stripTrailing();
    }
    Spread ratio = metric.ratio();
    String target = "";
    if (metric.target() != null) {
      target =
          String.format(
              Locale.ROOT,
              "%s %.2f %s",
              metric.target().atLeast() ? ">=" : "<=",
              metric.target().ratio(),
              metric.target().isMetBy(ratio.median()) ? "met" : "MISSED");
    }
    return String.format(
            Locale.ROOT,
            "%-32s %-27s %s %-20s %s",
            metric.name(),
            values(metric, Spread.of(metric.ours())),
            bare,
            String.format(
                Locale.ROOT, "%.2f (%.2f..%.2f)", ratio.median(), ratio.min(), ratio.max()),
            target)
        .stripTrailing();
  }

  private static String values(Metric metric, Spread spread) {
    if (metric.unit().equals("1/s")) {
      return format("%,.0f/s (%,.0f..%,.0f)", spread, 1);
    }
    return metric.unit().equals("us")
        ? format("%.2f ms (%.2f..%.2f)", spread, 1000)
        : format("%.0f us (%.0f..%.0f)", spread, 1);
  }

  private static String format(String pattern, Spread spread, double divisor) {
    return String.format(
        Locale.ROOT,
        pattern,
        spread.median() / divisor,
        spread.min() / divisor,
        spread.max() / divisor);
  }

  /** One object for each figure; medians, spreads, and every round's value. */
  public String toJson() {
    JsonArray list = new JsonArray();
    for (Ceiling each : ceilings) {
      list.add(
          new JsonObject()
              .put("name", each.name())
              .put("unit", "1/s")
              .put("bare", rounded(each.value())));
    }
    sections.forEach(section -> section.metrics().forEach(metric -> list.add(toJson(metric))));
    errors.forEach(error -> list.add(new JsonObject().put("name", "error").put("detail", error)));
    return list.encodePrettily() + "\n";
  }

  private static JsonObject toJson(Metric metric) {
    Spread ratio = metric.ratio();
    JsonObject json =
        new JsonObject()
            .put("name", metric.name())
            .put("unit", metric.unit())
            .put("ours", rounded(Spread.of(metric.ours()).median()))
            .put(metric.rival(), rounded(Spread.of(metric.theirs()).median()))
            .put("ratioTo" + capital(metric.rival()), rounded(ratio.median()))
            .put("ratioMin", rounded(ratio.min()))
            .put("ratioMax", rounded(ratio.max()))
            .put("oursRounds", new JsonArray(metric.ours().stream().map(Report::rounded).toList()))
            .put(
                metric.rival() + "Rounds",
                new JsonArray(metric.theirs().stream().map(Report::rounded).toList()));
    if (metric.target() != null) {
      json.put(
          metric.target().atLeast() ? "targetAtLeast" : "targetAtMost", metric.target().ratio());
      json.put("targetMet", metric.target().isMetBy(ratio.median()));
    }
    return json;
  }

  private static String capital(String word) {
    return Character.toUpperCase(word.charAt(0)) + word.substring(1);
  }

  private static Object rounded(double value) {
    return Double.isInfinite(value) ? "infinite" : Math.round(value * 1000) / 1000.0;
  }
}
