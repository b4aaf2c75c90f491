package dev.tideover.sdk.internal;

import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads that handlers run on. How many tasks they are given is the core's to say; with
 * threads of our own that is more than there are threads ({@link #surplus}), so that a thread which
 * becomes free goes on without the owner. With a user's executor, whose threads we can't count, the
 * tasks that are given to it are all there are.
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
  private final @Nullable TaskPool own;
  private final int threads;

  Workers(Settings settings) {
    threads = settings.concurrency();
    Executor users = settings.executor();
    if (users == null) {
      own = new TaskPool(threads, factory("tideover-" + settings.service() + "-worker-"));
      executor = own;
    } else {
      own = null;
      executor = users;
    }
  }

  /** How many more tasks than {@link Settings#concurrency} may be given to these threads. */
  int surplus() {
    return own == null ? 0 : threads;
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

  /** Owner: a task doesn't end, so another thread has to take its thread's place. */
  void replaceThread() {
    resize(1);
  }

  /** Such a task has ended after all. */
  void threadIsBack() {
    resize(-1);
  }

  private void resize(int change) {
    if (own != null) {
      own.resize(change);
    }
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
    if (!own.close(timeout)) {
      log.warn(
          "Handlers still run though they were interrupted. Their threads are left alone; their"
              + " requests are handled again by another instance.");
    }
  }
}
