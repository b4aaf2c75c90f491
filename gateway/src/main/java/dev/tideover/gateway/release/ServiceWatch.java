package dev.tideover.gateway.release;

import dev.tideover.gateway.kafka.ControlTopic.Instance;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What one gateway sees of one service over time, and when it is its turn to go on with a release:
 * at once where the last state is its own, otherwise when it has been due for so long that its
 * writer seems to be gone. Starts nothing and reads no clock. Safe for any thread; owns its state.
 */
final class ServiceWatch {

  /** How long a step may be due before another gateway takes over. */
  static final long TAKE_OVER_NANOS = 2_000_000_000L;

  /** How often Kafka is asked who is in the group, while that matters. */
  static final long MEMBERS_NANOS = 500_000_000L;

  /** In this time everybody who lives reports; before, who isn't heard may be there. */
  static final long SETTLE_NANOS = 2_500_000_000L;

  private static final long NEVER = Long.MIN_VALUE;

  /** The moment of a look. */
  record Now(long nanos, long millis) {}

  /**
   * What was seen at a look.
   *
   * @param state null if nobody has ever wanted anything
   * @param next what comes next in its release, whoever does it
   * @param mine whether this gateway is to write it now
   */
  record Look(
      @Nullable DesiredState state, Situation seen, ReleaseMachine.Next next, boolean mine) {}

  /** How the service did before its release, and the new version does now. */
  record Doing(Measures before, Measures.Latency now) {
    static final Doing UNKNOWN = new Doing(Measures.NONE, Measures.Latency.NONE);
  }

  private final String gateway;
  private final long takeOverNanos;
  private final TrialWatch trial = new TrialWatch();
  private final ReleaseHistory history = new ReleaseHistory();

  private @Nullable DesiredState state;

  // By the steady clock, when this gateway saw what the state says come about.
  private long stateAt;
  private long beganAt;
  private long heldAt;

  /** Since when an operator holds, by the clock of the gateway that was asked. */
  private long operatorHeldMillis;

  /** Since when the next state has been due, {@link #NEVER} while none is. */
  private long dueSince = NEVER;

  /** Where it leads, so that another one is due from its own beginning. */
  private @Nullable Step due;

  /** Since when the topic has been read without a pause, {@link #NEVER} while it isn't. */
  private long followingSince = NEVER;

  private @Nullable Set<String> members;
  private long membersAskedAt = NEVER;

  /**
   * Sees nothing yet.
   *
   * @param gateway this one's id
   * @param jitterNanos so that not all others take over at once
   */
  ServiceWatch(String gateway, long jitterNanos) {
    this.gateway = gateway;
    this.takeOverNanos = TAKE_OVER_NANOS + jitterNanos;
  }

  /**
   * A newer state.
   *
   * @param found whether it has stood for longer than this gateway runs; its times are then told by
   *     the clocks of others
   */
  synchronized void onDesired(DesiredState next, boolean found, Now now) {
    DesiredState before = state;
    if (before != null && next.epoch() <= before.epoch()) {
      return;
    }
    state = next;
    if (next.held() && (before == null || !before.held())) {
      operatorHeldMillis = next.since();
    }
    if (before == null || !isSameStep(before, next)) {
      stateAt = at(next.since(), found, now);
      members = null;
      membersAskedAt = NEVER;
      dueSince = NEVER;
    }
    Release release = next.release();
    Release last = before == null ? null : before.release();
    if (release == null) {
      return;
    }
    if (last == null || !last.id().equals(release.id())) {
      beganAt = at(release.began(), found, now);
    }
    if (last == null || last.heldSince() != release.heldSince()) {
      heldAt = at(release.heldSince(), found, now);
    }
    boolean onTrial = release.step() == Step.ACTIVATE || release.step() == Step.VERIFY;
    trial.trial(onTrial ? release : null);
    history.onRelease(release, found, stateAt, beganAt);
  }

  /** Another rate in the midst of a step doesn't begin it anew; a hold, or its end, does. */
  private static boolean isSameStep(DesiredState before, DesiredState next) {
    Release one = before.release();
    Release other = next.release();
    return one != null
        && other != null
        && one.id().equals(other.id())
        && one.step() == other.step()
        && !one.step().isEnd()
        && before.held() == next.held();
  }

  private static long at(long millis, boolean found, Now now) {
    return found ? now.nanos() - Math.max(0, now.millis() - millis) * 1_000_000 : now.nanos();
  }

