package dev.tideover.gateway.release;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.release.ServiceMeter.Phase;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import java.lang.management.ManagementFactory;
import java.util.concurrent.TimeUnit;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

class ServiceMeterTest {

  private static final Percentage FIVE = Percentage.withPercentage(5);

  /** Both clocks, in milliseconds; the one passes zero soon. */
  private long now = 1_700_000_000_000L;

  private final ServiceMeter meter =
      new ServiceMeter(() -> TimeUnit.MILLISECONDS.toNanos(now - 1_700_000_003_500L), () -> now);

  private static ReplyEnvelope reply(
      String by, ReplyOutcome outcome, int status, long acceptedAt, long tookMicros) {
    return new ReplyEnvelope(
            RequestId.random(),
            new Fingerprint(1, 2),
            outcome,
            by,
            1,
            ReplyEnvelope.NONE,
            status,
            HttpFields.EMPTY,
            new byte[0])
        .withTiming(new ReplyEnvelope.Timing(acceptedAt, tookMicros));
  }

  private ReplyEnvelope completed(String by, int status, long latency, long took) {
    return reply(by, ReplyOutcome.COMPLETED, status, now - latency, took * 1_000);
  }

  private void comes(String by, long latency, long took) {
    meter.onReply(completed(by, 200, latency, took), false);
  }

  @Test
  void tellsOfTheLastSecondsWhatCameInThem() {
    for (int i = 0; i < 200; i++) {
      comes("app/v1/a", 10 + i, 5);
      now += 1_000;
    }
    now -= 1_000;

    Measures minute = meter.last("app", 60);
    assertThat(minute.latency().count()).isEqualTo(60);
    assertThat(minute.latency().p50Millis()).isCloseTo(10 + 169, FIVE);
    assertThat(minute.latency().p99Millis()).isCloseTo(209, FIVE);
    assertThat(minute.latency().maxMillis()).isEqualTo(209);
    assertThat(minute.longestHeldMillis()).isEqualTo(204);
    assertThat(minute.versions().get("v1").handling().p50Millis()).isCloseTo(5, FIVE);
    assertThat(meter.last("app", 1).latency().maxMillis()).isEqualTo(209);
    assertThat(meter.last("app", 5).latency().count()).isEqualTo(5);
    now += 59_000;
    assertThat(meter.last("app", 60).latency().count()).isEqualTo(1);
    now += 1_000;
    assertThat(meter.last("app", 60)).isEqualTo(Measures.NONE);
    assertThat(meter.last("other", 60)).isEqualTo(Measures.NONE);
  }

  @Test
  void tellsVersionsApart() {
    comes("app/v1/a", 20, 10);
    comes("app/v1/b", 20, 10);
    comes("other/v1/a", 20, 10);
    meter.onReply(completed("app/v2/a", 500, 900, 800), false);
    meter.onReply(completed("app/v2/a", 499, 900, 800), false);
    meter.onReply(reply("app/v2/a", ReplyOutcome.DEAD, ReplyEnvelope.NONE, now, -1), false);

    Measures measures = meter.last("app", 60);
    assertThat(measures.versions()).containsOnlyKeys("v1", "v2");
    assertThat(measures.versions().get("v1"))
        .satisfies(
            v1 -> {
              assertThat(v1.replies()).isEqualTo(2);
              assertThat(v1.errors()).isZero();
              assertThat(v1.dead()).isZero();
            });
    assertThat(measures.versions().get("v2"))
        .satisfies(
            v2 -> {
              assertThat(v2.replies()).isEqualTo(2);
              assertThat(v2.errors()).isEqualTo(1);
              assertThat(v2.dead()).isEqualTo(1);
              assertThat(v2.handling().count()).isEqualTo(2);
              assertThat(v2.handling().p99Millis()).isCloseTo(800, FIVE);
            });
    assertThat(measures.latency().count()).isEqualTo(4);
  }

