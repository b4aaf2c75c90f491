package dev.tideover.gateway.release;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.release.Commands.Decision;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport.State;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class CommandsTest {

  private static final Situation NOBODY = new Situation(List.of(), Set.of(), 0, 0, 0, null);

  private static ReleaseOrder order(String to, @Nullable String from) {
    return new ReleaseOrder(
        to, from, ReleaseOrder.PREPARE, ReleaseOrder.MAX_HOLD, Duration.ofSeconds(5), 1);
  }

  private static Commands commands(@Nullable DesiredState state, Situation seen) {
    return new Commands("orders", state, seen, Scene.AUTHOR, "command");
  }

  private static Commands at(Scene scene) {
    return commands(scene.state(), scene.seen());
  }

  private static DesiredState written(Decision decision) {
    assertThat(decision).isInstanceOf(Decision.Write.class);
    return ((Decision.Write) decision).next();
  }

  private static String refusal(Decision decision) {
    assertThat(decision).isInstanceOf(Decision.No.class);
    return ((Decision.No) decision).code();
  }

  @Test
  void theFirstCommandMakesTheFirstEpoch() {
    DesiredState held = written(commands(null, NOBODY).hold(true));

    assertThat(held.epoch()).isEqualTo(1);
    assertThat(held.held()).isTrue();
    assertThat(held.activeVersion()).isNull();
    assertThat(written(commands(null, NOBODY).rate(50)).rate()).isEqualTo(50);
    assertThat(written(commands(null, NOBODY).release(order("v2", "v1"))).epoch()).isEqualTo(1);
  }

  @Test
  void whereTheTopicWasMadeAnewTheFirstEpochIsNewerThanWhatInstancesKnow() {
    Situation seen = Scene.at(Step.DONE).with("v1", State.ACTIVE, 41).seen();

    assertThat(written(commands(null, seen).hold(true)).epoch()).isEqualTo(42);
    assertThat(written(commands(null, seen).release(order("v2", "v1"))).epoch()).isEqualTo(42);
  }

  @Test
  void whatIsSoAlreadyStands() {
    Scene scene = Scene.at(Step.DONE).held();

    assertThat(at(scene).hold(true)).isEqualTo(new Decision.Stands(scene.state()));
    assertThat(at(scene).rate(0)).isEqualTo(new Decision.Stands(scene.state()));
  }

  @Test
  void anOperatorsHoldLeavesTheReleaseAsItIs() {
    Scene scene = Scene.at(Step.ACTIVATE);

    DesiredState held = written(at(scene).hold(true));

    assertThat(held.release()).isEqualTo(scene.state().release());
    assertThat(held.activeVersion()).isEqualTo("v2");
    assertThat(held.epoch()).isEqualTo(Scene.EPOCH + 1);
  }

  @Test
  void theVersionToLeaveIsTheOneThatWorks() {
    Scene v1AndV2 = Scene.at(Step.DONE).with("v1", State.ACTIVE).with("v2", State.ACTIVE);

    DesiredState next = written(commands(null, v1AndV2.seen()).release(order("v2", null)));

    assertThat(next.activeVersion()).isEqualTo("v1");
    assertThat(next.release().from()).isEqualTo("v1");
    assertThat(next.release().step()).isEqualTo(Step.PREPARE);
    assertThat(next.release().verifyMillis()).isEqualTo(5_000);
    assertThat(next.release().id()).isEqualTo("command");
  }

  @Test
  void whereThatCantBeToldItIsAskedFor() {
    Situation standby = Scene.at(Step.DONE).with("v1", State.STANDBY).seen();
    Situation two = Scene.at(Step.DONE).with("v0", State.ACTIVE).with("v1", State.ACTIVE).seen();
    Situation itself = Scene.at(Step.DONE).with("v2", State.ACTIVE).seen();

    assertThat(refusal(commands(null, standby).release(order("v2", null)))).isEqualTo("no-from");
    assertThat(refusal(commands(null, two).release(order("v2", null))))
        .isEqualTo("several-versions");
    assertThat(refusal(commands(null, itself).release(order("v2", null))))
        .isEqualTo("already-active");
    assertThat(written(commands(null, two).release(order("v2", "v0"))).activeVersion())
        .isEqualTo("v0");
  }

  @Test
  void afterARollBackTheVersionThatIsActiveIsTheOneToLeave() {
    Commands rolledBack = at(Scene.at(Step.ROLLED_BACK));

    assertThat(written(rolledBack.release(order("v3", null))).release().from()).isEqualTo("v1");
    assertThat(written(rolledBack.release(order("v2", null))).release().from()).isEqualTo("v1");
    assertThat(refusal(rolledBack.release(order("v3", "v2")))).isEqualTo("not-active");
    assertThat(refusal(rolledBack.release(order("v1", null)))).isEqualTo("already-active");
  }

  @Test
  void theSameReleaseTwiceIsOne() {
    for (Step step : List.of(Step.PREPARE, Step.DRAIN, Step.ACTIVATE, Step.VERIFY)) {
      Scene scene = Scene.at(step);
      assertThat(at(scene).release(order("v2", null)))
          .isEqualTo(new Decision.Stands(scene.state()));
      assertThat(refusal(at(scene).release(order("v3", null)))).isEqualTo("release-under-way");
    }
    assertThat(refusal(at(Scene.at(Step.ROLL_BACK)).release(order("v2", null))))
        .isEqualTo("release-under-way");
  }

  @Test
  void aReleaseThatIsDoneIsTheSameAgain() {
    Scene done = Scene.at(Step.DONE);
    DesiredState state =
        new DesiredState(
            "orders", Scene.EPOCH, "id", "gw", 1, "v2", false, 0, done.state().release());

    assertThat(commands(state, NOBODY).release(order("v2", null)))
        .isEqualTo(new Decision.Stands(state));
  }

  @Test
  void goingBackBeforeTheHandOverAbandonsAndAfterItRollsBack() {
    assertThat(written(at(Scene.at(Step.DRAIN)).rollBack()).release().step())
        .isEqualTo(Step.ABANDONED);
    DesiredState back = written(at(Scene.at(Step.VERIFY).with("v1", State.STANDBY)).rollBack());
    assertThat(back.release().step()).isEqualTo(Step.ROLL_BACK);
    assertThat(back.activeVersion()).isEqualTo("v2");
    assertThat(back.release().reason()).isEqualTo("An operator wanted to go back");
    assertThat(refusal(at(Scene.at(Step.VERIFY)).rollBack())).isEqualTo("nothing-to-go-back-to");
    assertThat(refusal(at(Scene.at(Step.DONE)).rollBack())).isEqualTo("no-release");
    assertThat(at(Scene.at(Step.RESTORE)).rollBack()).isInstanceOf(Decision.Stands.class);
  }

  @Test
  void everyVersionWorksAgainOnceNoReleaseIsUnderWay() {
    assertThat(written(at(Scene.at(Step.ROLLED_BACK)).anyVersion()).activeVersion()).isNull();
    assertThat(refusal(at(Scene.at(Step.VERIFY)).anyVersion())).isEqualTo("release-under-way");
  }
}
