package dev.tideover.sdk.internal;

import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.internal.core.Fault;
import dev.tideover.sdk.internal.core.Work;
import java.time.Duration;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What people are told of a failed start: the log's readers, and the listener. Any thread. */
final class FailureReport {

  private static final Logger log = LoggerFactory.getLogger(FailureReport.class);

  private final Settings settings;
  private final Events events;
  private final Occasionally maySayKept = new Occasionally(Duration.ofSeconds(10));
  private final Occasionally maySayInfrastructure = new Occasionally(Duration.ofSeconds(10));

  FailureReport(Settings settings, Events events) {
    this.settings = settings;
    this.events = events;
  }

  /** What has failed, in words. */
  static String describe(@Nullable Outcome outcome, @Nullable Throwable failure) {
    if (failure != null) {
      return failure.toString();
    }
    return outcome == null
        ? "the handler returned null; it has to return an Outcome, for example Outcome.reply(204)"
        : "the handler asked for a retry";
  }

  /**
   * A start has failed.
   *
   * @param what as by {@link #describe}, or better
   * @param onTrial whether it is kept rather than made a dead letter
   */
  void failed(
      Work<Delivery> work,
      Delivery delivery,
      Fault fault,
      String what,
      @Nullable Throwable failure,
      boolean onTrial) {
    if (fault == Fault.ON_TRIAL || onTrial && (fault == Fault.REJECTED || fault == Fault.MESSAGE)) {
      sayKept(delivery, what, failure);
    } else {
      say(work, delivery, fault, what, failure);
    }
    tell(work, delivery, what, failure);
  }

  private void tell(
      Work<Delivery> work, Delivery delivery, String what, @Nullable Throwable failure) {
    String id = delivery.envelope().id().toString();
    int attempt = work.attempts() + 1;
    Throwable told;
    if (work.timedOut()) {
      told = new TimeoutException(what);
      told.initCause(failure);
    } else {
      told = failure == null ? new IllegalStateException(what) : failure;
    }
    events.tell(listener -> listener.attemptFailed(id, attempt, told));
  }

  private void sayKept(Delivery delivery, String what, @Nullable Throwable failure) {
    String id = delivery.envelope().id().toString();
    if (maySayKept.now()) {
      log.warn(
          "Request {} failed: {}. This version is on trial, so that uses no attempt: the request is"
              + " tried again, and goes to the version before if the release is rolled back. Further"
              + " failures are logged once in 10 s.",
          id,
          what);
    }
    log.debug("The failure of request {}", id, failure);
  }

  private void say(
      Work<Delivery> work,
      Delivery delivery,
      Fault fault,
      String what,
      @Nullable Throwable failure) {
    String id = delivery.envelope().id().toString();
    int attempt = work.attempts() + 1;
    switch (fault) {
      case HOLD, INFRASTRUCTURE -> {
        if (maySayInfrastructure.now()) {
          log.warn(
              "Request {} can't be handled now, which isn't its fault: {}. It uses no attempt and"
                  + " is tried again.",
              id,
              what,
              failure);
        }
      }
      case REJECTED ->
          log.warn(
              "Request {} is rejected by the handler ({}); it goes to {} and its client gets a 502",
              id,
              what,
              settings.deadTopic());
      case MESSAGE, ON_TRIAL -> {
        if (attempt >= settings.attempts()) {
          log.warn(
              "Request {} failed in all {} attempts; it goes to {} and its client gets a 502",
              id,
              attempt,
              settings.deadTopic(),
              failure);
        } else {
          log.warn(
              "Request {} failed in attempt {} of {}: {}. It is tried again; later requests with"
                  + " its ordering key wait for it.",
              id,
              attempt,
              settings.attempts(),
              what);
          log.debug("The failure of request {}", id, failure);
        }
      }
    }
  }
}
