package dev.tideover.loadtests.client;

import java.util.List;

/**
 * One round of load, as the benchmark asks the client's process for it. Immutable.
 *
 * @param port where the server listens on the loopback address
 * @param path what is asked for
 * @param mode what a right answer is
 * @param connections how many connections, each with one request at a time
 * @param rampMillis how long requests are sent before they count
 * @param millis how long they count
 */
public record Load(int port, String path, Mode mode, int connections, int rampMillis, int millis) {

  /** What a right answer is. */
  public enum Mode {
    /** 200 with the request's own body. */
    ECHO,
    /** 202, whatever the body; the request asks for it with {@code Prefer: respond-async}. */
    ACCEPT
  }

  private static final int WORDS = 6;

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
    return new Load(
        Integer.parseInt(words.get(0)),
        words.get(1),
        Mode.valueOf(words.get(2)),
        Integer.parseInt(words.get(3)),
        Integer.parseInt(words.get(4)),
        Integer.parseInt(words.get(5)));
  }
}
