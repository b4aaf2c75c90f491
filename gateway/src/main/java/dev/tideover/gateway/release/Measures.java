package dev.tideover.gateway.release;

import java.util.Map;

/**
 * What was seen of a service's replies over some time, by this gateway, of all gateways' clients.
 * Immutable.
 *
 * @param latency from acceptance to the reply's arrival here
 * @param repeated second replies of the same request
 * @param longestHeldMillis the longest that a request waited before its handler began
 * @param versions by label, what each version did
 */
public record Measures(
    Latency latency, long repeated, long longestHeldMillis, Map<String, OfVersion> versions) {

  /**
   * Of one version.
   *
   * @param replies of outcome completed
   * @param errors of those with status 500 and up
   * @param dead requests that it made dead letters
   * @param handling how long its handler ran
   */
  public record OfVersion(long replies, long errors, long dead, Latency handling) {}

  /** In milliseconds; NaN where the count is 0. */
  public record Latency(long count, double p50Millis, double p99Millis, double maxMillis) {
    /** Of nothing. */
    public static final Latency NONE = new Latency(0, Double.NaN, Double.NaN, Double.NaN);
  }

  /** Of nothing. */
  public static final Measures NONE = new Measures(Latency.NONE, 0, 0, Map.of());
}
