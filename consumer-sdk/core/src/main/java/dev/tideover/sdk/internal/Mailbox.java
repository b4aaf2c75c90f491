package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.core.Adoption;
import dev.tideover.sdk.internal.core.Core;
import dev.tideover.sdk.internal.core.Fault;
import dev.tideover.sdk.internal.core.FinishedBatch;
import dev.tideover.sdk.internal.core.Work;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * What other threads tell the owner thread, and whether to interrupt its poll for it. Any thread
 * puts; only the owner takes.
 *
 * <p>Bounded by construction: a request that is out comes back with one message, and what is out is
 * bounded by the windows; a partition that is adopted comes with one, and a batch of finished ids
 * too. Of cancellations, which come from outside, it takes no more than {@link #MOST_CANCELLATIONS}
 * at a time.
 *
 * <p>Waking the owner costs it an exception and a turn of its loop, so it is done only if it has
 * something to do with the message now. No wake-up that matters is lost: the owner first publishes
 * what it waits for ({@link Work#awaited}, {@link #wakeAt}), then says that it polls ({@link
 * #enterPoll}), then looks into the queue a last time. A putter first adds to the queue, then reads
 * what the owner waits for, then whether it polls. All of these are volatile, so in whatever order
 * the two interleave, either the owner sees the message or the putter sees the owner waiting.
 */
final class Mailbox {

  /** An event for the core. */
  @FunctionalInterface
  interface Message {
    /** Owner: tells the core. */
    void tell(Core<Delivery> core, long now);
  }

  private enum Owner {
    AWAKE,
    POLLING,
    WOKEN
  }

  /** More than an owner that isn't stuck ever has before it. */
  static final int MOST_CANCELLATIONS = 10_000;

  private final AtomicInteger cancellations = new AtomicInteger();
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

  void ended(Work<Delivery> work, long replyOffset) {
    put((core, now) -> core.ended(work, replyOffset, now), work.awaited());
  }

  void failed(Work<Delivery> work, Fault fault, long pauseNanos, String what) {
    put((core, now) -> core.failed(work, fault, pauseNanos, what, now), true);
  }

  /** A retry with a pause shorter than the poll has to be known before the poll's end. */
  void again(Work<Delivery> work, long pauseNanos) {
    put((core, now) -> core.again(work, pauseNanos, now), true);
  }

  /** An instance on trial keeps its reply. */
  void withheld(Work<Delivery> work) {
    put((core, now) -> core.withheld(work, now), false);
  }

  void recorded(Work<Delivery> work) {
    put((core, now) -> core.recorded(work, now), true);
  }

  void givenBack(Work<Delivery> work) {
    put((core, now) -> core.givenBack(work, now), work.awaited());
  }

  void adopted(TopicPartition partition, long number, Adoption adoption) {
    put((core, now) -> core.adopted(partition, number, adoption), true);
  }

  void notAdopted(TopicPartition partition, long number, String diagnosis) {
    put((core, now) -> core.notAdopted(partition, number, diagnosis), true);
  }

  /** A commit waits for it. */
  void remembered(TopicPartition partition, FinishedBatch batch) {
    put((core, now) -> core.remembered(partition, batch), true);
  }

  void notRemembered(TopicPartition partition, FinishedBatch batch, boolean refused, String why) {
    put((core, now) -> core.notRemembered(partition, batch, refused, why, now), true);
  }

  void stopAll(String diagnosis) {
    put((core, now) -> core.stopAll(diagnosis), true);
  }

  /**
   * A client wants a request not to begin.
   *
   * @return false if there are too many already: then it isn't told, and that request isn't
   *     cancelled by this instance
   */
  boolean cancel(TopicPartition partition, long offset, String id) {
    if (cancellations.incrementAndGet() > MOST_CANCELLATIONS) {
      cancellations.decrementAndGet();
      return false;
    }
    put(
        (core, now) -> {
          cancellations.decrementAndGet();
          core.cancel(partition, offset, id);
        },
        true);
    return true;
  }

  private void put(Message message, boolean urgent) {
    queue.add(message);
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

  /** Whether there is no message now. */
  boolean isEmpty() {
    return queue.isEmpty();
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
