package dev.tideover.demo;

import java.io.PrintStream;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What the person who runs the demo sees. On a terminal, one block that is drawn again and again,
 * with events scrolling above it; elsewhere one line a second.
 *
 * <p>Safe for use by many threads.
 */
final class Display {
  private static final String UP_AND_CLEAR = "\u001b[%dA\u001b[J";
  private static final int BAR_WIDTH = 50;

  private final PrintStream out;
  private final boolean terminal;
  private int blockLines;

  Display(PrintStream out, boolean terminal) {
    this.out = out;
    this.terminal = terminal;
  }

  /** How often {@link #show} should be called. */
  Duration interval() {
    return terminal ? Duration.ofMillis(250) : Duration.ofSeconds(1);
  }

  /** Something happened. */
  synchronized void event(@Nullable Duration at, String what) {
    clearBlock();
    out.println(at == null ? what : String.format(Locale.ROOT, "%6s  %s", seconds(at), what));
    out.flush();
  }

  /**
   * The traffic now.
   *
   * @param at since the first request was due
   * @param backlog requests in Kafka that are not committed as handled; negative where unknown
   * @param serving the state of the service, as {@code v1} or {@code none: v1 is stopped}
   */
  synchronized void show(
      Duration at, TrafficClient.Snapshot traffic, long backlog, String serving) {
    String lag = backlog < 0 ? "?" : String.valueOf(backlog);
    String latency =
        traffic.waits().max() == 0
            ? "no answers"
            : millis(traffic.waits().p50()) + " p50, " + millis(traffic.waits().max()) + " max";
    if (!terminal) {
      out.printf(
          Locale.ROOT,
          "%6s  sent %d, answered %d, waiting %d, backlog %s, service %s, latency %s%n",
          seconds(at),
          traffic.sent(),
          traffic.answered(),
          traffic.waiting(),
          lag,
          serving,
          latency);
      out.flush();
      return;
    }
    clearBlock();
    draw(
        List.of(
            "",
            "  time      " + seconds(at),
            "  sent      " + traffic.sent(),
            "  answered  " + traffic.answered(),
            "  waiting   " + pad(traffic.waiting()) + bar(traffic.waiting()),
            "  backlog   " + pad(lag) + bar(Math.max(0, backlog)),
            "  service   " + serving,
            "  latency   " + latency,
            ""));
  }

  /** The result, as a table. */
  synchronized void table(Report report, boolean killed) {
    clearBlock();
    String duplicates = killed ? "  (a kill may repeat requests: at least once)" : "";
    String first =
        report.firstReplyAfterReadyMs() == null ? "-" : report.firstReplyAfterReadyMs() + " ms";
    String by =
        report.answeredBy().entrySet().stream()
            .map(version -> version.getKey() + " " + version.getValue())
            .collect(Collectors.joining(", "));
    var rows = new LinkedHashMap<String, String>();
    rows.put("requests sent", String.valueOf(report.sent()));
    rows.put("answered", report.answered() + (by.isEmpty() ? "" : "  (" + by + ")"));
    rows.put("failed", String.valueOf(report.failed()));
    rows.put("lost", String.valueOf(report.lost()));
    rows.put("duplicated", report.duplicated() + duplicates);
    rows.put("out of order", String.valueOf(report.outOfOrder()));
    rows.put("wrong reply", String.valueOf(report.wrongReply()));
    rows.put("first answered 202", String.valueOf(report.accepted202()));
    rows.put("most waiting at once", String.valueOf(report.heldPeak()));
    rows.put("longest wait", report.longestHoldMs() + " ms");
    rows.put("wait, p50 and p99", report.p50Ms() + " ms, " + report.p99Ms() + " ms");
    rows.put("first reply after v2 was ready", first);
    out.println();
    for (Map.Entry<String, String> row : rows.entrySet()) {
      out.printf(Locale.ROOT, "  %-32s%s%n", row.getKey(), row.getValue());
    }
    out.println();
    out.flush();
  }

  private void draw(List<String> lines) {
    lines.forEach(out::println);
    out.flush();
    blockLines = lines.size();
  }

  private void clearBlock() {
    if (blockLines > 0) {
      out.printf(Locale.ROOT, UP_AND_CLEAR, blockLines);
      blockLines = 0;
    }
  }

  private static String pad(Object value) {
    return String.format(Locale.ROOT, "%-7s", value);
  }

  /** A logarithmic bar: full at ten thousand. */
  private static String bar(long value) {
    return "#".repeat((int) Math.min(BAR_WIDTH, BAR_WIDTH * Math.log10(1.0 + value) / 4));
  }

  private static String seconds(Duration duration) {
    return String.format(Locale.ROOT, "%.1fs", duration.toMillis() / 1000.0);
  }

  private static String millis(long micros) {
    return String.format(Locale.ROOT, "%.1f ms", micros / 1000.0);
  }
}
