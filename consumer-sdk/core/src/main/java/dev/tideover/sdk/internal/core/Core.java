package dev.tideover.sdk.internal.core;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * All that the engine decides. Events come as calls, with the time in nanoseconds where it matters;
 * what they lead to goes out through {@link Effects}. One thread owns it; it has none itself, and
 * no clock, and does no I/O, so a simulator can drive it through any schedule.
 *
 * <p>A partition's way: {@link #assigned}, {@link #adopted}, a first {@link #committed} which says
 * that somebody has it, then {@link #received}; {@link #close} and {@link #revoke} in the end, or
 * only the latter if it was lost.
 *
 * <p>A request's way: {@link #received}, {@link Effects#begin}, and exactly one of {@link #ended},
 * {@link #failed}, {@link #withheld}, {@link #again}, {@link #givenBack} and {@link #recorded} for
 * each {@code begin}. With {@link #cancel} it goes straight to its end, if it hasn't begun.
 *
 * @param <W> what the caller keeps with a request
 */
public class Core<W> {

  /** What has ended with no reply that anybody could get. */
  public static final long NO_REPLY = -2;

  private static final long INFRASTRUCTURE_PAUSE = 500_000_000L;
  private static final long MAX_INFRASTRUCTURE_PAUSE = 5_000_000_000L;

  private final Policy policy;
  private final Effects<W> effects;
  private final Lanes<W> lanes;
  private final Adoptions<W> adoptions;
  private final Recollection<W> recollection;
  private final Parking<W> parking;
  private final Cancellations<W> cancellations;
  private final Finished<W> finished;
  private final Throttle<W> throttle;
  private final Trial<W> trial;
  private final Watchdog<W> watchdog;
  private final Commits<W> commits;

  /** The one that runs alone, from its start to the end of its handler. */
  private @Nullable Work<W> aloneOut;

  private boolean draining;

  /** Begins without any partition. */
  public Core(Policy policy, Limits limits, Effects<W> effects, long now) {
    this(policy, new Lanes<>(limits), effects, now);
  }

  Core(Policy policy, Lanes<W> lanes, Effects<W> effects, long now) {
    this.policy = policy;
    this.effects = effects;
    this.lanes = lanes;
    this.finished = new Finished<>(policy, effects, lanes, now);
    this.cancellations = new Cancellations<>(policy, effects, finished);
    this.adoptions = new Adoptions<>(policy, effects, cancellations);
    this.recollection = new Recollection<>(policy, effects);
    this.parking = new Parking<>(policy, effects);
    this.throttle = new Throttle<>(policy, effects, now);
    this.trial = new Trial<>(lanes);
    this.watchdog = new Watchdog<>(policy, effects, now);
    this.commits =
        new Commits<>(
            policy,
            effects,
            lanes,
            adoptions,
            recollection,
            cancellations,
            finished,
            this::snapshot,
            now);
  }

  // ---- Partitions come and go.

  /** The group has given these partitions. */
  public void assigned(Collection<TopicPartition> partitions, long now) {
    revoke(partitions, now);
    effects.pause(partitions);
    if (!draining) {
      adoptions.begin(partitions);
    }
  }

  /**
   * A partition has been found out about.
   *
   * @param number as given to {@link Effects#adopt}
   */
  public void adopted(TopicPartition partition, long number, Adoption found) {
    adoptions.found(partition, number, found);
  }

  /** A partition can't be found out about, and trying again would be in vain. */
  public void notAdopted(TopicPartition partition, long number, String diagnosis) {
    adoptions.refuse(partition, number, diagnosis);
  }

  /**
   * These partitions are about to be given up: starts nothing more of them but what has to end so
   * that what has ended can be committed.
   */
  public void close(Collection<TopicPartition> partitions) {
    adoptions.close(partitions);
    lanes.close(partitions);
  }

  /** All of them are about to be given up, for good. */
  public void drain() {
    draining = true;
    adoptions.close();
    lanes.close(lanes.partitions());
  }

  /** Whether all of these partitions are closed and as far as they get. */
  public boolean drained(Collection<TopicPartition> partitions) {
    return lanes.drained(partitions);
  }

  /**
   * These partitions are no longer ours.
   *
   * @return how many requests are under way in them still
   */
  public int revoke(Collection<TopicPartition> partitions, long now) {
    adoptions.forget(partitions);
    List<Work<W>> stale = lanes.revoke(partitions);
    for (Work<W> work : stale) {
      work.trouble().interruptedAt = now;
      effects.interrupt(work, true);
    }
    // It may be out, or wait to be sent again.
    if (aloneOut != null && aloneOut.isStale()) {
      aloneOut = null;
    }
    throttle.revoked(now);
    trial.revoked();
    return stale.size();
  }

  /** What comes next in this partition can't be read: it stops, and what it has goes on. */
  public void stop(TopicPartition partition, String diagnosis) {
    lanes.stop(partition);
    effects.pause(List.of(partition));
    effects.stopped(partition, diagnosis);
  }

  /** The topic isn't the one it was: nothing more of it is read. */
  public void stopAll(String diagnosis) {
    for (TopicPartition partition : lanes.partitions()) {
      stop(partition, diagnosis);
    }
  }

  /** The partitions whose requests are handled. */
  public List<TopicPartition> partitions() {
    return lanes.partitions();
  }

  /** The partitions that the group has given and that aren't read, for a human to look at. */
  public List<TopicPartition> stopped() {
    List<TopicPartition> stopped = new ArrayList<>(lanes.stopped());
    stopped.addAll(adoptions.refused());
    return stopped;
  }

  // ---- Requests come.

  /** Whether records of this partition are taken. */
  public boolean takes(TopicPartition partition) {
    return lanes.takes(partition);
  }

  /**
   * A record has come.
   *
   * @param key requests with equal ones are handled one at a time; null for none, and then those
   *     with the same id are, if they have an idempotency key
   * @param step where it begins: {@code HANDLE}, or {@code BURY} for one that can't be handled
   */
  public void received(
      TopicPartition partition,
      long offset,
      @Nullable Object key,
      int bytes,
      W payload,
      Work.Step step) {
    Object lane = key == null && step == Work.Step.HANDLE ? idOf(payload) : key;
    Work<W> work = lanes.receive(partition, offset, lane, bytes, payload);
    if (work == null) {
      if (lanes.takes(partition)) {
        commits.completed(); // it has ended before, so the commit may pass it
      }
      return;
    }
    work.step(step);
    if (step == Work.Step.HANDLE) {
      if (!cancellations.isDecided(work)) {
        recollection.recall(work);
      }
      cancellations.decide(work);
    } else {
      work.trouble().dead = true;
    }
    lanes.line(work);
    if (suspicion(work) == Trouble.Suspicion.ALONE) {
      lanes.isolateLaneOf(work);
    }
  }

  private @Nullable Object idOf(W payload) {
    Identity who = effects.identityOf(payload);
    return who == null ? null : new Lane.OfId(who.idHigh(), who.idLow());
  }

  /**
   * A client wants a request not to begin, wherever that is. If it has begun nothing comes of it.
   *
   * @param id of the request; if the record at the offset has another one nothing comes of it
   *     either
   */
  public void cancel(TopicPartition partition, long offset, String id) {
    LedgerEntry.Cancelled wish = new LedgerEntry.Cancelled(offset, id, false);
    Assignment<W> assignment = lanes.assignment(partition);
    if (assignment == null) {
      adoptions.cancel(partition, wish);
      return;
    }
    Work<W> work = cancellations.heard(assignment, wish);
    if (work != null) {
      cancelUnlessBegun(work);
    }
  }

  private void cancelUnlessBegun(Work<W> work) {
    if (cancellations.decide(work)) {
      lanes.goAhead(work);
    }
  }

  private static Trouble.Suspicion suspicion(Work<?> work) {
    return work.trouble == null ? Trouble.Suspicion.NONE : work.trouble.suspicion;
  }

  // ---- Requests are given to workers.

  /** Gives to the workers what may be started now. */
  public void start(long now) {
    watchdog.look(now);
    throttle.tick(now);
    lanes.tick(now);
    while (lanes.hasSend()) {
      Work<W> work = lanes.nextSend();
      if (trial.keeps(work)) {
        trial.keep(work);
      } else {
        begin(work, null);
      }
    }
    if (lanes.hasAlone() || aloneOut != null) {
      startAlone(now);
      return;
    }
    while (lanes.hasNext() && throttle.mayStart(now)) {
      handle(lanes.next(), now);
    }
  }

  int allowance() {
    return throttle.allowance();
  }

  // ---- What operators want.

  /**
   * Whether nothing may start, whoever wants that; beside the breaker's own hold. What is with a
   * worker and hasn't begun comes back; what has begun goes on to its end, and is sent and
   * committed. Once it is over, slow start begins. {@link #start} has to follow. Idempotent.
   */
  public void hold(boolean held, long now) {
    throttle.hold(held, now);
    lanes.hold(throttle.isStopped() || throttle.isRated());
  }

  /**
   * How many requests may start here in a second, from now on. Idempotent.
   *
   * @param perSecond this instance's share; 0 or less for no limit
   */
  public void rate(double perSecond, long now) {
    throttle.rate(perSecond, now);
    lanes.hold(throttle.isStopped() || throttle.isRated());
  }

  /**
   * Whether this instance is tried out. What fails meanwhile is kept for whoever has the partition
   * when the trial is over: it costs no attempt, becomes no dead letter, and is tried again after a
   * pause; replies that say so are {@link #withheld}. Nothing of that is committed, so closing or
   * revoking a partition gives it to the next owner. {@link #start} has to follow. Idempotent.
   *
   * @param onTrial false once the trial has ended well: what was withheld is sent, and what failed
   *     is handled as ever. After one that hasn't, this is not to be called: the partitions are
   *     given up
   */
  public void trial(boolean onTrial, long now) {
    trial.set(onTrial, now);
  }

  /**
   * Whether nothing is out, be it with a handler or on its way to Kafka, and all that has ended is
   * committed. With {@link #hold} it stays so, but for what is cancelled or can't be read.
   */
  public boolean isStill() {
    return lanes.isStill() && throttle.permits().inUse() == 0;
  }

  /** What is done now. */
  public Activity activity(long now) {
    return watchdog.activity(trial.kept(), now);
  }

  /** With nothing beside it, so that a crash tells which one it was. */
  private void startAlone(long now) {
    if (aloneOut == null && throttle.mayStartAlone(now)) {
      Work<W> work = lanes.nextAlone();
      work.await(); // all others do, so its end has to be known at once
      aloneOut = work;
      handle(work, now);
    }
  }

  private void handle(Work<W> work, long now) {
    throttle.started(work, now);
    FinishedIds.Known known = finished.find(work);
    if (known != null) {
      throttle.tellsNothing(work, now);
      finished.repeat(work, known);
      begin(work, null);
      return;
    }
    String blocker = parking.blockerOf(work);
    if (blocker != null && !blocker.equals(effects.idOf(work.payload()))) {
      throttle.tellsNothing(work, now);
      recollection.bury(
          work, "parked", "request " + blocker + " with the same ordering key has failed");
      begin(work, null);
      return;
    }
    Trouble.Suspicion suspicion = suspicion(work);
    // A start on trial isn't recorded: if it ends the instance, the trial ends as well, and that
    // must not be laid to the request's charge in another version.
    if (suspicion != Trouble.Suspicion.NONE && !work.trouble().recorded && !trial.isOn()) {
      LedgerEntry.Start start =
          suspicion == Trouble.Suspicion.ALONE ? LedgerEntry.Start.ALONE : LedgerEntry.Start.SHARED;
      work.record(Trouble.After.HANDLE, recollection.attempts(work, start));
    }
    begin(work, throttle.take(now));
  }

  private void begin(Work<W> work, Permits.@Nullable Permit permit) {
    work.permit = permit;
    if (permit != null) {
      watchdog.begun(work);
    }
    effects.begin(work);
  }

  // ---- Requests come back.

  /**
   * Kafka has acknowledged what it ended with.
   *
   * @param replyOffset where its reply stands in its partition; {@link FinishedIds#UNKNOWN} where
   *     Kafka hasn't said so, {@link #NO_REPLY} if there is none
   */
  public void ended(Work<W> work, long replyOffset, long now) {
    cameBack(work);
    work.replyOffset = replyOffset;
    boolean resolved =
        throttle.succeeded(work, now) || work.answered || work.cancelled || work.revived;
    if (resolved && !work.isStale() && parking.frees(work)) {
      work.record(Trouble.After.FREE, parking.entryOf(work));
      begin(work, null);
      return;
    }
    end(work);
  }

  private void end(Work<W> work) {
    commits.completed();
    finished.ended(work);
    recollection.ended(work);
    trial.ended(work);
    lanes.end(work);
  }

  /**
   * Its handler has failed.
   *
   * @param pause until the next attempt, in nanoseconds, as the handler wants it; negative for not
   *     said
   * @param what happened, for people
   */
  public void failed(Work<W> work, Fault fault, long pause, String what, long now) {
    cameBack(work);
    work.begun = true;
    throttle.failed(work, fault, what, now);
    if (work.isStale() || work.closing() && (fault != Fault.REJECTED || trial.isOn())) {
      // It failed while the service shuts down or the partition moves: pools and files may be
      // closed already. That is no fault of the request's and costs it no attempt.
      giveBack(work);
      return;
    }
    boolean recorded = work.trouble != null && work.trouble.recorded;
    if (work.trouble != null) {
      // It has come back in good order, so it isn't what brings instances down.
      work.trouble.suspicion = Trouble.Suspicion.NONE;
      work.trouble.recorded = false;
    }
    if (fault.isInfrastructure()) {
      int faults = work.trouble().infrastructureFaults++;
      wait(work, now + infrastructurePause(faults), recorded);
      return;
    }
    if (trial.isOn()) {
      wait(work, now + trial.failed(work), recorded);
      return;
    }
    if (fault == Fault.ON_TRIAL) {
      wait(work, now, recorded); // which has ended while this was on its way
      return;
    }
    boolean exhausted = fault == Fault.REJECTED || work.attempts + 1 >= policy.attempts();
    if (exhausted && parking.wants(work) && parking.isFull(work)) {
      // Neither parked nor continued: so many keys are no exception any more, but an outage.
      wait(work, now + MAX_INFRASTRUCTURE_PAUSE, recorded);
      return;
    }
    work.attempts++;
    if (exhausted) {
      recollection.bury(work, fault == Fault.REJECTED ? "rejected" : "failed", what);
      if (recorded) {
        effects.note(work.partition(), recollection.attempts(work, LedgerEntry.Start.NONE));
      }
      if (parking.wants(work)) {
        work.record(Trouble.After.PARK, parking.newEntry(work));
      }
      begin(work, null);
    } else {
      long due = now + (pause >= 0 ? pause : policy.pauses().after(work.attempts));
      wait(work, due, policy.ledger());
    }
  }

  /**
   * Its handler has ended with a reply that isn't to be sent, since this instance is on trial. Its
   * step is {@link Work.Step#REPLY}; it is given out for that once the trial has ended well.
   */
  public void withheld(Work<W> work, long now) {
    cameBack(work);
    work.begun = true;
    work.answered = true;
    throttle.succeeded(work, now);
    closeStart(work);
    if (!trial.isOn()) {
      lanes.again(work, now, false); // that has ended while this was on its way
    } else if (!work.isStale()) {
      trial.keep(work);
    }
  }

  /** If its start stands in the ledger: that it has come to an orderly end. */
  private void closeStart(Work<W> work) {
    if (!work.isStale() && work.trouble != null && work.trouble.recorded) {
      work.trouble.recorded = false;
      effects.note(work.partition(), recollection.attempts(work, LedgerEntry.Start.NONE));
    }
  }

  /**
   * Until the next attempt.
   *
   * @param record whether the ledger has to know: of an attempt, or that a start that it knows of
   *     has come to an orderly end
   */
  private void wait(Work<W> work, long due, boolean record) {
    if (record) {
      work.record(Trouble.After.WAIT, recollection.attempts(work, LedgerEntry.Start.NONE));
      work.trouble().due = due;
      begin(work, null);
    } else {
      lanes.again(work, due, true);
    }
  }

  private static long infrastructurePause(int faults) {
    return Math.min(MAX_INFRASTRUCTURE_PAUSE, INFRASTRUCTURE_PAUSE << Math.min(faults, 10));
  }

  /** Kafka has acknowledged its entry in the ledger. */
  public void recorded(Work<W> work, long now) {
    boolean wasAlone = work == aloneOut;
    cameBack(work);
    if (work.isStale()) {
      lanes.giveBack(work);
      return;
    }
    Trouble trouble = work.trouble();
    switch (trouble.after) {
      case HANDLE -> {
        trouble.recorded = true;
        work.begun = true;
        work.step(Work.Step.HANDLE);
        work.started = false; // its entry was, but not its handler
        if (!work.assignment.admits(work)) {
          throttle.tellsNothing(work, now);
          giveBack(work);
          return;
        }
        if (throttle.isStopped()) {
          throttle.tellsNothing(work, now);
          trouble.recorded = false;
          wait(work, now, true); // for a crash while nothing starts it isn't to be blamed
          return;
        }
        if (wasAlone) {
          aloneOut = work;
        }
        if (wasAlone || throttle.isProbe(work) || aloneOut == null && throttle.hasRoom()) {
          begin(work, throttle.permits().take());
        } else {
          lanes.recorded(work);
        }
      }
      case WAIT -> {
        work.step(Work.Step.HANDLE);
        lanes.again(work, trouble.due, true);
      }
      case PARK -> {
        parking.park(work);
        work.step(Work.Step.BURY);
        begin(work, null);
      }
      case FREE -> {
        parking.free(work);
        end(work);
      }
      case CANCEL -> {
        cancellations.recorded(work);
        begin(work, null);
      }
    }
  }

  /** Something has to be sent for it, again or next; no sooner than after the pause. */
  public void again(Work<W> work, long pause, long now) {
    boolean anew = work.step() == Work.Step.HANDLE;
    boolean alone = work == aloneOut && work.step() == Work.Step.RECORD && !work.isStale();
    cameBack(work);
    if (alone) {
      aloneOut = work; // until its start is recorded and its handler has run
    }
    if (anew) {
      throttle.tellsNothing(work, now);
    }
    lanes.again(work, now + pause, anew);
    cancelUnlessBegun(work);
  }

  /** It came back without having been begun, or was given up. */
  public void givenBack(Work<W> work, long now) {
    cameBack(work);
    throttle.tellsNothing(work, now);
    giveBack(work);
  }

  private void giveBack(Work<W> work) {
    if (work.closing()) {
      // It isn't open any more, and others of this partition may crash the instance still.
      closeStart(work);
    }
    lanes.giveBack(work);
    cancelUnlessBegun(work);
  }

  private void cameBack(Work<W> work) {
    watchdog.cameBack(work);
    if (work == aloneOut) {
      aloneOut = null;
    }
  }

  // ---- The consumer.

  /** Pauses the partitions whose window is full, and resumes those that have room again. */
  public void flow() {
    List<TopicPartition> filled = lanes.filled();
    if (!filled.isEmpty()) {
      effects.pause(filled);
    }
    List<TopicPartition> emptied = lanes.emptied();
    if (!emptied.isEmpty() && !draining) {
      effects.resume(emptied);
    }
  }

  /** Whether some partition waits for room in its window. */
  public boolean anyFull() {
    return lanes.anyFull();
  }

  /** Begins a commit if it is time for one. */
  public void commit(long now) {
    // Held, and nothing runs any more: another one may wait for this one to be still.
    commits.begin(throttle.isStopped() && lanes.busy() == 0, now);
  }

  /** What would be committed now. */
  public CommitSnapshot snapshot() {
    CommitSnapshot snapshot = lanes.snapshot();
    adoptions.addTo(snapshot);
    return snapshot;
  }

  /**
   * What is to be committed by one who waits for it: not before {@link #isWritten}, or too long,
   * and then {@link #prepared}.
   */
  public CommitSnapshot prepareCommit(long now) {
    return commits.prepare(now);
  }

  /** Whether the ledger has what it has to have before this is committed. */
  public boolean isWritten(CommitSnapshot snapshot, long now) {
    finished.tick(now);
    return commits.isWritten(snapshot);
  }

  /** What is to be committed of it now, be it written or not. */
  public CommitSnapshot prepared(CommitSnapshot snapshot) {
    return commits.prepared(snapshot);
  }

  /** A batch of finished ids is in the ledger. */
  public void remembered(TopicPartition partition, FinishedBatch batch) {
    finished.written(partition, batch);
  }

  /**
   * It isn't, or nobody knows.
   *
   * @param refused whether it would be in vain to try again soon
   * @param why for people
   */
  public void notRemembered(
      TopicPartition partition, FinishedBatch batch, boolean refused, String why, long now) {
    finished.notWritten(partition, batch, refused, why, now);
  }

  /**
   * How a commit has ended.
   *
   * @param done whether Kafka has it
   */
  public void committed(CommitSnapshot snapshot, boolean done, long now) {
    commits.ended(snapshot, done, now);
  }

  /** For whom the owner may be woken; see {@link Permits}. Before it polls. */
  public void beforePoll() {
    int wakeAt = -1;
    if (aloneOut == null && !throttle.waitsForTime()) {
      wakeAt = lanes.hasAlone() ? 0 : lanes.hasNext() ? throttle.wakeAt() : -1;
    }
    throttle.permits().wakeAt(wakeAt);
  }

  /** The permits, for the workers. */
  public Permits permits() {
    return throttle.permits();
  }

  /** How long until time alone gives {@link #start} something to do. */
  public long untilNextStart(long now) {
    if (lanes.hasSend()) {
      return 0; // a trial is over
    }
    long next = lanes.hasNext() || lanes.hasAlone() ? throttle.untilStart(now) : Long.MAX_VALUE;
    return Math.min(next, Math.min(lanes.untilNextTick(now), finished.untilTick(now)));
  }

  /** How many handlers the watchdog knows of. */
  int watched() {
    return watchdog.handling();
  }

  /** Whether nothing is under way and nothing waits for a commit. */
  public boolean isQuiet() {
    return lanes.busy() == 0 && commits.isQuiet();
  }

  /** How things stand. */
  public View<W> view() {
    return new View<>(
        throttle.permits().inUse(),
        throttle.limit(),
        lanes.waiting(),
        throttle.isHeld() || throttle.isStopped(),
        finished.size(),
        lanes.views());
  }

  /** Whether requests wait for a free worker. */
  public boolean anyReady() {
    return lanes.hasNext() || lanes.hasAlone();
  }
}
