package dev.tideover.sdk.internal.core;

import java.util.LinkedHashSet;
import java.util.Set;

/**
 * What has failed while this instance is tried out, and is kept until that is over. Part of {@link
 * Core}, with the same owner.
 *
 * <p>Nothing of it is committed, and its lane waits for it, so that whoever has the partition in
 * the end does it in its order. If that is this instance, it is handled, or sent, then.
 */
final class Trial<W> {

  private static final long FIRST_PAUSE = 500_000_000L;
  private static final long LONGEST_PAUSE = 5_000_000_000L;
  private static final int MOST_DOUBLINGS = 4;

  private final Lanes<W> lanes;

  /** Bounded by the windows: none of them has ended. */
  private final Set<Work<W>> kept = new LinkedHashSet<>();

  private boolean on;

  Trial(Lanes<W> lanes) {
    this.lanes = lanes;
  }

  boolean isOn() {
    return on;
  }

  /** How many are kept. */
  int kept() {
    return kept.size();
  }

  void set(boolean onTrial, long now) {
    if (on == onTrial) {
      return;
    }
    on = onTrial;
    if (!on) {
      lanes.release();
      for (Work<W> work : kept) {
        work.trouble().failuresOnTrial = 0;
        work.trouble().due = now; // for one whose pause hasn't begun, since it is being recorded
      }
      kept.clear();
    }
  }

  /** It has failed. Returns how long to wait before it is tried again; nanoseconds. */
  long failed(Work<W> work) {
    kept.add(work);
    int before = work.trouble().failuresOnTrial++;
    return Math.min(LONGEST_PAUSE, FIRST_PAUSE << Math.min(before, MOST_DOUBLINGS));
  }

  /**
   * Whether it is to be kept rather than buried: as this version reads it, it can't be handled, and
   * that may be the version's fault.
   */
  boolean keeps(Work<W> work) {
    return on
        && work.step() == Work.Step.BURY
        && !work.started
        && (work.trouble == null || work.trouble.crashes == 0);
  }

  /** What there is to be sent for it isn't, until the trial is over. */
  void keep(Work<W> work) {
    kept.add(work);
    lanes.keep(work);
  }

  void ended(Work<W> work) {
    kept.remove(work);
  }

  /** Some have become stale. */
  void revoked() {
    kept.removeIf(Work::isStale);
  }
}
