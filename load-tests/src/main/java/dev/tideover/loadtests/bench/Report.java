package dev.tideover.loadtests.bench;

import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What a run came to: a table for people, JSON for programs. Owned by one thread. */
final class Report {

  /** The figures of one scenario. */
  record Section(List<Metric> metrics) {}

  private final double clientCeiling;
  private final List<Section> sections = new ArrayList<>();
  private final List<String> errors = new ArrayList<>();

  /** With the requests a second that the client carries against a server that only echoes. */
  Report(double clientCeiling) {
    this.clientCeiling = clientCeiling;
  }

  void add(Section section) {
    sections.add(section);
  }

  void error(String error) {
    errors.add(error);
  }

  /** Whether every answer of every measured round was right. */
  boolean isClean() {
    return errors.isEmpty();
  }

  /** The table: medians, in brackets the spread over the rounds. */
  void print(PrintStream out, boolean compared) {
    out.printf(Locale.ROOT, "%nMedians, in brackets the lowest and highest round.%n");
    String head = compared ? "Tideover" : "";
    out.printf(
        "%-28s %-27s %-27s %-20s %s%n",
        "",
        compared ? head : "bare",
        compared ? "bare" : "",
        compared ? "ratio" : "",
        compared ? "target" : "");
    for (Section section : sections) {
      for (Metric metric : section.metrics()) {
        out.println(row(metric, compared));
      }
      out.println();
    }
    out.printf(
        Locale.ROOT,
        "The client against a server that only echoes: %,.0f/s.%s%n",
        clientCeiling,
        compared
            ? " The ratios count: the medians of the pairs' ratios, each pair in one moment."
            : "");
    errors.forEach(error -> out.println("ERROR " + error));
  }

  private static String row(Metric metric, boolean compared) {
    String bare = "%-27s".formatted(values(metric, Spread.of(metric.bare())));
    if (!compared) {
      return "%-28s %s".formatted(metric.name(), bare).stripTrailing();
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
            "%-28s %-27s %s %-20s %s",
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
  String toJson() {
    JsonArray list = new JsonArray();
    list.add(
        new JsonObject()
            .put("name", "client-ceiling-echo-64")
            .put("unit", "1/s")
            .put("bare", rounded(clientCeiling)));
    for (Section section : sections) {
      section.metrics().forEach(metric -> list.add(toJson(metric)));
    }
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
            .put("bare", rounded(Spread.of(metric.bare()).median()))
            .put("ratioToBare", rounded(ratio.median()))
            .put("ratioMin", rounded(ratio.min()))
            .put("ratioMax", rounded(ratio.max()))
            .put("oursRounds", new JsonArray(metric.ours().stream().map(Report::rounded).toList()))
            .put("bareRounds", new JsonArray(metric.bare().stream().map(Report::rounded).toList()));
    if (metric.target() != null) {
      json.put(
          metric.target().atLeast() ? "targetAtLeast" : "targetAtMost", metric.target().ratio());
      json.put("targetMet", metric.target().isMetBy(ratio.median()));
    }
    return json;
  }

  private static Object rounded(double value) {
    return Double.isInfinite(value) ? "infinite" : Math.round(value * 1000) / 1000.0;
  }
}
