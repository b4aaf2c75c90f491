package dev.tideover.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.core.AppenderBase;
import io.vertx.core.VertxOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.LoggerFactory;

/**
 * Sees event loops that are blocked for 100 ms, by what Vert.x's blocked thread checker logs.
 *
 * <p>A loop that waits, for a lock, a latch, a sleep, is a fault always. One that is at work may
 * look blocked because the machine gave this JVM no processor or collected its garbage; a thread
 * that does nothing but wake up every 5 ms notices that too, and such a warning is let pass.
 */
final class EventLoopWatch extends AppenderBase<ILoggingEvent> implements AutoCloseable {

  private static final long STALL_NANOS = TimeUnit.MILLISECONDS.toNanos(25);
  private static final long WINDOW_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

  private final Logger logger = (Logger) LoggerFactory.getLogger("io.vertx.core");
  private final Thread meter = new Thread(this::meter, "stall-meter");

  /** Guarded by this; in nanoseconds. */
  private final List<Long> stallEnds = new ArrayList<>();

  /** Guarded by this. */
  private final List<String> blocked = new ArrayList<>();

  private volatile boolean closed;

  /** For a Vert.x that is to be watched. */
  static VertxOptions options() {
    return new VertxOptions()
        .setMaxEventLoopExecuteTimeUnit(TimeUnit.MILLISECONDS)
        .setMaxEventLoopExecuteTime(100)
        .setWarningExceptionTimeUnit(TimeUnit.MILLISECONDS)
        .setWarningExceptionTime(1)
        .setBlockedThreadCheckIntervalUnit(TimeUnit.MILLISECONDS)
        .setBlockedThreadCheckInterval(20);
  }

  static EventLoopWatch begin() {
    EventLoopWatch watch = new EventLoopWatch();
    watch.setContext(watch.logger.getLoggerContext());
    watch.start();
    watch.logger.addAppender(watch);
    watch.meter.setDaemon(true);
    watch.meter.start();
    return watch;
  }

  private void meter() {
    long last = System.nanoTime();
    while (!closed) {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
      long now = System.nanoTime();
      if (now - last > STALL_NANOS) {
        synchronized (this) {
          stallEnds.add(now);
        }
      }
      last = now;
    }
  }

  @Override
  protected synchronized void append(ILoggingEvent event) {
    if (!event.getFormattedMessage().contains("has been blocked for")) {
      return;
    }
    IThrowableProxy stack = event.getThrowableProxy();
    StringBuilder text = new StringBuilder(event.getFormattedMessage());
    boolean waits = false;
    if (stack != null) {
      for (var frame : stack.getStackTraceElementProxyArray()) {
        text.append("\n  ").append(frame.getSTEAsString());
      }
      if (stack.getStackTraceElementProxyArray().length > 0) {
        String top = stack.getStackTraceElementProxyArray()[0].getSTEAsString();
        waits =
            top.contains("Unsafe.park")
                || top.contains("Object.wait")
                || top.contains("Thread.sleep");
      }
    }
    if (waits || !stalled(System.nanoTime())) {
      blocked.add(text.toString());
    }
  }

  private boolean stalled(long now) {
    return stallEnds.stream().anyMatch(end -> now - end < WINDOW_NANOS);
  }

  synchronized List<String> blocked() {
    return List.copyOf(blocked);
  }

  void assertNoneBlocked() {
    assertThat(blocked()).as("event loops that were blocked for 100 ms").isEmpty();
  }

  @Override
  public void close() {
    closed = true;
    logger.detachAppender(this);
    try {
      meter.join(5_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
