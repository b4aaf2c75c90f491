package dev.tideover.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.StackTraceElementProxy;
import ch.qos.logback.core.AppenderBase;
import io.vertx.core.VertxOptions;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.LoggerFactory;

/**
 * Sees event loops that are blocked for 100 ms, by what Vert.x's blocked thread checker logs.
 *
 * <p>A loop that waits, for a lock, a latch, a sleep, a native call, is a fault always. Any other
 * is one if it worked, by its CPU time. If it didn't, the machine gave it no processor or the JVM
 * collected its garbage, and the warning is let pass.
 */
final class EventLoopWatch extends AppenderBase<ILoggingEvent> implements AutoCloseable {

  private static final Pattern WARNING = Pattern.compile("Thread (\\S+) has been blocked for");
  private static final long LIMIT_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long WORKED_NANOS = LIMIT_NANOS / 2;

  /** The CPU time that each event loop had used at some time. */
  private record Sample(long at, Map<Thread, Long> used) {}

  private final Logger logger = (Logger) LoggerFactory.getLogger("io.vertx.core");
  private final ThreadMXBean threads = ManagementFactory.getThreadMXBean();
  private final Thread sampler = new Thread(this::sample, "cpu-sampler");

  /** Guarded by this; the newest last, those of the last second. */
  private final Deque<Sample> samples = new ArrayDeque<>();

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
    watch.sampler.setDaemon(true);
    watch.sampler.start();
    return watch;
  }

  private void sample() {
    while (!closed) {
      Sample sample = new Sample(System.nanoTime(), used());
      synchronized (this) {
        samples.addLast(sample);
        while (sample.at - samples.getFirst().at > TimeUnit.SECONDS.toNanos(1)) {
          samples.removeFirst();
        }
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
    }
  }

  private Map<Thread, Long> used() {
    Thread[] all = new Thread[2 * Thread.activeCount() + 20];
    Map<Thread, Long> used = new HashMap<>();
    for (int i = Thread.enumerate(all) - 1; i >= 0; i--) {
      if (all[i].getName().startsWith("vert.x-eventloop-thread")) {
        used.put(all[i], threads.getThreadCpuTime(all[i].getId()));
      }
    }
    return used;
  }

  @Override
  protected void append(ILoggingEvent event) {
    Matcher warning = WARNING.matcher(event.getFormattedMessage());
    if (!warning.find()) {
      return;
    }
    StringBuilder text = new StringBuilder(event.getFormattedMessage());
    boolean waits = false;
    if (event.getThrowableProxy() != null) {
      StackTraceElementProxy[] stack = event.getThrowableProxy().getStackTraceElementProxyArray();
      for (StackTraceElementProxy frame : stack) {
        text.append("\n  ").append(frame.getSTEAsString());
      }
      waits = stack.length > 0 && waitsIn(stack);
    }
    synchronized (this) {
      if (waits || isBlocked(warning.group(1)) || worked(warning.group(1))) {
        blocked.add(text.toString());
      }
    }
  }

  /**
   * The sockets of an event loop don't block, so a native call for one is work, and so are the
   * making of a stack trace and the reading of random bytes from the kernel.
   */
  private static boolean waitsIn(StackTraceElementProxy[] stack) {
    for (StackTraceElementProxy frame : stack) {
      if (frame.getStackTraceElement().getClassName().contains(".NativePRNG")) {
        return false;
      }
    }
    StackTraceElement top = stack[0].getStackTraceElement();
    return top.isNativeMethod()
        && !top.getClassName().startsWith("sun.nio.ch.")
        && !top.getMethodName().equals("fillInStackTrace");
  }

  /** Waits for a monitor or another thread: its stack doesn't show the first. */
  private boolean isBlocked(String name) {
    return used().keySet().stream()
        .filter(thread -> thread.getName().equals(name))
        .filter(thread -> thread.getState() != Thread.State.RUNNABLE)
        .anyMatch(thread -> !waitsForOneWithoutProcessor(thread));
  }

  /**
   * Whether who has the monitor that it waits for could run and doesn't wait for anything: Kafka's
   * producer has a lock for each partition, held for microseconds while the machine lets it.
   */
  private boolean waitsForOneWithoutProcessor(Thread thread) {
    ThreadInfo info = threads.getThreadInfo(thread.getId());
    if (info == null || info.getThreadState() != Thread.State.BLOCKED) {
      return false;
    }
    ThreadInfo owner =
        info.getLockOwnerId() < 0 ? null : threads.getThreadInfo(info.getLockOwnerId(), 1);
    return owner != null
        && owner.getThreadState() == Thread.State.RUNNABLE
        && owner.getStackTrace().length > 0
        && !owner.getStackTrace()[0].isNativeMethod();
  }

  /** Whether it used a processor for a good part of the last 100 ms. */
  private boolean worked(String name) {
    Map<Thread, Long> now = used();
    long at = System.nanoTime();
    Sample before = null;
    for (Sample sample : samples) {
      if (before == null || at - sample.at >= LIMIT_NANOS) {
        before = sample;
      }
    }
    if (before == null) {
      return true;
    }
    Map<Thread, Long> then = before.used;
    return now.entrySet().stream()
        .filter(loop -> loop.getKey().getName().equals(name))
        .anyMatch(loop -> loop.getValue() - then.getOrDefault(loop.getKey(), 0L) >= WORKED_NANOS);
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
      sampler.join(5_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
