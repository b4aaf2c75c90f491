package dev.tideover.sdk.internal.core;

/** A promise is broken. */
final class Violation extends AssertionError {

  /** What must hold, whatever the schedule. */
  enum Promise {
    /** An applied commit never passes an offset that isn't terminal. */
    COMMIT,
    /** Only the owner of a partition commits it. */
    COMMIT_BY_OWNER,
    /** A committed offset never goes back. */
    COMMIT_FORWARD,
    /** What a note says to be done is terminal. */
    NOTE,
    /** What a note says to be done, the next one says as well, or its offset has passed it. */
    NOTE_KEPT,
    /** What a note says to be done isn't done again. */
    NOTE_USED,
    /**
     * While a handler of the owner's runs, the note says that somebody has the partition; so a
     * crash is noticed.
     */
    CRASH_NOTICED,
    /** An end in good order, with everything drained and committed, leaves a clean note. */
    CLEAN_END,
    /**
     * An owner starts no request while an earlier one of its key isn't terminal. Not promised of an
     * instance that isn't the owner any more and doesn't know yet, nor of what it starts.
     */
    ORDER,
    /** An owner runs one handler per key; what it has given up is no concern of the key's. */
    ONE_AT_A_TIME,
    /** No more handlers than may run. */
    CONCURRENCY,
    /** Beside one that runs alone there runs nothing. */
    ALONE,
    /** All ends and is committed within bounded time, once all faults are over. */
    LIVENESS,
    /** All permits come back, nothing is watched for ever. */
    LEFTOVER,
    /** A handler is given up only some time after it was interrupted. */
    INTERRUPT,
    /** What the ledger remembers of attempts when a partition is adopted counts. */
    ATTEMPTS,
    /** Nothing of a parked key is handled before the one that blocks it. */
    PARKED,
    /** A request that ends instances is dead after a few. */
    POISON,
    /** Others aren't taken for one. */
    INNOCENT,
    /** A dead letter has used up its attempts, or was rejected, or can't be answered. */
    DEAD_LETTER,
    /**
     * Only a request that its client wants cancelled is answered so, and no owner starts it after
     * that; and what an owner knows to be cancelled and not begun it gives to no worker to be
     * handled.
     */
    CANCELLED,
    /**
     * A request with an idempotency key that has finished isn't handled again within the window, if
     * a commit has passed it; nor if neither a crash nor a lost partition lay between.
     */
    ONCE,
    /** What a commit passes of such requests the ledger knows, unless it couldn't be had. */
    REMEMBERED,
    /** A batch of the ledger isn't overwritten by another one. */
    BATCH_KEPT,
    /**
     * Who sends such a request again gets a reply that was written for it, or is told that it was
     * another one; but not both, and isn't told that and handled afterwards.
     */
    ANSWERED,
    /** Nothing starts while it is held. */
    HELD,
    /** No more start than may, within any time. */
    RATE,
    /**
     * What fails on trial uses no attempt, isn't buried, and isn't answered before the trial is
     * over.
     */
    TRIAL,
    /**
     * Who is held is still soon, says so only when nothing is out and what has ended is committed,
     * and doesn't keep a partition for what it won't start.
     */
    STILL,
    /** No partition stops without need. */
    STOPPED,
    /** Nothing throws. */
    DEFECT
  }

  private static final long serialVersionUID = 1;

  final Promise promise;

  Violation(Promise promise, String what) {
    super(promise + ": " + what);
    this.promise = promise;
  }

  Violation(RuntimeException thrown) {
    super(Promise.DEFECT + ": " + thrown, thrown);
    this.promise = Promise.DEFECT;
  }
}
