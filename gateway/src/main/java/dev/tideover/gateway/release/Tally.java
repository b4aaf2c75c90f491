package dev.tideover.gateway.release;

import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is counted of a service's replies over some time. Memory is bounded: of more than {@link
 * #VERSIONS} versions the later ones count only in what is of all. Not safe for threads.
 */
final class Tally {

  /** How many versions are told apart. */
  static final int VERSIONS = 8;

  private static final class OfVersion {
    String label = "";
    long replies;
    long errors;
    long dead;
    final Histogram handling = new Histogram();

    void clear() {
      replies = 0;
      errors = 0;
      dead = 0;
      handling.clear();
    }

    void add(OfVersion other) {
      replies += other.replies;
      errors += other.errors;
      dead += other.dead;
      handling.add(other.handling);
    }
  }

  private final Histogram latency = new Histogram();
  private long repeated;
  private long longestHeldMillis;

  /** Those in use first; what is behind them waits to be used again. */
  private final @Nullable OfVersion[] versions = new OfVersion[VERSIONS];

  private int used;

  /**
   * Counts a reply.
   *
   * @param latencyMillis how long it took from the request's acceptance; negative if that isn't
   *     known
   */
  void count(ReplyEnvelope reply, String version, boolean again, long latencyMillis) {
    boolean completed = reply.outcome() == ReplyOutcome.COMPLETED;
    if (!completed && reply.outcome() != ReplyOutcome.DEAD) {
      return;
    }
    OfVersion its = of(version);
    if (!completed) {
      if (its != null) {
        its.dead++;
      }
      return;
    }
    ReplyEnvelope.Timing timing = reply.timing();
    long tookMicros = timing == null ? ReplyEnvelope.NONE : timing.took();
    if (its != null) {
      its.replies++;
      if (reply.status() >= 500) {
        its.errors++;
      }
      if (tookMicros >= 0) {
        its.handling.record(tookMicros);
      }
    }
    if (again) {
      repeated++;
    } else if (latencyMillis >= 0) {
      latency.record(latencyMillis * 1_000);
      long held = latencyMillis - Math.max(0, tookMicros) / 1_000;
      longestHeldMillis = Math.max(longestHeldMillis, held);
    }
  }

  /** Null if there is no room for another one. */
  private @Nullable OfVersion of(String label) {
    for (int i = 0; i < used; i++) {
      OfVersion version = versions[i];
      if (version != null && version.label.equals(label)) {
        return version;
      }
    }
    if (used == VERSIONS) {
      return null;
    }
    OfVersion version = versions[used];
    if (version == null) {
      version = new OfVersion();
      versions[used] = version;
    }
    version.label = label;
    used++;
    return version;
  }

  void add(Tally other) {
    latency.add(other.latency);
    repeated += other.repeated;
    longestHeldMillis = Math.max(longestHeldMillis, other.longestHeldMillis);
    for (int i = 0; i < other.used; i++) {
      OfVersion its = other.versions[i];
      OfVersion here = its == null ? null : of(its.label);
      if (its != null && here != null) {
        here.add(its);
      }
    }
  }

  void clear() {
    latency.clear();
    repeated = 0;
    longestHeldMillis = 0;
    for (int i = 0; i < used; i++) {
      OfVersion version = versions[i];
      if (version != null) {
        version.clear();
      }
    }
    used = 0;
  }

  Measures measures() {
    Map<String, Measures.OfVersion> byLabel = new HashMap<>();
    for (int i = 0; i < used; i++) {
      OfVersion version = versions[i];
      if (version != null) {
        byLabel.put(
            version.label,
            new Measures.OfVersion(
                version.replies, version.errors, version.dead, latency(version.handling)));
      }
    }
    return new Measures(latency(latency), repeated, longestHeldMillis, Map.copyOf(byLabel));
  }

  private static Measures.Latency latency(Histogram micros) {
    return micros.count() == 0
        ? Measures.Latency.NONE
        : new Measures.Latency(
            micros.count(),
            micros.quantile(0.5) / 1_000,
            micros.quantile(0.99) / 1_000,
            micros.max() / 1_000.0);
  }
}
