package dev.tideover.gateway.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tideover.gateway.http.ReleaseDocument;
import dev.tideover.gateway.release.ReleaseReport;
import dev.tideover.wire.DesiredState.Step;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Follows a release to its end: a line for each step when it comes, and one now and then while a
 * step goes on. The release doesn't need it: gateways may be restarted meanwhile, and whoever
 * answers tells. For one thread.
 */
final class ReleaseWatch {

  /** How long nobody may answer: a gateway's orderly restart takes less. */
  static final Duration PATIENCE = Duration.ofSeconds(60);

  private static final Duration LOOK = Duration.ofMillis(250);
  private static final Duration SAY_AGAIN = Duration.ofSeconds(10);

  private final AdminClient client;
  private final String service;
  private final String id;
  private final PrintWriter out;
  private final Duration patient;
  private final Set<Step> told = EnumSet.noneOf(Step.class);

  private @Nullable JsonNode last;
  private Deadline patience;
  private Deadline sayAgain = Deadline.in(SAY_AGAIN);
  private boolean away;

  /**
   * One that has not begun to look.
   *
   * @param patient how long nobody may answer
   */
  ReleaseWatch(AdminClient client, String service, String id, PrintWriter out, Duration patient) {
    this.client = client;
    this.service = service;
    this.id = id;
    this.out = out;
    this.patient = patient;
    patience = Deadline.in(patient);
  }

  /** The last report that was seen, as it came; null if none was. */
  @Nullable JsonNode last() {
    return last;
  }

  /**
   * Waits for its end.
   *
   * @param limit the longest that it can take
   * @throws AdminFailure if it isn't known how it ended
   */
  ReleaseReport follow(Duration limit) {
    Deadline end = Deadline.in(limit);
    do {
      ReleaseReport report = look();
      if (report != null) {
        tell(report);
        if (report.step().isEnd()) {
          return whole(report);
        }
      }
    } while (end.pause(LOOK));
    throw new AdminFailure(
        AdminFailure.UNKNOWN,
        "The release has not ended in "
            + limit.toSeconds()
            + " s, which its times add up to, and goes on. What it waits for, such as an operator's"
            + " hold to end: tideover status "
            + service);
  }

  private @Nullable ReleaseReport look() {
    try {
      JsonNode json = client.get(path());
      ReleaseReport report = ReleaseDocument.read(json);
      last = json;
      patience = Deadline.in(patient);
      if (away) {
        away = false;
        say(client.gateway() + " answers.");
      }
      return report;
    } catch (AdminFailure e) {
      return missed(e);
    } catch (IllegalArgumentException e) {
      throw new AdminFailure(
          AdminFailure.UNKNOWN,
          client.gateway()
              + " is of another version than this command: "
              + Text.clean(String.valueOf(e.getMessage()))
              + ". Use the command of the gateway's version.");
    }
  }

  /** Nobody answers, or those who do have just begun and haven't heard of it yet. */
  private @Nullable ReleaseReport missed(AdminFailure failure) {
    if (failure.exitCode() == AdminFailure.WRONG_USE || patience.isOver()) {
      throw failure.isUnknown()
          ? new AdminFailure(
              AdminFailure.UNKNOWN,
              failure.getMessage()
                  + "\nNobody has told for "
                  + patient.toSeconds()
                  + " s how the release goes on, so its end isn't known here. To see it:"
                  + " tideover release "
                  + service)
          : failure;
    }
    if (!away) {
      away = true;
      say(
          "No gateway tells how it goes on; it needs none of them in particular. Asking again for "
              + patient.toSeconds()
              + " s.");
    }
    return null;
  }

  private String path() {
    return "/api/services/" + service + "/release?id=" + id;
  }

  /** A gateway that saw all of it has the figures of all of it. */
  private ReleaseReport whole(ReleaseReport report) {
    if (!report.whole()) {
      try {
        JsonNode other = client.get(path(), answer -> answer.path("whole").asBoolean());
        ReleaseReport read = ReleaseDocument.read(other);
        if (read.whole() && read.step().isEnd()) {
          last = other;
          return read;
        }
      } catch (AdminFailure | IllegalArgumentException e) {
        // The one that there is will do; it says that it isn't whole.
        return report;
      }
    }
    return report;
  }

  private void tell(ReleaseReport report) {
    List<ReleaseReport.StepTime> steps = report.steps();
    long began = report.millis() - steps.stream().mapToLong(ReleaseReport.StepTime::millis).sum();
    for (ReleaseReport.StepTime step : steps) {
      tell(report, step.step(), began);
      began += step.millis();
    }
    tell(report, report.step(), began);
    if (!report.step().isEnd() && sayAgain.isOver()) {
      sayAgain = Deadline.in(SAY_AGAIN);
      tellProblems();
    }
  }

  /** Between two answers a gateway may have gone; the next look says so. */
  private void tellProblems() {
    JsonNode problems;
    try {
      problems = client.service(service).path("problems");
    } catch (AdminFailure e) {
      return;
    }
    problems.forEach(problem -> say(Text.clean(problem.asText())));
  }

  private void tell(ReleaseReport report, Step step, long began) {
    if (told.add(step)) {
      sayAgain = Deadline.in(SAY_AGAIN);
      out.println(
          String.format(
              Locale.ROOT,
              "%7.1f s  %-12s%s",
              Math.max(0, began) / 1_000.0,
              step.text(),
              Text.clean(means(report, step))));
      out.flush();
    }
  }

  private static String means(ReleaseReport report, Step step) {
    String why = report.reason().isEmpty() ? "" : ": " + report.reason();
    return switch (step) {
      case PREPARE -> report.to() + " gets ready; " + report.from() + " works";
      case DRAIN -> "nothing starts; " + report.from() + " ends what it has begun";
      case ACTIVATE -> report.to() + " takes over";
      case VERIFY -> report.to() + " works, and is watched";
      case DONE -> report.to() + " is active";
      case ROLL_BACK -> "nothing starts; " + report.to() + " gives back what it has" + why;
      case RESTORE -> report.from() + " takes over again";
      case ROLLED_BACK -> report.from() + " is active";
      case ABANDONED -> report.from() + " stays active" + why;
    };
  }

  private void say(String text) {
    out.println(" ".repeat(11) + text);
    out.flush();
  }
}
