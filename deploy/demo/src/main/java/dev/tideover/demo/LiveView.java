package dev.tideover.demo;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Feeds the {@link Display} while traffic runs: reads the traffic's and Kafka's figures on a thread
 * of its own, so that neither is ever waited for by those who make them. Safe for use by many
 * threads.
 */
final class LiveView implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(5);
  private static final long UNKNOWN = -1;

  private final Display display;
  private final TrafficClient traffic;
  private final Backlog backlog;
  private final ScheduledExecutorService thread;
  private volatile String serving = "";
  private volatile long startNanos;
  private @Nullable ScheduledFuture<?> ticks;

  // Owned by the thread.
  private CompletableFuture<Long> lag = CompletableFuture.completedFuture(UNKNOWN);
  private long latestLag = UNKNOWN;

  LiveView(Display display, TrafficClient traffic, Backlog backlog) {
    this.display = display;
    this.traffic = traffic;
    this.backlog = backlog;
    this.thread =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              var worker = new Thread(task, "live view");
              worker.setDaemon(true);
              return worker;
            });
  }

  /** Begins to show; called once, with the traffic. */
  void start(String serving) {
    this.serving = serving;
    startNanos = System.nanoTime();
    long millis = display.interval().toMillis();
    ticks = thread.scheduleAtFixedRate(this::tick, millis, millis, TimeUnit.MILLISECONDS);
  }

  /** Changes what is said of the service. */
  void serving(String serving) {
    this.serving = serving;
  }

  /**
   * Shows that something happened.
   *
   * @param serving what is said of the service from now on; null for no change
   */
  void event(String what, @Nullable String serving) {
    if (serving != null) {
      this.serving = serving;
    }
    display.event(sinceStart(), what);
  }

  /** Asks Kafka for the backlog now; negative where it doesn't answer. */
  long awaitBacklog() throws InterruptedException {
    try {
      return backlog.lag().get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException | TimeoutException e) {
      return UNKNOWN;
    }
  }

  /** Ends the showing. */
  @Override
  public void close() {
    if (ticks != null) {
      ticks.cancel(false);
    }
    thread.shutdown();
    try {
      if (!thread.awaitTermination(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        thread.shutdownNow();
      }
    } catch (InterruptedException e) {
      thread.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }

  private void tick() {
    try {
      // The answer of the question before: a slow Kafka makes the figure old, not the view slow.
      if (lag.isDone()) {
        latestLag = lag.isCompletedExceptionally() ? UNKNOWN : lag.join();
        lag = backlog.lag();
      }
      TrafficClient.Snapshot now =
          traffic.snapshot().get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
      display.show(sinceStart(), now, latestLag, serving);
    } catch (ExecutionException | TimeoutException e) {
      display.event(sinceStart(), "The client does not answer: " + e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private Duration sinceStart() {
    return Duration.ofNanos(System.nanoTime() - startNanos);
  }
}
