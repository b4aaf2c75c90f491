package dev.tideover.sdk;

import java.time.Duration;

/** What shall become of a request: a value that a handler returns and the engine acts on. */
public sealed interface Outcome permits Reply, Retry, DeadLetter {

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
}
