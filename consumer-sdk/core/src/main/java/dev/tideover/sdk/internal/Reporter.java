package dev.tideover.sdk.internal;

import dev.tideover.sdk.HeadOfLine;
import dev.tideover.sdk.internal.core.Core;
import dev.tideover.sdk.internal.core.View;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Shows once a second how things stand. On the owner thread. */
final class Reporter {

  private static final long INTERVAL = TimeUnit.SECONDS.toNanos(1);

  private final Meters meters;
  private final Events events;
  private final InstantSource clock;
  private long next;

  Reporter(Meters meters, Events events, InstantSource clock, long now) {
    this.meters = meters;
    this.events = events;
    this.clock = clock;
    this.next = now;
  }

  void report(Core<Delivery> core, long now) {
    if (now - next < 0) {
      return;
    }
    next = now + INTERVAL;
    View<Delivery> view = core.view();
    List<Meters.Partition> partitions = new ArrayList<>();
    for (View.Partition<Delivery> part : view.partitions()) {
      partitions.add(
          new Meters.Partition(
              part.partition().partition(), part.fill(), part.unfinished(), head(part)));
    }
    meters.snapshot(
        new Meters.Snapshot(
            view.inFlight(),
            view.limit(),
            view.waiting(),
            view.held(),
            view.finished(),
            events.dropped(),
            partitions));
  }

  private @Nullable HeadOfLine head(View.Partition<Delivery> part) {
    Delivery oldest = part.oldest();
    if (oldest == null) {
      return null;
    }
    Duration age =
        oldest.envelope == null
            ? Duration.ZERO
            : Duration.between(oldest.envelope.acceptedAt(), clock.instant());
    return new HeadOfLine(
        part.partition().partition(),
        part.offset(),
        oldest.envelope == null ? "" : oldest.envelope.id().toString(),
        age.isNegative() ? Duration.ZERO : age,
        part.attempts());
  }
}
