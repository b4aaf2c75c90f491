package dev.tideover.sdk.internal.core;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * A partition from being assigned to being taken away: its offsets, its lanes, its window. The
 * object is the epoch: a partition that comes back gets a new one, so whatever refers to an old one
 * is stale, and is known to be.
 */
final class Assignment<W> {

  static final long NONE = -1;

  /** More than find room in the metadata, unless they lie unusually well. */
  private static final int MOST_RANGES = 2_000;

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

  /** What was taken over with it. Entries about requests are used up as these come. */
  final Inheritance inheritance;

  /** Ordering keys that are parked, with the id of the request that failed. */
  final Map<String, String> parked;

  /** Offsets of dead requests that the ledger knows of and that no commit has passed yet. */
  final List<Long> forgettable = new ArrayList<>(0);

  /** What clients want not to begin, by offset; until a commit has passed it. */
  final TreeMap<Long, LedgerEntry.Cancelled> cancelled;

  /** What has finished with an idempotency key. */
  final FinishedPart finished;

  /** The offset last committed. */
  long committed;

  /** How often something has ended, and how often at the last commit. */
  private long ends;

  private long committedEnds;

  /** What the last commit said about {@link CommitNote#clean}. */
  private boolean committedClean;

  /**
   * From the first that hasn't ended to the last received. Only what was received is in it: gaps in
   * the offsets are normal (compaction, transaction markers) and mean nothing.
   */
  private final ArrayDeque<Work<W>> offsets = new ArrayDeque<>();

  private long lastReceived = NONE;

  /** Which range of the inheritance's done offsets comes next. */
  private int nextDone;

  /** One that remembers no finished requests. */
  Assignment(TopicPartition partition, Inheritance inheritance) {
    this(partition, inheritance, FinishedPart.empty());
  }

