package dev.tideover.gateway.cli;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Closes what was started, the last first, once: at the end of the command or when the process is
 * told to stop, whichever comes first. The JVM's shutdown hook waits until all is closed; a hook
 * that doesn't would cut off the answers that are still going out.
 */
final class Shutdown implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Shutdown.class);

  private final CountDownLatch stopped = new CountDownLatch(1);
  private final AtomicBoolean told = new AtomicBoolean();

  /** Guarded by this, as the next. */
  private final Deque<AutoCloseable> parts = new ArrayDeque<>();

  private boolean closed;

  /**
   * Lets SIGTERM and SIGINT end the process with exit code 0, and everything else that ends a JVM
   * wait for the parts. Where the signals can't be handled the JVM does it, with exit code 143 or
   * 130.
   */
  void listen() {
    Runtime.getRuntime().addShutdownHook(new Thread(this::stop, "tideover-shutdown"));
    for (String signal : new String[] {"TERM", "INT"}) {
      boolean unused = Signals.handle(signal, () -> onSignal(signal));
    }
  }

  private void onSignal(String signal) {
    if (told.compareAndSet(false, true)) {
      LOG.info("SIG{}: stopping", signal);
      System.exit(0);
    }
    LOG.info("SIG{} again: stopping already, and nothing of it is left out; SIGKILL would", signal);
  }

  /** Adds a part; closes it at once where the stop came first. */
  synchronized void add(AutoCloseable part) {
    if (closed) {
      closeOne(part);
    } else {
      parts.push(part);
    }
  }

  /** Whether the process has been told to stop. */
  boolean isStopping() {
    return told.get();
  }

  /** Returns when all is closed because the process was told to stop. */
  void await() throws InterruptedException {
    stopped.await();
  }

  private void stop() {
    told.set(true);
    close();
    stopped.countDown();
  }

  @Override
  public synchronized void close() {
    closed = true;
    while (!parts.isEmpty()) {
      closeOne(parts.pop());
    }
  }

  private static void closeOne(AutoCloseable part) {
    try {
      part.close();
    } catch (Exception e) {
      if (e instanceof InterruptedException) {
        Thread.currentThread().interrupt();
      }
      LOG.warn("Something did not close cleanly; the rest goes on closing", e);
    }
  }
}
