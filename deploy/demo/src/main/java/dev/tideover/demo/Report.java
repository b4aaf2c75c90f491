package dev.tideover.demo;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The demo's result as its JSON report has it: the {@link Verdict}, and how long clients waited.
 *
 * @param heldPeak most requests that waited for their answer at one moment
 * @param longestHoldMs longest wait for an answer, from the moment the request was due
 * @param p50Ms median of those waits
 * @param p99Ms their 99th percentile
 * @param firstReplyAfterReadyMs from the new version's word that it is ready to its first reply at
 *     a client; null where it sent none
 */
@JsonPropertyOrder({
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
  "answeredBy"
})
record Report(
    int sent,
    int answered,
    int failed,
    int accepted202,
    int lost,
    int duplicated,
    int outOfOrder,
    int wrongReply,
    int heldPeak,
    long longestHoldMs,
    double p50Ms,
    double p99Ms,
    @Nullable Long firstReplyAfterReadyMs,
    Map<String, Integer> answeredBy) {

  static Report of(
      Verdict verdict, TrafficClient.Result traffic, @Nullable Long firstReplyAfterReadyMs) {
    return new Report(
        verdict.sent(),
        verdict.answered(),
        verdict.failed(),
        verdict.accepted202(),
        verdict.lost(),
        verdict.duplicated(),
        verdict.outOfOrder(),
        verdict.wrongReply(),
        traffic.heldPeak(),
        Math.round(traffic.waits().max() / 1000.0),
        Math.round(traffic.waits().p50() / 100.0) / 10.0,
        Math.round(traffic.waits().p99() / 100.0) / 10.0,
        firstReplyAfterReadyMs,
        verdict.answeredBy());
  }

  void write(Path file) throws IOException {
    var json = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
    Files.writeString(file, json.writeValueAsString(this) + "\n");
  }
}
