package dev.tideover.sdk.internal;

import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads that handlers run on, and the permits that bound how many requests are given to them.
 *
 * <p>A permit belongs to a task, not to a request: it is taken by the owner thread for the task and
 * given back by the task itself, however that ends. So work that has become stale can't keep one.
 *
 * <p>With threads of our own there are twice as many permits as threads: half of the requests run
 * and half stand at the door, so that a thread which becomes free goes on without the owner. With a
 * user's executor, whose threads we can't count, permits alone bound the concurrency.
 */
final class Workers {

  private static final Logger log = LoggerFactory.getLogger(Workers.class);

  /**
   * The first Java where a virtual thread that blocks in a synchronized method gives its carrier up
   * (JEP 491). Before it, as many such handlers as there are cores would stop all others, and JDBC
   * drivers do just that.
   */
  private static final int FIRST_WITHOUT_PINNING = 24;

  private final Executor executor;
  private final @Nullable ExecutorService own;
  private final Semaphore permits;
  private final int enough;

  /** Written by the owner: requests wait for permits. */
  private volatile boolean hungry;

  Workers(Settings settings) {
    Executor users = settings.executor();
    int threads = settings.concurrency();
    if (users == null) {
      own = pool(threads, "tideover-" + settings.service() + "-");
      executor = own;
      permits = new Semaphore(2 * threads);
      enough = Math.max(1, threads / 2);
    } else {
      own = null;
      executor = users;
      permits = new Semaphore(threads);
      enough = 1;
    }
  }

  private static ExecutorService pool(int threads, String prefix) {
    ThreadPoolExecutor pool =
        new ThreadPoolExecutor(
            threads,
            threads,
            30,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            factory(prefix + "worker-"));
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  private static ThreadFactory factory(String prefix) {
    if (Runtime.version().feature() >= FIRST_WITHOUT_PINNING) {
      try {
        // Thread.ofVirtual().name(prefix, 1).factory(), which Java 17 doesn't have.
        Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
        Class<?> type = Class.forName("java.lang.Thread$Builder");
        Object named = type.getMethod("name", String.class, long.class).invoke(builder, prefix, 1L);
        return (ThreadFactory) type.getMethod("factory").invoke(named);
      } catch (ReflectiveOperationException unexpected) {
        log.warn("No virtual threads; handlers run on platform threads instead", unexpected);
      }
    }
    AtomicInteger number = new AtomicInteger();
    return task -> {
      Thread thread = new Thread(task, prefix + number.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
  }

  /** Owner: takes a permit for one task, if there is one. */
  boolean tryAcquire() {
    return permits.tryAcquire();
  }

  /** Gives back the permit of a task. Returns whether the owner waits for it. */
  boolean release() {
    permits.release();
    return canFeedHungry();
  }

  /** Owner: says whether requests wait for permits, before it polls. */
  void hungry(boolean hungry) {
    this.hungry = hungry;
  }

  /**
   * Whether requests wait for permits and there are some worth a turn of the owner. For the owner
   * to ask after it has said that it polls, as with a message of the {@link Mailbox}: a permit that
   * comes back before that wakes nobody.
   */
  boolean canFeedHungry() {
    return hungry && permits.availablePermits() >= enough;
  }

  /**
   * Runs a task on another thread.
   *
   * @throws java.util.concurrent.RejectedExecutionException if a user's executor doesn't take it
   */
  void execute(Runnable task) {
    executor.execute(task);
  }

  /** Interrupts what runs on our own threads and lets them end; doesn't wait for it for long. */
  void close(Duration timeout) throws InterruptedException {
    if (own == null) {
      return;
    }
    own.shutdownNow();
    if (!own.awaitTermination(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
      log.warn(
          "Handlers still run though they were interrupted. Their threads are left alone; their"
              + " requests are handled again by another instance.");
    }
  }
}
