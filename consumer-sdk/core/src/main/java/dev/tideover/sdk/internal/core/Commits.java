package dev.tideover.sdk.internal.core;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.apache.kafka.common.TopicPartition;

/**
 * What is committed, and what follows when it is. Part of {@link Core}, with the same owner.
 *
 * <p>Every request with an idempotency key that has ended before a snapshot was taken is in the
 * ledger before that snapshot is committed: the snapshot waits for the batches, see {@link
 * Finished}. So whoever goes on from the committed offset knows all that finished before it. A
 * partition whose batches take long is left out of the commit, and the others go on; what was to be
 * committed of it waits on, and nothing newer is added to it, so that a ledger that is slow for
 * long doesn't put it off for ever.
 */
final class Commits<W> {

  /** So long a snapshot waits for the ledger as a whole; then what is there goes ahead. */
  private static final long LONGEST_WAIT = 1_000_000_000L;

  private final Policy policy;
  private final Effects<W> effects;
  private final Lanes<W> lanes;
  private final Adoptions<W> adoptions;
  private final Recollection<W> recollection;
  private final Cancellations<W> cancellations;
  private final Finished<W> finished;
  private final Supplier<CommitSnapshot> snapshots;
  private final CommitPace pace;

  /** Waits for the ledger. Of its partitions nothing else is committed meanwhile. */
  private CommitSnapshot waiting = new CommitSnapshot();

  /** The time of the oldest in it. */
  private long waitingSince;

  Commits(
      Policy policy,
      Effects<W> effects,
      Lanes<W> lanes,
      Adoptions<W> adoptions,
      Recollection<W> recollection,
      Cancellations<W> cancellations,
      Finished<W> finished,
      Supplier<CommitSnapshot> snapshots,
      long now) {
    this.policy = policy;
    this.effects = effects;
    this.lanes = lanes;
    this.adoptions = adoptions;
    this.recollection = recollection;
    this.cancellations = cancellations;
    this.finished = finished;
    this.snapshots = snapshots;
    this.pace = new CommitPace(now);
  }

  void completed() {
    pace.completed();
  }

  /** Whether all that has ended is committed, or on its way. */
  boolean isQuiet() {
    return !pace.anyCompletions() && waiting.isEmpty() && !adoptions.anyUnmarked();
  }

  /**
   * Begins one if it is time for it.
   *
   * @param soon whether what has ended isn't to wait for its time
   */
  void begin(boolean soon, long now) {
    finished.tick(now);
    if (!waiting.isEmpty()) {
      waiting = waiting.only(entry -> entry.assignment().live);
    }
    boolean urgent = adoptions.anyUnmarked() || soon && pace.anyCompletions();
    boolean taken = (waiting.isEmpty() || isLate(now)) && pace.isDue(urgent, now);
    if (taken) {
      take(now);
    } else if (waiting.isEmpty()) {
      return;
    }
    boolean mayGo = isWritten(waiting) || isLate(now);
    if (mayGo && pace.mayBegin(now)) {
      CommitSnapshot written = waiting.only(Commits::isWritten);
      waiting = waiting.only(entry -> !isWritten(entry));
      if (taken || !written.isEmpty()) {
        send(written, now);
      }
    } else if (!mayGo && adoptions.anyUnmarked() && pace.isDue(true, now)) {
      // That somebody has a partition doesn't depend on what has finished in others.
      CommitSnapshot marks = new CommitSnapshot();
      adoptions.addTo(marks);
      send(marks, now);
    }
  }

  private boolean isLate(long now) {
    return now - waitingSince >= LONGEST_WAIT;
  }

  /** Takes a snapshot of the partitions that don't wait, and has the ledger written for it. */
  private void take(long now) {
    CommitSnapshot all = snapshots.get();
    pace.taken();
    CommitSnapshot fresh = all.only(entry -> !waiting.has(entry.partition()));
    if (waiting.isEmpty()) {
      waitingSince = now;
    } else if (fresh.entries().size() < all.entries().size()) {
      pace.completed(); // so that what has ended since in those that wait is looked at again
    }
    finished.write(fresh, now);
    fresh.entries().forEach(waiting::add);
  }

  private void send(CommitSnapshot snapshot, long now) {
    pace.begin(!snapshot.isEmpty(), now);
    if (!snapshot.isEmpty()) {
      effects.commit(snapshot);
    }
  }

  /**
   * Takes a snapshot of what is to be committed while the owner waits for that, and has the ledger
   * written for it. It takes the place of one that waits, whose offsets would be older.
   */
  CommitSnapshot prepare(long now) {
    if (!waiting.isEmpty()) {
      waiting = new CommitSnapshot();
      pace.completed(); // in case that nothing comes of this one
    }
    CommitSnapshot snapshot = snapshots.get();
    finished.write(snapshot, now);
    return snapshot;
  }

  /** Whether the ledger has what it has to have before this is committed. */
  boolean isWritten(CommitSnapshot snapshot) {
    return snapshot.entries().stream()
        .allMatch(entry -> !entry.assignment().live || isWritten(entry));
  }

  private static boolean isWritten(CommitSnapshot.Entry entry) {
    return entry.assignment().finished.isWritten();
  }

  /**
   * Waits for the ledger no longer, and leaves out the partitions that were taken away, and those
   * that can wait.
   */
  CommitSnapshot prepared(CommitSnapshot snapshot) {
    for (CommitSnapshot.Entry entry : snapshot.entries()) {
      Assignment<?> assignment = entry.assignment();
      if (assignment.live && !assignment.isOpen() && !assignment.finished.isWritten()) {
        finished.giveUp(assignment, "it takes too long, and the partition is given up now");
      }
    }
    CommitSnapshot ours = snapshot.only(entry -> entry.assignment().live);
    if (!isWritten(ours)) {
      pace.completed(); // so that it is looked at again
    }
    return ours.only(Commits::isWritten);
  }

  /** How one has ended. */
  void ended(CommitSnapshot snapshot, boolean done, long now) {
    pace.ended(done, now);
    if (!done) {
      return;
    }
    lanes.committed(snapshot);
    for (CommitSnapshot.Entry entry : snapshot.entries()) {
      recollection.committed(entry.assignment(), entry.offset());
      cancellations.committed(entry.assignment(), entry.offset());
    }
    List<TopicPartition> marked = new ArrayList<>();
    for (Assignment<W> assignment : adoptions.marked()) {
      lanes.assign(assignment);
      if (assignment.isOpen()) {
        marked.add(assignment.partition);
      }
      if (assignment.inheritance.first() && policy.ledger()) {
        // Not before there is an offset: to have begun without one means that it was lost.
        effects.note(assignment.partition, new LedgerEntry.Begun(assignment.inheritance.topicId()));
      }
    }
    if (!marked.isEmpty()) {
      effects.resume(marked);
      effects.opened(marked);
    }
  }
}
