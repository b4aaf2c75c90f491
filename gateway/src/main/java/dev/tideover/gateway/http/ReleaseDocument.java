package dev.tideover.gateway.http;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import dev.tideover.gateway.release.Measures;
import dev.tideover.gateway.release.ReleaseReport;
import dev.tideover.wire.DesiredState;
import java.io.IOException;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A release's report as JSON (docs/openapi.yaml), there and back. */
public final class ReleaseDocument {

  /** Writes its members. */
  static void write(JsonGenerator json, ReleaseReport report) throws IOException {
    json.writeStringField("service", report.service());
    json.writeStringField("id", report.id());
    json.writeStringField("from", report.from());
    json.writeStringField("to", report.to());
    json.writeStringField("result", report.result());
    json.writeStringField("reason", report.reason());
    json.writeStringField("began", AdminDocuments.time(report.began()));
    json.writeNumberField("tookMs", report.millis());
    json.writeStringField("step", report.step().text());
    json.writeArrayFieldStart("steps");
    for (ReleaseReport.StepTime step : report.steps()) {
      json.writeStartObject();
      json.writeStringField("step", step.step().text());
      json.writeNumberField("tookMs", step.millis());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeNumberField("held", report.held());
    json.writeNumberField("longestHoldMs", report.longestHoldMillis());
    json.writeNumberField("failed", report.failed());
    json.writeNumberField("duplicates", report.duplicates());
    latency(json, "before", report.before());
    latency(json, "during", report.during());
    latency(json, "after", report.after());
    json.writeObjectFieldStart("versions");
    for (Map.Entry<String, Measures.OfVersion> entry : report.versions().entrySet()) {
      Measures.OfVersion version = entry.getValue();
      json.writeObjectFieldStart(entry.getKey());
      json.writeNumberField("replies", version.replies());
      json.writeNumberField("errors", version.errors());
      json.writeNumberField("dead", version.dead());
      latency(json, "handling", version.handling());
      json.writeEndObject();
    }
    json.writeEndObject();
    json.writeBooleanField("whole", report.whole());
    json.writeArrayFieldStart("notes");
    for (String note : report.notes()) {
      json.writeString(note);
    }
    json.writeEndArray();
  }

  private static void latency(JsonGenerator json, String name, Measures.Latency latency)
      throws IOException {
    json.writeObjectFieldStart(name);
    json.writeNumberField("count", latency.count());
    millis(json, "p50Ms", latency.p50Millis());
    millis(json, "p99Ms", latency.p99Millis());
    millis(json, "maxMs", latency.maxMillis());
    json.writeEndObject();
  }

  /** Null for what isn't known: JSON has no NaN. */
  private static void millis(JsonGenerator json, String name, double value) throws IOException {
    json.writeFieldName(name);
    if (Double.isFinite(value)) {
      json.writeNumber(AdminDocuments.rounded(value));
    } else {
      json.writeNull();
    }
  }

  /**
   * Reads one that a gateway has written; what is missing is taken for nothing, so that another
   * version of it can be read.
   *
   * @throws IllegalArgumentException if it says what can't be
   */
  public static ReleaseReport read(JsonNode json) {
    List<ReleaseReport.StepTime> steps = new ArrayList<>();
    for (JsonNode step : json.path("steps")) {
      steps.add(
          new ReleaseReport.StepTime(
              step(step.path("step").asText()), step.path("tookMs").asLong()));
    }
    Map<String, Measures.OfVersion> versions = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : json.path("versions").properties()) {
      JsonNode version = entry.getValue();
      versions.put(
          entry.getKey(),
          new Measures.OfVersion(
              version.path("replies").asLong(),
              version.path("errors").asLong(),
              version.path("dead").asLong(),
              latency(version.path("handling"))));
    }
    List<String> notes = new ArrayList<>();
    json.path("notes").forEach(note -> notes.add(note.asText()));
    return new ReleaseReport(
        json.path("service").asText(),
        json.path("id").asText(),
        json.path("from").asText(),
        json.path("to").asText(),
        json.path("result").asText(),
        json.path("reason").asText(),
        time(json.path("began").asText()),
        json.path("tookMs").asLong(),
        step(json.path("step").asText()),
        steps,
        json.path("held").asLong(),
        json.path("longestHoldMs").asLong(),
        json.path("failed").asLong(),
        json.path("duplicates").asLong(),
        latency(json.path("before")),
        latency(json.path("during")),
        latency(json.path("after")),
        versions,
        json.path("whole").asBoolean(),
        notes);
  }

  private static Measures.Latency latency(JsonNode json) {
    return new Measures.Latency(
        json.path("count").asLong(),
        json.path("p50Ms").asDouble(Double.NaN),
        json.path("p99Ms").asDouble(Double.NaN),
        json.path("maxMs").asDouble(Double.NaN));
  }

  private static DesiredState.Step step(String text) {
    for (DesiredState.Step step : DesiredState.Step.values()) {
      if (step.text().equals(text)) {
        return step;
      }
    }
    throw new IllegalArgumentException("\"" + text + "\" is no step of a release");
  }

  private static long time(String text) {
    try {
      return Instant.parse(text).toEpochMilli();
    } catch (DateTimeParseException e) {
      throw new IllegalArgumentException("\"" + text + "\" is no time", e);
    }
  }

  private ReleaseDocument() {}
}
