package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.core.Activity;
import dev.tideover.sdk.internal.core.Core;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport.State;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the core do as operators want: hold, keep to a rate, be on trial. And says so, and where
 * this member of the group stands by that. On the owner thread, for one {@link Session}.
 */
final class Steering {

  private static final Logger log = LoggerFactory.getLogger(Steering.class);

  private final Settings settings;
  private final GroupMember member;
  private final Core<Delivery> core;
  private final Handling handling;
  private final Events events;
  private final Guide guide;

  /** How old what is said of the activity may be while nothing changes. */
  private static final long ACTIVITY_AGE = TimeUnit.MILLISECONDS.toNanos(250);

  /** What a version that is taken back gets for what it runs, from when it learns of it. */
  private static final long ROLL_BACK_BUDGET = TimeUnit.SECONDS.toNanos(5);

  private volatile Activity activity = new Activity(0, 0, 0);
  private long activityAt;
  private @Nullable State told;
  private @Nullable DesiredState applied;
  private boolean held;
  private boolean joined;

  /** By whom it is held, as it was said; null for not held, or not said. */
  private @Nullable String saidHeld;

  /** The partitions that the rate was last shared by. */
  private int ownPartitions = -1;

  private boolean rolledBack;
  private long rolledBackAt;

  Steering(
      Settings settings,
      GroupMember member,
      Core<Delivery> core,
      Handling handling,
      Events events,
      Guide guide) {
    this.settings = settings;
    this.member = member;
    this.core = core;
    this.handling = handling;
    this.events = events;
    this.guide = guide;
  }

  /** Whether there is something new to {@link #follow}. */
  boolean isBehind() {
    DesiredState wanted = guide.desired();
    return wanted != null && wanted.epoch() != epoch();
  }

  /** Whether nothing starts. */
  boolean isHeld() {
    return held;
  }

  /** Whether it is held, and isn't still yet: others wait for that. */
  boolean isEnding() {
    return held && told != State.DRAINED;
  }

  /** Applies what is wanted. To be called before anything is started. */
  void follow(long now) {
    DesiredState wanted = guide.desired();
    if (wanted == null) {
      return;
    }
    if (wanted.epoch() != epoch()) {
      apply(wanted, now);
    }
    if (wanted.rate() > 0 && ownPartitions != core.partitions().size()) {
      share(wanted, now);
    }
  }

  /**
   * Hold first, so that nothing starts in between. A version that isn't active any more is held
   * until it has left; and what it has kept on trial it keeps, even if it learns of the trial's end
   * only now: the other version handles it.
   */
  private void apply(DesiredState wanted, long now) {
    boolean active = wanted.isActive(settings.version());
    held = wanted.holds() || !active;
    if (held) {
      core.hold(true, now);
    }
    if (active) {
      boolean onTrial = wanted.isOnTrial(settings.version());
      handling.onTrial = onTrial;
      core.trial(onTrial, now);
    }
    share(wanted, now);
    if (!held) {
      core.hold(false, now);
    }
    noteRollBack(wanted, now);
    applied = wanted;
    if (active) {
      say(wanted);
    }
  }

  /** The rate is that of all instances together; requests are spread over the partitions. */
  private void share(DesiredState wanted, long now) {
    int own = core.partitions().size();
    if (wanted.rate() == 0) {
      core.rate(0, now);
    } else {
      int all = Math.max(own, member.allPartitions());
      // With no partition there is nothing to start, at whatever rate.
      core.rate((double) wanted.rate() * Math.max(1, own) / all, now);
    }
    ownPartitions = own;
  }

  private void noteRollBack(DesiredState wanted, long now) {
    Release release = wanted.release();
    boolean back =
        release != null
            && release.to().equals(settings.version())
            && (release.step() == Step.ROLL_BACK
                || release.step() == Step.RESTORE
                || release.step() == Step.ROLLED_BACK);
    if (back && !rolledBack) {
      rolledBackAt = now;
    }
    rolledBack = back;
  }

  /** This, or when a version that is taken back has to be done with what it runs. */
  long soonest(long deadline) {
    return rolledBack ? Math.min(deadline, rolledBackAt + ROLL_BACK_BUDGET) : deadline;
  }

  private void say(DesiredState wanted) {
    if (held) {
      String reason = reason(wanted);
      if (!reason.equals(saidHeld)) {
        log.warn(
            "{} starts no request: {}. What runs is finished. Requests wait in Kafka, none is lost"
                + " or uses an attempt; all go on when that is over, few at first.",
            settings.by(),
            reason);
        events.tell(listener -> listener.serviceHeld(reason));
      }
      saidHeld = reason;
    } else if (saidHeld != null) {
      saidHeld = null;
      log.info("{} starts requests again, few at first", settings.by());
      events.tell(listener -> listener.serviceResumed());
    }
  }

  private static String reason(DesiredState wanted) {
    Release release = wanted.release();
    if (wanted.held() || release == null) {
      return "an operator holds the service (tideover resume " + wanted.service() + " ends that)";
    }
    return "a release goes "
        + (release.step() == Step.ROLL_BACK
            ? "back to " + release.from()
            : "on to " + release.to());
  }

  /** The epoch of what is followed; 0 for none. */
  private long epoch() {
    return applied == null ? 0 : applied.epoch();
  }

  /** Tells where this member stands now, and what it does. */
  void tell(long now) {
    State state = standing();
    if (state != told || now - activityAt >= ACTIVITY_AGE) {
      look(now);
      told = state;
    }
    guide.stands(state, epoch());
  }

  /**
   * Notes what it does, for its reports. Also while it leaves: what has ended by then would look as
   * if it hung.
   */
  void look(long now) {
    activity = core.activity(now);
    activityAt = now;
  }

  /** What it does, as it was a moment ago. Any thread. */
  Activity activity() {
    return activity;
  }

  private State standing() {
    joined = joined || member.generation() > 0;
    if (!joined) {
      return State.JOINING;
    }
    if (!held) {
      return State.ACTIVE;
    }
    return core.isStill() ? State.DRAINED : State.HOLDING;
  }
}
