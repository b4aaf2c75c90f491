package dev.tideover.gateway.release;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport.State;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ProblemsTest {

  private static final long HELD = 1_795_500_000_000L;

  private static List<String> of(Scene scene) {
    return Problems.of(scene.state(), scene.seen(), "the end", HELD, true, null);
  }

  @Test
  void thereAreNoneWhereTheActiveVersionWorks() {
    assertThat(of(Scene.at(Step.ABANDONED).with("v1", State.ACTIVE).with("v2", State.STANDBY)))
        .isEmpty();
  }

  @Test
  void saysThatNobodyHandlesRequests() {
    Situation nobody = new Situation(List.of(), Set.of(), 0, 0, 0, null);

    assertThat(Problems.of(null, nobody, "", 0, true, null))
        .singleElement()
        .asString()
        .startsWith("No instance is heard");
    assertThat(of(Scene.at(Step.ABANDONED).with("v2", State.STANDBY)))
        .containsExactly(
            "Only v1 is to handle requests, and none of its instances is heard: requests wait."
                + " Start one, or release to a version that runs: v2.");
  }

  @Test
  void saysSinceWhenAnOperatorHolds() {
    assertThat(of(Scene.at(Step.ABANDONED).with("v1", State.DRAINED).held()))
        .containsExactly(
            "An operator holds it since 2026-11-24T06:00:00Z: nothing starts until it is resumed.");
  }

  @Test
  void saysWhatAReleaseWaitsFor() {
    assertThat(of(Scene.at(Step.DRAIN).with("v1", State.HOLDING).after(3_400)))
        .containsExactly(
            "A release from v1 to v2 is under way, at the step drain for 3 s: it waits for the"
                + " end.");
  }

  @Test
  void saysWhoDoesNotFollow() {
    Scene scene =
        Scene.at(Step.ABANDONED).with("v1", State.ACTIVE).with("v2", State.ACTIVE, Scene.EPOCH - 1);

    assertThat(of(scene)).isEmpty();
    assertThat(of(scene.after(5_001)))
        .containsExactly(
            "v2/i1 (active): not going by epoch 7, which is the last, for more than 5 s. They keep to"
                + " what they know: look whether they may read tideover.control.",
            "v2/i1 (active): still in the group, though only v1 is to be. Both versions handle"
                + " requests; end those instances.");
  }

  @Test
  void saysFirstThatItMayBeOutOfDate() {
    Scene scene = Scene.at(Step.ABANDONED).with("v1", State.ACTIVE);

    assertThat(Problems.of(scene.state(), scene.seen(), "", 0, false, "there is no such topic"))
        .containsExactly(
            "tideover.control can't be read now, so this may be out of date, and no release goes on"
                + " from here. Instances keep to what they know. The reason: there is no such"
                + " topic.");
  }
}
