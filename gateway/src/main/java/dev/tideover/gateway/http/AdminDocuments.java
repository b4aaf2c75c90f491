package dev.tideover.gateway.http;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.tideover.gateway.config.Units;
import dev.tideover.gateway.release.Operations;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.InstanceReport;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** What the operators' API tells of services, as JSON (docs/openapi.yaml). */
final class AdminDocuments {

  /**
   * How a service stands.
   *
   * @param newer a state that this gateway may not have seen come back yet; null for none
   * @param load what waits for it; null where that isn't known
   */
  static void service(
      JsonGenerator json,
      Operations.ServiceState state,
      @Nullable DesiredState newer,
      @Nullable ServiceLoad load)
      throws IOException {
    DesiredState seen = state.desired();
    DesiredState desired =
        newer != null && (seen == null || newer.epoch() > seen.epoch()) ? newer : seen;
    json.writeStringField("name", state.service());
    json.writeBooleanField("current", state.current());
    desired(json, desired);
    json.writeArrayFieldStart("instances");
    for (Operations.Instance instance : state.instances()) {
      instance(json, instance);
    }
    json.writeEndArray();
    json.writeFieldName("backlog");
    backlog(json, load);
    json.writeArrayFieldStart("problems");
    for (String problem : state.problems()) {
      json.writeString(problem);
    }
    json.writeEndArray();
  }

  private static void desired(JsonGenerator json, @Nullable DesiredState desired)
      throws IOException {
    json.writeNumberField("epoch", desired == null ? 0 : desired.epoch());
    json.writeStringField("since", desired == null ? null : time(desired.since()));
    json.writeStringField("by", desired == null ? null : desired.by());
    json.writeStringField("activeVersion", desired == null ? null : desired.activeVersion());
    json.writeBooleanField("held", desired != null && desired.held());
    json.writeBooleanField("starting", desired == null || !desired.holds());
    json.writeFieldName("ratePerSecond");
    if (desired == null || desired.rate() == 0) {
      json.writeNull();
    } else {
      json.writeNumber(desired.rate());
    }
    json.writeFieldName("release");
    DesiredState.Release release = desired == null ? null : desired.release();
    if (release == null) {
      json.writeNull();
    } else {
      release(json, release);
    }
  }

  private static void release(JsonGenerator json, DesiredState.Release release) throws IOException {
    json.writeStartObject();
    json.writeStringField("id", release.id());
    json.writeStringField("from", release.from());
    json.writeStringField("to", release.to());
    json.writeStringField("step", release.step().text());
    json.writeBooleanField("running", !release.step().isEnd());
    json.writeStringField("began", time(release.began()));
    json.writeStringField("prepare", duration(release.prepareMillis()));
    json.writeStringField("maxHold", duration(release.maxHoldMillis()));
    json.writeStringField("verify", duration(release.verifyMillis()));
    json.writeNumberField("instances", release.instances());
    json.writeStringField("reason", release.reason());
    json.writeEndObject();
  }

  private static void instance(JsonGenerator json, Operations.Instance instance)
      throws IOException {
    InstanceReport report = instance.report();
    InstanceReport.Counts counts = report.counts();
    json.writeStartObject();
    json.writeStringField("version", report.version());
    json.writeStringField("instance", report.instance());
    json.writeStringField("state", report.state().text());
    json.writeNumberField("epochSeen", report.epochSeen());
    json.writeNumberField("silentMs", Math.max(0, instance.silentMillis()));
    json.writeNumberField("partitions", report.partitions());
    json.writeNumberField("running", counts.running());
    json.writeNumberField("oldestMs", counts.oldestMillis());
    json.writeNumberField("handled", counts.handled());
    json.writeNumberField("errors", counts.errors());
    json.writeNumberField("dead", counts.dead());
    json.writeNumberField("parked", counts.parked());
    json.writeEndObject();
  }

  private static void backlog(JsonGenerator json, @Nullable ServiceLoad load) throws IOException {
    if (load == null) {
      json.writeNull();
      return;
    }
    json.writeStartObject();
    json.writeNumberField("waiting", load.waiting());
    json.writeFieldName("oldestMs");
    Duration oldest = load.oldest();
    if (oldest == null) {
      json.writeNull();
    } else {
      json.writeNumber(oldest.toMillis());
    }
    json.writeFieldName("donePerSecond");
    json.writeNumber(rounded(load.perSecond()));
    json.writeEndObject();
  }

  /** Finite, with one decimal; no more is known of it. */
  static BigDecimal rounded(double value) {
    return BigDecimal.valueOf(value).setScale(1, RoundingMode.HALF_UP);
  }

  static String time(long epochMillis) {
    return Instant.ofEpochMilli(epochMillis).toString();
  }

  private static String duration(long millis) {
    return Units.text(Duration.ofMillis(millis));
  }

  private AdminDocuments() {}
}
