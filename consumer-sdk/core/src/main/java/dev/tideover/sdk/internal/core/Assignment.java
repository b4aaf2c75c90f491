package dev.tideover.sdk.internal.core;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * A partition from being assigned to being taken away: its offsets, its lanes, its window. The
 * object is the epoch: a partition that comes back gets a new one, so whatever refers to an old one
 * is stale, and is known to be.
 */
final class Assignment<W> {

  static final long NONE = -1;
  static final long OPEN = Long.MAX_VALUE;

  final TopicPartition partition;
  final Map<Object, Lane<W>> lanes = new HashMap<>();

  /**
   * The last offset whose request may be started. Written by the owner thread, read by all; changes
   * only from {@link #OPEN} to a number, and to lower ones.
   */
  volatile long fence = OPEN;

  /** False once it has been taken away. */
  boolean live = true;

  /** Reads no further records, for good: what comes next can't be read. */
  boolean stopped;

  /** Paused because its window is full. */
  boolean full;

  /** How many have been given out and not come back. */
  int busy;

  /** What hasn't ended: how many, and how many bytes they hold. */
  int unfinished;

  long unfinishedBytes;

  /** The offset last committed. */
  long committed = NONE;

  /**
   * From the first that hasn't ended to the last received. Only what was received is in it: gaps in
   * the offsets are normal (compaction, transaction markers) and mean nothing.
   */
  private final ArrayDeque<Work<W>> offsets = new ArrayDeque<>();

  private long lastReceived = NONE;

  Assignment(TopicPartition partition) {
    this.partition = partition;
  }

  /** Null if the offset isn't behind all that came before; a log only goes forward. */
  @Nullable Work<W> receive(long offset, @Nullable Object key, int bytes, W payload) {
    if (offset <= lastReceived) {
      return null;
    }
    lastReceived = offset;
    Lane<W> lane = key == null ? null : lanes.computeIfAbsent(key, Lane::new);
    Work<W> work = new Work<>(this, offset, lane, bytes, payload);
    offsets.add(work);
    unfinished++;
    unfinishedBytes += bytes;
    return work;
  }

  /**
   * From now on only those requests may start without which what is done already couldn't be
   * committed: the ones before the last that has begun or ended. But none behind one that waits for
   * another attempt, since that one won't get it here and holds the commit up.
   */
  void close() {
    fence = NONE; // what hasn't begun by now doesn't, so the look at what has is exact
    long last = NONE;
    long failing = OPEN;
    for (Work<W> work : offsets) {
      if (work.state == Work.State.TERMINAL || work.started) {
        last = work.offset;
      } else if (work.state == Work.State.WAITING && failing == OPEN) {
        failing = work.offset;
      }
    }
    fence = Math.min(last, failing - 1);
  }

  boolean isOpen() {
    return fence == OPEN;
  }

  /** Whether a request may start, as far as its partition is concerned. */
  boolean admits(Work<W> work) {
    return work.offset <= fence || work.started;
  }

  /** Whether all that is out has come back and all that may start has ended. */
  boolean drained() {
    return busy == 0 && (offsets.isEmpty() || offsets.peek().offset > fence);
  }

  void end(Work<W> work) {
    work.end();
    unfinished--;
    unfinishedBytes -= work.bytes;
    while (!offsets.isEmpty() && offsets.peek().state == Work.State.TERMINAL) {
      offsets.remove();
    }
  }

  /**
   * The first offset that hasn't ended, or the one behind all received: everything before it has
   * ended. {@link #NONE} before anything was received.
   */
  long firstUnfinished() {
    Work<W> first = offsets.peek();
    if (first != null) {
      return first.offset;
    }
    return lastReceived == NONE ? NONE : lastReceived + 1;
  }

  void addBusyTo(List<Work<W>> list) {
    for (Work<W> work : offsets) {
      if (work.state == Work.State.BUSY) {
        list.add(work);
      }
    }
  }

  /** How many offsets the books hold, ended ones behind an unfinished one among them. */
  int tracked() {
    return offsets.size();
  }
}
