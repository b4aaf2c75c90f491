package dev.tideover.gateway.release;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.release.Measures.Latency;
import dev.tideover.gateway.release.Verification.Before;
import dev.tideover.gateway.release.Verification.Trial;
import java.util.List;
import org.junit.jupiter.api.Test;

class VerificationTest {

  private static final Latency QUICK = new Latency(1_000, 4, 20, 50);
  private static final Before GOOD = new Before("v1", 10_000, 10, 1_000, 0, QUICK);

  private static Trial trial(long handled, long errors) {
    return new Trial("v2", List.of(), handled, errors, 0, "", Latency.NONE, false);
  }

  private static Trial hangs(long millis) {
    return new Trial("v2", List.of(), 100, 0, millis, "v2/a", Latency.NONE, false);
  }

  @Test
  void saysHowManyFailed() {
    assertThat(Verification.judge(GOOD, trial(210, 37)))
        .isEqualTo("37 of 210 requests failed at v2, 0.1 % at v1");
  }

  @Test
  void fewFailuresSayNothing() {
    assertThat(Verification.judge(GOOD, trial(4, 4))).isNull();
    assertThat(Verification.judge(GOOD, trial(5, 5))).isNotNull();
  }

  @Test
  void aVersionThatOnlyFailsIsNoGoodHoweverSeldomItWasAsked() {
    Before failing = new Before("v1", 10, 6, 0, 0, QUICK);

    assertThat(Verification.judge(GOOD, atEnd(4, 4)))
        .isEqualTo("Nothing has succeeded at v2: all of 4 failed, 0.1 % at v1");
    assertThat(Verification.judge(GOOD, atEnd(5, 4))).isNull();
    assertThat(Verification.judge(GOOD, atEnd(0, 0))).isNull();
    assertThat(Verification.judge(failing, atEnd(4, 4))).isNull();
  }

  private static Trial atEnd(long handled, long errors) {
    return new Trial("v2", List.of(), handled, errors, 0, "", Latency.NONE, true);
  }

  @Test
  void aVersionMayFailAboutAsOftenAsTheOneBefore() {
    Before failing = new Before("v1", 1_000, 100, 0, 0, QUICK);

    assertThat(Verification.judge(failing, trial(1_000, 169))).isNull();
    assertThat(Verification.judge(failing, trial(1_000, 171))).contains("10.0 % at v1");
    assertThat(Verification.judge(GOOD, trial(1_000, 21))).isNull();
    assertThat(Verification.judge(GOOD, trial(1_000, 22))).isNotNull();
  }

  @Test
  void theLastMinuteCountsWhereItWasWorseThanTheLifetime() {
    Before failsNow = new Before("v1", 1_000_000, 0, 1_000, 200, QUICK);

    assertThat(Verification.judge(failsNow, trial(100, 20))).isNull();
  }

  @Test
  void aCrashIsEnough() {
    Trial crashed = new Trial("v2", List.of("v2/a", "v2/b"), 0, 0, 0, "", Latency.NONE, false);

    assertThat(Verification.judge(GOOD, crashed)).startsWith("Instance v2/a and 1 more crashed");
  }

  @Test
  void aHandlerHangsThatTakesFarLongerThanBefore() {
    assertThat(Verification.judge(GOOD, hangs(5_000))).isNull();
    assertThat(Verification.judge(GOOD, hangs(5_100)))
        .isEqualTo("A handler hangs at v2/a: it has run for 5.1 s; at v1 99 % ended within 20 ms");
    Before slow = new Before("v1", 1, 0, 1, 0, new Latency(1_000, 4_000, 8_000, 9_000));
    assertThat(Verification.judge(slow, hangs(40_000))).isNull();
    assertThat(Verification.judge(slow, hangs(40_100))).isNotNull();
  }

  @Test
  void whereNothingIsKnownOfBeforeItHasMoreTime() {
    Before unknown = new Before("v1", 0, 0, 0, 0, Latency.NONE);

    assertThat(Verification.judge(unknown, hangs(30_000))).isNull();
    assertThat(Verification.judge(unknown, hangs(31_000))).isNotNull();
  }

  @Test
  void slownessCountsAtTheEndAndWithEnoughSamples() {
    Latency slow = new Latency(100, 33, 100, 200);
    Latency few = new Latency(99, 33, 100, 200);
    Latency close = new Latency(100, 31, 100, 200);

    assertThat(Verification.judge(GOOD, took(slow, false))).isNull();
    assertThat(Verification.judge(GOOD, took(few, true))).isNull();
    assertThat(Verification.judge(GOOD, took(close, true))).isNull();
    assertThat(Verification.judge(GOOD, took(slow, true)))
        .isEqualTo("The handler takes 33 ms at v2, 4.0 ms at v1 (median)");
  }

  private static Trial took(Latency handling, boolean atEnd) {
    return new Trial("v2", List.of(), 100, 0, 0, "", handling, atEnd);
  }
}
