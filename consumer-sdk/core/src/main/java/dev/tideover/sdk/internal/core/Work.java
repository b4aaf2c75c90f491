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

  /** What was given to {@link Lanes#receive}. Gone once it has ended. */
  public W payload() {
    return Objects.requireNonNull(payload, "work that has ended has no payload");
  }

  /**
   * Asks to start it. Any thread; only while the work is its own.
   *
   * @return false if its partition is being given up and this request isn't needed any more: then
   *     give it back. True always, once it has been true
   */
  public boolean tryStart() {
    if (!started) {
      // First the mark, then the look; Assignment.close() does it the other way round. So either
      // it sees the mark or this sees the fence.
      started = true;
      started = offset <= assignment.fence;
    }
    return started;
  }

  /** Whether its partition is being given up. Any thread. */
  public boolean closing() {
    return assignment.fence != Assignment.OPEN;
  }

  /** Whether another request waits for the end of this one. Any thread. */
  public boolean awaited() {
    return awaited;
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
