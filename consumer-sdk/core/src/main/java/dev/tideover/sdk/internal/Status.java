package dev.tideover.sdk.internal;

import dev.tideover.sdk.ConsumerState;
import dev.tideover.sdk.internal.core.Core;
import java.time.Duration;
import java.util.Collection;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * What users see of a consumer, and can wait for. Any thread; its monitor guards it, under which
 * nothing blocks and nothing foreign is called.
 */
final class Status {

  private final Events events;
  private ConsumerState state = ConsumerState.STARTING;
  private @Nullable Throwable failure;
  private Set<Integer> partitions = Set.of();
  private Set<Integer> stopped = Set.of();

  /** Starting. */
  Status(Events events) {
    this.events = events;
  }

  synchronized ConsumerState state() {
    return state;
  }

  synchronized Optional<Throwable> failure() {
    return Optional.ofNullable(failure);
  }

  synchronized Set<Integer> partitions() {
    return partitions;
  }

  synchronized Set<Integer> stoppedPartitions() {
    return stopped;
  }

  /** Whether it waits in vain for partitions, or for the group to give it one. */
  synchronized boolean hasNothing() {
    return partitions.isEmpty();
  }

  /** See {@link dev.tideover.sdk.TideoverConsumer#awaitAssignment}. */
  synchronized boolean awaitAssignment(Duration timeout) throws InterruptedException {
    long deadline = System.nanoTime() + timeout.toNanos();
    while (partitions.isEmpty() && state.compareTo(ConsumerState.DRAINING) < 0) {
      long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
      if (left <= 0) {
        return false;
      }
      wait(left);
    }
    return !partitions.isEmpty();
  }

  /** What is held has changed. */
  void changed(Core<Delivery> core) {
    publish(numbers(core.partitions()), numbers(core.stopped()));
  }

  private synchronized void publish(Set<Integer> held, Set<Integer> notRead) {
    partitions = held;
    stopped = notRead;
    moveTo(ConsumerState.RUNNING);
    notifyAll();
  }

  private static Set<Integer> numbers(Collection<TopicPartition> partitions) {
    return partitions.stream()
        .map(TopicPartition::partition)
        .collect(Collectors.toUnmodifiableSet());
  }

  /** It has no part in the group. */
  synchronized void standBy() {
    partitions = Set.of();
    stopped = Set.of();
    if (state == ConsumerState.STARTING || state == ConsumerState.RUNNING) {
      enter(ConsumerState.STANDBY);
    }
  }

  /** It closes. */
  void draining() {
    moveTo(ConsumerState.DRAINING);
  }

  /**
   * It has failed.
   *
   * @return false if that is of no consequence: it has before, or has ended
   */
  synchronized boolean failed(Throwable cause) {
    if (failure != null || state.compareTo(ConsumerState.DRAINING) > 0) {
      return false;
    }
    failure = cause;
    enter(ConsumerState.FAILED);
    return true;
  }

  /** It has left the group, and its threads have ended. */
  synchronized void ended() {
    partitions = Set.of();
    stopped = Set.of();
    moveTo(ConsumerState.CLOSED);
    notifyAll();
  }

  private synchronized void moveTo(ConsumerState next) {
    if (state.compareTo(next) < 0) {
      enter(next);
    }
  }

  private synchronized void enter(ConsumerState next) {
    ConsumerState before = state;
    state = next;
    notifyAll();
    events.tell(listener -> listener.stateChanged(before, next));
  }
}
