package dev.tideover.sdk.internal.core;

import java.util.concurrent.TimeUnit;

/**
 * How many handlers may run at once. Owned by one thread; time is in nanoseconds of any origin.
 *
 * <p>It begins with <b>slow start</b>: a tenth of the maximum, doubled each half second, sooner
 * where handlers take less than 5 ms, for as long as the handlers take no more than twice their
 * best time, so that an instance whose code, caches and pools are cold isn't crushed by a backlog.
 *
 * <p>After that it <b>adapts by trials</b>. That handlers have become slower has one of two causes.
 * Either they wait for each other (for a connection, a lock, a processor): then fewer of them get
 * as much done. Or the work has become slower in itself: then fewer of them get less done, and it
 * would be wrong to hold them back. No measurement at one limit can tell the two apart, so a limit
 * is tried and the two are compared:
 *
 * <ul>
 *   <li>a higher one, where there is room below the maximum. It is kept if throughput has grown by
 *       the best part of what the limit has;
 *   <li>a lower one, when handlers take more than twice the time that is known to be possible, or
 *       when a higher one has been of no use. It is kept if throughput is as good as before.
 * </ul>
 *
 * <p>Throughput is the limit divided by the time a handler takes (Little's law); a window in which
 * fewer run than may says nothing of the limit and changes nothing. Trials that are of no use
 * become rarer: one a minute at last, and never more than an eleventh of the time. While most
 * handlers fail, nothing can be learnt from them: slow start begins again.
 *
 * <p>The test has the simulation that this was chosen by, beside the limits of Netflix's
 * concurrency-limits: those compare with the best or the average time so far, and so either follow
 * a queue upwards or take times that merely differ for one.
 */
public final class Pace {

  private enum Phase {
    SLOW_START,
    STEADY,
    HIGHER,
    LOWER
  }

  private static final long SLOW_START_STEP = TimeUnit.MILLISECONDS.toNanos(500);

  /**
   * A step of slow start takes as long as so many handlers one after the other, between these two
   * bounds: what is cold shows in what handlers take, and those of microseconds crush nobody.
   */
  private static final int SLOW_START_HANDLERS = 100;

  private static final long SHORT_SLOW_START_STEP = TimeUnit.MILLISECONDS.toNanos(50);
  private static final long WINDOW = TimeUnit.MILLISECONDS.toNanos(250);

  /** How many have to finish in a window for it to be looked at. */
  private static final int FEW = 32;

  /** A window that is still not exact after this time is taken as it is. */
  private static final long LONG_WINDOW = TimeUnit.SECONDS.toNanos(10);

  /** How exact the time has to be known: this part of the logarithm of the step that is tried. */
  private static final double EXACT = 0.1;

  /** Longer than a handler takes as a rule; then a trial that nothing comes of is given up. */
  private static final long NOTHING_COMES = TimeUnit.MINUTES.toNanos(1);

  private static final long FIRST_PATIENCE = TimeUnit.SECONDS.toNanos(5);
  private static final long MAX_PATIENCE = TimeUnit.MINUTES.toNanos(1);

  /** Handlers that take more than this times the known are suspected to wait for each other. */
  private static final double SUSPICIOUS = 2;

  /** The share of the limit that has to be in use for a window to say something about it. */
  private static final double IN_USE = 0.8;

  private static final double UP = 1.5;
  private static final double DOWN = 0.6;

  /** Near the best limit, every other trial is with a smaller step. */
  private static final double FINE_UP = 1.2;

  private static final double FINE_DOWN = 0.8;

  /** After a trial of no use, the next is no sooner than this many times its length. */
  private static final int TRIAL_SHARE = 10;

  /**
   * Elasticity is how strongly the time follows the limit: 0 if it doesn't, 1 if twice as many take
   * twice as long, which is of no use. A higher limit is kept up to the first, a lower one from the
   * second: with these, one that is twice as high gets at least a quarter more done. They lie
   * apart, so that no limit is left and sought again.
   */
  private static final double KEEP_HIGHER = 0.7;

  private static final double KEEP_LOWER = 0.85;

  private final int max;
  private final Latencies window = new Latencies();

  private Phase phase = Phase.SLOW_START;
  private int limit;

  /** In a trial or a step of slow start, the limit before it. */
  private int before;

  /** In a trial, what a handler took before it. */
  private double timeBefore;

  /** What a handler is known to take when it doesn't wait for others. */
  private double known;

  private long windowBegan;

  /** In slow start, what the handlers of the window took together. */
  private long handlersTook;

  private long lastSample;

  /** How many have to finish in the window before it is looked at. */
  private int nextLook;

  /** Finishing handlers that began under another limit and so don't count. */
  private int skip;

  /** With LOWER, whether as few run as may. */
  private boolean settled;

  private long trialBegan;
  private long nextHigher;
  private long nextLower;
  private boolean lowerIsDue;
  private long patience;

  /** Whether the next trial is one with a small step. */
  private boolean fine;

  /**
   * Begins with slow start.
   *
   * @param max the most that may ever run at once; at least 1
   */
  public Pace(int max, long now) {
    if (max < 1) {
      throw new IllegalArgumentException("max " + max + ": expected at least 1");
    }
    this.max = max;
    restart(now);
  }

  /** How many handlers may run at once: 1 to the maximum. */
  public int limit() {
    return limit;
  }

