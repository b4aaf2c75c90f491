package dev.tideover.sdk;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A running consumer: one member of the service's consumer group, or, while another version of the
 * service is the active one, ready to be that. All methods are safe for any thread.
 *
 * <p>Once started it rides out every outage of Kafka by itself. Only what needs a human or a new
 * process makes it {@link ConsumerState#FAILED}: another process with the same instance name has
 * taken over, the JVM is out of memory, a defect.
 */
public interface TideoverConsumer extends AutoCloseable {

  /** Where it is in its life. */
  ConsumerState state();

  /** Why it is {@link ConsumerState#FAILED}; empty in every other state. */
  Optional<Throwable> failure();

  /** The partitions whose requests it handles now. */
  Set<Integer> partitions();

  /**
   * The partitions that it has but doesn't read, because the next request there is of a record
   * version that this SDK doesn't know. They go on with an SDK that does.
   */
  Set<Integer> stoppedPartitions();

  /**
   * The oldest unfinished request of each partition that has one, as it was about a second ago: the
   * place to look when a partition doesn't get on.
   */
  List<HeadOfLine> headOfLine();

  /**
   * Waits until it has at least one partition. An instance more than there are partitions gets
   * none, and neither does one that stands by, until its version is the active one.
   *
   * @return whether it has one; false after the timeout or once it has ended
   */
  boolean awaitAssignment(Duration timeout) throws InterruptedException;

  /**
   * Starts no further request, waits for those that run (at most the drain timeout) and for Kafka's
   * acknowledgement of their replies, commits, leaves the group. Handlers that still run after the
   * drain timeout are interrupted; their requests are handled again by another instance.
   *
   * <p>Returns when all of it is done, at the latest a few seconds after the drain timeout. Called
   * by a handler it only begins the draining and returns at once, since it would wait for itself. A
   * second call waits for the first. If the waiting thread is interrupted, the draining goes on
   * without it and the thread's interrupt status is set.
   */
  @Override
  void close();
}
