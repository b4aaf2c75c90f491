package dev.tideover.loadtests.contender;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * One topic to drain, as each contender is told on one line. Immutable.
 *
 * @param service its requests are in {@code <service>.requests}
 * @param replyTopic where a reply goes, one for each request; the SDK reads it in the request
 * @param concurrency how many handlers may run at once
 * @param micros how long a handler blocks; 0 for not at all
 * @param failures how often a request of {@link #FAILING_KEY} fails before it succeeds
 * @param pauseMillis how long it waits after a failure
 */
public record Job(
    String service, String replyTopic, int concurrency, int micros, int failures, int pauseMillis) {

  /** The ordering key whose requests fail. */
  public static final String FAILING_KEY = "failing";

  private static final byte[] FAILING_BYTES = FAILING_KEY.getBytes(StandardCharsets.UTF_8);
  private static final int WORDS = 6;

  /** The line that {@link #parse} reads. */
  public String toLine() {
    return String.join(
        " ",
        service,
        replyTopic,
        Integer.toString(concurrency),
        Integer.toString(micros),
        Integer.toString(failures),
        Integer.toString(pauseMillis));
  }

  /**
   * Reads what {@link #toLine} wrote.
   *
   * @throws IllegalArgumentException if it is something else
   */
  public static Job parse(String line) {
    List<String> words = List.of(line.strip().split(" ", -1));
    if (words.size() != WORDS) {
      throw new IllegalArgumentException("expected " + WORDS + " words: " + line);
    }
    return new Job(
        words.get(0),
        words.get(1),
        Integer.parseInt(words.get(2)),
        Integer.parseInt(words.get(3)),
        Integer.parseInt(words.get(4)),
        Integer.parseInt(words.get(5)));
  }

  /** Where the requests are. */
  public String requestTopic() {
    return service + ".requests";
  }

  /**
   * Whether the handler shall fail.
   *
   * @param failed how often it has failed for this request
   */
  public boolean fails(byte[] key, int failed) {
    return failed < failures && Arrays.equals(key, FAILING_BYTES);
  }

  /** What a handler does: blocks, as one that waits for a database. */
  public void work() {
    long end = System.nanoTime() + TimeUnit.MICROSECONDS.toNanos(micros);
    for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
  }
}