  /** Begins slow start: after a start, a hold, or when a backlog has been assigned. */
  public void restart(long now) {
    phase = Phase.SLOW_START;
    limit = Math.max(1, max / 10);
    before = limit;
    known = Double.POSITIVE_INFINITY;
    patience = FIRST_PATIENCE;
    lowerIsDue = false;
    fine = false;
    skip = 0;
    lastSample = now;
    nextHigher = now;
    nextLower = now;
    begin(now);
  }

  /**
   * A handler has finished.
   *
   * @param handlerNanos what it took
   * @param running how many ran when it finished, itself included
   * @param failed whether it failed, for whatever reason
   */
  public void sample(long now, long handlerNanos, int running, boolean failed) {
    lastSample = now;
    if (!settled) {
      settled = running <= limit;
      windowBegan = now;
      return;
    }
    if (skip > 0) {
      skip--;
      windowBegan = now;
      return;
    }
    window.add(handlerNanos, running, failed);
    long age = now - windowBegan;
    if (phase == Phase.SLOW_START) {
      handlersTook += handlerNanos;
      if (window.finished() >= limit && age >= slowStartTime()) {
        slowStartStep(now);
      }
    } else if (age >= WINDOW && window.finished() >= nextLook) {
      nextLook = window.finished() + window.finished() / 4; // a look costs a microsecond
      if (age >= LONG_WINDOW || window.error() <= errorAllowed()) {
        windowEnds(now);
      }
    }
  }

  private long slowStartTime() {
    long time = SLOW_START_HANDLERS * (handlersTook / window.finished());
    return Math.max(SHORT_SLOW_START_STEP, Math.min(SLOW_START_STEP, time));
  }

  private double errorAllowed() {
    boolean trial = phase == Phase.HIGHER || phase == Phase.LOWER;
    double step = trial ? (double) limit / before : fine ? FINE_DOWN : DOWN;
    return EXACT * Math.abs(Math.log(step));
  }

  /** To be called about once a second, whether or not something has finished. */
  public void tick(long now) {
    if (now - lastSample >= NOTHING_COMES && (phase == Phase.HIGHER || phase == Phase.LOWER)) {
      endTrial(before, now);
    }
  }

  private void slowStartStep(long now) {
    if (window.mostlyFailed()) {
      restart(now);
      return;
    }
    double time = window.mean();
    known = Math.min(known, time);
    if (time > SUSPICIOUS * known) {
      limit = before;
      phase = Phase.STEADY;
    } else if (limit == max) {
      phase = Phase.STEADY;
    } else {
      before = limit;
      limit = Math.min(max, 2 * limit);
    }
    begin(now);
  }

  private void windowEnds(long now) {
    if (window.mostlyFailed()) {
      restart(now);
      return;
    }
    double time = window.mean();
    boolean inUse = window.running() >= IN_USE * limit;
    switch (phase) {
      case HIGHER -> endHigher(now, time, inUse);
      case LOWER -> endLower(now, time, inUse);
      default -> steady(now, time, inUse);
    }
  }

  private void steady(long now, double time, boolean inUse) {
    known = Math.min(known, time);
    begin(now);
    if (!inUse) {
      return;
    }
    boolean suspicious = time > SUSPICIOUS * known;
    if (limit > 1 && now - nextLower >= 0 && (suspicious || lowerIsDue)) {
      tryLimit(now, Phase.LOWER, Math.max(1, (int) ((fine ? FINE_DOWN : DOWN) * limit)), time);
    } else if (limit < max && now - nextHigher >= 0) {
      tryLimit(
          now, Phase.HIGHER, Math.min(max, (int) Math.ceil((fine ? FINE_UP : UP) * limit)), time);
    }
  }

  private void tryLimit(long now, Phase trial, int tried, double time) {
    phase = trial;
    before = limit;
    timeBefore = time;
    trialBegan = now;
    limit = tried;
    skip = Math.max(before, tried);
    settled = trial == Phase.HIGHER;
  }

  private void endHigher(long now, double time, boolean inUse) {
    if (!inUse) {
      nextHigher = now + FIRST_PATIENCE;
      endTrial(before, now);
    } else if (elasticity(time) <= KEEP_HIGHER) {
      patience = FIRST_PATIENCE;
      endTrial(limit, now);
    } else {
      lowerIsDue = true;
      noHigher(now, patience);
      patience = Math.min(MAX_PATIENCE, 2 * patience);
      endTrial(before, now);
    }
  }

  private void endLower(long now, double time, boolean inUse) {
    if (inUse && elasticity(time) >= KEEP_LOWER) {
      nextHigher = now + FIRST_PATIENCE;
      endTrial(limit, now);
      return;
    }
    if (inUse) {
      // Hardly faster with fewer: it isn't for the others that they wait, the work takes that long.
      known = time;
    }
    if (lowerIsDue) {
      // A higher limit was of no use and a lower one isn't either: the best is near.
      fine = !fine;
      lowerIsDue = false;
      noHigher(now, 0);
    }
    nextLower = now + FIRST_PATIENCE;
    endTrial(before, now);
  }

  private void noHigher(long now, long least) {
    long next = now + Math.max(least, TRIAL_SHARE * (now - trialBegan));
    nextHigher = nextHigher - next > 0 ? nextHigher : next;
  }

  private double elasticity(double time) {
    return Math.log(time / timeBefore) / Math.log((double) limit / before);
  }

  private void endTrial(int kept, long now) {
    phase = Phase.STEADY;
    skip = kept == limit ? 0 : Math.max(kept, limit);
    limit = kept;
    begin(now);
  }

  private void begin(long now) {
    window.clear();
    handlersTook = 0;
    nextLook = FEW;
    windowBegan = now;
    settled = true;
  }
}
