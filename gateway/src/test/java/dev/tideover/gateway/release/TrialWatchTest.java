package dev.tideover.gateway.release;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.kafka.ControlTopic.Instance;
import dev.tideover.gateway.release.Measures.Latency;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport;
import dev.tideover.wire.InstanceReport.Counts;
import dev.tideover.wire.InstanceReport.State;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class TrialWatchTest {

  private static final long SECOND = 1_000_000_000L;
  private static final Release RELEASE =
      new Release("id", "v1", "v2", Step.VERIFY, 0, 0, 0, 0, 0, 1, "");

  private final TrialWatch watch = new TrialWatch();
  private final Map<String, InstanceReport> live = new LinkedHashMap<>();
  private long nanos = 100 * SECOND;

  private void hear(String version, String name, String run, State state, Counts counts) {
    InstanceReport report = new InstanceReport("orders", version, name, run, state, 1, 1, counts);
    live.put(report.key(), report);
    watch.onReport(report, nanos);
  }

  private void hearBlue() {
    hear("v1", "b", "run", State.STANDBY, new Counts(10_000, 10, 0, 0, 0, 0));
  }

  private void gone(String key, boolean clean) {
    watch.onGone(live.remove(key), clean);
  }

  private @Nullable String judge() {
    List<Instance> heard = new ArrayList<>();
    live.values().forEach(report -> heard.add(new Instance(report, 0)));
    return watch.judge(RELEASE, heard, Measures.NONE, Latency.NONE, false, nanos);
  }

  private void hearBlueFor(int seconds) {
    for (int i = 0; i < seconds; i++) {
      nanos += SECOND;
      hearBlue();
    }
  }

  @Test
  void onlyWhatFailedSinceTheTrialBeganCounts() {
    hearBlue();
    hear("v2", "g", "run", State.ACTIVE, new Counts(100, 50, 0, 0, 0, 0));
    watch.trial(RELEASE);

    hear("v2", "g", "run", State.ACTIVE, new Counts(200, 54, 0, 0, 0, 0));
    assertThat(judge()).isNull();

    hear("v2", "g", "run", State.ACTIVE, new Counts(200, 55, 0, 0, 0, 0));
    assertThat(judge()).isEqualTo("5 of 100 requests failed at v2, 0.1 % at v1");
  }

  @Test
  void whatCannotEvenBeReadCountsAsFailed() {
    hearBlue();
    hear("v2", "g", "run", State.STANDBY, Counts.NONE);
    watch.trial(RELEASE);

    hear("v2", "g", "run", State.ACTIVE, new Counts(0, 0, 0, 4, 0, 0));
    assertThat(judge()).isNull();

    hear("v2", "g", "run", State.ACTIVE, new Counts(0, 0, 0, 5, 0, 0));
    assertThat(judge()).isEqualTo("5 of 5 requests failed at v2, 0.1 % at v1");
  }

  @Test
  void whatFailedAndIsKeptCountsOnce() {
    hearBlue();
    watch.trial(RELEASE);

    hear("v2", "g", "run", State.ACTIVE, new Counts(400, 5, 0, 5, 0, 0));

    assertThat(judge()).isNull();
  }

  @Test
  void unreadableRequestsThatTheOldVersionMadeDeadLettersAreNotHeldAgainstTheNewOne() {
    hear("v1", "b", "run", State.STANDBY, new Counts(900, 0, 100, 0, 0, 0));
    watch.trial(RELEASE);

    hear("v2", "g", "run", State.ACTIVE, new Counts(90, 0, 0, 10, 0, 0));

    assertThat(judge()).isNull();
  }

  @Test
  void whatIsOnceHeldAgainstItStays() {
    hearBlue();
    watch.trial(RELEASE);
    hear("v2", "g", "run", State.ACTIVE, new Counts(10, 10, 0, 0, 0, 0));
    assertThat(judge()).isNotNull();

    hear("v2", "g", "run", State.ACTIVE, new Counts(10_000, 10, 0, 0, 0, 0));

    assertThat(judge()).isNotNull();
  }

  @Test
  void whatAnInstanceThatEndedHasDoneStillCounts() {
    hearBlue();
    watch.trial(RELEASE);
    hear("v2", "g", "run", State.ACTIVE, new Counts(100, 4, 0, 0, 0, 0));
    gone("orders/v2/g", true);
    hear("v2", "h", "run", State.ACTIVE, new Counts(100, 2, 0, 0, 0, 0));

    assertThat(judge()).isEqualTo("6 of 200 requests failed at v2, 0.1 % at v1");
  }

  @Test
  void silenceIsACrashWhileOthersAreHeard() {
    watch.trial(RELEASE);
    hear("v2", "g", "run", State.ACTIVE, Counts.NONE);
    hearBlueFor(6);

    gone("orders/v2/g", false);

    assertThat(judge())
        .isEqualTo("Instance v2/g crashed, or was killed, or hasn't been heard for 5 s");
  }

  @Test
  void whoFellSilentBeforeTheTrialDidNotCrashInIt() {
    hear("v2", "old", "run", State.ACTIVE, Counts.NONE);
    gone("orders/v2/old", false);

    watch.trial(RELEASE);
    hear("v2", "g", "run", State.ACTIVE, Counts.NONE);
    hearBlueFor(6);

    assertThat(judge()).isNull();
  }

  @Test
  void theSilenceOfAllIsNobodysCrash() {
    watch.trial(RELEASE);
    hearBlueFor(6);
    hear("v2", "g", "run", State.ACTIVE, Counts.NONE);
    nanos += 6 * SECOND;
    gone("orders/v2/g", false);
    gone("orders/v1/b", false);
    assertThat(judge()).isNull();

    hearBlue();
    assertThat(judge()).isNull();
    hear("v2", "g", "run", State.ACTIVE, Counts.NONE);
    hearBlueFor(6);

    assertThat(judge()).isNull();
  }

  @Test
  void whoDoesntComeBackWhenTheOthersDoHasCrashed() {
    watch.trial(RELEASE);
    hear("v2", "g", "run", State.ACTIVE, Counts.NONE);
    nanos += 6 * SECOND;
    gone("orders/v2/g", false);

    hearBlueFor(6);

    assertThat(judge()).startsWith("Instance v2/g crashed");
  }

  @Test
  void anotherRunUnderTheSameNameIsACrash() {
    hearBlue();
    watch.trial(RELEASE);
    hear("v2", "g", "run-1", State.ACTIVE, Counts.NONE);

    hear("v2", "g", "run-2", State.STANDBY, Counts.NONE);

    assertThat(judge()).startsWith("Instance v2/g crashed");
  }

  @Test
  void aCleanEndIsNone() {
    hearBlue();
    watch.trial(RELEASE);
    hear("v2", "g", "run-1", State.ACTIVE, Counts.NONE);
    gone("orders/v2/g", true);

    hear("v2", "g", "run-2", State.ACTIVE, Counts.NONE);
    hearBlueFor(6);

    assertThat(judge()).isNull();
  }

  @Test
  void anInstanceThatEndsNothingHangs() {
    watch.trial(RELEASE);
    for (int i = 0; i <= 31; i++) {
      hearBlueFor(1);
      assertThat(judge()).isNull();
      // Each of its handlers is young, and it ends none.
      hear("v2", "g", "run", State.ACTIVE, new Counts(7, 0, 0, 0, 3, 100));
    }

    assertThat(judge()).startsWith("A handler hangs at v2/g");
  }
}
