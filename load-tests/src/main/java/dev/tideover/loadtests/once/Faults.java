package dev.tideover.loadtests.once;

import dev.tideover.loadtests.bench.BenchException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Ends processes at times drawn from a seed and starts them again. What is ended while another one
 * is still starting is another case, so nothing waits for that but the process itself. One thread
 * uses it.
 */
final class Faults implements AutoCloseable {

  /** A process that can be ended and started again. */
  interface Target {
    String name();

    /** Ends it, without notice. */
    void kill() throws BenchException, InterruptedException;

    /** Starts it again, and returns when it is ready. */
    void start() throws BenchException, InterruptedException;
  }

  /**
   * What is to happen.
   *
   * @param atMillis since the beginning
   * @param downMillis how long it stays away before it is started
   */
  record Blow(String target, long atMillis, long downMillis) {}

  private static final long RESTART_BOUND_SECONDS = 90;

  private final Map<String, Target> targets = new HashMap<>();
  private final List<Blow> schedule;
  private final Map<String, CompletableFuture<Void>> restarts = new HashMap<>();
  private final Map<String, Integer> done = new HashMap<>();
  private final ExecutorService starters = Executors.newCachedThreadPool();
  private final CountDownLatch closed = new CountDownLatch(1);

  Faults(List<Target> targets, List<Blow> schedule) {
    targets.forEach(target -> this.targets.put(target.name(), target));
    this.schedule = List.copyOf(schedule);
  }

  /**
   * Each of {@code often} in each round, in an order of its own; {@code once} in the middle.
   *
   * @param spanMillis from the first to the end of the last interval
   */
  static List<Blow> schedule(
      long seed, List<String> often, List<String> once, int rounds, long spanMillis) {
    Random random = new Random(seed);
    List<String> order = new ArrayList<>();
    for (int round = 0; round < rounds; round++) {
      List<String> these = new ArrayList<>(often);
      Collections.shuffle(these, random);
      order.addAll(these);
    }
    order.addAll(order.size() / 2, once);
    double interval = (double) spanMillis / order.size();
    List<Blow> blows = new ArrayList<>();
    for (int i = 0; i < order.size(); i++) {
      long at = (long) ((i + 0.8 * random.nextDouble()) * interval);
      blows.add(new Blow(order.get(i), at, random.nextInt(2_000)));
    }
    return blows;
  }

  /** Carries the schedule out; returns when all are ready again. */
  void run() throws BenchException, InterruptedException {
    long start = System.nanoTime();
    for (Blow blow : schedule) {
      Target target = targets.get(blow.target());
      if (target == null) {
        throw new IllegalArgumentException(blow.target());
      }
      long due = start + TimeUnit.MILLISECONDS.toNanos(blow.atMillis());
      if (closed.await(due - System.nanoTime(), TimeUnit.NANOSECONDS)) {
        return;
      }
      awaitRestart(blow.target());
      System.out.printf(
          Locale.ROOT,
          "  %5.1f s: kill %s, start it %.1f s later%n",
          (System.nanoTime() - start) / 1e9,
          blow.target(),
          blow.downMillis() / 1e3);
      target.kill();
      done.merge(blow.target(), 1, Integer::sum);
      restarts.put(blow.target(), CompletableFuture.runAsync(() -> start(target, blow), starters));
    }
    for (String target : List.copyOf(restarts.keySet())) {
      awaitRestart(target);
    }
  }

  private void start(Target target, Blow blow) {
    try {
      if (!closed.await(blow.downMillis(), TimeUnit.MILLISECONDS)) {
        target.start();
      }
    } catch (BenchException e) {
      throw new IllegalStateException(e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void awaitRestart(String target) throws BenchException, InterruptedException {
    CompletableFuture<Void> restart = restarts.remove(target);
    if (restart == null) {
      return;
    }
    try {
      restart.get(RESTART_BOUND_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw new BenchException(target + " was killed and did not come back: " + e.getMessage(), e);
    } catch (TimeoutException e) {
      throw new BenchException(
          target + " was killed and was not back after " + RESTART_BOUND_SECONDS + " s", e);
    }
  }

  /** How often each was killed. */
  Map<String, Integer> done() {
    return Map.copyOf(done);
  }

  @Override
  public void close() {
    closed.countDown();
    starters.shutdownNow();
  }
}
