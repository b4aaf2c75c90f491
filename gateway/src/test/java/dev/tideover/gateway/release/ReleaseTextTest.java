package dev.tideover.gateway.release;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.release.Measures.Latency;
import dev.tideover.gateway.release.Measures.OfVersion;
import dev.tideover.gateway.release.ReleaseReport.StepTime;
import dev.tideover.wire.DesiredState.Step;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ReleaseTextTest {

  private static final Latency BEFORE = new Latency(18_002, 4.2, 12.5, 41);

  @Test
  void saysFirstThatAllWentWell() {
    ReleaseReport report =
        new ReleaseReport(
            "orders",
            "id",
            "v1",
            "v2",
            "done",
            "",
            1_700_000_000_000L,
            42_640,
            Step.DONE,
            List.of(
                new StepTime(Step.PREPARE, 1_204),
                new StepTime(Step.DRAIN, 85),
                new StepTime(Step.ACTIVATE, 911),
                new StepTime(Step.VERIFY, 30_010)),
            1_204,
            870,
            0,
            0,
            BEFORE,
            new Latency(9_310, 4.4, 640, 870),
            new Latency(8_877, 4.1, 11, 30),
            Map.of(
                "v1", new OfVersion(4_122, 0, 0, new Latency(4_122, 2, 9, 12)),
                "v2", new OfVersion(14_065, 3, 0, new Latency(14_065, 2.1, 8.4, 15))),
            true,
            List.of());

    assertThat(ReleaseText.of(report))
        .isEqualTo(
            """
            orders: v1 -> v2: DONE in 42.6 s, v2 is active

              held                       1,204   the longest for 870 ms
              failed                         0
              duplicates                     0

              latency                 requests       p50       p99       max
                before                  18,002    4.2 ms     13 ms     41 ms
                during                   9,310    4.4 ms    640 ms    870 ms
                after                    8,877    4.1 ms     11 ms     30 ms

              version                  replies       5xx      dead  handler p50       p99
                v1                       4,122         0         0       2.0 ms    9.0 ms
                v2                      14,065         3         0       2.1 ms    8.4 ms

              steps: prepare 1.2 s, drain 85 ms, activate 911 ms, verify 30.0 s
            """);
  }

  @Test
  void saysWhyItWentBackAndWhatIsNotKnown() {
    ReleaseReport report =
        new ReleaseReport(
            "orders",
            "id",
            "v1",
            "2026.11.24-a-very-long-label",
            "rolled-back",
            "37 of 210 requests failed at 2026.11.24-a-very-long-label, 0.1 % at v1",
            1_700_000_000_000L,
            181_000,
            Step.ROLLED_BACK,
            List.of(new StepTime(Step.VERIFY, 1_500), new StepTime(Step.ROLL_BACK, 120)),
            0,
            0,
            2,
            1,
            Latency.NONE,
            new Latency(120, 4_000, 12_345, 60_000),
            Latency.NONE,
            Map.of(
                "2026.11.24-a-very-long-label",
                new OfVersion(173, 0, 0, new Latency(173, 200, 1_234, 15_000))),
            false,
            List.of(
                "This gateway was not there from the beginning: the figures are of what it has seen"
                    + " since it started."));

    String text = ReleaseText.of(report);

    assertThat(text)
        .isEqualTo(
            """
            orders: v1 -> 2026.11.24-a-very-long-label: ROLLED BACK after 3 min 1 s, v1 is
              active
              37 of 210 requests failed at 2026.11.24-a-very-long-label, 0.1 % at v1.

              held                           0
              failed                         2
              duplicates                     1

              latency                 requests       p50       p99       max
                before                       0         -         -         -
                during                     120  4,000 ms    12.3 s    60.0 s
                after                        0         -         -         -

              version                  replies       5xx      dead  handler p50       p99
                ...a-very-long-label       173         0         0       200 ms  1,234 ms

              steps: verify 1.5 s, roll-back 120 ms
              note: This gateway was not there from the beginning: the figures are of what
                    it has seen since it started.
            """);
    assertThat(text.lines()).allMatch(line -> line.length() <= 80);
  }
}
