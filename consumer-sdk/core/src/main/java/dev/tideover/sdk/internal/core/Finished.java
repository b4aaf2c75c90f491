package dev.tideover.sdk.internal.core;

import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * Requests with an idempotency key that have finished: one that comes again is answered from here
 * and not handled. Part of {@link Core}, with the same owner.
 *
 * <p>Whether a request has finished before is looked up when it is about to start. Requests of one
 * partition with the same id and fingerprint have the same ordering key, or none, and so are in one
 * lane: at that moment none of them is under way, and all that have ended are known (one with
 * another ordering key is another request, and may be under way beside them): those that ended here
 * since their end, those that ended under an earlier owner since the adoption, which reads the
 * ledger. An earlier owner has written each of them before it committed an offset behind it (see
 * {@link Commits}), so one that it hasn't written is above the committed offset and comes again
 * itself.
 *
 * <p>What was taken away isn't written any more. A batch that is on its way then does no harm: what
 * it says is true.
 *
 * <p>If the ledger can't be written, commits wait for it for a while and then go on: without them
 * all that has finished would be handled again, and not only what a client sends again.
 */
final class Finished<W> {

  private static final long SECOND = 1_000_000_000L;

  /** So long commits of a partition wait for its batches. */
  static final long PATIENCE = 30 * SECOND;

  private static final long FIRST_PAUSE = SECOND / 50;
  private static final long LONGEST_PAUSE = 2 * SECOND;
  private static final long LOOK_INTERVAL = SECOND;

  /** More than these are under way only while commits wait for them. */
  private static final int MOST_UNDER_WAY = 16;

  /** Tombstones of a partition, and of all, in one look: more than batches are written. */
  private static final int MOST_TOMBSTONES = 100;

  private static final int MOST_TOMBSTONES_OF_ALL = 1_000;

  private static final int WRITER_LENGTH = 8;

  private final Policy policy;
  private final Effects<W> effects;
  private final Lanes<W> lanes;
  private final String writer;

  /**
   * The number of the next batch of each partition that was ever held. It outlives the assignment:
   * a partition that comes back must not have its earlier batches overwritten.
   */
  private final Map<TopicPartition, Long> numbers = new HashMap<>();

  private long nextLook;

  /** How many ids are remembered in all partitions, at the last look. */
  private long size;

  Finished(Policy policy, Effects<W> effects, Lanes<W> lanes, long now) {
    this.policy = policy;
    this.effects = effects;
    this.lanes = lanes;
    this.nextLook = now;
    String incarnation = policy.incarnation();
    this.writer = incarnation.substring(0, Math.min(WRITER_LENGTH, incarnation.length()));
  }

  /** What is known of a request that is about to start; null if it hasn't finished before. */
  FinishedIds.@Nullable Known find(Work<W> work) {
    Identity who = effects.identityOf(work.payload());
    return who == null ? null : part(work).ids.find(who, policy.epochMillis().getAsLong());
  }

  /** From now on it is to be answered as one that has finished before. */
  void repeat(Work<W> work, FinishedIds.Known known) {
    work.repeats = true;
    work.step(Work.Step.REPEAT);
    effects.repeat(
        work.payload(), known.same(), known.same() ? known.replyOffset() : FinishedIds.UNKNOWN);
  }

  /**
   * Whether a request has come more than once and this isn't the first one, so that to cancel it
   * would say nothing about whether it has begun.
   */
  boolean isResend(Work<W> work) {
    Identity who = effects.identityOf(work.payload());
    if (who == null) {
      return false;
    }
    if (find(work) != null) {
      return true;
    }
    if (work.lane != null) {
      for (Work<W> before : work.lane.queue) {
        if (before == work) {
          return false;
        }
        Identity other = effects.identityOf(before.payload());
        if (other != null && other.idHigh() == who.idHigh() && other.idLow() == who.idLow()) {
          return true;
        }
      }
    }
    return false;
  }

  /** It is about to be taken out of the books. */
  void ended(Work<W> work) {
    if (work.isStale() || work.repeats || work.replyOffset == Core.NO_REPLY) {
      return;
    }
    Identity who = effects.identityOf(work.payload());
    if (who != null && find(work) == null) {
      part(work).add(who, work.replyOffset, policy.epochMillis().getAsLong(), policy.ledger());
    }
  }

  private static FinishedPart part(Work<?> work) {
    return work.assignment.finished;
  }

  // ---- The ledger.

  /** Has the ledger written for these partitions, so that they may be committed. */
  void write(CommitSnapshot snapshot, long now) {
    for (CommitSnapshot.Entry entry : snapshot.entries()) {
      FinishedPart part = entry.assignment().finished;
      write(entry.partition(), part, now);
      while (part.unwritten.size() > 1) {
        part.unwritten.remove(); // the ledger is away for long: they are known here, and only here
      }
      part.behind = !part.unwritten.isEmpty();
    }
  }

