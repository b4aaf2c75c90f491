package dev.tideover.gateway.cli;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Closes what was started, the last first, once: at the end of the command or when the process is
 * told to stop, whichever comes first. The JVM's shutdown hook waits in {@link #stop} until all is
 * closed; a hook that doesn't wait would cut off the answers that are still going out.
 */
final class Shutdown implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Shutdown.class);

  private final CountDownLatch stopped;

  /** Guarded by this, as the next. */
  private final Deque<AutoCloseable> parts = new ArrayDeque<>();

  private boolean closed;

  Shutdown(CountDownLatch stopped) {
    this.stopped = stopped;
  }

  /** Adds a part; closes it at once where the stop came first. */
  synchronized void add(AutoCloseable part) {
    if (closed) {
      closeOne(part);
    } else {
      parts.push(part);
    }
  }

  void stop() {
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
