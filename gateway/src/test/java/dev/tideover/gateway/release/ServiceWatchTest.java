package dev.tideover.gateway.release;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.kafka.ControlTopic.Instance;
import dev.tideover.gateway.release.ServiceWatch.Doing;
import dev.tideover.gateway.release.ServiceWatch.Now;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport.State;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ServiceWatchTest {

  private static final long MILLI = 1_000_000;

  private final ServiceWatch watch = new ServiceWatch("me", 300 * MILLI);

  /** Somewhere in the steady clock's range, which may be negative. */
  private long nanos = -5_000_000 * MILLI;

  private long millis = 1_795_000_000_000L;

  private Now now() {
    return new Now(nanos, millis);
  }

  private void pass(long time) {
    nanos += time * MILLI;
    millis += time;
  }

  private ServiceWatch.Look look(Scene scene) {
    return look(scene, true);
  }

  private ServiceWatch.Look look(Scene scene, boolean following) {
    List<Instance> instances = scene.seen().instances();
    return watch.look(instances, Doing.UNKNOWN, following, now());
  }

  /** Looks as often as the driver does, until it is settled. */
  private void settle(Scene scene) {
    for (int i = 0; i < 30; i++) {
      var unused = look(scene);
      pass(100);
    }
  }

  private static DesiredState by(String gateway, long epoch, Step step, long since) {
    Release release =
        new Release("id", "v1", "v2", step, since, since, 60_000, 60_000, 10_000, 1, "");
    return new DesiredState("orders", epoch, "id", gateway, since, "v1", false, 0, release);
  }

  private static Scene drained() {
    return Scene.at(Step.DRAIN).with("v1", State.DRAINED).with("v2", State.STANDBY);
  }

  @Test
  void goesOnAtOnceWithWhatItHasWritten() {
    settle(drained());
    watch.onDesired(by("me", 7, Step.DRAIN, millis), false, now());

    ServiceWatch.Look look = look(drained());

    assertThat(look.mine()).isTrue();
    assertThat(look.next().state().release().step()).isEqualTo(Step.ACTIVATE);
  }

  @Test
  void takesOverFromAnotherWhenAStepHasBeenDueForLong() {
    settle(drained());
    watch.onDesired(by("other", 7, Step.DRAIN, millis), false, now());

    assertThat(look(drained()).mine()).isFalse();
    pass(2_299);
    assertThat(look(drained()).mine()).isFalse();
    pass(1);
    assertThat(look(drained()).mine()).isTrue();
  }

  @Test
  void aStepThatCeasesToBeDueIsDueAnewLater() {
    settle(drained());
    watch.onDesired(by("other", 7, Step.DRAIN, millis), false, now());
    var unused = look(drained());
    pass(2_000);
    Scene busy = Scene.at(Step.DRAIN).with("v1", State.HOLDING).with("v2", State.STANDBY);
    assertThat(look(busy).next().state()).isNull();

    pass(500);
    assertThat(look(drained()).mine()).isFalse();
  }

  @Test
  void decidesNothingBeforeEverybodyCanHaveReported() {
    watch.onDesired(by("me", 7, Step.DRAIN, millis), true, now());
    Scene nobody = Scene.at(Step.DRAIN);

    assertThat(look(nobody).next().state()).isNull();
    pass(2_499);
    assertThat(look(nobody).next().waitsFor()).startsWith("the instances' reports");
    pass(1);
    assertThat(look(nobody).next().state().release().step()).isEqualTo(Step.ABANDONED);
    assertThat(look(nobody, false).next().waitsFor()).startsWith("Kafka");
    pass(1);
    assertThat(look(nobody).next().state()).isNull();
  }

  @Test
  void measuresTimeByItsOwnClockWhereItWasThere() {
    Scene working = Scene.at(Step.VERIFY).with("v2", State.ACTIVE).with("v1", State.STANDBY);
    settle(working);
    // Its writer's clock is a minute behind.
    watch.onDesired(by("me", 7, Step.VERIFY, millis - 60_000), false, now());

    pass(9_900);
    assertThat(look(working).next().state()).isNull();
    pass(100);
    assertThat(look(working).next().state().release().step()).isEqualTo(Step.DONE);
  }

  @Test
  void takesTheWritersClockForWhatItHasFound() {
    Scene working = Scene.at(Step.VERIFY).with("v2", State.ACTIVE).with("v1", State.STANDBY);
    watch.onDesired(by("me", 7, Step.VERIFY, millis - 9_000), true, now());
    settle(working);

    assertThat(look(working).next().state().release().step()).isEqualTo(Step.DONE);
    assertThat(watch.entry(null).whole()).isFalse();
  }

  @Test
  void anOlderStateChangesNothing() {
    watch.onDesired(by("me", 7, Step.DRAIN, millis), false, now());
    watch.onDesired(by("me", 7, Step.VERIFY, millis), false, now());
    watch.onDesired(by("me", 6, Step.VERIFY, millis), false, now());

    assertThat(watch.state().release().step()).isEqualTo(Step.DRAIN);
  }

  @Test
  void asksKafkaForTheMembersAtAPaceAndForgetsThemWithTheState() {
    watch.onDesired(by("me", 7, Step.PREPARE, millis), false, now());
    assertThat(watch.asksForMembers(nanos)).isTrue();
    assertThat(watch.asksForMembers(nanos + 499 * MILLI)).isFalse();
    assertThat(watch.asksForMembers(nanos + 500 * MILLI)).isTrue();
    watch.onMembers(7, Set.of("v1"));
    assertThat(watch.situation(List.of(), now()).members()).containsExactly("v1");

    watch.onDesired(by("me", 8, Step.ACTIVATE, millis), false, now());
    watch.onMembers(7, Set.of("v1"));

    assertThat(watch.situation(List.of(), now()).members()).isNull();
  }

  @Test
  void theReportHasTheStepsAndTheClientsThatFailedMeanwhile() {
    watch.onClientFailed();
    watch.onDesired(by("me", 7, Step.PREPARE, millis), false, now());
    watch.onClientFailed();
    pass(1_200);
    watch.onDesired(by("me", 8, Step.DRAIN, millis), false, now());
    watch.onClientFailed();
    pass(300);
    watch.onDesired(by("me", 9, Step.DRAIN, millis), false, now());
    pass(100);
    watch.onDesired(by("me", 10, Step.ABANDONED, millis), false, now());
    watch.onClientFailed();
    pass(9_000);

    ReleaseReport report = report(true);

    assertThat(report.result()).isEqualTo("abandoned");
    assertThat(report.failed()).isEqualTo(2);
    assertThat(report.millis()).isEqualTo(1_600);
    assertThat(report.whole()).isTrue();
    assertThat(report.steps())
        .containsExactly(
            new ReleaseReport.StepTime(Step.PREPARE, 1_200),
            new ReleaseReport.StepTime(Step.DRAIN, 400));
    assertThat(watch.entry("another")).isNull();
  }

  @Test
  void anotherRateDoesNotBeginTheTrialAnew() {
    Scene works = Scene.at(Step.VERIFY).with("v2", State.ACTIVE, 99).with("v1", State.STANDBY);
    settle(works);
    watch.onDesired(by("me", 7, Step.VERIFY, millis), false, now());
    pass(9_000);
    watch.onDesired(by("me", 8, Step.VERIFY, millis), false, now());
    assertThat(look(works).next().state()).isNull();
    pass(1_000);

    assertThat(look(works).next().state().release().step()).isEqualTo(Step.DONE);
  }

  @Test
  void aReportWithoutFiguresSaysSo() {
    watch.onDesired(by("me", 7, Step.PREPARE, millis), false, now());
    watch.onDesired(by("me", 8, Step.ABANDONED, millis), false, now());

    assertThat(report(false).whole()).isFalse();
    assertThat(report(false).notes()).hasSize(1).first().asString().contains("no figures");
  }

  private ReleaseReport report(boolean kept) {
    return Reports.of(
        "orders",
        watch.entry("id"),
        new Reports.Figures(Measures.NONE, Measures.NONE, Measures.NONE, 0, kept),
        nanos);
  }
}
