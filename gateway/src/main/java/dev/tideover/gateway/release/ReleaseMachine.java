package dev.tideover.gateway.release;

import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport;
import org.jspecify.annotations.Nullable;

/**
 * What comes next in a release. A function of the state and of what is seen, so that any gateway
 * can go on with it, and so that a simulator can drive it: whoever writes the next state first is
 * right, and whoever comes later is told so by the epoch.
 *
 * <pre>
 *  PREPARE ──▶ DRAIN ──▶ ACTIVATE ──▶ VERIFY ──▶ DONE
 *     │          │           └────┬─────┘
 *     ▼          ▼                ▼
 *  ABANDONED ◀───┘            ROLL_BACK ──▶ RESTORE ──▶ ROLLED_BACK
 *                                 └─▶ DONE, if nobody of the old version is left
 * </pre>
 *
 * The active version changes in two of these steps: DRAIN to ACTIVATE, and ROLL_BACK to RESTORE.
 * Before each everybody of the version that ends its work has said that nothing is under way, or is
 * not heard any more.
 */
final class ReleaseMachine {

  /** Instances have to hear of a release before they can be ready for it. */
  static final long LEAST_PREPARE_MILLIS = 2_000;

  /** What a version that failed may take to end what it has begun. */
  static final long ROLL_BACK_MILLIS = 5_000;

  /** How long the old version's return is watched; nothing is held meanwhile. */
  static final long RESTORE_MILLIS = 60_000;

  /**
   * What comes next.
   *
   * @param state to be written; null where something has to happen first
   * @param waitsFor what that is, for people; empty if there is no release under way
   */
  record Next(@Nullable DesiredState state, String waitsFor) {
    static final Next NOTHING = new Next(null, "");

    static Next waits(String what) {
      return new Next(null, what);
    }
  }

  private final DesiredState state;
  private final Release release;
  private final Situation seen;
  private final Author author;

  private ReleaseMachine(DesiredState state, Release release, Situation seen, Author author) {
    this.state = state;
    this.release = release;
    this.seen = seen;
    this.author = author;
  }

  /** What comes next of a state. */
  static Next next(DesiredState state, Situation seen, Author author) {
    Release release = state.release();
    if (release == null || release.step().isEnd()) {
      return Next.NOTHING;
    }
    return new ReleaseMachine(state, release, seen, author).next();
  }

  private Next next() {
    return switch (release.step()) {
      case PREPARE -> prepare();
      case DRAIN -> drain();
      case ACTIVATE -> activate();
      case VERIFY -> verify();
      case ROLL_BACK -> rollBack();
      case RESTORE -> restore();
      case DONE, ROLLED_BACK, ABANDONED -> Next.NOTHING;
    };
  }

  /** What would stop the hand-over later, with requests held, is waited for here. */
  private Next prepare() {
    String missing = missing();
    if (missing.isEmpty()) {
      return go(release.at(Step.DRAIN).heldSince(author.nowMillis()), release.from());
    }
    long limit = Math.max(release.prepareMillis(), LEAST_PREPARE_MILLIS);
    return seen.beganMillis() < limit
        ? Next.waits(missing)
        : abandon("After " + seconds(limit) + " it still waited for " + missing);
  }

  private String missing() {
    long ready = seen.ready(release.to(), state.epoch());
    if (ready < release.instances()) {
      String others =
          Situation.names(
              seen.of(release.to()), report -> report.state() != InstanceReport.State.STANDBY);
      return release.instances()
          + plural(release.instances(), " instance", " instances")
          + " of "
          + release.to()
          + " to stand by ready; "
          + ready
          + plural(ready, " does", " do")
          + (others.isEmpty() ? "" : "; there are also " + others);
    }
    String members =
        Situation.names(seen.others(release.from()), report -> report.state().isMember());
    if (!members.isEmpty()) {
      return members + " to leave the group, since only " + release.from() + " is to be in it";
    }
    String unaware =
        Situation.names(seen.of(release.from()), report -> report.epochSeen() < state.epoch());
    if (!unaware.isEmpty()) {
      return unaware
          + " to go by epoch "
          + state.epoch()
          + ", without which they never stop for the hand-over: look whether they may read "
          + DesiredState.TOPIC;
    }
    if (seen.asksForMembers()) {
      return "Kafka to say who is in the group";
    }
    String unheard = String.join(", ", seen.unheard());
    return unheard.isEmpty()
        ? ""
        : unheard
            + " to leave the group: Kafka has them in it, but they don't report. Either they have"
            + " crashed, and Kafka lets go of them soon, or their SDK is too old for releases";
  }

