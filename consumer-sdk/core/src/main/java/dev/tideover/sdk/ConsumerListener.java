package dev.tideover.sdk;

import java.util.Set;

/**
 * Is told what happens in a {@link TideoverConsumer}: for logs, alarms, tests. Every method does
 * nothing unless overridden.
 *
 * <p>All calls come one after the other, in the order in which things happened, on one thread that
 * is there for them alone. So a listener may block, but not for long: when it is more than 1,000
 * events behind, further ones are dropped until it has caught up, with a line in the log. Nothing
 * in the engine ever waits for a listener, and an exception of one is logged and changes nothing.
 * Events are news, not a record: what counts is in Kafka and in the meters.
 */
public interface ConsumerListener {

  /** It has gone from one state to another. */
  default void stateChanged(ConsumerState from, ConsumerState to) {}

  /**
   * The group has given it these partitions of the request topic; it handles their requests now.
   *
   * @param partitions only the new ones
   */
  default void assigned(Set<Integer> partitions) {}

  /**
   * These partitions have been taken from it, or given up by it.
   *
   * @param lost whether without notice, since Kafka heard nothing of it for too long: what it had
   *     under way there is handled again by others
   */
  default void revoked(Set<Integer> partitions, boolean lost) {}

  /**
   * It stopped reading a partition, which it still has: nothing is lost there, and nothing goes on.
   *
   * @param reason for people, with what to do
   */
  default void partitionStopped(int partition, String reason) {}

  /**
   * An attempt has failed, whether or not there will be another.
   *
   * @param attempt 1 for the first
   * @param failure what the handler threw; an {@link java.util.concurrent.TimeoutException} if it
   *     took too long; an {@link IllegalStateException} that says so if it returned null or asked
   *     for a retry
   */
  default void attemptFailed(String requestId, int attempt, Throwable failure) {}

  /**
   * A request was put into the dead-letter topic; Kafka has acknowledged it.
   *
   * @param requestId its id; empty for a record that couldn't be read
   * @param reason a word, as in the {@code tideover-dead-reason} header
   */
  default void deadLetter(String requestId, String reason) {}

  /**
   * No request starts any more but a probe now and then: what the handlers need is away.
   *
   * @param reason for people
   */
  default void held(String reason) {}

  /** A probe got through; requests start again, few at first. */
  default void resumed() {}

  /**
   * An operator holds the service, or a release is about to pass from one version to another: no
   * request starts any more, in any instance, and what runs is finished. Requests wait in Kafka. A
   * version that is to handle no more of them goes from here to {@link ConsumerState#STANDBY}.
   *
   * @param reason for people
   */
  default void serviceHeld(String reason) {}

  /** The service is held no longer; requests start again, few at first. */
  default void serviceResumed() {}
}