  private void write(TopicPartition partition, FinishedPart part, long now) {
    while (!part.unwritten.isEmpty()
        && (part.isWaitedFor() || part.underWay.size() < MOST_UNDER_WAY)) {
      long number = numbers.merge(partition, 1L, Long::sum) - 1;
      FinishedBatch batch =
          part.unwritten.remove().build(writer, number, policy.epochMillis().getAsLong());
      part.underWay.add(new FinishedPart.Writing(batch, now));
      effects.remember(partition, batch);
    }
  }

  /** A batch is in the ledger. */
  void written(TopicPartition partition, FinishedBatch batch) {
    Assignment<W> assignment = lanes.assignment(partition);
    if (assignment == null) {
      return; // taken away since
    }
    FinishedPart.Writing writing = assignment.finished.find(batch);
    if (writing != null) {
      assignment.finished.written(writing);
    }
  }

  /** It isn't, or nobody knows. */
  void notWritten(
      TopicPartition partition, FinishedBatch batch, boolean refused, String why, long now) {
    Assignment<W> assignment = lanes.assignment(partition);
    if (assignment == null) {
      return;
    }
    FinishedPart.Writing writing = assignment.finished.find(batch);
    if (writing != null) {
      long pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE << Math.min(writing.failures++, 10));
      writing.failed = true;
      writing.due = now + (refused ? LONGEST_PAUSE : pause);
      if (refused) {
        giveUp(assignment, why);
      }
    }
  }

  /** Commits of this partition go on without the ledger. */
  void giveUp(Assignment<?> assignment, String why) {
    if (assignment.finished.stopWaiting()) {
      effects.notRemembered(assignment.partition, why);
    }
  }

  // ---- As time goes by.

  /** Does what is due. */
  void tick(long now) {
    for (Assignment<W> assignment : lanes.assignments()) {
      if (!assignment.finished.underWay.isEmpty()) {
        tryAgain(assignment, now);
      }
      if (assignment.finished.behind && assignment.finished.isWaitedFor()) {
        // The ledger is there again, and the commit that these were for has gone without them.
        assignment.finished.behind = false;
        write(assignment.partition, assignment.finished, now);
      }
    }
    if (now - nextLook >= 0) {
      nextLook = now + LOOK_INTERVAL;
      expire();
      bound();
    }
  }

  private void tryAgain(Assignment<W> assignment, long now) {
    FinishedPart part = assignment.finished;
    if (part.isWaitedFor() && now - part.underWay.getFirst().since >= PATIENCE) {
      giveUp(assignment, "Kafka hasn't taken a batch for " + PATIENCE / SECOND + " s");
    }
    for (FinishedPart.Writing writing : part.underWay) {
      if (writing.failed && now - writing.due >= 0) {
        writing.failed = false;
        effects.remember(assignment.partition, writing.batch);
      }
    }
  }

  /** How long until time alone gives {@link #tick} something to do that a commit waits for. */
  long untilTick(long now) {
    long until = Long.MAX_VALUE;
    for (Assignment<W> assignment : lanes.assignments()) {
      for (FinishedPart.Writing writing : assignment.finished.underWay) {
        if (writing.failed) {
          until = Math.min(until, Math.max(0, writing.due - now));
        }
      }
    }
    return until;
  }

  private void expire() {
    long epochMillis = policy.epochMillis().getAsLong();
    int left = MOST_TOMBSTONES_OF_ALL;
    for (Assignment<W> assignment : lanes.assignments()) {
      assignment.finished.ids.expire(epochMillis);
      int most = Math.min(left, MOST_TOMBSTONES);
      for (String key : assignment.finished.batches.expired(epochMillis, most)) {
        effects.forget(assignment.partition, key);
        left--;
      }
    }
  }

  private void bound() {
    size = 0;
    for (Assignment<W> assignment : lanes.assignments()) {
      size += assignment.finished.ids.size();
    }
    while (size > policy.mostFinished()) {
      Assignment<W> largest = largest();
      int before = largest.finished.ids.size();
      largest.finished.ids.dropOldest();
      int dropped = before - largest.finished.ids.size();
      size -= dropped;
      effects.forgotten(largest.partition, dropped);
      if (dropped == 0) {
        return;
      }
    }
  }

  private Assignment<W> largest() {
    Assignment<W> largest = null;
    for (Assignment<W> assignment : lanes.assignments()) {
      if (largest == null || assignment.finished.ids.size() > largest.finished.ids.size()) {
        largest = assignment;
      }
    }
    if (largest == null) {
      throw new IllegalStateException("defect: " + size + " ids of no partition");
    }
    return largest;
  }

  /** How many ids are remembered, about a second ago. */
  long size() {
    return size;
  }
}
