package dev.tideover.loadtests.client;

import java.util.List;

/**
 * One round of load, as the benchmark asks the client's process for it. Immutable.
 *
 * @param port where the server listens on the loopback address
 * @param path what is asked for
 * @param mode what a right answer is
 * @param keyed whether each request has an {@code Idempotency-Key} that no other has, of no round
 * @param connections how many connections, each with one request at a time
 * @param rampMillis how long requests are sent before they count
 * @param millis how long they count
 */
public record Load(
    int port, String path, Mode mode, boolean keyed, int connections, int rampMillis, int millis) {

  /** What a right answer is. */
  public enum Mode {
    /** 200 with the request's own body. */
    ECHO,
    /** 202, whatever the body; the request asks for it with {@code Prefer: respond-async}. */
    ACCEPT
  }

  private static final String KEYED = "KEYED";
  private static final String PLAIN = "PLAIN";
  private static final int WORDS = 7;

  /** Checks the bounds. */
  public Load {
    if (port < 1 || port > 65535 || connections < 1 || connections > 10_000) {
      throw new IllegalArgumentException("port " + port + ", connections " + connections);
    }
    if (!path.startsWith("/") || path.indexOf(' ') >= 0) {
      throw new IllegalArgumentException("path " + path);
    }
    if (rampMillis < 0 || rampMillis > 600_000 || millis < 1 || millis > 600_000) {
      throw new IllegalArgumentException("ramp " + rampMillis + " ms, time " + millis + " ms");
    }
  }

  /** The line that {@link #parse} reads. */
  public String toLine() {
    return String.join(
        " ",
        List.of(
            Integer.toString(port),
            path,
            mode.name(),
            keyed ? KEYED : PLAIN,
            Integer.toString(connections),
            Integer.toString(rampMillis),
            Integer.toString(millis)));
  }

  /**
   * Reads what {@link #toLine} wrote.
   *
   * @throws IllegalArgumentException if it is something else
   */
  public static Load parse(String line) {
    List<String> words = List.of(line.strip().split(" ", -1));
    if (words.size() != WORDS) {
      throw new IllegalArgumentException("expected " + WORDS + " words: " + line);
    }
    if (!words.get(3).equals(KEYED) && !words.get(3).equals(PLAIN)) {
      throw new IllegalArgumentException("expected " + KEYED + " or " + PLAIN + ": " + line);
    }
    return new Load(
        Integer.parseInt(words.get(0)),
        words.get(1),
        Mode.valueOf(words.get(2)),
        words.get(3).equals(KEYED),
        Integer.parseInt(words.get(4)),
        Integer.parseInt(words.get(5)),
        Integer.parseInt(words.get(6)));
  }
}
