package dev.tideover.gateway.release;

import dev.tideover.wire.DesiredState;
import java.util.List;
import java.util.Map;

/**
 * How a release went, or goes. Immutable.
 *
 * @param result {@code running}, {@code done}, {@code rolled-back} or {@code abandoned}
 * @param reason why, for people; empty where all went well
 * @param began epoch milliseconds
 * @param millis from its beginning to its end, or to now
 * @param steps in their order, with how long each took
 * @param held requests that waited for the new version
 * @param longestHoldMillis the longest that one of them waited
 * @param failed requests that ended without their service's reply: dead letters; client waits that
 *     ended with 5xx of this gateway
 * @param duplicates requests whose handler has run twice
 * @param whole whether this gateway was there from its beginning, so that the figures are of all
 * @param notes what else a person should know, a line each
 */
public record ReleaseReport(
    String service,
    String id,
    String from,
    String to,
    String result,
    String reason,
    long began,
    long millis,
    DesiredState.Step step,
    List<StepTime> steps,
    long held,
    long longestHoldMillis,
    long failed,
    long duplicates,
    Measures.Latency before,
    Measures.Latency during,
    Measures.Latency after,
    Map<String, Measures.OfVersion> versions,
    boolean whole,
    List<String> notes) {

  /** How long a step took. */
  public record StepTime(DesiredState.Step step, long millis) {}
}
