package dev.tideover.gateway.release;

import dev.tideover.gateway.kafka.ControlTopic.Instance;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport;
import dev.tideover.wire.InstanceReport.Counts;
import dev.tideover.wire.InstanceReport.State;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A state of a release from v1 to v2, and what is seen with it; for tests, to be told off. */
final class Scene {

  static final long EPOCH = 7;
  static final Author AUTHOR = new Author("gw", 1_000_000);

  private final Release release;
  private final List<Instance> instances = new ArrayList<>();
  private @Nullable Set<String> members = Set.of();
  private String active = "v1";
  private boolean held;
  private long stateMillis = 10;
  private long beganMillis = 10;
  private long heldMillis = 10;
  private @Nullable String bad;

  private Scene(Release release) {
    this.release = release;
  }

  /** At a step: at most 60 s for each of preparing and holding, 30 s of trial, one instance. */
  static Scene at(Step step) {
    Scene scene =
        new Scene(
            new Release("id", "v1", "v2", step, 500_000, 600_000, 60_000, 60_000, 30_000, 1, ""));
    scene.active =
        step == Step.ACTIVATE || step == Step.VERIFY || step == Step.ROLL_BACK ? "v2" : "v1";
    return scene;
  }

  Scene with(String version, State state) {
    return with(version, state, EPOCH);
  }

  Scene with(String version, State state, long epochSeen) {
    String name = "i" + instances.size();
    instances.add(
        new Instance(
            new InstanceReport(
                "orders",
                version,
                name,
                "run",
                state,
                epochSeen,
                0,
                state == State.HOLDING ? new Counts(0, 0, 0, 0, 2, 0) : Counts.NONE),
            0));
    return this;
  }

  Scene members(@Nullable Set<String> named) {
    members = named;
    return this;
  }

  Scene held() {
    held = true;
    return this;
  }

  Scene after(long millis) {
    stateMillis = millis;
    beganMillis = millis;
    heldMillis = millis;
    return this;
  }

  Scene bad(String why) {
    bad = why;
    return this;
  }

  DesiredState state() {
    return new DesiredState("orders", EPOCH, "id", "gw", 1, active, held, 0, release);
  }

  Situation seen() {
    return new Situation(instances, members, stateMillis, beganMillis, heldMillis, bad);
  }

  ReleaseMachine.Next next() {
    return ReleaseMachine.next(state(), seen(), AUTHOR);
  }

  /** Its step and active version, or what it waits for. */
  String outcome() {
    ReleaseMachine.Next next = next();
    DesiredState state = next.state();
    return state == null || state.release() == null
        ? "waits for " + next.waitsFor()
        : state.release().step() + " " + state.activeVersion();
  }

  String reason() {
    DesiredState state = next().state();
    return state == null || state.release() == null ? "" : state.release().reason();
  }
}
