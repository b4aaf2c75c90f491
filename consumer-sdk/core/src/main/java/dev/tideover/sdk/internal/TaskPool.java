package dev.tideover.sdk.internal;

import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Threads for many short tasks, or for some that block, woken as few at a time as will do.
 *
 * <p>A pool that wakes a thread for each task spends more on waking than short tasks take: with 64
 * threads that was half of the processor time of a request. Here one wake-up is under way at a
 * time: the thread that is woken takes a task and, if there are more, has the next one woken before
 * it begins. So tasks that take microseconds are done by a thread or two that never go to sleep,
 * and ones that block soon have all threads. Idle threads are taken last in, first out, since the
 * one that fell asleep last has the warmest caches.
 *
 * <p>No task is left behind: whoever adds one signals after it has added it, and a thread that
 * finds none signals after it has said that it stops. Whoever of the two is later sees the other.
 *
 * <p>The tasks that wait are bounded by whoever gives them. Safe for all threads.
 */
final class TaskPool implements Executor {

  private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean waking = new AtomicBoolean();
  private final AtomicInteger running = new AtomicInteger();
  private final AtomicInteger size;

  /** May have some more threads than run: one that has just stopped isn't idle yet. */
  private final ThreadPoolExecutor threads;

  private volatile boolean closed;

  /**
   * Has no thread yet.
   *
   * @param size how many tasks run at once, at most
   */
  TaskPool(int size, ThreadFactory factory) {
    this.size = new AtomicInteger(size);
    this.threads =
        new ThreadPoolExecutor(
            0, Integer.MAX_VALUE, 30, TimeUnit.SECONDS, new SynchronousQueue<>(), factory);
  }

  @Override
  public void execute(Runnable task) {
    if (closed) {
      throw new RejectedExecutionException("the pool is closed");
    }
    tasks.add(task);
    signal();
  }

  /** More or fewer tasks run at once from now on. */
  void resize(int change) {
    size.addAndGet(change);
    signal();
  }

  private void signal() {
    while (!closed && !tasks.isEmpty() && waking.compareAndSet(false, true)) {
      if (running.incrementAndGet() <= size.get()) {
        wake();
        return;
      }
      running.decrementAndGet();
      waking.set(false);
      if (running.get() >= size.get()) {
        return; // all are at work, and each of them signals when it stops
      }
      // One has stopped just now, and found that a wake-up was under way: it was this one.
    }
  }

  private void wake() {
    boolean woken = false;
    try {
      threads.execute(this::run);
      woken = true;
    } catch (RejectedExecutionException closing) {
      closed = true;
    } finally {
      if (!woken) {
        running.decrementAndGet();
        waking.set(false);
      }
    }
  }

  private void run() {
    waking.set(false);
    try {
      for (Runnable task = next(); task != null; task = next()) {
        signal();
        task.run();
      }
    } finally {
      running.decrementAndGet();
      signal();
    }
  }

  private @Nullable Runnable next() {
    Thread.interrupted(); // what was meant for the last task
    return closed ? null : tasks.poll();
  }

  /**
   * Interrupts what runs, and drops what waits.
   *
   * @return whether all threads have ended within the time
   */
  boolean close(Duration timeout) throws InterruptedException {
    closed = true;
    tasks.clear();
    threads.shutdownNow();
    return threads.awaitTermination(timeout.toNanos(), TimeUnit.NANOSECONDS);
  }
}
