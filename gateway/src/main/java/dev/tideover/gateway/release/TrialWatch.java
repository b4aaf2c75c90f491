package dev.tideover.gateway.release;

import dev.tideover.gateway.kafka.ControlTopic.Instance;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.InstanceReport;
import dev.tideover.wire.InstanceReport.Counts;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the instances of a service report, as it bears on the version on trial: what it has handled
 * since the trial began, which of its instances crashed, and whether one hangs. Owned by a {@link
 * ServiceWatch}, under its lock; time is a parameter, in steady nanoseconds.
 */
final class TrialWatch {

  /** Beyond this many instances of a service the others are not watched. */
  private static final int MAX_INSTANCES = 2_000;

  /** A pause in all reports that is longer than this is Kafka's, or this gateway's. */
  private static final long GAP_NANOS = 2_500_000_000L;

  /** After such a pause silence counts only when others have been heard for this long. */
  private static final long HEARD_NANOS = 4_000_000_000L;

  /** What is known of an instance. Counts are of its incarnation. */
  private static final class Seen {
    InstanceReport last;
    Counts base = Counts.NONE;
    long heardAt;
    long progressAt;
    boolean silent;

    Seen(InstanceReport last, long nanos) {
      this.last = last;
      this.heardAt = nanos;
      this.progressAt = nanos;
    }
  }

  private final Map<String, Seen> instances = new HashMap<>();
  private final Set<String> crashed = new LinkedHashSet<>();
  private @Nullable String release;
  private String version = "";

  /** Of incarnations that are over. */
  private long pastHandled;

  private long pastErrors;
  private long heardAt;
  private long heardSince;
  private @Nullable String bad;

  /** A release's version goes on trial, or with null nothing is. Idempotent. */
  void trial(@Nullable Release of) {
    String id = of == null ? null : of.id();
    if (id == null ? release == null : id.equals(release)) {
      return;
    }
    release = id;
    version = of == null ? "" : of.to();
    crashed.clear();
    pastHandled = 0;
    pastErrors = 0;
    bad = null;
    instances.values().removeIf(seen -> seen.silent);
    instances.values().forEach(seen -> seen.base = seen.last.counts());
  }

  void onReport(InstanceReport report, long nanos) {
    if (nanos - heardAt > GAP_NANOS) {
      heardSince = nanos;
    }
    heardAt = nanos;
    Seen seen = instances.get(report.key());
    if (seen == null) {
      if (instances.size() < MAX_INSTANCES) {
        instances.put(report.key(), new Seen(report, nanos));
      }
      return;
    }
    InstanceReport last = seen.last;
    if (!last.incarnation().equals(report.incarnation())) {
      // Who stands by, or leaves, has nothing to crash with: it begins a new life in the same one.
      if (last.state().isMember() && last.state() != InstanceReport.State.LEAVING) {
        crash(last);
      }
      past(seen);
      seen.base = Counts.NONE;
      seen.progressAt = nanos;
    } else if (report.counts().handled() != last.counts().handled()
        || report.counts().running() == 0) {
      seen.progressAt = nanos;
    }
    seen.silent = false;
    seen.heardAt = nanos;
    seen.last = report;
  }

  void onGone(InstanceReport last, boolean clean) {
    Seen seen = instances.get(last.key());
    if (seen == null) {
      return;
    }
    if (clean) {
      past(seen);
      instances.remove(last.key());
    } else if (release == null) {
      // Who was gone before a trial didn't crash in it.
      instances.remove(last.key());
    } else {
      seen.silent = true;
    }
  }

  /** Silence is a crash only if others were heard meanwhile: all are silent while Kafka is away. */
  private void settleSilent(long nanos) {
    boolean others = nanos - heardAt < GAP_NANOS && nanos - heardSince > HEARD_NANOS;
    instances
        .values()
        .removeIf(
            seen -> {
              if (!seen.silent || !others) {
                return false;
              }
              crash(seen.last);
              past(seen);
              return true;
            });
  }

  private void crash(InstanceReport last) {
    if (last.version().equals(version) && crashed.size() < MAX_INSTANCES) {
      crashed.add(last.key().substring(last.service().length() + 1));
    }
  }

  private void past(Seen seen) {
    if (seen.last.version().equals(version)) {
      pastHandled += seen.last.counts().handled() - seen.base.handled();
      pastErrors += seen.last.counts().errors() - seen.base.errors();
    }
  }

  /** What is held against the version on trial; once something is, it stays. */
  @Nullable String judge(
      Release of,
      List<Instance> live,
      Measures before,
      Measures.Latency now,
      boolean atEnd,
      long nanos) {
    settleSilent(nanos);
    if (bad == null && of.id().equals(release)) {
      bad = Verification.judge(before(of.from(), live, before), trialOf(live, now, atEnd));
    }
    return bad;
  }

  private static Verification.Before before(
      String version, List<Instance> live, Measures measures) {
    long handled = 0;
    long errors = 0;
    for (Instance instance : live) {
      if (instance.report().version().equals(version)) {
        Counts counts = instance.report().counts();
        // Those without an error were dead letters before the handler was asked.
        long unhandled = Math.max(0, counts.dead() - counts.errors());
        handled += counts.handled() + unhandled;
        errors += counts.errors() + unhandled;
      }
    }
    Measures.OfVersion replies = measures.versions().get(version);
    return replies == null
        ? new Verification.Before(version, handled, errors, 0, 0, Measures.Latency.NONE)
        : new Verification.Before(
            version,
            handled,
            errors,
            replies.replies() + replies.dead(),
            replies.errors() + replies.dead(),
            replies.handling());
  }

  private Verification.Trial trialOf(List<Instance> live, Measures.Latency now, boolean atEnd) {
    long handled = pastHandled;
    long errors = pastErrors;
    long oldest = 0;
    String oldestAt = "";
    for (Seen seen : instances.values()) {
      InstanceReport report = seen.last;
      if (!report.version().equals(version)) {
        continue;
      }
      Counts counts = report.counts();
      long failed = counts.errors() - seen.base.errors();
      // What can't even be read is kept without a handler's having failed. What has failed may be
      // among the errors several times, so this counts too few of them at most.
      long unhandled = Math.max(0, counts.parked() - failed);
      handled += counts.handled() - seen.base.handled() + unhandled;
      errors += failed + unhandled;
      if (counts.running() > 0 && !seen.silent) {
        // Up to its last report, not to now: while Kafka is away nobody can report progress.
        long stuck = Math.max(counts.oldestMillis(), (seen.heardAt - seen.progressAt) / 1_000_000);
        if (stuck > oldest && isHeard(live, report)) {
          oldest = stuck;
          oldestAt = report.version() + "/" + report.instance();
        }
      }
    }
    return new Verification.Trial(
        version, new ArrayList<>(crashed), handled, errors, oldest, oldestAt, now, atEnd);
  }

  private static boolean isHeard(List<Instance> live, InstanceReport report) {
    return live.stream().anyMatch(instance -> instance.report().key().equals(report.key()));
  }
}
