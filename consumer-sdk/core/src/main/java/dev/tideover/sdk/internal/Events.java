package dev.tideover.sdk.internal;

import dev.tideover.sdk.ConsumerListener;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells a user's listener what happens, on a thread of its own. {@link #tell} never blocks and
 * never runs the listener; any thread may call it.
 *
 * <p>Events told by one thread arrive in their order. The queue is bounded; what finds it full is
 * dropped and counted.
 */
final class Events implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(Events.class);

  static final int CAPACITY = 1_000;

  private static final Consumer<ConsumerListener> END = listener -> {};

  private final BlockingQueue<Consumer<ConsumerListener>> queue =
      new ArrayBlockingQueue<>(CAPACITY);
  private final AtomicLong dropped = new AtomicLong();
  private final AtomicBoolean behind = new AtomicBoolean();
  private final Duration closeBudget;
  private final @Nullable Thread thread;
  private volatile boolean closed;
  private volatile boolean abandoned;

  /**
   * Starts the thread, if there is a listener to be told.
   *
   * @param listener null for none
   * @param name of the thread
   * @param closeBudget how long {@link #close} waits for what was told before it
   */
  Events(@Nullable ConsumerListener listener, String name, Duration closeBudget) {
    this.closeBudget = closeBudget;
    if (listener == null) {
      thread = null;
    } else {
      thread = new Thread(() -> run(listener), name);
      thread.setDaemon(true);
      thread.start();
    }
  }

  /** An event: what is to be called of the listener. */
  void tell(Consumer<ConsumerListener> event) {
    if (thread == null || closed) {
      return;
    }
    if (queue.offer(event)) {
      return;
    }
    dropped.incrementAndGet();
    if (behind.compareAndSet(false, true)) {
      log.warn(
          "The listener is {} events behind; further ones are dropped until it has caught up."
              + " Requests aren't affected. Let it do less, or do it elsewhere.",
          CAPACITY);
    }
  }

  /** How many events have found no room, ever. */
  long dropped() {
    return dropped.get();
  }

  /** Whether the calling thread is the listener's: it mustn't wait for its own end. */
  boolean isListener() {
    return Thread.currentThread() == thread;
  }

  private void run(ConsumerListener listener) {
    long reported = 0;
    while (!abandoned) {
      try {
        Consumer<ConsumerListener> event = queue.take();
        if (event == END) {
          return;
        }
        event.accept(listener);
      } catch (InterruptedException interrupted) {
        // By close(), and then the loop ends; or the listener interrupted its thread itself.
        log.debug("The listener's thread was interrupted", interrupted);
      } catch (Throwable broken) {
        log.error(
            "The listener {} threw; the event is lost to it, nothing else is affected",
            listener.getClass().getName(),
            broken);
      }
      if (behind.get() && queue.isEmpty()) {
        behind.set(false);
        long total = dropped.get();
        log.warn("The listener has caught up; {} events were dropped", total - reported);
        reported = total;
      }
    }
  }

  /**
   * Waits until the listener has been told all, but not longer than the budget, and ends the
   * thread. Called by the listener itself it doesn't wait. If the calling thread is interrupted it
   * stops waiting and stays interrupted.
   */
  @Override
  public void close() {
    closed = true;
    if (thread == null || !thread.isAlive()) {
      return;
    }
    if (isListener()) {
      abandoned = !queue.offer(END);
      return;
    }
    long deadline = System.nanoTime() + closeBudget.toNanos();
    try {
      if (queue.offer(END, closeBudget.toNanos(), TimeUnit.NANOSECONDS)) {
        TimeUnit.NANOSECONDS.timedJoin(thread, deadline - System.nanoTime());
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
    if (thread.isAlive()) {
      log.warn(
          "The listener still hasn't returned; it is interrupted and left alone, and {} events are"
              + " dropped",
          queue.stream().filter(event -> event != END).count());
      abandoned = true;
      queue.clear();
      thread.interrupt();
    }
  }
}
