package dev.tideover.gateway.release;

import dev.tideover.gateway.release.ReleaseHistory.Entry;
import dev.tideover.gateway.release.ReleaseHistory.Mark;
import dev.tideover.gateway.release.ReleaseReport.StepTime;
import dev.tideover.gateway.release.ServiceMeter.Phase;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Puts together what is known of a release. */
final class Reports {

  /**
   * What is measured of a release.
   *
   * @param held requests that waited for the new version
   * @param kept whether they are this release's; those of one before the last are not kept
   */
  record Figures(Measures before, Measures during, Measures after, long held, boolean kept) {
    static Figures of(ServiceMeter meter, String service, String release) {
      return new Figures(
          meter.of(service, release, Phase.BEFORE),
          meter.of(service, release, Phase.DURING),
          meter.of(service, release, Phase.AFTER),
          meter.held(service, release),
          meter.keeps(service, release));
    }
  }

  static ReleaseReport of(String service, Entry entry, Figures figures, long nowNanos) {
    Release release = entry.release();
    Measures during = figures.during();
    Measures after = figures.after();
    Map<String, Measures.OfVersion> versions = new TreeMap<>(during.versions());
    after.versions().forEach((version, its) -> versions.merge(version, its, Reports::both));
    long dead = versions.values().stream().mapToLong(Measures.OfVersion::dead).sum();
    List<Mark> marks = entry.marks();
    long end = entry.isOver() ? marks.get(marks.size() - 1).nanos() : nowNanos;
    return new ReleaseReport(
        service,
        release.id(),
        release.from(),
        release.to(),
        result(release.step()),
        release.reason(),
        release.began(),
        millis(entry.beganNanos(), end),
        release.step(),
        steps(marks, end),
        figures.held(),
        Math.max(during.longestHeldMillis(), after.longestHeldMillis()),
        dead + entry.clientsFailed(),
        during.repeated() + after.repeated(),
        figures.before().latency(),
        during.latency(),
        after.latency(),
        Map.copyOf(versions),
        entry.whole() && figures.kept(),
        notes(entry, figures.kept()));
  }

  private static String result(Step step) {
    return step.isEnd() ? step.text() : "running";
  }

  private static List<StepTime> steps(List<Mark> marks, long end) {
    List<StepTime> steps = new ArrayList<>();
    for (int i = 0; i < marks.size(); i++) {
      Mark mark = marks.get(i);
      if (!mark.step().isEnd()) {
        long until = i + 1 < marks.size() ? marks.get(i + 1).nanos() : end;
        steps.add(new StepTime(mark.step(), millis(mark.nanos(), until)));
      }
    }
    return List.copyOf(steps);
  }

  private static List<String> notes(Entry entry, boolean kept) {
    List<String> notes = new ArrayList<>();
    if (!kept) {
      notes.add(
          "This gateway has no figures of it, so those here mean nothing: it ended at once, or"
              + " another release has begun since, whose figures are kept instead.");
    }
    if (!entry.whole()) {
      notes.add(
          "This gateway was not there from the beginning: the figures are of what it has seen since"
              + " it started. Another gateway may know more.");
    }
    return List.copyOf(notes);
  }

  /** Medians can't be added: that of the time with more replies stands for both. */
  private static Measures.OfVersion both(Measures.OfVersion one, Measures.OfVersion other) {
    Measures.Latency more =
        one.handling().count() >= other.handling().count() ? one.handling() : other.handling();
    return new Measures.OfVersion(
        one.replies() + other.replies(),
        one.errors() + other.errors(),
        one.dead() + other.dead(),
        more);
  }

  private static long millis(long from, long to) {
    return Math.max(0, (to - from) / 1_000_000);
  }

  private Reports() {}
}
