package dev.tideover.gateway.kafka;

import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Holds the age of a service's oldest request against the time for which Kafka keeps it: warns, and
 * says when to stop taking requests. The time is given with each call. For one thread, its owner
 * {@link ServiceBacklog}.
 */
final class AgeAlarm {

  private static final Logger LOG = LoggerFactory.getLogger(AgeAlarm.class);

  static final int WARN_PERCENT = 50;

  /** So far below the limit the age must be before requests are taken again. */
  static final int HYSTERESIS_PERCENT = 2;

  private static final Duration AGAIN = Duration.ofMinutes(1);

  private final String service;
  private boolean tooOld;
  private @Nullable Instant saidAt;

  AgeAlarm(String service) {
    this.service = service;
  }

  /** Whether requests for the service should be refused, by the last observation. */
  boolean isTooOld() {
    return tooOld;
  }

  /** Nothing waits, or it is not known how long: no reason to refuse anything. */
  void clear() {
    observe(null, Duration.ofDays(1), 100, Instant.EPOCH);
  }

  /**
   * Takes one look.
   *
   * @param oldest when the oldest request was written; null if there is none
   * @param retention how long Kafka keeps a request
   * @param stopPercent of the retention, from which on the service takes no more
   */
  void observe(@Nullable Instant oldest, Duration retention, int stopPercent, Instant now) {
    double percent =
        oldest == null ? 0 : 100.0 * millis(Duration.between(oldest, now)) / millis(retention);
    boolean before = tooOld;
    tooOld = percent >= (before ? stopPercent - HYSTERESIS_PERCENT : stopPercent);
    if (before && !tooOld) {
      LOG.info(
          "Service {}: its requests are no longer refused for the age of its backlog", service);
    } else if (oldest != null && (tooOld || percent >= WARN_PERCENT)) {
      Instant said = saidAt;
      if (tooOld && !before || said == null || !now.isBefore(said.plus(AGAIN))) {
        saidAt = now;
        say(oldest, retention, stopPercent, percent, now);
      }
    }
  }

  private void say(
      Instant oldest, Duration retention, int stopPercent, double percent, Instant now) {
    String state =
        "Service "
            + service
            + ": its oldest request has waited for "
            + text(Duration.between(oldest, now))
            + ", "
            + (int) percent
            + " % of the "
            + text(retention)
            + " for which Kafka keeps it. From "
            + oldest.plus(retention)
            + " on it can be deleted unhandled. ";
    String advice =
        " Start instances of the service, or more of them (consumer group "
            + service
            + "); where that takes longer, raise services."
            + service
            + ".topic.retention and retention.ms of the topic "
            + service
            + ".requests (docs/backlog.md)";
    if (tooOld) {
      LOG.error("{}Requests for it are refused with 503 until that is better.{}", state, advice);
    } else {
      LOG.warn("{}At {} % requests for it will be refused.{}", state, stopPercent, advice);
    }
  }

  private static double millis(Duration duration) {
    return duration.toMillis();
  }

  /** As people say it, in the two largest units: {@code 3 d 12 h}. */
  static String text(Duration duration) {
    long[] amounts = {
      duration.toDays(), duration.toHoursPart(), duration.toMinutesPart(), duration.toSecondsPart()
    };
    String[] units = {"d", "h", "min", "s"};
    for (int i = 0; i < units.length; i++) {
      if (amounts[i] > 0) {
        boolean more = i + 1 < units.length && amounts[i + 1] > 0;
        return amounts[i]
            + " "
            + units[i]
            + (more ? " " + amounts[i + 1] + " " + units[i + 1] : "");
      }
    }
    return "0 s";
  }
}
