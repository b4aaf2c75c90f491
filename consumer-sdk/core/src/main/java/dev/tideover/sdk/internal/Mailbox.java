package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.core.Work;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * What workers and Kafka's producer tell the owner thread, and whether to interrupt its poll for
 * it. Any thread puts; only the owner takes.
 *
 * <p>Bounded by construction: a request that is out comes back with one message, and what is out is
 * bounded by the windows.
 *
 * <p>Waking the owner costs it an exception and a turn of its loop, so it is done only if it has
 * something to do with the message now. No wake-up that matters is lost: the owner first publishes
 * what it waits for ({@link Work#awaited}, {@link #wakeAt}), then says that it polls ({@link
 * #enterPoll}), then looks into the queue a last time. A putter first adds to the queue, then reads
 * what the owner waits for, then whether it polls. All of these are volatile, so in whatever order
 * the two interleave, either the owner sees the message or the putter sees the owner waiting.
 */
final class Mailbox {

  /** What became of a request that was out. */
  enum Kind {
    /** It has ended: Kafka has acknowledged. */
    ENDED,
    /** It has to be worked on again, after a pause. */
    AGAIN,
    /** It wasn't begun, or was given up. */
    GIVEN_BACK
  }

  /**
   * A message.
   *
   * @param delayNanos with AGAIN, the pause
   */
  record Message(Work<Delivery> work, Kind kind, long delayNanos) {}

  private enum Owner {
    AWAKE,
    POLLING,
    WOKEN
  }

  private final LinkedBlockingQueue<Message> queue = new LinkedBlockingQueue<>();
  private final AtomicReference<Owner> owner = new AtomicReference<>(Owner.AWAKE);
  private final Runnable wakeup;
  private volatile int wakeAt = Integer.MAX_VALUE;

  /**
   * Begins empty, with the owner awake.
   *
   * @param wakeup makes the owner's poll return; any thread may call it
   */
  Mailbox(Runnable wakeup) {
    this.wakeup = wakeup;
  }

  void ended(Work<Delivery> work) {
    put(new Message(work, Kind.ENDED, 0));
  }

  void again(Work<Delivery> work, long delayNanos) {
    put(new Message(work, Kind.AGAIN, delayNanos));
  }

  void givenBack(Work<Delivery> work) {
    put(new Message(work, Kind.GIVEN_BACK, 0));
  }

  private void put(Message message) {
    queue.add(message);
    // A retry with a pause shorter than the poll has to be known before the poll's end.
    boolean urgent = message.kind() == Kind.AGAIN || message.work().awaited();
    if (urgent || queue.size() >= wakeAt) {
      wake();
    }
  }

  /** Makes the owner's poll return, if it is in it and nobody did so before. */
  void wake() {
    if (owner.compareAndSet(Owner.POLLING, Owner.WOKEN)) {
      wakeup.run();
    }
  }

  /** Owner: how many messages are worth a turn of the loop by their number alone. */
  void wakeAt(int messages) {
    wakeAt = messages;
  }

  /** Owner: will poll now. Returns whether it may wait; not if there are messages already. */
  boolean enterPoll() {
    owner.set(Owner.POLLING);
    return queue.isEmpty();
  }

  /** Owner: has polled, or is called back within the poll. */
  void leavePoll() {
    owner.set(Owner.AWAKE);
  }

  /** Owner: the next message, or null if there is none now. */
  @Nullable Message poll() {
    return queue.poll();
  }

  /** Owner: the next message, or null if none comes in time. */
  @Nullable Message poll(long nanos) throws InterruptedException {
    return queue.poll(nanos, TimeUnit.NANOSECONDS);
  }
}
