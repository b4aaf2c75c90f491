package dev.tideover.sdk.internal.core;

import org.jspecify.annotations.Nullable;

/**
 * Whether one more handler may start: how many run and may run, and whether what they all need is
 * there. Part of {@link Core}, with the same owner.
 */
final class Throttle<W> {

  private final Policy policy;
  private final Effects<W> effects;
  private final Pace pace;
  private final Breaker breaker = new Breaker();
  private final Permits permits = new Permits();

  private final Rate rate = new Rate();

  /** Whether an operator or a release wants nothing to start. */
  private boolean stopped;

  /** Whether at the last look one more might have started, but for the rate. */
  private boolean waitsForRate;

  /** The last one that was started to see whether the infrastructure is back. */
  private @Nullable Work<W> probe;

  Throttle(Policy policy, Effects<W> effects, long now) {
    this.policy = policy;
    this.effects = effects;
    this.pace = new Pace(policy.concurrency(), now);
  }

  Permits permits() {
    return permits;
  }

  /** How many handlers may run. */
  int limit() {
    return pace.limit();
  }

  /** How many tasks may be with the workers. */
  int allowance() {
    int limit = pace.limit();
    return limit >= policy.concurrency() ? limit + policy.surplus() : limit;
  }

  /** Whether nothing starts but probes. */
  boolean isHeld() {
    return breaker.state() != Breaker.State.CLOSED;
  }

  /** Whether nothing starts at all, since an operator or a release wants that. */
  boolean isStopped() {
    return stopped;
  }

  void hold(boolean held, long now) {
    if (stopped && !held) {
      pace.restart(now);
    }
    stopped = held;
    permits.hold(held);
  }

  void rate(double perSecond, long now) {
    rate.set(perSecond, now);
  }

  /** Whether no more than so many a second may start. */
  boolean isRated() {
    return rate.isLimited();
  }

  /** Before a round of starts. */
  void tick(long now) {
    pace.tick(now);
    waitsForRate = false;
  }

  /** Whether one may start beside what runs. */
  boolean mayStart(long now) {
    return permits.inUse() < allowance() && !permits.isAlarm() && isTimeToStart(now);
  }

  /** Whether one may start that has to be alone. */
  boolean mayStartAlone(long now) {
    return permits.inUse() == 0 && isTimeToStart(now);
  }

  private boolean isTimeToStart(long now) {
    if (stopped || !breaker.mayStart(now)) {
      return false;
    }
    waitsForRate = !rate.mayStart(now);
    return !waitsForRate;
  }

  /** A permit for one that may start. */
  Permits.Permit take(long now) {
    rate.started(now);
    return permits.take();
  }

  /** Whether there is room for one that was started before and has had its start recorded. */
  boolean hasRoom() {
    return !isHeld() && permits.inUse() < allowance();
  }

  /** Whether a permit that comes back lets nothing start. */
  boolean waitsForTime() {
    return stopped || waitsForRate || isHeld();
  }

  /** How long until time alone lets one start; {@code Long.MAX_VALUE} for never. */
  long untilStart(long now) {
    if (stopped) {
      return Long.MAX_VALUE;
    }
    return waitsForRate ? rate.untilNext(now) : breaker.untilProbe(now);
  }

  /** It is started. */
  void started(Work<W> work, long now) {
    work.ticket = breaker.started(now);
    if (isProbe(work)) {
      probe = work;
    }
  }

  boolean isProbe(Work<W> work) {
    return breaker.isProbe(work.ticket);
  }

  /** It won't tell whether the infrastructure is there: its handler hasn't run to an end. */
  void tellsNothing(Work<W> work, long now) {
    breaker.lost(work.ticket, now);
  }

  /** Some requests have become stale. */
  void revoked(long now) {
    if (probe != null && probe.isStale()) {
      breaker.lost(probe.ticket, now);
      probe = null;
    }
  }

  /** It has ended well. Whether its handler has run for it. */
  boolean succeeded(Work<W> work, long now) {
    long nanos = work.takeHandlerNanos();
    if (nanos > 0) {
      pace.sample(now, nanos, permits.inUse(), false);
      works(work, now);
      return true;
    }
    tellsNothing(work, now);
    return false;
  }

  /** Its handler has failed. */
  void failed(Work<W> work, Fault fault, String what, long now) {
    permits.endAlarm();
    long nanos = work.takeHandlerNanos();
    if (nanos > 0) {
      pace.sample(now, nanos, permits.inUse(), true);
    }
    if (fault.isInfrastructure()) {
      worksNot(work, fault, what, now);
    } else {
      works(work, now);
    }
  }

  private void works(Work<W> work, long now) {
    boolean wasHeld = isHeld();
    breaker.success(work.ticket);
    if (wasHeld && !isHeld()) {
      pace.restart(now);
      effects.resumed();
    }
  }

  private void worksNot(Work<W> work, Fault fault, String what, long now) {
    boolean wasHeld = isHeld();
    breaker.fault(work.ticket, fault == Fault.HOLD, now);
    if (!wasHeld && isHeld()) {
      effects.held(what);
    }
  }

  /** Of which number of permits on the owner has something to start, if something is ready. */
  int wakeAt() {
    int allowance = allowance();
    return allowance - Math.max(1, policy.surplus() == 0 ? 1 : allowance / 4);
  }
}
