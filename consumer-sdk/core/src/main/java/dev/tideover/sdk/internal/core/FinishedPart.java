package dev.tideover.sdk.internal.core;

import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * What is remembered of finished requests in one assignment of a partition, and how much of it the
 * ledger has. Part of {@link Finished}, with the same owner.
 */
final class FinishedPart {

  /** A batch that Kafka hasn't acknowledged. */
  static final class Writing {
    final FinishedBatch batch;

    /** When it was given out first; nanoseconds. */
    final long since;

    /** Whether it has come back without success, and waits until {@link #due}. */
    boolean failed;

    /** Nanoseconds. */
    long due;

    int failures;

    Writing(FinishedBatch batch, long now) {
      this.batch = batch;
      this.since = now;
    }
  }

  final FinishedIds ids;
  final FinishedBatches batches;

  /** What no batch has yet. All but the last are full. */
  final ArrayDeque<FinishedBatch.Builder> unwritten = new ArrayDeque<>(1);

  /** The oldest first. */
  final ArrayDeque<Writing> underWay = new ArrayDeque<>(1);

  /** Whether something found no room under way when it was to be written. */
  boolean behind;

  /** Whether commits wait for the ledger; not while it isn't to be had. */
  private boolean waitedFor = true;

  FinishedPart(FinishedIds ids, FinishedBatches batches) {
    this.ids = ids;
    this.batches = batches;
  }

  /** One that remembers nothing. */
  static FinishedPart empty() {
    return new FinishedPart(new FinishedIds(1), new FinishedBatches(1));
  }

  void add(Identity who, long replyOffset, long epochMillis, boolean ledger) {
    ids.add(who, replyOffset, epochMillis);
    if (ledger) {
      FinishedBatch.Builder last = unwritten.peekLast();
      if (last == null || last.isFull()) {
        last = new FinishedBatch.Builder();
        unwritten.add(last);
      }
      last.add(who, replyOffset);
    }
  }

  /** Whether a commit may go, as far as this partition of the ledger is concerned. */
  boolean isWritten() {
    return underWay.isEmpty() || !waitedFor;
  }

  /** From now on no commit waits, until a batch is acknowledged. Whether one did before. */
  boolean stopWaiting() {
    boolean before = waitedFor;
    waitedFor = false;
    return before;
  }

  boolean isWaitedFor() {
    return waitedFor;
  }

  /** Kafka has it, so it can be had again. */
  void written(Writing writing) {
    underWay.remove(writing);
    batches.add(writing.batch.writer(), writing.batch.number(), writing.batch.finishedAt());
    waitedFor = true;
  }

  /** Null for one of another assignment. */
  @Nullable Writing find(FinishedBatch batch) {
    for (Writing writing : underWay) {
      if (writing.batch == batch) {
        return writing;
      }
    }
    return null;
  }
}
