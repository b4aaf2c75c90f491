package dev.tideover.gateway.release;

import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.InstanceReport;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** What an operator who is called at night has to know of a service, a sentence each. */
final class Problems {

  /** Instances have to hear of a state before they can go by it. */
  private static final long PATIENCE_MILLIS = 5_000;

  /**
   * All there are, the worst first; empty where all is as it should be.
   *
   * @param waitsFor what the release under way waits for; empty if it isn't known
   * @param heldMillis since when an operator holds, epoch milliseconds
   * @param unreadable why the control topic can't be read; null if it can, or it isn't known why
   */
  static List<String> of(
      @Nullable DesiredState state,
      Situation seen,
      String waitsFor,
      long heldMillis,
      boolean following,
      @Nullable String unreadable) {
    List<String> problems = new ArrayList<>();
    if (!following) {
      problems.add(
          DesiredState.TOPIC
              + " can't be read now, so this may be out of date, and no release goes on from here."
              + " Instances keep to what they know. "
              + (unreadable == null
                  ? "Kafka doesn't answer, or this gateway has just started."
                  : "The reason: " + unreadable + "."));
    }
    nobodyWorks(state, seen, problems);
    if (state == null) {
      return problems;
    }
    if (state.held()) {
      problems.add(
          "An operator holds it since "
              + Instant.ofEpochMilli(heldMillis).truncatedTo(ChronoUnit.SECONDS)
              + ": nothing starts until it is resumed.");
    }
    Release release = state.release();
    boolean underWay = release != null && !release.step().isEnd();
    if (release != null && underWay) {
      problems.add(
          "A release from "
              + release.from()
              + " to "
              + release.to()
              + " is under way, at the step "
              + release.step().text()
              + " for "
              + ReleaseMachine.seconds(seen.stateMillis() / 1_000 * 1_000)
              + (waitsFor.isEmpty() ? "." : ": it waits for " + waitsFor + "."));
    }
    if (seen.stateMillis() > PATIENCE_MILLIS) {
      followers(state, underWay, seen, problems);
    }
    return problems;
  }

  private static void nobodyWorks(
      @Nullable DesiredState state, Situation seen, List<String> problems) {
    String active = state == null ? null : state.activeVersion();
    if (active == null) {
      if (seen.instances().isEmpty()) {
        problems.add(
            "No instance is heard: either none runs, and requests wait until one does, or their SDK"
                + " is too old to report.");
      }
    } else if (!seen.isLive(active)) {
      Set<String> others =
          seen.others(active)
              .map(InstanceReport::version)
              .collect(Collectors.toCollection(TreeSet::new));
      problems.add(
          "Only "
              + active
              + " is to handle requests, and none of its instances is heard: requests wait. Start"
              + " one"
              + (others.isEmpty()
                  ? "."
                  : ", or release to a version that runs: " + String.join(", ", others) + "."));
    }
  }

  private static void followers(
      DesiredState state, boolean underWay, Situation seen, List<String> problems) {
    String late =
        Situation.names(
            seen.instances().stream().map(instance -> instance.report()),
            report -> report.epochSeen() < state.epoch());
    if (!late.isEmpty()) {
      problems.add(
          late
              + ": not going by epoch "
              + state.epoch()
              + ", which is the last, for more than 5 s. They keep to what they know: look whether"
              + " they may read "
              + DesiredState.TOPIC
              + ".");
    }
    String active = state.activeVersion();
    if (active != null && !underWay) {
      String strangers = Situation.names(seen.others(active), report -> report.state().isMember());
      if (!strangers.isEmpty()) {
        problems.add(
            strangers
                + ": still in the group, though only "
                + active
                + " is to be. Both versions handle requests; end those instances.");
      }
    }
  }

  private Problems() {}
}