  @Test
  void whatIsNotAnAnswerToAClientHasNoLatency() {
    meter.onReply(completed("app/v1/a", 200, 50, 10), true);
    meter.onReply(completed("app/v1/a", 200, 9_000_000, 10).withReplay(1), false);
    for (ReplyOutcome outcome : ReplyOutcome.values()) {
      if (outcome != ReplyOutcome.COMPLETED) {
        meter.onReply(reply("app/v1/a", outcome, ReplyEnvelope.NONE, now - 70, -1), false);
      }
    }
    // A writer of before there were times.
    meter.onReply(
        new ReplyEnvelope(
            RequestId.random(),
            new Fingerprint(1, 2),
            ReplyOutcome.COMPLETED,
            "app/v1/a",
            1,
            ReplyEnvelope.NONE,
            200,
            HttpFields.EMPTY,
            new byte[0]),
        false);

    Measures measures = meter.last("app", 60);
    assertThat(measures.latency()).isEqualTo(Measures.Latency.NONE);
    assertThat(measures.longestHeldMillis()).isZero();
    assertThat(measures.repeated()).isEqualTo(1);
    assertThat(measures.versions().get("v1").replies()).isEqualTo(3);
    assertThat(measures.versions().get("v1").dead()).isEqualTo(1);
  }

  @Test
  void aClockThatIsBehindMakesNoNegativeTimes() {
    comes("app/v1/a", -5_000, 10);
    assertThat(meter.last("app", 60).latency().maxMillis()).isZero();
    assertThat(meter.last("app", 60).longestHeldMillis()).isZero();
  }

  @Test
  void gathersWhatBelongsToARelease() {
    comes("app/v1/a", 10, 5);
    now += 100_000;
    comes("app/v1/a", 20, 5);
    meter.begin("app", "r1");
    comes("app/v1/a", 30, 5);
    meter.begin("app", "r1");
    comes("app/v2/a", 40, 5);
    now += 100_000;
    meter.after("app", "r1");
    comes("app/v2/a", 50, 5);
    meter.end("app", "r1");
    comes("app/v2/a", 60, 5);

    assertThat(meter.of("app", "r1", Phase.BEFORE).latency().maxMillis()).isEqualTo(20);
    assertThat(meter.of("app", "r1", Phase.BEFORE).latency().count()).isEqualTo(1);
    assertThat(meter.of("app", "r1", Phase.DURING).latency().count()).isEqualTo(2);
    assertThat(meter.of("app", "r1", Phase.DURING).versions()).containsOnlyKeys("v1", "v2");
    assertThat(meter.of("app", "r1", Phase.AFTER).latency().count()).isEqualTo(1);
    assertThat(meter.of("app", "r2", Phase.DURING)).isEqualTo(Measures.NONE);
    assertThat(meter.of("other", "r1", Phase.DURING)).isEqualTo(Measures.NONE);

    meter.begin("app", "r2");
    assertThat(meter.of("app", "r1", Phase.DURING)).isEqualTo(Measures.NONE);
    assertThat(meter.of("app", "r2", Phase.BEFORE).latency().count()).isEqualTo(2);
    meter.begin("new", "r1");
    comes("new/v1/a", 10, 5);
    assertThat(meter.of("new", "r1", Phase.DURING).latency().count()).isEqualTo(1);
  }

  @Test
  void countsAsHeldWhatWasAcceptedBeforeTheVersionThatAnswersItTookOver() {
    comes("app/v1/a", 10, 5);
    meter.begin("app", "r1");
    comes("app/v1/a", 10, 5);
    now += 1_000;
    comes("app/v1/a", 900, 5);
    assertThat(meter.held("app", "r1")).isZero();
    now += 1_000;
    // Three were held for v2, and one came after it.
    comes("app/v2/a", 800, 5);
    now += 10;
    comes("app/v2/a", 800, 5);
    comes("app/v2/b", 11, 5);
    comes("app/v2/b", 9, 5);
    assertThat(meter.held("app", "r1")).isEqualTo(3);
    // Second replies answer nobody.
    meter.onReply(completed("app/v2/a", 200, 800, 5), true);
    assertThat(meter.held("app", "r1")).isEqualTo(3);
    // It is rolled back: two were held for v1.
    now += 1_000;
    comes("app/v1/a", 700, 5);
    comes("app/v1/a", 1, 1);
    now += 10;
    comes("app/v1/a", 5, 1);
    assertThat(meter.held("app", "r1")).isEqualTo(5);
    meter.end("app", "r1");
    comes("app/v1/a", 10_000, 5);
    assertThat(meter.held("app", "r1")).isEqualTo(5);
    assertThat(meter.held("app", "r2")).isZero();
  }

