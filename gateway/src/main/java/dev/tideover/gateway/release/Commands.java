package dev.tideover.gateway.release;

import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What operators can ask for. Functions of the state and of what is seen, so that they can be tried
 * again when another gateway was first. What is so already is fine: a command that is given twice
 * does the same as one.
 *
 * @param service whose
 * @param state what is wanted of it now; null if nobody has ever wanted anything
 * @param seen its instances
 * @param author who would write
 * @param id of the command
 */
record Commands(
    String service, @Nullable DesiredState state, Situation seen, Author author, String id) {

  /** What becomes of a command. */
  sealed interface Decision {
    /** This is to be written. */
    record Write(DesiredState next) implements Decision {}

    /** It is so already. */
    record Stands(DesiredState state) implements Decision {}

    /** It can't be; the reason says what to do. */
    record No(String code, String reason) implements Decision {}
  }

  /** Holds or resumes. A release goes on, and the hold stays after it. */
  Decision hold(boolean held) {
    if (state == null) {
      return new Decision.Write(author.first(service, firstEpoch(), id, held, 0));
    }
    return state.held() == held
        ? new Decision.Stands(state)
        : write(state.activeVersion(), held, state.rate(), state.release());
  }

  /** Limits how many requests start in a second; 0 for no limit. */
  Decision rate(int perSecond) {
    if (state == null) {
      return new Decision.Write(author.first(service, firstEpoch(), id, false, perSecond));
    }
    return state.rate() == perSecond
        ? new Decision.Stands(state)
        : write(state.activeVersion(), state.held(), perSecond, state.release());
  }

  /** Begins a release; one to the same version that is under way, or done, is the one wanted. */
  Decision release(ReleaseOrder order) {
    Release last = state == null ? null : state.release();
    if (state != null && last != null) {
      boolean same = last.to().equals(order.to());
      boolean goesOn = !last.step().isEnd();
      boolean goesBack = last.step() == Step.ROLL_BACK || last.step() == Step.RESTORE;
      if (goesOn && (!same || goesBack)) {
        return underWay(last);
      } else if (goesOn || same && last.step() == Step.DONE && isActive(order.to())) {
        return new Decision.Stands(state);
      }
    }
    if (isActive(order.to())) {
      return alreadyActive(order.to());
    }
    String active = state == null ? null : state.activeVersion();
    if (active != null) {
      return order.from() == null || order.from().equals(active)
          ? begin(order, active)
          : new Decision.No(
              "not-active",
              order.from()
                  + " is not active, "
                  + active
                  + " is: leave out from, or name "
                  + active
                  + ".");
    }
    return order.from() != null ? begin(order, order.from()) : beginFromMembers(order);
  }

  /** Every version works until now, so the one to leave is the other one that does. */
  private Decision beginFromMembers(ReleaseOrder order) {
    Set<String> working =
        seen.instances().stream()
            .map(instance -> instance.report())
            .filter(report -> report.state().isMember())
            .map(InstanceReport::version)
            .collect(Collectors.toCollection(TreeSet::new));
    boolean alone = working.remove(order.to()) && working.isEmpty();
    if (alone) {
      return alreadyActive(order.to());
    } else if (working.isEmpty()) {
      return new Decision.No(
          "no-from",
          "No instance handles requests of "
              + service
              + " now, so it can't be told which version is to be released from: start it, or name"
              + " it as from.");
    } else if (working.size() > 1) {
      return new Decision.No(
          "several-versions",
          "Instances of "
              + String.join(", ", working)
              + " handle requests now: name the one to go back to as from, or end the others.");
    }
    return begin(order, working.iterator().next());
  }

  private Decision begin(ReleaseOrder order, String from) {
    Release release =
        new Release(
            id,
            from,
            order.to(),
            Step.PREPARE,
            author.nowMillis(),
            0,
            order.prepare().toMillis(),
            order.maxHold().toMillis(),
            order.verify().toMillis(),
            order.instances(),
            "");
    return new Decision.Write(
        state == null
            ? author.first(service, firstEpoch(), release)
            : author.next(state, id, from, release));
  }

  /** Ends the release that is under way by going back. */
  Decision rollBack() {
    Release release = state == null ? null : state.release();
    if (state == null || release == null || release.step().isEnd()) {
      return new Decision.No(
          "no-release",
          "No release of "
              + service
              + " is under way"
              + (release == null || release.step() != Step.DONE
                  ? "."
                  : "; to go back to " + release.from() + ", release to it."));
    }
    String reason = "An operator wanted to go back";
    return switch (release.step()) {
      case PREPARE, DRAIN ->
          write(
              release.from(),
              state.held(),
              state.rate(),
              release.at(Step.ABANDONED).because(reason));
      case ACTIVATE, VERIFY ->
          seen.isLive(release.from())
              ? write(
                  release.to(),
                  state.held(),
                  state.rate(),
                  release.at(Step.ROLL_BACK).because(reason))
              : new Decision.No(
                  "nothing-to-go-back-to",
                  "No instance of "
                      + release.from()
                      + " is there to go back to: start one, and ask again.");
      default -> new Decision.Stands(state);
    };
  }

  /** From now on every version works. */
  Decision anyVersion() {
    if (state == null) {
      return new Decision.Write(author.first(service, firstEpoch(), id, false, 0));
    }
    Release release = state.release();
    if (release != null && !release.step().isEnd()) {
      return underWay(release);
    }
    return state.activeVersion() == null
        ? new Decision.Stands(state)
        : write(null, state.held(), state.rate(), release);
  }

  /**
   * 1, unless the topic was made anew: instances ignore what isn't newer than what they know of the
   * one before.
   */
  private long firstEpoch() {
    long known =
        seen.instances().stream()
            .mapToLong(instance -> instance.report().epochSeen())
            .filter(epoch -> epoch < Long.MAX_VALUE / 2)
            .max()
            .orElse(0);
    return known + 1;
  }

  private boolean isActive(String version) {
    return state != null && version.equals(state.activeVersion());
  }

  private Decision write(
      @Nullable String active, boolean held, int rate, @Nullable Release release) {
    return new Decision.Write(
        author.next(Objects.requireNonNull(state), id, active, held, rate, release));
  }

  private static Decision alreadyActive(String version) {
    return new Decision.No(
        "already-active", version + " is the only version that works now: nothing to do.");
  }

  private static Decision underWay(Release release) {
    return new Decision.No(
        "release-under-way",
        "The release "
            + release.id()
            + " from "
            + release.from()
            + " to "
            + release.to()
            + " is at the step "
            + release.step().text()
            + ": wait for its end, or roll it back.");
  }
}
