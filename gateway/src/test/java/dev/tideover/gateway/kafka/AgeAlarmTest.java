package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AgeAlarmTest {

  private static final Duration RETENTION = Duration.ofMinutes(100);
  private static final Instant OLDEST = Instant.parse("2026-11-24T10:00:00Z");

  private final String service = "svc-" + UUID.randomUUID();
  private final AgeAlarm alarm = new AgeAlarm(service);
  private final LogLines log = LogLines.of(AgeAlarm.class);

  @AfterEach
  void close() {
    log.close();
  }

  /** Of 100 minutes, a minute is a percent. */
  private void atPercent(double percent) {
    Instant now = OLDEST.plusMillis((long) (60_000 * percent));
    alarm.observe(OLDEST, RETENTION, 80, now);
  }

  @Test
  void belowHalfTheRetentionNothingIsSaid() {
    atPercent(0);
    atPercent(49.9);

    assertThat(alarm.isTooOld()).isFalse();
    assertThat(log.with(service)).isEmpty();
  }

  @Test
  void fromHalfTheRetentionOnAWarningComesOnceAMinuteAndSaysWhatWillBeLostWhen() {
    for (double percent = 50; percent < 53; percent += 0.1) {
      atPercent(percent);
    }

    assertThat(alarm.isTooOld()).isFalse();
    assertThat(log.with(service)).hasSize(3);
    assertThat(log.with(service).get(0))
        .startsWith("WARN ")
        .contains("has waited for 50 min, 50 % of the 1 h 40 min")
        .contains("From 2026-11-24T11:40:00Z on it can be deleted unhandled")
        .contains("At 80 % requests for it will be refused")
        .contains("consumer group " + service);
  }

  @Test
  void atTheLimitRequestsAreRefusedAndAnErrorSaysSoAtOnce() {
    atPercent(79.9);
    assertThat(alarm.isTooOld()).isFalse();
    atPercent(80);

    assertThat(alarm.isTooOld()).isTrue();
    assertThat(log.with(service)).hasSize(2);
    assertThat(log.with(service).get(1)).startsWith("ERROR ").contains("refused with 503");
  }

  @Test
  void theyAreTakenAgainTwoPointsBelowTheLimitAndNotBefore() {
    atPercent(80);
    atPercent(79);
    atPercent(78);
    assertThat(alarm.isTooOld()).isTrue();

    atPercent(77.9);
    assertThat(alarm.isTooOld()).isFalse();
    assertThat(log.with("no longer refused")).hasSize(1);
    assertThat(log.with("no longer refused").get(0)).startsWith("INFO ");

    atPercent(79.9);
    assertThat(alarm.isTooOld()).isFalse();
  }

  @Test
  void aDrainedBacklogIsNotTooOld() {
    atPercent(90);
    assertThat(alarm.isTooOld()).isTrue();

    alarm.observe(null, RETENTION, 80, OLDEST.plus(RETENTION));

    assertThat(alarm.isTooOld()).isFalse();
  }

  @Test
  void whatIsNotKnownAnyMoreRefusesNothing() {
    atPercent(90);

    alarm.clear();

    assertThat(alarm.isTooOld()).isFalse();
  }

  @Test
  void aTimestampOfTheFutureIsNoAge() {
    atPercent(-1_000);

    assertThat(alarm.isTooOld()).isFalse();
    assertThat(log.with(service)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "PT0S, 0 s",
    "PT59.9S, 59 s",
    "PT61S, 1 min 1 s",
    "PT1H, 1 h",
    "PT1H59S, 1 h",
    "PT84H, 3 d 12 h",
    "P7D, 7 d"
  })
  void aDurationIsSaidInItsTwoLargestUnits(Duration duration, String text) {
    assertThat(AgeAlarm.text(duration)).isEqualTo(text);
  }
}
