package dev.tideover.demo;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What to do in one run of the demo. One that exists makes sense.
 *
 * @param rate requests a second
 * @param duration how long requests are sent
 * @param releaseAt when v1 is stopped, from the first request
 * @param downtime from the end of v1 to the start of v2
 * @param kill SIGKILL instead of a clean stop
 * @param report where the JSON report goes; null for none
 * @param keep stay up afterwards
 * @param port the gateway's port; 0 for a free one
 */
record DemoOptions(
    int rate,
    Duration duration,
    Duration releaseAt,
    Duration downtime,
    boolean kill,
    @Nullable Path report,
    boolean keep,
    int port) {

  private static final Duration USUAL_WAIT = Duration.ofSeconds(30);
  private static final Duration START_OF_V2 = Duration.ofSeconds(20);
  private static final Duration GRACE = Duration.ofSeconds(5);

  /**
   * Checks the values together.
   *
   * @throws DemoException with what to change
   */
  void validate() throws DemoException {
    require(rate >= 1 && rate <= 5_000, "--rate is " + rate + "; choose 1 to 5000 a second");
    require(port >= 0 && port <= 65_535, "--port is " + port + "; choose 0 to 65535");
    require(
        duration.compareTo(Duration.ofMinutes(30)) <= 0 && !duration.isZero(),
        "--duration is " + text(duration) + "; choose more than 0s and at most 30m");
    require(!releaseAt.isZero(), "--release-at is 0s; v1 has to answer something before");
    require(
        releaseAt.plus(downtime).compareTo(duration) < 0,
        "--release-at "
            + text(releaseAt)
            + " and --downtime "
            + text(downtime)
            + " end after --duration "
            + text(duration)
            + ", so v2 would have nothing to do; make the duration longer");
    require(
        report == null || isFileInADirectory(report),
        "--report is "
            + report
            + ", which can't be written: choose a file in a directory that is there and writable");
    long waiting = rate * (downtime.toSeconds() + 5);
    require(
        waiting <= TrafficClient.MOST_WAITING,
        "--rate "
            + rate
            + " during --downtime "
            + text(downtime)
            + " makes about "
            + waiting
            + " requests wait, more than the "
            + TrafficClient.MOST_WAITING
            + " connections that the demo's client has; lower one of them");
  }

  /** How long the gateway keeps a client waiting: longer than the release takes. */
  Duration gatewayWait() {
    Duration needed = downtime.plus(START_OF_V2);
    return needed.compareTo(USUAL_WAIT) > 0 ? needed : USUAL_WAIT;
  }

  /** After this a client gives up: the gateway has promised an answer before. */
  Duration answerWithin() {
    return gatewayWait().plus(GRACE);
  }

  /** Looked at before the run: after it, an error would cost the result. */
  private static boolean isFileInADirectory(Path file) {
    Path directory = file.toAbsolutePath().getParent();
    return directory != null
        && Files.isDirectory(directory)
        && Files.isWritable(directory)
        && !Files.isDirectory(file);
  }

  private static void require(boolean condition, String problem) throws DemoException {
    if (!condition) {
      throw new DemoException(problem + ".");
    }
  }

  private static String text(Duration duration) {
    return duration.toMillis() % 1000 == 0
        ? duration.toSeconds() + "s"
        : duration.toMillis() + "ms";
  }
}
