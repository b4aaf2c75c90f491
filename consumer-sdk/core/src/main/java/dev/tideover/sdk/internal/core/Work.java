package dev.tideover.sdk.internal.core;

import java.util.Objects;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * One received request on its way to its end.
 *
 * <p>{@link Lanes} and its owner thread write it. Other threads may call {@link #payload}, {@link
 * #tryStart}, {@link #closing} and {@link #awaited} while the work is theirs to do, and hand it
 * back to the owner.
 */
public final class Work<W> {

  /** What a worker has to do for it. */
  public enum Step {
    /** Call the handler. */
    HANDLE,
    /** Append {@link Work#entry} to the ledger, and report {@link Core#recorded}. */
    RECORD,
    /** Append it to the dead-letter topic, then tell the client if that is possible. */
    BURY,
    /** Append the reply that it is cancelled. */
    CANCEL,
    /** Append the reply that it has finished before, as its payload has been told. */
    REPEAT,
    /** Append its reply to the reply topic. */
    REPLY
  }

  /** Where it stands; the only ways are the arrows. */
  enum State {
    /** Not started: its turn will come. */
    QUEUED,
    /** Given out by {@link Lanes#next}. QUEUED to BUSY; back by {@link Lanes#giveBack}. */
    BUSY,
    /** Waits for its time. BUSY to WAITING to QUEUED. */
    WAITING,
    /** Has ended; its offset may be committed. BUSY to TERMINAL. */
    TERMINAL
  }

  final Assignment<W> assignment;
  final long offset;
  final int bytes;

  /** Null for a request without an ordering key: it is alone in its lane. */
  final @Nullable Lane<W> lane;

  State state = State.QUEUED;

  /** With WAITING, when its time comes; nanoseconds. */
  long due;

  private @Nullable W payload;

  private volatile boolean awaited;

  /** Written by its holder: the owner, or the worker who has it. */
  private Step step = Step.HANDLE;

  /** Whether it is cancelled: it never begins, and waits for nobody's end. Owner. */
  boolean cancelled;

  /**
   * Whether it is known that its handler was started, here or before, or that its start was
   * recorded. Owner.
   */
  boolean begun;

  /** Whether it has finished before, and is only answered so. Written by its holder. */
  boolean repeats;

  /** Of what Kafka has acknowledged in the end; see {@link Core#ended}. Owner. */
  long replyOffset = Core.NO_REPLY;

  /** Failed attempts that count. Written by the owner. */
  int attempts;

  /** Null for most. Owned by the owner. */
  @Nullable Trouble trouble;

  private volatile long handlerSince;

  /** How long the handler has run; written by the worker before it reports. */
  private long handlerNanos;

  /** Whether its handler was interrupted because it had run out of time. */
  volatile boolean timedOut;

  /** Whether another thread has taken the place of the one that its handler is in. */
  boolean abandoned;

  /** Whether its handler has ended with a reply that was withheld. Owner. */
  boolean answered;

  /** Whether it was to become a dead letter and won't. Written by its holder. */
  boolean revived;

  /** Of its last start, for the {@link Breaker}. */
  int ticket = -1;

  /** Of the task that it was last given out with; null for one that calls no handler. */
  Permits.@Nullable Permit permit;

  /**
   * Whether its handling has begun. Written by whoever has the work; the owner looks when it closes
   * the partition.
   */
  volatile boolean started;

  Work(Assignment<W> assignment, long offset, @Nullable Lane<W> lane, int bytes, W payload) {
    this.assignment = assignment;
    this.offset = offset;
    this.lane = lane;
    this.bytes = bytes;
    this.payload = payload;
  }

  /** One whose request has ended before it was received here. */
  static <W> Work<W> ended(Assignment<W> assignment, long offset) {
    return new Work<>(assignment, offset);
  }

  private Work(Assignment<W> assignment, long offset) {
    this.assignment = assignment;
    this.offset = offset;
    this.lane = null;
    this.bytes = 0;
    this.state = State.TERMINAL;
  }

  /** What was given to {@link Lanes#receive}. Gone once it has ended. */
  public W payload() {
    return Objects.requireNonNull(payload, "work that has ended has no payload");
  }

  /**
   * Asks to start it. Any thread; only while the work is its own.
   *
   * @return false if its partition is being given up and this request isn't needed any more, or if
   *     nothing may start now: then give it back. True always, once it has been true
   */
  public boolean tryStart() {
    if (!started) {
      // First the mark, then the look; Assignment.close() does it the other way round. So either
      // it sees the mark or this sees the fence.
      started = true;
      started = offset <= assignment.fence && !isHeld();
    }
    return started;
  }

  private boolean isHeld() {
    Permits.Permit present = permit;
    return present != null && step == Step.HANDLE && present.isHeld();
  }

  /** Whether it waits for another attempt, or will, since it has failed on trial. Owner. */
  boolean failedOnTrial() {
    return trouble != null && trouble.failuresOnTrial > 0;
  }

  /** Whether its partition is being given up. Any thread. */
  public boolean closing() {
    return assignment.fence != Assignment.OPEN;
  }

  /** Whether another request waits for the end of this one. Any thread. */
  public boolean awaited() {
    return awaited;
  }

  /** What to do for it. Its holder. */
  public Step step() {
    return step;
  }

  /** Its holder: what is to be done next. */
  public void step(Step next) {
    step = next;
  }

  /** From now on an entry is to be appended to the ledger for it. Owner. */
  void record(Trouble.After after, LedgerEntry entry) {
    Trouble trouble = trouble();
    trouble.after = after;
    trouble.entry = entry;
    trouble.inLedger |= entry instanceof LedgerEntry.Attempts;
    step = Step.RECORD;
  }

  /**
   * Whether its handler may have been started, as far as is recorded; or it ends by itself. For
   * what isn't out. Owner.
   */
  boolean hasBegun() {
    return step != Step.HANDLE || begun || attempts > 0;
  }

  /** Whether nothing else runs in the instance while its handler does. A worker. */
  public boolean alone() {
    return trouble != null && trouble.suspicion == Trouble.Suspicion.ALONE;
  }

  /** Its holder: how it ends says nothing about its id, which is another request's. */
  public void endsForItselfOnly() {
    repeats = true;
  }

  /** Its holder: it was to become a dead letter, but has turned out to be handled. */
  public void notDeadAfterAll() {
    revived = true;
  }

  /** How many attempts have failed so far. Any thread, while the work is its own. */
  public int attempts() {
    return attempts;
  }

  /** What to append to the ledger. For a worker with {@link Step#RECORD}. */
  public LedgerEntry entry() {
    return Objects.requireNonNull(Objects.requireNonNull(trouble).entry);
  }

  /** Whether {@link #entry} is to be taken out of the ledger instead. */
  public boolean erases() {
    return trouble != null && trouble.after == Trouble.After.FREE;
  }

  /** A worker: the handler begins. */
  public void enterHandler(long now) {
    handlerSince = now == 0 ? 1 : now;
  }

  /** A worker: the handler has ended. Returns how long it has run, in nanoseconds. */
  public long leaveHandler(long now) {
    handlerNanos = Math.max(1, now - handlerSince);
    handlerSince = 0;
    return handlerNanos;
  }

  /** Since when its handler runs; 0 if it doesn't. Any thread. */
  long handlerSince() {
    return handlerSince;
  }

  /** How long its handler has run since the owner last asked; 0 if it hasn't. Owner. */
  long takeHandlerNanos() {
    long nanos = handlerNanos;
    handlerNanos = 0;
    return nanos;
  }

  /** Whether its handler was interrupted for having run out of time. Its holder. */
  public boolean timedOut() {
    return timedOut;
  }

  /** Of the task that it is given out with; null for one that calls no handler. A worker. */
  public Permits.@Nullable Permit permit() {
    return permit;
  }

  /** Whether its partition was taken away. Owner. */
  boolean isStale() {
    return !assignment.live;
  }

  Trouble trouble() {
    Trouble present = trouble;
    if (present == null) {
      present = new Trouble();
      trouble = present;
    }
    return present;
  }

  /** The partition it came from. */
  public TopicPartition partition() {
    return assignment.partition;
  }

  /** Its offset there. */
  public long offset() {
    return offset;
  }

  void await() {
    awaited = true;
  }

  /** The offset stays in the books until all before it have ended; the bytes needn't. */
  void end() {
    state = State.TERMINAL;
    payload = null;
  }

  @Override
  public String toString() {
    return assignment.partition + "/" + offset + " " + state;
  }
}
