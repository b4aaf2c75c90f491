package dev.tideover.gateway.release;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** A report as a person reads it in a terminal: at most 80 columns, the result first. */
public final class ReleaseText {

  private static final int WIDTH = 80;
  private static final int LONGEST_NAME = 20;

  /** All of it, each line ended. */
  public static String of(ReleaseReport report) {
    List<String> lines = new ArrayList<>();
    wrap(lines, headline(report), "", "  ");
    if (!report.reason().isEmpty()) {
      wrap(lines, report.reason() + ".", "  ", "  ");
    }
    lines.add("");
    lines.add(
        figure("held", report.held())
            + (report.longestHoldMillis() > 0
                ? "   the longest for " + duration(report.longestHoldMillis())
                : ""));
    lines.add(figure("failed", report.failed()));
    lines.add(figure("duplicates", report.duplicates()));
    lines.add("");
    lines.add(row("latency", "requests", "p50", "p99", "max"));
    lines.add(latency("  before", report.before()));
    lines.add(latency("  during", report.during()));
    lines.add(latency("  after", report.after()));
    lines.add("");
    versions(lines, report);
    lines.add("");
    String steps =
        report.steps().stream()
            .map(step -> step.step().text() + " " + duration(step.millis()))
            .collect(Collectors.joining(", "));
    wrap(lines, "steps: " + steps, "  ", "         ");
    for (String note : report.notes()) {
      wrap(lines, "note: " + note, "  ", "        ");
    }
    return lines.stream().map(line -> line.stripTrailing() + "\n").collect(Collectors.joining());
  }

  private static String headline(ReleaseReport report) {
    String time = duration(report.millis());
    String end =
        switch (report.step()) {
          case DONE -> "DONE in " + time + ", " + report.to() + " is active";
          case ROLLED_BACK -> "ROLLED BACK after " + time + ", " + report.from() + " is active";
          case ABANDONED -> "ABANDONED after " + time + ", " + report.from() + " is active";
          default -> "under way for " + time + ", at the step " + report.step().text();
        };
    return report.service() + ": " + report.from() + " -> " + report.to() + ": " + end;
  }

  private static String figure(String name, long count) {
    return String.format(Locale.ROOT, "  %-22s%,10d", name, count);
  }

  private static String latency(String name, Measures.Latency latency) {
    return latency.count() == 0
        ? row(name, "0", "-", "-", "-")
        : row(
            name,
            count(latency.count()),
            millis(latency.p50Millis()),
            millis(latency.p99Millis()),
            millis(latency.maxMillis()));
  }

  private static void versions(List<String> lines, ReleaseReport report) {
    if (report.versions().isEmpty()) {
      lines.add("  No replies were seen.");
      return;
    }
    lines.add(row("version", "replies", "5xx", "dead", "handler p50", "p99"));
    Map<String, Measures.OfVersion> sorted = new TreeMap<>(report.versions());
    sorted.forEach(
        (version, its) ->
            lines.add(
                row(
                    "  " + shortened(version),
                    count(its.replies()),
                    count(its.errors()),
                    count(its.dead()),
                    its.handling().count() == 0 ? "-" : millis(its.handling().p50Millis()),
                    its.handling().count() == 0 ? "-" : millis(its.handling().p99Millis()))));
  }

  private static String row(String name, String... cells) {
    StringBuilder row = new StringBuilder(String.format(Locale.ROOT, "  %-22s", name));
    for (int i = 0; i < cells.length; i++) {
      row.append(
          String.format(Locale.ROOT, i == 3 && cells.length > 4 ? "%13s" : "%10s", cells[i]));
    }
    return row.toString();
  }

  /** The end tells versions apart more often than the beginning. */
  private static String shortened(String version) {
    return version.length() <= LONGEST_NAME
        ? version
        : "..." + version.substring(version.length() - LONGEST_NAME + 3);
  }

  private static String count(long count) {
    return String.format(Locale.ROOT, "%,d", count);
  }

  private static String millis(double millis) {
    return millis < 10_000
        ? Verification.millis(millis)
        : String.format(Locale.ROOT, "%,.1f s", millis / 1_000);
  }

  private static String duration(long millis) {
    if (millis < 1_000) {
      return millis + " ms";
    } else if (millis < 120_000) {
      return String.format(Locale.ROOT, "%.1f s", millis / 1_000.0);
    }
    return millis / 60_000 + " min " + millis % 60_000 / 1_000 + " s";
  }

  private static void wrap(List<String> lines, String text, String first, String next) {
    StringBuilder line = new StringBuilder(first);
    boolean empty = true;
    for (String word : text.split(" ", -1)) {
      if (!empty && line.length() + 1 + word.length() > WIDTH) {
        lines.add(line.toString());
        line = new StringBuilder(next);
        empty = true;
      }
      line.append(empty ? "" : " ").append(word);
      empty = false;
    }
    lines.add(line.toString());
  }

  private ReleaseText() {}
}
