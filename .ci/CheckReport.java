import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Checks a report of {@code ./tideover demo --rate 300 --duration 25s --release-at 8s --downtime 5s}
 * and exits with 1 if anything is wrong. It shares no code with the demo, so that a demo which
 * counts nothing, or sends nothing, doesn't pass.
 */
class CheckReport {
  private static final int SENT_AT_LEAST = 300 * 24;
  private static final int HELD_AT_LEAST = 300 * 4;
  private static final int HELD_MS_AT_LEAST = 4_500;
  private static final int HELD_MS_AT_MOST = 30_000;
  private static final int FIRST_REPLY_MS_AT_MOST = 10_000;

  private final String json;
  private final List<String> problems = new ArrayList<>();

  private CheckReport(String json) {
    this.json = json;
  }

  public static void main(String[] args) throws IOException {
    Path file = Path.of(args[0]);
    boolean killed = args.length > 1 && args[1].equals("--kill");
    var report = new CheckReport(Files.readString(file));
    report.check(killed);
    if (!report.problems.isEmpty()) {
      report.problems.forEach(problem -> System.err.println(file + ": " + problem));
      System.err.println(report.json);
      System.exit(1);
    }
    System.out.println(file + ": all as promised.");
  }

  private void check(boolean killed) {
    long sent = number("sent");
    between("sent", sent, SENT_AT_LEAST, 300 * 26);
    between("answered", number("answered"), sent, sent);
    for (String zero : List.of("failed", "lost", "wrongReply", "outOfOrder")) {
      between(zero, number(zero), 0, 0);
    }
    between("duplicated", number("duplicated"), 0, killed ? sent / 10 : 0);
    between("accepted202", number("accepted202"), 0, sent);

    long byV1 = number("v1");
    long byV2 = number("v2");
    between("answeredBy v1", byV1, 300, sent);
    between("answeredBy v2", byV2, 300, sent);
    between("answeredBy v1 and v2", byV1 + byV2, sent, sent);

    // That requests were held at all is what the demo is about.
    between("heldPeak", number("heldPeak"), HELD_AT_LEAST, sent);
    between("longestHoldMs", number("longestHoldMs"), HELD_MS_AT_LEAST, HELD_MS_AT_MOST);
    between("firstReplyAfterReadyMs", number("firstReplyAfterReadyMs"), 0, FIRST_REPLY_MS_AT_MOST);
    between("p50Ms", number("p50Ms"), 0, HELD_MS_AT_MOST);
    between("p99Ms", number("p99Ms"), HELD_MS_AT_LEAST / 2, HELD_MS_AT_MOST);
  }

  private void between(String name, long value, long least, long most) {
    if (value < least || value > most) {
      problems.add(name + " is " + value + ", expected " + least + " to " + most);
    }
  }

  /** The value of a key, without its fraction; a missing or other value is a problem. */
  private long number(String key) {
    Matcher matcher = Pattern.compile("\"" + key + "\"\\s*:\\s*(\\d+)").matcher(json);
    if (!matcher.find()) {
      problems.add(key + " is missing or not a number");
      return -1;
    }
    return Long.parseLong(matcher.group(1));
  }
}
