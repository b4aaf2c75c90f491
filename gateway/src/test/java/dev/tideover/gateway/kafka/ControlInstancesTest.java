package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.wire.DesiredState;
import dev.tideover.wire.InstanceReport;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Who is there, who is gone, and what proves it. */
class ControlInstancesTest {

  private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

  private final List<String> told = new ArrayList<>();
  private final ControlInstances instances =
      new ControlInstances(
          new ControlTopic.Listener() {
            @Override
            public void onDesired(DesiredState state) {}

            @Override
            public void onReport(InstanceReport report) {
              told.add(report.instance() + " " + report.state().text());
            }

            @Override
            public void onGone(InstanceReport last, boolean clean) {
              told.add(last.instance() + (clean ? " ended" : " fell silent"));
            }
          });

  /** A clock that may begin anywhere, also just before it passes zero. */
  private long now = -2 * SECOND;

  private static InstanceReport report(String instance, String run) {
    return new InstanceReport(
        "app", "v1", instance, run, InstanceReport.State.ACTIVE, 1, 1, InstanceReport.Counts.NONE);
  }

  private void reported(String instance) {
    instances.reported(report(instance, "run-1"), now);
  }

  /** So much time passes in which all that is written is read. */
  private void pass(long seconds, String... reporting) {
    for (long i = 0; i < seconds; i++) {
      now += SECOND;
      for (String instance : reporting) {
        reported(instance);
      }
      instances.currentAsOf(now, now);
    }
  }

  private List<String> there() {
    return instances.of("app", now).stream()
        .map(instance -> instance.report().instance())
        .sorted()
        .toList();
  }

  @Test
  void whatIsFoundAtTheStartSaysOfNobodyThatHeIsThere() {
    reported("1");
    pass(1);
    assertThat(there()).isEmpty();
    assertThat(told).isEmpty();

    pass(1, "1");
    assertThat(there()).containsExactly("1");
    assertThat(instances.of("other", now)).isEmpty();
  }

  @Test
  void whoIsSilentForLongerThanTheExpiryIsGoneAndToldSoOnce() {
    pass(1);
    pass(2, "1", "2");
    pass(5, "2");
    assertThat(there()).containsExactly("1", "2");
    assertThat(instances.of("app", now)).extracting("silentMillis").contains(5_000L, 0L);
    told.clear();

    pass(3);
    assertThat(told).containsExactly("1 fell silent");
    assertThat(there()).containsExactly("2");
  }

  @Test
  void whoSaysSoIsGoneAtOnce() {
    pass(1);
    pass(1, "1");
    instances.ended("app/v1/1");
    instances.ended("app/v1/1");
    pass(10);
    assertThat(told).containsExactly("1 active", "1 ended");
  }

  @Test
  void nobodyFallsSilentWhileNothingCanBeRead() {
    pass(1);
    pass(1, "1", "2");
    told.clear();
    now += 60 * SECOND;
    assertThat(instances.isCurrent(now)).isFalse();
    assertThat(there()).containsExactly("1", "2");

    // What had piled up is read; it may be of one that has ended meanwhile.
    reported("1");
    instances.currentAsOf(now, now);
    assertThat(instances.isCurrent(now)).isTrue();
    assertThat(told).isEmpty();

    pass(5, "2");
    assertThat(there()).containsExactly("1", "2");
    told.clear();
    pass(1, "2");
    assertThat(told).containsExactly("2 active", "1 fell silent");
  }

  @Test
  void anotherRunOfTheSameInstanceMeansThatTheLastOneIsGone() {
    pass(1);
    pass(1, "1");
    told.clear();
    instances.reported(report("1", "run-2"), now);
    assertThat(told).containsExactly("1 fell silent", "1 active");
    assertThat(there()).containsExactly("1");
  }

  @Test
  void aTopicThatIsReadAnewSaysOfNobodyThatHeIsThere() {
    pass(1);
    pass(1, "1");
    instances.restart();
    assertThat(instances.isCurrent(now)).isFalse();
    reported("2");
    pass(1);
    assertThat(there()).containsExactly("1");
  }

  @Test
  void theNumberOfInstancesIsBounded() {
    pass(1);
    for (int i = 0; i < 10_100; i++) {
      reported("i" + i);
    }
    assertThat(there()).hasSize(10_000);
    reported("i0");
    assertThat(told).last().isEqualTo("i0 active");
  }
}
