package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ReplySearchTest {

  @Test
  void whoAsksWhenItsThreadHasEndedIsToldSoAndDoesNotWait() {
    ReplySearch search =
        ReplySearch.start(
            () -> {
              throw new OutOfMemoryError("made by this test");
            },
            "replies",
            Duration.ofSeconds(3));
    assertFails(search.find(0, RequestId.random(), 0, 1));

    assertFails(search.find(0, RequestId.random(), 0, 1));
    search.close();
  }

  private static void assertFails(CompletableFuture<ReplySearch.Result> result) {
    assertThatThrownBy(() -> result.get(10, TimeUnit.SECONDS))
        .hasCauseInstanceOf(KafkaUnavailableException.class);
  }
}