  @Test
  void whatIsNoInstancesNameCountsForNobody() {
    for (String by :
        new String[] {"", "app", "app/v1", "/v1/a", "app/ /a", "a b/v1/a", "x".repeat(9_000)}) {
      comes(by, 10, 5);
      comes(by + "/v1/a", 10, 5);
    }
    assertThat(meter.last("app", 60).versions()).containsOnlyKeys("v1");
    assertThat(meter.last("", 60)).isEqualTo(Measures.NONE);
    assertThat(meter.last("a b", 60)).isEqualTo(Measures.NONE);
  }

  @Test
  void keepsTheServicesThatWereHeardLastAndThoseThatAreBeingReleased() {
    meter.begin("released", "r1");
    comes("released/v1/a", 10, 5);
    comes("old/v1/a", 10, 5);
    for (int i = 0; i < 1_000; i++) {
      now += 1;
      comes("hostile-" + i + "/v1/a", 10, 5);
      if (i % 50 == 0) {
        comes("app/v1/a", 10, 5);
        now += 999;
      }
    }
    assertThat(meter.last("old", 60)).isEqualTo(Measures.NONE);
    assertThat(meter.last("app", 60).latency().count()).isEqualTo(20);
    assertThat(meter.of("released", "r1", Phase.DURING).latency().count()).isEqualTo(1);
    long kept = 0;
    for (int i = 0; i < 1_000; i++) {
      kept += meter.last("hostile-" + i, 60).latency().count();
    }
    assertThat(kept).isEqualTo(ServiceMeter.SERVICES - 2);
  }

  @Test
  void ofVersionsBeyondTheEighthOnlyTheSumIsCounted() {
    for (int i = 0; i < 100; i++) {
      comes("app/hostile-" + i + "/a", 10, 5);
    }
    assertThat(meter.last("app", 60).versions()).hasSize(8);
    assertThat(meter.last("app", 60).latency().count()).isEqualTo(100);
    now += 1_000;
    comes("app/v1/a", 10, 5);
    assertThat(meter.last("app", 1).versions()).containsOnlyKeys("v1");
  }

  /** The feed has one thread for all replies of the cell. */
  @Test
  void aReplyCostsTheFeedLittleTimeAndNoMemory() {
    ServiceMeter real = new ServiceMeter();
    long accepted = System.currentTimeMillis();
    for (int i = 0; i < 8; i++) {
      real.begin("app-" + i, "r");
    }
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    long id = Thread.currentThread().getId();
    double best = Double.MAX_VALUE;
    double bytes = Double.MAX_VALUE;
    for (int round = 0; round < 60; round++) {
      // Decoded from a record as each is, a reply has a name of its own.
      ReplyEnvelope[] replies = new ReplyEnvelope[4_096];
      for (int i = 0; i < replies.length; i++) {
        String by = "app-" + i % 8 + "/v" + i % 3 + "/instance-" + i % 30;
        long took = 1_000 + (i * 7_919L) % 90_000;
        replies[i] = reply(by, ReplyOutcome.COMPLETED, 200, accepted - i % 500, took);
      }
      long allocated = threads.getThreadAllocatedBytes(id);
      long began = System.nanoTime();
      for (ReplyEnvelope reply : replies) {
        real.onReply(reply, false);
      }
      best = Math.min(best, (System.nanoTime() - began) / (double) replies.length);
      bytes =
          Math.min(
              bytes, (threads.getThreadAllocatedBytes(id) - allocated) / (double) replies.length);
    }
    assertThat(best).as("ns a reply").isLessThan(600);
    assertThat(bytes).as("bytes a reply").isLessThan(1);
  }
}