  private Next drain() {
    if (!seen.isLive(release.to())) {
      return abandon("All instances of " + release.to() + " have ended before the hand-over");
    }
    String busy =
        Situation.names(
            seen.others(release.to()), report -> !Situation.isStill(report, state.epoch()));
    if (busy.isEmpty()) {
      return go(release.at(Step.ACTIVATE), release.to());
    }
    return seen.heldMillis() < release.maxHoldMillis()
        ? Next.waits(busy + " to end what is under way")
        : abandon(
            "Requests were held for "
                + seconds(release.maxHoldMillis())
                + ", the most that was allowed, and "
                + busy
                + " had not ended what was under way");
  }

  private Next activate() {
    if (seen.isLive(release.from())) {
      if (seen.bad() != null) {
        return back(seen.bad());
      } else if (!seen.isLive(release.to())) {
        return back("All instances of " + release.to() + " have ended");
      }
    }
    boolean joined = seen.hasJoined(release.to(), state.epoch());
    String strangers = seen.strangers(release.to());
    if (joined && strangers.isEmpty()) {
      return go(release.at(Step.VERIFY), release.to());
    }
    String waitsFor =
        joined
            ? strangers + " to leave the group"
            : "an instance of " + release.to() + " to join the group";
    if (seen.heldMillis() >= release.maxHoldMillis()) {
      if (seen.isLive(release.from())) {
        return back(
            "Requests were held for "
                + seconds(release.maxHoldMillis())
                + ", the most that was allowed, waiting for "
                + waitsFor);
      } else if (joined) {
        // Nobody is there to go back to, and the new version works.
        return go(release.at(Step.VERIFY), release.to());
      }
    }
    return Next.waits(waitsFor);
  }

  private Next verify() {
    boolean canGoBack = seen.isLive(release.from());
    boolean works =
        seen.of(release.to())
            .anyMatch(
                report ->
                    report.state().isMember() && report.state() != InstanceReport.State.LEAVING);
    if (canGoBack && seen.bad() != null) {
      return back(seen.bad());
    } else if (canGoBack && !seen.isLive(release.to())) {
      return back("All instances of " + release.to() + " have ended");
    } else if (!works) {
      return Next.waits("an instance of " + release.to() + " to be in the group");
    } else if (state.held()) {
      return Next.waits("the operator's hold to end; the trial begins anew then");
    }
    long left = release.verifyMillis() - seen.stateMillis();
    if (left > 0) {
      return Next.waits(
          "the end of the trial in "
              + seconds(left)
              + (seen.bad() == null
                  ? ""
                  : "; " + seen.bad() + ", but no instance of " + release.from() + " is there"));
    }
    return seen.bad() == null
        ? go(release.at(Step.DONE), release.to())
        : stays(seen.bad(), "there was no instance of " + release.from() + " to go back to");
  }

  private Next rollBack() {
    String busy =
        Situation.names(seen.of(release.to()), report -> !Situation.isStill(report, state.epoch()));
    boolean timeIsUp = seen.stateMillis() >= ROLL_BACK_MILLIS;
    if (!busy.isEmpty() && !timeIsUp) {
      return Next.waits(busy + " to end what is under way");
    } else if (seen.isLive(release.from())) {
      return go(release.at(Step.RESTORE), release.from());
    } else if (timeIsUp && seen.isLive(release.to())) {
      return stays(release.reason(), "all instances of " + release.from() + " have ended");
    }
    return Next.waits("an instance of " + release.from());
  }

  private Next restore() {
    boolean joined = seen.hasJoined(release.from(), state.epoch());
    String strangers = seen.strangers(release.from());
    if (joined && strangers.isEmpty()) {
      return go(release.at(Step.ROLLED_BACK), release.from());
    }
    String waitsFor =
        joined
            ? strangers + " to leave the group"
            : "an instance of " + release.from() + " to join the group";
    return seen.stateMillis() < RESTORE_MILLIS
        ? Next.waits(waitsFor)
        : go(
            release
                .at(Step.ROLLED_BACK)
                .because(
                    release.reason()
                        + ". After "
                        + seconds(RESTORE_MILLIS)
                        + " it still waited for "
                        + waitsFor),
            release.from());
  }

  private Next abandon(String reason) {
    return go(release.at(Step.ABANDONED).because(reason), release.from());
  }

  private Next back(String reason) {
    return go(release.at(Step.ROLL_BACK).because(reason), release.to());
  }

  private Next stays(String reason, String why) {
    return go(
        release
            .at(Step.DONE)
            .because(reason + ". It stays with " + release.to() + " all the same, since " + why),
        release.to());
  }

  private Next go(Release next, String active) {
    return new Next(author.next(state, release.id(), active, next), "");
  }

  /** For people. */
  static String seconds(long millis) {
    return millis % 1_000 == 0
        ? millis / 1_000 + " s"
        : String.format(java.util.Locale.ROOT, "%.1f s", millis / 1_000.0);
  }

  private static String plural(long count, String one, String many) {
    return count == 1 ? one : many;
  }
}
