package dev.tideover.gateway.release;

import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Whether a version on trial is as good as the one before it. Pure; the thresholds are here and
 * nowhere else.
 */
final class Verification {

  /** Fewer failures than this say nothing. */
  static final long LEAST_ERRORS = 5;

  /** What may fail more than before, as a share of all. */
  static final double MORE_ERRORS = 0.02;

  static final double TIMES_ERRORS = 1.5;

  /** With more of them at the version before, a new one that only fails may still be none worse. */
  static final double MOST_FAILED = 0.5;

  /** A handler that runs longer than this and than a multiple of before's p99 hangs. */
  static final long HANGS_MILLIS = 5_000;

  static final double TIMES_P99 = 5;

  /** Where it isn't known how long the handler of before takes. */
  static final long HANGS_UNKNOWN_MILLIS = 30_000;

  static final long LEAST_SAMPLES = 100;
  static final double TIMES_P50 = 3;
  static final double MORE_P50_MILLIS = 20;

  /**
   * How the version before did.
   *
   * @param handled by its instances that report, since they began
   * @param errors of those, and dead letters that no handler has seen
   * @param replies that this gateway saw in the minute before, or dead letters in their place
   * @param errorReplies of those, dead letters or with status 500 and up
   * @param handling in that minute
   */
  record Before(
      String version,
      long handled,
      long errors,
      long replies,
      long errorReplies,
      Measures.Latency handling) {

    /** The worse one of a lifetime and of the last minute. */
    double errorRate() {
      return Math.max(share(errors, handled), share(errorReplies, replies));
    }

    private static double share(long part, long whole) {
      return whole == 0 ? 0 : (double) part / whole;
    }
  }

  /**
   * How the version on trial does.
   *
   * @param crashed its instances that have gone without a word since the trial began
   * @param handled since the trial began, or kept since it can't be handled
   * @param errors of those
   * @param oldestMillis how long the oldest handler has run, or an instance with handlers that run
   *     has ended none
   * @param oldestAt which instance that is
   * @param handling since it has caught up
   * @param atEnd whether the time of the trial is over
   */
  record Trial(
      String version,
      List<String> crashed,
      long handled,
      long errors,
      long oldestMillis,
      String oldestAt,
      Measures.Latency handling,
      boolean atEnd) {}

  /** Why the version on trial is no good; null as long as nothing speaks against it. */
  static @Nullable String judge(Before before, Trial trial) {
    if (!trial.crashed().isEmpty()) {
      return "Instance "
          + trial.crashed().get(0)
          + (trial.crashed().size() > 1 ? " and " + (trial.crashed().size() - 1) + " more" : "")
          + " crashed, or was killed, or hasn't been heard for 5 s";
    }
    double errorRate = trial.handled() == 0 ? 0 : (double) trial.errors() / trial.handled();
    if (trial.errors() >= LEAST_ERRORS
        && errorRate > MORE_ERRORS + TIMES_ERRORS * before.errorRate()) {
      return trial.errors()
          + " of "
          + trial.handled()
          + " requests failed at "
          + trial.version()
          + ", "
          + percent(before.errorRate())
          + " at "
          + before.version();
    }
    if (trial.atEnd()
        && trial.errors() > 0
        && trial.errors() >= trial.handled()
        && before.errorRate() < MOST_FAILED) {
      return "Nothing has succeeded at "
          + trial.version()
          + ": all of "
          + trial.handled()
          + " failed, "
          + percent(before.errorRate())
          + " at "
          + before.version();
    }
    double p99 = before.handling().p99Millis();
    double limit =
        Double.isNaN(p99) ? HANGS_UNKNOWN_MILLIS : Math.max(HANGS_MILLIS, TIMES_P99 * p99);
    if (trial.oldestMillis() > limit) {
      return "A handler hangs at "
          + trial.oldestAt()
          + ": it has run for "
          + ReleaseMachine.seconds(trial.oldestMillis() / 100 * 100)
          + (Double.isNaN(p99)
              ? ""
              : "; at " + before.version() + " 99 % ended within " + millis(p99));
    }
    return trial.atEnd() ? slower(before, trial) : null;
  }

  private static @Nullable String slower(Before before, Trial trial) {
    Measures.Latency was = before.handling();
    Measures.Latency is = trial.handling();
    return was.count() >= LEAST_SAMPLES
            && is.count() >= LEAST_SAMPLES
            && is.p50Millis() > TIMES_P50 * was.p50Millis() + MORE_P50_MILLIS
        ? "The handler takes "
            + millis(is.p50Millis())
            + " at "
            + trial.version()
            + ", "
            + millis(was.p50Millis())
            + " at "
            + before.version()
            + " (median)"
        : null;
  }

  static String percent(double share) {
    return share == 0 ? "none" : String.format(Locale.ROOT, "%.1f %%", share * 100);
  }

  static String millis(double millis) {
    return millis < 10
        ? String.format(Locale.ROOT, "%.1f ms", millis)
        : String.format(Locale.ROOT, "%,.0f ms", millis);
  }

  private Verification() {}
}
