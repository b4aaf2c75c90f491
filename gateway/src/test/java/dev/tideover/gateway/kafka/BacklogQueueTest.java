package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BacklogQueueTest {

  @ParameterizedTest
  @CsvSource({
    "PT0S, PT1S",
    "PT0.3S, PT1S",
    "PT1S, PT1S",
    "PT1.001S, PT2S",
    "PT17.5S, PT18S",
    "PT30S, PT30S",
    "PT12H, PT30S"
  })
  void aClientIsToldToComeBackWhenItsTurnComesButNotTooSoonAndNotTooLate(
      Duration eta, Duration retryAfter) {
    assertThat(new Backlog.Queue(3, eta).retryAfter()).isEqualTo(retryAfter);
  }

  @Test
  void whereItsTurnIsNotKnownItIsToldFiveSeconds() {
    assertThat(new Backlog.Queue(3, null).retryAfter()).isEqualTo(Duration.ofSeconds(5));
  }
}
