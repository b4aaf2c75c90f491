package dev.tideover.gateway.kafka;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * A level for each partition, raised by one thread, and those who wait until it has reached theirs.
 * They are told on an executor, so whoever raises the level is not kept up. Safe for any thread.
 */
final class Levels {

  private final AtomicLongArray levels;
  private final Executor executor;

  /** By partition; each set is guarded by itself. */
  private final List<Set<Waiter>> waiting = new ArrayList<>();

  private static final class Waiter extends CompletableFuture<Boolean> {
    final long level;

    Waiter(long level) {
      this.level = level;
    }
  }

  Levels(int partitions, long initial, Executor executor) {
    this.levels = new AtomicLongArray(partitions);
    this.executor = executor;
    for (int partition = 0; partition < partitions; partition++) {
      levels.set(partition, initial);
      waiting.add(new HashSet<>());
    }
  }

  long get(int partition) {
    return levels.get(partition);
  }

  void set(int partition, long level) {
    levels.set(partition, level);
    Set<Waiter> waiters = waiting.get(partition);
    List<Waiter> reached = new ArrayList<>();
    // A waiter joins before it looks at the level for the last time, so one of the two sees it.
    synchronized (waiters) {
      waiters.removeIf(waiter -> waiter.level <= level && reached.add(waiter));
    }
    if (!reached.isEmpty()) {
      executor.execute(() -> reached.forEach(waiter -> waiter.complete(true)));
    }
  }

  /** True as soon as the level is reached, false where that takes longer than the limit. */
  CompletableFuture<Boolean> reached(int partition, long level, Duration limit) {
    if (levels.get(partition) >= level) {
      return CompletableFuture.completedFuture(true);
    }
    Waiter waiter = new Waiter(level);
    Set<Waiter> waiters = waiting.get(partition);
    synchronized (waiters) {
      waiters.add(waiter);
    }
    if (levels.get(partition) >= level) {
      waiter.complete(true);
    }
    return waiter
        .completeOnTimeout(false, limit.toMillis(), TimeUnit.MILLISECONDS)
        .whenComplete(
            (unused, failure) -> {
              synchronized (waiters) {
                waiters.remove(waiter);
              }
            });
  }
}