  Assignment(TopicPartition partition, Inheritance inheritance, FinishedPart finished) {
    this.partition = partition;
    this.inheritance = inheritance;
    this.finished = finished;
    this.parked = new HashMap<>(inheritance.parked());
    this.committed = inheritance.offset();
    this.cancelled = new TreeMap<>(inheritance.cancelled());
    this.cancelled.headMap(committed).clear();
    // Whoever has had the partition before may have left a clean end in the metadata, and none at
    // all is as good: what says that somebody has it now has to be written.
    this.committedClean = true;
    this.nextDone = 0;
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
   * An offset has come whose request has ended before, under another owner.
   *
   * @return false if it isn't one
   */
  boolean passOver(long offset) {
    List<CommitNote.OffsetRange> done = inheritance.done();
    while (nextDone < done.size() && done.get(nextDone).to() <= offset) {
      nextDone++;
    }
    if (nextDone == done.size() || offset < done.get(nextDone).from() || offset <= lastReceived) {
      return false;
    }
    lastReceived = offset;
    offsets.add(Work.ended(this, offset));
    dropEnded();
    return true;
  }

  /** Whether no record with this offset comes any more: it has, or is committed. */
  boolean isBehind(long offset) {
    return offset <= lastReceived || offset < committed;
  }

  /** What has been received with this offset and is in the books; null for nothing. */
  @Nullable Work<W> find(long offset) {
    if (offset > lastReceived) {
      return null;
    }
    for (Work<W> work : offsets) {
      if (work.offset >= offset) {
        return work.offset == offset ? work : null;
      }
    }
    return null;
  }

  /**
   * From now on only those requests may start without which what is done already couldn't be
   * committed: the ones before the last that has begun or ended. But none behind one that waits for
   * another attempt, since that one won't get it here and holds the commit up. And none for the
   * sake of a cancelled one, which costs the next owner no more than a reply.
   *
   * @param leave whether to start none at all, since that could take long
   */
  void close(boolean leave) {
    fence = NONE; // what hasn't begun by now doesn't, so the look at what has is exact
    long last = NONE;
    long failing = OPEN;
    for (Work<W> work : offsets) {
      if (work.cancelled) {
        continue;
      }
      if (work.state == Work.State.TERMINAL || work.started) {
        last = work.offset;
      } else if (failing == OPEN && isLeft(work, leave)) {
        failing = work.offset;
      }
    }
    fence = Math.min(last, failing - 1);
  }

  private static boolean isLeft(Work<?> work, boolean leave) {
    return work.state == Work.State.WAITING
        || work.failedOnTrial()
        || leave && work.step() == Work.Step.HANDLE;
  }

  /** Closed, and from now on none is started at all. */
  void leaveUnbegun() {
    for (Work<W> work : offsets) {
      if (work.offset > fence) {
        return;
      }
      if (work.state == Work.State.QUEUED
          && !work.started
          && !work.cancelled
          && isLeft(work, true)) {
        fence = work.offset - 1;
        return;
      }
    }
  }

  boolean isOpen() {
    return fence == OPEN;
  }

  /** Whether a request may start, as far as its partition is concerned. */
  boolean admits(Work<W> work) {
    return work.offset <= fence || work.started;
  }

  /**
   * Whether all that is out has come back and all that may start has ended, and what was handled
   * has been answered: even behind one that is left to the next owner, who otherwise would handle
   * it again.
   */
  boolean drained() {
    return busy == 0 && (offsets.isEmpty() || offsets.peek().offset > fence) && !anyUnanswered();
  }

  private boolean anyUnanswered() {
    for (Work<W> work : offsets) {
      boolean ended = work.state == Work.State.TERMINAL;
      if (work.started && !ended && !work.cancelled && !work.repeats) {
        return true;
      }
    }
    return false;
  }

  void end(Work<W> work) {
    work.end();
    unfinished--;
    unfinishedBytes -= work.bytes;
    ends++;
    dropEnded();
  }

  private void dropEnded() {
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
    long next = lastReceived == NONE ? inheritance.offset() : lastReceived + 1;
    for (int i = nextDone; i < inheritance.done().size(); i++) {
      CommitNote.OffsetRange done = inheritance.done().get(i);
      if (done.from() <= next && next < done.to()) {
        return done.to(); // they don't touch, so there is no further one to pass
      }
    }
    return next;
  }

  /** Whether nothing is under way any more, nor will be. */
  private boolean isClean() {
    return !isOpen() && drained();
  }

  /** Whether a commit would tell Kafka something new. */
  boolean hasNews() {
    long offset = firstUnfinished();
    return offset != NONE
        && (offset > committed || ends > committedEnds || isClean() != committedClean);
  }

  /** Whether something has ended here that no commit has told Kafka. */
  boolean hasUncommitted() {
    return ends > committedEnds;
  }

  /** Whether Kafka knows that somebody has the partition. */
  boolean isMarked() {
    return !committedClean;
  }

  /** What would be committed now. */
  CommitSnapshot.Entry entry() {
    return new CommitSnapshot.Entry(this, firstUnfinished(), note(), ends);
  }

  private CommitNote note() {
    List<CommitNote.OffsetRange> done = new ArrayList<>();
    long from = NONE;
    long last = NONE;
    for (Work<W> work : offsets) {
      if (work.state == Work.State.TERMINAL) {
        from = from == NONE ? work.offset : from;
        last = work.offset;
      } else if (from != NONE) {
        done.add(new CommitNote.OffsetRange(from, last + 1));
        from = NONE;
        if (done.size() == MOST_RANGES) {
          break;
        }
      }
    }
    if (from != NONE) {
      done.add(new CommitNote.OffsetRange(from, last + 1));
    }
    addInherited(done);
    return new CommitNote(inheritance.topicId(), isClean(), done);
  }

  /** What has ended under an earlier owner and hasn't come yet is still worth to be known. */
  private void addInherited(List<CommitNote.OffsetRange> done) {
    List<CommitNote.OffsetRange> before = inheritance.done();
    // Behind all that is in the books, and behind the offset that it goes with.
    long first = Math.max(lastReceived + 1, firstUnfinished());
    for (int i = nextDone; i < before.size() && done.size() < MOST_RANGES; i++) {
      long from = Math.max(before.get(i).from(), first);
      long to = before.get(i).to();
      if (from < to) {
        int last = done.size() - 1;
        boolean touches = last >= 0 && done.get(last).to() == from;
        done.add(new CommitNote.OffsetRange(touches ? done.remove(last).from() : from, to));
      }
    }
  }

  void committed(CommitSnapshot.Entry entry) {
    committed = Math.max(committed, entry.offset());
    committedEnds = Math.max(committedEnds, entry.ends());
    committedClean = entry.note().clean();
  }

  /** The first that hasn't ended, which holds the commit up; null for none. */
  @Nullable Work<W> oldest() {
    return offsets.peek();
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
