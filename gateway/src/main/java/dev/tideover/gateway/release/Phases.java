package dev.tideover.gateway.release;

import dev.tideover.gateway.release.ServiceMeter.Phase;
import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.DesiredState.Step;
import org.jspecify.annotations.Nullable;

/**
 * Keeps apart in the meter what belongs to which phase of a service's release. For one thread at a
 * time.
 */
final class Phases {

  /** With no reply that waited longer than this within the last seconds, all have caught up. */
  private static final long CAUGHT_UP_MILLIS = 1_000;

  private static final int CAUGHT_UP_SECONDS = 2;

  private final ServiceMeter meter;
  private final String service;
  private @Nullable String begun;
  private boolean after;
  private boolean ended;

  Phases(ServiceMeter meter, String service) {
    this.meter = meter;
    this.service = service;
  }

  /** The release stands at this step; to be told again and again. */
  void at(Release release) {
    if (!release.id().equals(begun)) {
      if (release.step().isEnd()) {
        return;
      }
      begun = release.id();
      after = false;
      ended = false;
      meter.begin(service, release.id());
    }
    if (release.step().isEnd() && !ended) {
      ended = true;
      meter.end(service, release.id());
    } else if (release.step() == Step.VERIFY && !after) {
      Measures last = meter.last(service, CAUGHT_UP_SECONDS);
      if (last.latency().count() > 0 && last.longestHeldMillis() < CAUGHT_UP_MILLIS) {
        after = true;
        meter.after(service, release.id());
      }
    }
  }

  /** What the verdict on a version on trial rests on. */
  ServiceWatch.Doing doing(Release release) {
    if (release.step() != Step.ACTIVATE && release.step() != Step.VERIFY) {
      return ServiceWatch.Doing.UNKNOWN;
    }
    Measures.Latency now = handling(release, Phase.AFTER);
    return new ServiceWatch.Doing(
        meter.of(service, release.id(), Phase.BEFORE),
        // A version that is too slow never catches up.
        now.count() >= Verification.LEAST_SAMPLES ? now : handling(release, Phase.DURING));
  }

  private Measures.Latency handling(Release release, Phase phase) {
    Measures.OfVersion its = meter.of(service, release.id(), phase).versions().get(release.to());
    return its == null ? Measures.Latency.NONE : its.handling();
  }
}
