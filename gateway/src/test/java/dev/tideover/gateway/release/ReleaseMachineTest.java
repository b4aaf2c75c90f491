package dev.tideover.gateway.release;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport.State;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ReleaseMachineTest {

  @Test
  void preparesUntilEnoughOfTheNewVersionStandByUnderThisEpoch() {
    Scene scene = Scene.at(Step.PREPARE).with("v1", State.ACTIVE);

    assertThat(scene.with("v2", State.STANDBY, Scene.EPOCH - 1).outcome())
        .isEqualTo("waits for 1 instance of v2 to stand by ready; 0 do");
    assertThat(scene.with("v2", State.LEAVING).outcome())
        .isEqualTo(
            "waits for 1 instance of v2 to stand by ready; 0 do; there are also v2/i2 (leaving)");
    assertThat(Scene.at(Step.PREPARE).with("v1", State.ACTIVE).with("v2", State.STANDBY).outcome())
        .isEqualTo("DRAIN v1");
  }

  @Test
  void noRequestIsHeldWhileSomebodyIsInTheWay() {
    Scene scene = Scene.at(Step.PREPARE).with("v1", State.ACTIVE).with("v2", State.STANDBY);

    assertThat(scene.members(null).outcome())
        .isEqualTo("waits for Kafka to say who is in the group");
    assertThat(scene.members(Set.of("v1/i0", "v0/i7")).outcome())
        .startsWith("waits for v0/i7 to leave the group");
    // One of the same version that doesn't follow would go on beside the other version.
    assertThat(scene.members(Set.of("v1/i0", "v1/i7")).outcome())
        .startsWith("waits for v1/i7 to leave the group");
    assertThat(scene.members(Set.of("v1/i0", "somebody")).outcome())
        .startsWith("waits for somebody to leave the group");
    assertThat(scene.members(Set.of("v1/i0")).outcome()).isEqualTo("DRAIN v1");
    assertThat(scene.members(null).after(Situation.MEMBERS_MILLIS).outcome()).isEqualTo("DRAIN v1");
    assertThat(scene.with("v0", State.ACTIVE).outcome())
        .isEqualTo("waits for v0/i2 (active) to leave the group, since only v1 is to be in it");
  }

  @Test
  void noRequestIsHeldForAnInstanceThatDoesNotFollow() {
    Scene scene = Scene.at(Step.PREPARE).with("v1", State.ACTIVE, 0).with("v2", State.STANDBY);

    assertThat(scene.outcome()).startsWith("waits for v1/i0 (active) to go by epoch 7");
    assertThat(scene.after(60_000).outcome()).isEqualTo("ABANDONED v1");
  }

  @Test
  void isAbandonedWhereNobodyGetsReady() {
    Scene scene = Scene.at(Step.PREPARE).with("v1", State.ACTIVE).after(60_000);

    assertThat(scene.outcome()).isEqualTo("ABANDONED v1");
    assertThat(scene.reason())
        .isEqualTo("After 60 s it still waited for 1 instance of v2 to stand by ready; 0 do");
  }

  @Test
  void theNewVersionIsActiveOnlyWhenTheOldOneHasSaidThatItIsStill() {
    Scene scene = Scene.at(Step.DRAIN).with("v2", State.STANDBY).with("v1", State.HOLDING);

    assertThat(scene.outcome())
        .isEqualTo("waits for v1/i1 (holding, 2 running) to end what is under way");
    assertThat(scene.after(60_000).outcome()).isEqualTo("ABANDONED v1");
    assertThat(scene.reason())
        .isEqualTo(
            "Requests were held for 60 s, the most that was allowed, and v1/i1 (holding, 2 running)"
                + " had not ended what was under way");
    Scene before = Scene.at(Step.DRAIN).with("v2", State.STANDBY);
    assertThat(before.with("v1", State.DRAINED, Scene.EPOCH - 1).outcome()).startsWith("waits");
    Scene still = Scene.at(Step.DRAIN).with("v2", State.STANDBY).with("v1", State.DRAINED);
    assertThat(still.outcome()).isEqualTo("ACTIVATE v2");
  }

  @Test
  void thereIsNothingToDrainWhereTheOldVersionDoesNotRun() {
    assertThat(Scene.at(Step.DRAIN).with("v2", State.STANDBY).outcome()).isEqualTo("ACTIVATE v2");
  }

  @Test
  void isAbandonedWhereTheNewVersionEndsBeforeTheHandOver() {
    assertThat(Scene.at(Step.DRAIN).with("v1", State.DRAINED).outcome()).isEqualTo("ABANDONED v1");
  }

  @Test
  void theTrialBeginsWhenOnlyTheNewVersionIsInTheGroup() {
    Scene scene = Scene.at(Step.ACTIVATE).with("v2", State.ACTIVE);

    assertThat(scene.members(Set.of("v1/i7", "v2/i0")).outcome())
        .isEqualTo(
            "waits for members of v1 that Kafka still has in the group, whether or not they are"
                + " alive, to leave the group");
    assertThat(scene.members(Set.of("v2/i0")).outcome()).isEqualTo("VERIFY v2");
    assertThat(scene.with("v1", State.DRAINED).outcome())
        .isEqualTo("waits for v1/i1 (drained) to leave the group");
  }

  @Test
  void goesBackWhereTheNewVersionDoesNotJoinInTime() {
    Scene scene = Scene.at(Step.ACTIVATE).with("v2", State.JOINING).with("v1", State.STANDBY);

    assertThat(scene.outcome()).isEqualTo("waits for an instance of v2 to join the group");
    assertThat(scene.after(60_000).outcome()).isEqualTo("ROLL_BACK v2");
    assertThat(scene.reason())
        .isEqualTo(
            "Requests were held for 60 s, the most that was allowed, waiting for an instance of v2"
                + " to join the group");
  }

  @Test
  void goesBackAtOnceWhereTheNewVersionIsNoGoodOrGone() {
    Scene bad = Scene.at(Step.VERIFY).with("v2", State.ACTIVE).with("v1", State.STANDBY).bad("bad");
    assertThat(bad.outcome()).isEqualTo("ROLL_BACK v2");
    assertThat(bad.reason()).isEqualTo("bad");
    assertThat(Scene.at(Step.VERIFY).with("v1", State.STANDBY).outcome()).isEqualTo("ROLL_BACK v2");
    assertThat(Scene.at(Step.ACTIVATE).with("v1", State.STANDBY).outcome())
        .isEqualTo("ROLL_BACK v2");
  }

  @Test
  void theTrialLastsItsTimeAndWaitsForAnOperatorsHold() {
    Scene scene = Scene.at(Step.VERIFY).with("v2", State.ACTIVE).with("v1", State.STANDBY);

    assertThat(scene.after(29_500).outcome()).isEqualTo("waits for the end of the trial in 0.5 s");
    assertThat(scene.after(30_000).outcome()).isEqualTo("DONE v2");
    assertThat(scene.reason()).isEmpty();
    assertThat(scene.held().outcome()).startsWith("waits for the operator's hold to end");
  }

  @Test
  void staysWithABadVersionOnlyWhereThereIsNoOther() {
    Scene scene = Scene.at(Step.VERIFY).with("v2", State.ACTIVE).bad("It fails");

    assertThat(scene.after(1_000).outcome())
        .isEqualTo(
            "waits for the end of the trial in 29 s; It fails, but no instance of v1 is there");
    assertThat(scene.after(30_000).outcome()).isEqualTo("DONE v2");
    assertThat(scene.reason())
        .isEqualTo(
            "It fails. It stays with v2 all the same, since there was no instance of v1 to go back"
                + " to");
  }

  @Test
  void theBadVersionHasAMomentToEndWhatItHasBegun() {
    Scene scene = Scene.at(Step.ROLL_BACK).with("v2", State.HOLDING).with("v1", State.STANDBY);

    assertThat(scene.outcome())
        .isEqualTo("waits for v2/i0 (holding, 2 running) to end what is under way");
    assertThat(scene.after(5_000).outcome()).isEqualTo("RESTORE v1");
    assertThat(
            Scene.at(Step.ROLL_BACK).with("v2", State.DRAINED).with("v1", State.STANDBY).outcome())
        .isEqualTo("RESTORE v1");
  }

  @Test
  void staysWithTheNewVersionWhereTheOldOneEndsOnTheWayBack() {
    Scene scene = Scene.at(Step.ROLL_BACK).with("v2", State.DRAINED);

    assertThat(scene.outcome()).isEqualTo("waits for an instance of v1");
    assertThat(scene.after(5_000).outcome()).isEqualTo("DONE v2");
  }

  @Test
  void isRolledBackWhenOnlyTheOldVersionIsInTheGroup() {
    Scene scene = Scene.at(Step.RESTORE).with("v1", State.ACTIVE);

    assertThat(scene.members(Set.of("v1/i0")).outcome()).isEqualTo("ROLLED_BACK v1");
    assertThat(scene.with("v2", State.LEAVING).outcome())
        .isEqualTo("waits for v2/i1 (leaving) to leave the group");
    assertThat(scene.after(60_000).outcome()).isEqualTo("ROLLED_BACK v1");
    assertThat(scene.reason()).contains("v2/i1 (leaving) to leave the group");
  }

  @Test
  void eachStepHasTheNextEpochAndItsWriterAndKeepsWhatOperatorsWant() {
    Scene scene = Scene.at(Step.DRAIN).with("v2", State.STANDBY).held();

    DesiredState next = scene.next().state();

    assertThat(next).isNotNull();
    assertThat(next.epoch()).isEqualTo(Scene.EPOCH + 1);
    assertThat(next.by()).isEqualTo("gw");
    assertThat(next.since()).isEqualTo(Scene.AUTHOR.nowMillis());
    assertThat(next.held()).isTrue();
    assertThat(next.command()).isEqualTo("id");
  }

  @Test
  void nothingFollowsTheEnd() {
    for (Step step : Step.values()) {
      if (step.isEnd()) {
        assertThat(Scene.at(step).with("v1", State.ACTIVE).next())
            .isEqualTo(ReleaseMachine.Next.NOTHING);
      }
    }
  }
}
