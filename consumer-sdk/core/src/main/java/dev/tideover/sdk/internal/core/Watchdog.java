package dev.tideover.sdk.internal.core;

import java.util.HashSet;
import java.util.Set;

/**
 * Handlers that don't end. One that has run out of time, or has become stale, is interrupted; if
 * that doesn't help, its thread is taken for lost and another takes its place. Part of {@link
 * Core}, with the same owner.
 */
final class Watchdog<W> {

  private static final long SECOND = 1_000_000_000L;

  /** Between two looks at what runs. */
  private static final long INTERVAL = SECOND / 4;

  /** From the interruption of a handler to taking its thread for lost. */
  private static final long GRACE = 5 * SECOND;

  private final Policy policy;
  private final Effects<W> effects;

  /** What is with a worker to be handled; what has become stale as well, until it comes back. */
  private final Set<Work<W>> handling = new HashSet<>();

  /** How many threads are lost. */
  private int abandoned;

  private long nextLook;

  Watchdog(Policy policy, Effects<W> effects, long now) {
    this.policy = policy;
    this.effects = effects;
    this.nextLook = now;
  }

  void begun(Work<W> work) {
    work.timedOut = false; // each attempt has its own time
    handling.add(work);
  }

  void cameBack(Work<W> work) {
    if (handling.remove(work) && work.abandoned) {
      work.abandoned = false;
      abandoned--;
      effects.reclaim(work);
    }
  }

  int handling() {
    return handling.size();
  }

  /** What is done now. */
  Activity activity(int parked, long now) {
    int running = 0;
    long oldest = 0;
    for (Work<W> work : handling) {
      long since = work.handlerSince();
      if (since != 0) {
        running++;
        oldest = Math.max(oldest, now - since);
      }
    }
    return new Activity(parked, running, oldest);
  }

  void look(long now) {
    if (now - nextLook < 0) {
      return;
    }
    nextLook = now + INTERVAL;
    for (Work<W> work : handling) {
      long since = work.handlerSince();
      if (since != 0 && !work.abandoned) {
        look(work, now - since, now);
      }
    }
  }

  private void look(Work<W> work, long ran, long now) {
    if (!work.isStale() && !work.timedOut && ran >= policy.handlerTimeout()) {
      work.timedOut = true;
      work.trouble().interruptedAt = now;
      effects.interrupt(work, false);
    }
    boolean told = work.isStale() || work.timedOut;
    if (told && now - work.trouble().interruptedAt >= GRACE) {
      abandon(work);
    }
  }

  private void abandon(Work<W> work) {
    work.abandoned = true;
    abandoned++;
    effects.abandon(work);
    Permits.Permit permit = work.permit;
    if (permit != null) {
      permit.giveBack();
    }
    if (abandoned > policy.concurrency()) {
      effects.giveUp(
          abandoned
              + " handlers don't end though they were interrupted; each keeps a thread, and its"
              + " ordering key waits");
    }
  }
}
