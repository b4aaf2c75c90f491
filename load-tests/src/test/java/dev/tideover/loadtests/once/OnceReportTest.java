package dev.tideover.loadtests.once;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.loadtests.once.Checker.Verdict;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class OnceReportTest {

  private final Map<String, Integer> killed =
      new HashMap<>(
          Map.of(
              "gateway1",
              2,
              "gateway2",
              2,
              "service1",
              2,
              "service2",
              2,
              "service3",
              2,
              "postgres",
              2,
              "broker",
              1));
  private final Map<String, Long> counts =
      new HashMap<>(
          Map.of("resent", 300L, "connections lost", 40L, "replayed", 90L, "swept", 300L));
  private int successes = 1_000;
  private int mismatches = 90;
  private int cutOff = 4;
  private int cutOffEffects = 2;

  @Test
  void aRunInWhichAllHappenedCounts() {
    assertThat(report().reasonsForVoid()).isEmpty();
    assertThat(report().json()).contains("\"result\": \"PASS\"", "\"postgres\": 2");
  }

  @Test
  void aProcessThatWasKilledTooSeldomMakesTheRunVoid() {
    killed.put("gateway2", 1);
    isVoid("gateway2");
    killed.remove("gateway2");
    isVoid("not everything");
  }

  @Test
  void resendsThatDidNotHappenMakeTheRunVoid() {
    for (String what : List.copyOf(counts.keySet())) {
      Long was = counts.put(what, 1L);
      isVoid("only 1 " + what);
      counts.put(what, was == null ? 0 : was);
    }
  }

  @Test
  void killsThatHitNothingMakeTheRunVoid() {
    cutOffEffects = 0;
    isVoid("between its effect and its reply");
    cutOff = 0;
    assertThat(report().reasonsForVoid()).hasSize(2);
  }

  @Test
  void tooFewAnswersMakeTheRunVoid() {
    mismatches = 0;
    isVoid("422");
    mismatches = 90;
    successes = 100;
    isVoid("successes");
  }

  private void isVoid(String reason) {
    assertThat(report().reasonsForVoid()).singleElement().asString().contains(reason);
    assertThat(report().json()).contains("\"result\": \"VOID\"");
  }

  private OnceReport report() {
    Verdict verdict =
        new Verdict(
            List.of(), 1_000, successes, mismatches, 0, 1_000, 3, Map.of(), cutOff, cutOffEffects);
    return new OnceReport(verdict, true, 1, 2, killed, 1_000, 3, counts);
  }
}
