package dev.tideover.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DisplayTest {
  private static final TrafficClient.Snapshot TRAFFIC =
      new TrafficClient.Snapshot(500, 300, 200, "v1", new TrafficClient.Waits(1500, 2500, 3500));

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  @Test
  void withoutATerminalEachMomentIsOnePlainLine() {
    Display display = display(false);
    display.show(Duration.ofMillis(2_500), TRAFFIC, 190, "v1");
    display.show(Duration.ofMillis(3_500), TRAFFIC, -1, "none");

    assertThat(text()).doesNotContain("\u001b");
    assertThat(text().lines())
        .hasSize(2)
        .satisfiesExactly(
            line ->
                assertThat(line)
                    .contains("2.5s", "sent 500", "answered 300", "waiting 200", "backlog 190")
                    .contains("service v1", "1.5 ms p50", "3.5 ms max"),
            line -> assertThat(line).contains("backlog ?", "service none"));
  }

  @Test
  void onATerminalTheBlockIsDrawnOverTheOneBeforeAndEventsStayAbove() {
    Display display = display(true);
    display.show(Duration.ofSeconds(1), TRAFFIC, 190, "v1");
    int height = (int) text().lines().count();
    bytes.reset();
    display.event(Duration.ofSeconds(2), "v1 is gone");
    String event = text();
    bytes.reset();
    display.show(Duration.ofSeconds(2), TRAFFIC, 190, "none");

    assertThat(event).startsWith("\u001b[" + height + "A\u001b[J").contains("v1 is gone");
    assertThat(text()).as("the event is not drawn over").doesNotContain("\u001b");
  }

  @Test
  void theTableHasEveryFigureOfTheReport() {
    var report =
        new Report(1, 2, 3, 4, 5, 6, 7, 8, 9, 10L, 11.5, 12.5, 13L, Map.of("v1", 14, "v2", 15));
    display(false).table(report, false);

    assertThat(text())
        .containsPattern("requests sent +1\n")
        .containsPattern("answered +2 ")
        .contains("v1 14", "v2 15")
        .containsPattern("failed +3\n")
        .containsPattern("202 +4\n")
        .containsPattern("lost +5\n")
        .containsPattern("duplicated +6\n")
        .containsPattern("out of order +7\n")
        .containsPattern("wrong reply +8\n")
        .containsPattern("at once +9\n")
        .containsPattern("longest wait +10 ms")
        .contains("11.5 ms, 12.5 ms", "13 ms");
  }

  private Display display(boolean terminal) {
    return new Display(new PrintStream(bytes, true, StandardCharsets.UTF_8), terminal);
  }

  private String text() {
    return bytes.toString(StandardCharsets.UTF_8);
  }
}
