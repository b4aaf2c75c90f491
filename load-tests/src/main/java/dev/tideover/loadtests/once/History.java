package dev.tideover.loadtests.once;

import java.util.List;
import java.util.Set;

/**
 * What was seen in a run: by the clients, in the database or in the services' journals, and what
 * was broken on purpose. All times are those of one machine's clock, in epoch milliseconds.
 *
 * @param inbox whether the services used the inbox; then {@code effects} are the database's rows
 * @param sent each body of each key once, at its first time
 * @param answers final ones only; one for each client that got one
 * @param unanswered clients that have none at the end
 * @param calls of handlers, as the services wrote them down before they did anything else
 * @param kills of instances of the service
 * @param losses what the instances' logs say about partitions with unfinished requests
 * @param outages of Kafka
 */
record History(
    boolean inbox,
    List<Sent> sent,
    List<Answer> answers,
    List<Unanswered> unanswered,
    List<Effect> effects,
    List<Call> calls,
    List<Kill> kills,
    List<Loss> losses,
    List<Outage> outages) {

  /** A request under an idempotency key; what makes two of them the same is their body. */
  record Sent(String key, String body, long at) {}

  /** What an answer is. */
  enum Kind {
    /** The service's own. */
    SUCCESS,
    /** 422: the key belongs to another request. */
    MISMATCH,
    /** 502: the request has gone to the dead-letter topic. */
    DEAD,
    /** What no client should ever get. */
    OTHER
  }

  /**
   * A final answer.
   *
   * @param body what its client had sent
   * @param fields the response's fields that the service gave it, in one line
   * @param content the response's body; the service's is the call's name, a space, and the
   *     request's body
   * @param trail what its client had heard before, from whom, for people
   */
  record Answer(
      String key,
      String body,
      long at,
      Kind kind,
      int status,
      String fields,
      String content,
      String trail) {

    /** The call of the handler that it says it is from; empty where it names none. */
    String call() {
      int space = content.indexOf(' ');
      return space < 0 ? "" : content.substring(0, space);
    }

    /** The request that it says it answers. */
    String answers() {
      return content.substring(content.indexOf(' ') + 1);
    }

    /** What has to be equal, byte for byte, for all successes of a key. */
    String bytes() {
      return status + "\n" + fields + "\n" + content;
    }

    /** For people. */
    String told() {
      return "(" + status + " " + content + "; " + trail + ")";
    }
  }

  /** A client that has no final answer; {@code last} is what it heard last. */
  record Unanswered(String key, String body, String last) {}

  /** A row in the service's database. */
  record Effect(String key, String body, String call) {}

  /**
   * A call of the handler.
   *
   * @param call its name, which no other has
   * @param life of an instance: another one after each restart
   * @param ended when the handler returned; {@link #NEVER} if its process ended before
   */
  record Call(
      String key, String call, String life, int partition, long offset, long began, long ended) {

    static final long NEVER = Long.MAX_VALUE;
  }

  /** The end of a life by SIGKILL; {@code at} is just before the signal. */
  record Kill(String life, long at) {}

  /** What a log says of partitions that were taken away with requests that had not ended. */
  record Loss(String life, Set<Integer> partitions, long at, How how) {

    /** How they were taken away. */
    enum How {
      /** With notice; what was under way didn't end in time. */
      REVOKED,
      /** Without: the log says so only when that instance has learned of it. */
      LOST
    }
  }

  /** From Kafka's end until it was up again. */
  record Outage(long from, long to) {}
}
