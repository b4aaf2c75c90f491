package dev.tideover.sdk.internal.core;

import java.util.ArrayDeque;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * Handlers and what they wait for, in simulated time: there is always a request to be started, and
 * one is started whenever fewer run than the limit allows. Everything random comes from one seed.
 */
final class ModelServer {

  /** What decides how many may run. */
  interface Limiter {
    int limit();

    void sample(long now, long nanos, int running, boolean failed);

    void tick(long now);
  }

  /** What a handler takes. */
  interface Work {
    /**
     * Nanoseconds of work.
     *
     * @param running how many run, itself included
     */
    double nanos(long now, int running, Random random);
  }

  private record Running(long end, long start) {}

  private final Work work;
  private final int servers;
  private final long dispatch;
  private final long pauseEvery;
  private final long pause;
  private final Random random;

  private final PriorityQueue<Running> serving =
      new PriorityQueue<>((a, b) -> Long.compare(a.end, b.end));
  private final ArrayDeque<Long> queued = new ArrayDeque<>();

  private long now;
  private long nextDispatch;
  private long nextTick;
  private long nextPause;

  long finished;
  int lowest = Integer.MAX_VALUE;
  int highest;
  private double limitSum;
  private long limitCount;

  private ModelServer(
      Work work, int servers, long dispatch, long pauseEvery, long pause, long seed) {
    this.work = work;
    this.servers = servers;
    this.dispatch = dispatch;
    this.pauseEvery = pauseEvery;
    this.pause = pause;
    this.nextPause = pauseEvery;
    this.random = new Random(seed);
  }

  /** Handlers which don't wait for each other but by what the work says. */
  static ModelServer of(Work work, long seed) {
    return new ModelServer(work, Integer.MAX_VALUE, 0, Long.MAX_VALUE, 0, seed);
  }

  /** Handlers which wait in turn for one of so many connections. */
  static ModelServer withConnections(int connections, Work work, long seed) {
    return new ModelServer(work, connections, 0, Long.MAX_VALUE, 0, seed);
  }

  /** As {@link #of}, with an engine that needs time for each start, and pauses of the JVM. */
  static ModelServer withPauses(
      Work work, long dispatchNanos, long everyNanos, long pauseNanos, long seed) {
    return new ModelServer(work, Integer.MAX_VALUE, dispatchNanos, everyNanos, pauseNanos, seed);
  }

  /** Runs on for so long, and counts what finishes and where the limit is meanwhile. */
  void run(Limiter limiter, long seconds) {
    finished = 0;
    lowest = Integer.MAX_VALUE;
    highest = 0;
    limitSum = 0;
    limitCount = 0;
    long end = now + TimeUnit.SECONDS.toNanos(seconds);
    while (now < end) {
      start(limiter);
      Running first = serving.peek();
      long next = first == null ? Long.MAX_VALUE : first.end;
      if (running() < limiter.limit()) {
        next = Math.min(next, nextDispatch);
      }
      now = Math.max(now, Math.min(next, nextTick));
      if (now >= nextTick) {
        nextTick = now + TimeUnit.SECONDS.toNanos(1);
        limiter.tick(now);
      }
      if (now >= nextPause) {
        stopTheWorld();
      }
      while (!serving.isEmpty() && serving.peek().end <= now) {
        finish(limiter, serving.remove());
      }
    }
  }

  double meanLimit() {
    return limitSum / limitCount;
  }

  private int running() {
    return serving.size() + queued.size();
  }

  private void start(Limiter limiter) {
    while (running() < limiter.limit() && nextDispatch <= now) {
      nextDispatch = now + dispatch;
      if (serving.size() < servers) {
        serve(now);
      } else {
        queued.add(now);
      }
      if (dispatch > 0) {
        return;
      }
    }
  }

  private void serve(long start) {
    long nanos = Math.max(1, (long) work.nanos(now, running() + 1, random));
    serving.add(new Running(now + nanos, start));
  }

  private void stopTheWorld() {
    nextPause = now + pauseEvery;
    PriorityQueue<Running> later = new PriorityQueue<>(serving.comparator());
    serving.forEach(each -> later.add(new Running(each.end + pause, each.start)));
    serving.clear();
    serving.addAll(later);
    now += pause;
  }

  private void finish(Limiter limiter, Running done) {
    int running = running() + 1;
    finished++;
    limiter.sample(now, now - done.start, running, false);
    limitSum += limiter.limit();
    limitCount++;
    lowest = Math.min(lowest, limiter.limit());
    highest = Math.max(highest, limiter.limit());
    if (!queued.isEmpty()) {
      serve(queued.remove());
    }
  }
}
