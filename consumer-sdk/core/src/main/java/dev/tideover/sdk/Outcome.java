package dev.tideover.sdk;

import java.time.Duration;

/** What shall become of a request: a value that a handler returns and the engine acts on. */
public sealed interface Outcome permits Reply, Retry, DeadLetter, Hold {

  /**
   * The service's answer, so far without fields and content. It is an outcome as it stands; {@link
   * Reply}'s methods give it fields and content.
   *
   * @param status 200 to 599; a 4xx or 5xx is the service's own answer, passed on as it is
   * @throws IllegalArgumentException for another status
   */
  static Reply reply(int status) {
    return Reply.of(status);
  }

  /**
   * Not now: try again, in place, no sooner than after the given time. Counts as an attempt exactly
   * as an exception does; only the pause is chosen by the handler.
   *
   * @throws IllegalArgumentException if the time is negative or longer than a day
   */
  static Retry retry(Duration after) {
    return new Retry(after);
  }

  /**
   * Never: put the request into the dead-letter topic at once and tell the client (502).
   *
   * @param reason for the people who will read the dead letter; cut to 2 KiB
   */
  static DeadLetter deadLetter(String reason) {
    return new DeadLetter(reason);
  }

  /**
   * The service can't work now, whatever the request: its database is away, say. Uses no attempt.
   * The consumer starts nothing more, tries one request after a while to see whether it is over,
   * and goes on by itself once it is. Exceptions that tell of such an outage are taken for the
   * same, but only after five in a row.
   *
   * @param reason for logs and the listener
   * @throws IllegalArgumentException if the reason is blank
   */
  static Hold hold(String reason) {
    return new Hold(reason);
  }
}
