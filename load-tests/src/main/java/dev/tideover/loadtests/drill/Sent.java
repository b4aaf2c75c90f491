package dev.tideover.loadtests.drill;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A request as its client saw it. Immutable.
 *
 * @param key its ordering key
 * @param seq its number among those of its key, from 1 on, in the order of their sending
 * @param promised whether an answer said that it was stored or done
 * @param told202 whether it was told to ask later
 * @param status of its final answer; 0 if it got none
 * @param reply the service's reply, where the answer is a success and can be read as one
 * @param waitMicros from when it was due to its final answer
 */
record Sent(
    String key,
    int seq,
    boolean promised,
    boolean told202,
    int status,
    @Nullable Reply reply,
    long waitMicros) {

  /**
   * What the service answers.
   *
   * @param run of the drill whose request it is
   * @param by {@code VERSION/INSTANCE}
   */
  record Reply(String key, int seq, String run, String by) {

    /** The reply in a body {@code KEY SEQ RUN VERSION/INSTANCE}, or null where it is none. */
    static @Nullable Reply parse(String body) {
      List<String> words = List.of(body.split(" ", -1));
      try {
        return words.size() == 4
            ? new Reply(words.get(0), Integer.parseInt(words.get(1)), words.get(2), words.get(3))
            : null;
      } catch (NumberFormatException e) {
        return null;
      }
    }
  }

  /** Whether its answer is a success. */
  boolean succeeded() {
    return status >= 200 && status < 300;
  }

  /** Names it among all of its run. */
  String id() {
    return key + "-" + seq;
  }
}
