package dev.tideover.demo;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
  @Test
  void theFileHasExactlyTheAgreedKeysAndTheWaitsInMilliseconds(@TempDir Path directory)
      throws Exception {
    var verdict = new Verdict(10, 9, 1, 2, 3, 4, 5, 6, Map.of("v1", 4, "v2", 5));
    var traffic =
        new TrafficClient.Result(
            List.of(), 77, new TrafficClient.Waits(1_500, 20_250, 6_123_900), Map.of());
    Path file = directory.resolve("report.json");

    Report.of(verdict, traffic, 456L).write(file);

    JsonNode json = new ObjectMapper().readTree(file.toFile());
    assertThat(json.fieldNames())
        .toIterable()
        .containsExactly(
            "sent",
            "answered",
            "failed",
            "accepted202",
            "lost",
            "duplicated",
            "outOfOrder",
            "wrongReply",
            "heldPeak",
            "longestHoldMs",
            "p50Ms",
            "p99Ms",
            "firstReplyAfterReadyMs",
            "answeredBy");
    assertThat(json.get("heldPeak").asInt()).isEqualTo(77);
    assertThat(json.get("longestHoldMs").asLong()).isEqualTo(6124);
    assertThat(json.get("p50Ms").asDouble()).isEqualTo(1.5);
    assertThat(json.get("p99Ms").asDouble()).isEqualTo(20.3);
    assertThat(json.get("firstReplyAfterReadyMs").asLong()).isEqualTo(456);
    assertThat(json.get("answeredBy").get("v2").asInt()).isEqualTo(5);
  }
}
