package dev.tideover.gateway.http;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One thing that the gateway's readiness rests on.
 *
 * @param name its key in the answer
 * @param weight what a problem means
 * @param problem what is wrong now, for an operator; null for nothing. Called on an event loop for
 *     each probe: it must neither block nor do I/O
 */
public record HealthCheck(String name, Weight weight, Supplier<@Nullable String> problem) {

  /** What a problem means for the whole. */
  public enum Weight {
    /** The gateway works and somebody should look: {@code warn}, 200. */
    WARN,
    /** Send no requests here: {@code fail}, 503. */
    FAIL
  }

  /** A check that keeps requests away while it has a problem. */
  public static HealthCheck required(String name, Supplier<@Nullable String> problem) {
    return new HealthCheck(name, Weight.FAIL, problem);
  }

  /** A check that only warns. */
  public static HealthCheck advisory(String name, Supplier<@Nullable String> problem) {
    return new HealthCheck(name, Weight.WARN, problem);
  }
}