  synchronized void onReport(InstanceReport report, long nanos) {
    trial.onReport(report, nanos);
  }

  synchronized void onGone(InstanceReport last, boolean clean) {
    trial.onGone(last, clean);
  }

  /** Whether Kafka is to be asked who is in the group; if so, it counts as asked. */
  synchronized boolean asksForMembers(long nanos) {
    Release release = state == null ? null : state.release();
    if (release == null
        || !(release.step() == Step.PREPARE
            || release.step() == Step.ACTIVATE
            || release.step() == Step.RESTORE)
        || membersAskedAt != NEVER && nanos - membersAskedAt < MEMBERS_NANOS) {
      return false;
    }
    membersAskedAt = nanos;
    return true;
  }

  /** What Kafka says, to the question that was asked under this epoch; null for nothing. */
  synchronized void onMembers(long epoch, @Nullable Set<String> versions) {
    // Who was in the group before the state was known may have left it since.
    if (versions != null && state != null && state.epoch() == epoch) {
      members = Set.copyOf(versions);
    }
  }

  synchronized @Nullable DesiredState state() {
    return state;
  }

  /** Since when an operator holds, epoch milliseconds; only where one does. */
  synchronized long operatorHeldMillis() {
    return operatorHeldMillis;
  }

  synchronized ReleaseHistory.@Nullable Entry entry(@Nullable String release) {
    return history.entry(release);
  }

  /** Somebody of this gateway's clients got no answer of the service. */
  synchronized void onClientFailed() {
    history.onClientFailed();
  }

  /**
   * Looks at the instances that are heard, and at what comes next.
   *
   * @param following whether the topic is being read; while it isn't, and until everybody can have
   *     reported, nothing is decided
   */
  synchronized Look look(List<Instance> instances, Doing doing, boolean following, Now now) {
    boolean settled = isSettled(following, now.nanos());
    DesiredState current = state;
    Release release = current == null ? null : current.release();
    long stateMillis = current == null ? 0 : millis(stateAt, now);
    String bad = null;
    if (release != null && (release.step() == Step.ACTIVATE || release.step() == Step.VERIFY)) {
      boolean atEnd = release.step() == Step.VERIFY && stateMillis >= release.verifyMillis();
      bad = trial.judge(release, instances, doing.before(), doing.now(), atEnd, now.nanos());
    }
    Situation seen = situation(instances, bad, now);
    if (current == null) {
      return new Look(null, seen, ReleaseMachine.Next.NOTHING, false);
    } else if (!settled) {
      dueSince = NEVER;
      return new Look(
          current,
          seen,
          release == null || release.step().isEnd()
              ? ReleaseMachine.Next.NOTHING
              : ReleaseMachine.Next.waits(
                  following
                      ? "the instances' reports, since this gateway hasn't heard them for long"
                      : "Kafka, since the control topic can't be read now"),
          false);
    }
    ReleaseMachine.Next next =
        ReleaseMachine.next(current, seen, new Author(gateway, now.millis()));
    if (next.state() == null) {
      dueSince = NEVER;
      return new Look(current, seen, next, false);
    }
    Release then = next.state().release();
    Step leadsTo = then == null ? null : then.step();
    if (dueSince == NEVER || leadsTo != due) {
      dueSince = now.nanos();
      due = leadsTo;
    }
    boolean mine = current.by().equals(gateway) || now.nanos() - dueSince >= takeOverNanos;
    return new Look(current, seen, next, mine);
  }

  /** Whether everybody who lives can be told from who doesn't; to be asked all the time. */
  synchronized boolean isSettled(boolean following, long nanos) {
    if (!following) {
      followingSince = NEVER;
    } else if (followingSince == NEVER) {
      followingSince = nanos;
    }
    return followingSince != NEVER && nanos - followingSince >= SETTLE_NANOS;
  }

  /** What is seen, without a judgement on a version on trial. */
  synchronized Situation situation(List<Instance> instances, Now now) {
    return situation(instances, null, now);
  }

  private Situation situation(List<Instance> instances, @Nullable String bad, Now now) {
    Release release = state == null ? null : state.release();
    return new Situation(
        List.copyOf(instances),
        members,
        state == null ? 0 : millis(stateAt, now),
        release == null ? 0 : millis(beganAt, now),
        release == null || release.heldSince() == 0 ? 0 : millis(heldAt, now),
        bad);
  }

  private static long millis(long since, Now now) {
    return Math.max(0, (now.nanos() - since) / 1_000_000);
  }
}
