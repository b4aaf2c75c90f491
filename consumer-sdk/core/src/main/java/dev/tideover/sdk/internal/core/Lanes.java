package dev.tideover.sdk.internal.core;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * Which request may start and which offset may be committed, for all partitions that a consumer
 * holds. Owned by one thread.
 *
 * <p>What it guarantees, whatever the order of calls:
 *
 * <ul>
 *   <li>{@link #snapshot} never passes an offset that was received and hasn't ended.
 *   <li>Of one ordering key of one partition at most one request is out at a time, and they come
 *       out in the order of the log; the next comes only after the one before has ended. A request
 *       that waits for its next attempt keeps its place. A cancelled one comes out before its turn,
 *       since nothing but its reply is made of it.
 *   <li>Every request that is queued comes out, as long as the ones out come back.
 *   <li>What belongs to a partition taken away changes nothing any more.
 * </ul>
 *
 * <p>Not final, so that the simulator can show that it finds a faulty one.
 *
 * @param <W> what the caller keeps with a request
 */
public class Lanes<W> {

  private final Limits limits;
  private final Map<TopicPartition, Assignment<W>> assignments = new HashMap<>();

  /** Heads of their lanes whose turn it is, first come first served over all partitions. */
  private final ArrayDeque<Work<W>> ready = new ArrayDeque<>();

  /** Those among them that have to run alone; the ones with the fewest crashes first. */
  private final PriorityQueue<Work<W>> alone =
      new PriorityQueue<>(
          Comparator.<Work<W>>comparingInt(work -> work.trouble().crashes)
              .thenComparingLong(work -> work.offset));

  /** Those that a worker has to send something for, which needs no handler. */
  private final ArrayDeque<Work<W>> sends = new ArrayDeque<>();

  private final PriorityQueue<Work<W>> waiting =
      new PriorityQueue<>(Comparator.comparingLong(work -> work.due));

  /** Those for which nothing may be sent yet; see {@link Trial}. */
  private final ArrayDeque<Work<W>> kept = new ArrayDeque<>();

  /** Whether what hasn't begun in a closed partition is left to the next owner. */
  private boolean leaving;

  private int busy;

  /** Begins without any partition. */
  public Lanes(Limits limits) {
    this.limits = limits;
  }

  /** A partition is ours from now on. */
  void assign(Assignment<W> assignment) {
    revoke(List.of(assignment.partition));
    assignments.put(assignment.partition, assignment);
  }

  /**
   * These partitions are about to be given up: takes no further records, and gives out only what
   * has to end so that what has ended can be committed. For good.
   */
  public void close(Collection<TopicPartition> partitions) {
    for (TopicPartition partition : partitions) {
      Assignment<W> assignment = assignments.get(partition);
      if (assignment != null && assignment.isOpen()) {
        kept.removeIf(work -> work.assignment == assignment && startsAnew(work));
        assignment.close(leaving);
        forgetWhatMayNotStart(assignment);
      }
    }
  }

  /** It isn't kept any more: whoever has it next begins with it. */
  private static boolean startsAnew(Work<?> work) {
    work.started = false;
    if (work.step() == Work.Step.REPLY) {
      work.step(Work.Step.HANDLE);
    }
    return true;
  }

  /**
   * Whether what hasn't begun may take long to: then a closed partition doesn't wait for it, though
   * something behind it has ended already. The note tells the next owner of that.
   */
  void hold(boolean held) {
    leaving = held;
    if (held) {
      for (Assignment<W> assignment : assignments.values()) {
        if (!assignment.isOpen()) {
          assignment.leaveUnbegun();
          forgetWhatMayNotStart(assignment);
        }
      }
    }
  }

  /** Whether all of these partitions are closed and as far as they get. */
  public boolean drained(Collection<TopicPartition> partitions) {
    for (TopicPartition partition : partitions) {
      Assignment<W> assignment = assignments.get(partition);
      if (assignment != null && !assignment.drained()) {
        return false;
      }
    }
    return true;
  }

  /**
   * These partitions are no longer ours.
   *
   * @return what is out still: it has become stale, and whoever does it may stop
   */
  public List<Work<W>> revoke(Collection<TopicPartition> partitions) {
    List<Work<W>> stale = new ArrayList<>();
    for (TopicPartition partition : partitions) {
      Assignment<W> assignment = assignments.remove(partition);
      if (assignment != null) {
        assignment.fence = Assignment.NONE;
        assignment.live = false;
        ready.removeIf(work -> work.assignment == assignment);
        alone.removeIf(work -> work.assignment == assignment);
        sends.removeIf(work -> work.assignment == assignment);
        waiting.removeIf(work -> work.assignment == assignment);
        kept.removeIf(work -> work.assignment == assignment);
        busy -= assignment.busy;
        assignment.addBusyTo(stale);
      }
    }
    return stale;
  }

  /** The partition, if it is ours. */
  @Nullable Assignment<W> assignment(TopicPartition partition) {
    return assignments.get(partition);
  }

  /** Those that are ours. */
  Collection<Assignment<W>> assignments() {
    return assignments.values();
  }

  /** Takes no further records of this partition, since the next can't be read. For good. */
  public void stop(TopicPartition partition) {
    Assignment<W> assignment = assignments.get(partition);
    if (assignment != null) {
      assignment.stopped = true;
    }
  }

  /** Whether records of this partition are taken. */
  public boolean takes(TopicPartition partition) {
    Assignment<W> assignment = assignments.get(partition);
    return assignment != null && assignment.isOpen() && !assignment.stopped;
  }

  /**
   * A record has come.
   *
   * @param key the ordering key, with {@code equals}; null for none
   * @return what it has become, with a turn once {@link #line} is called. Null if it wasn't taken:
   *     then it isn't in the books and so can't be committed. Its partition isn't ours, or closed,
   *     or stopped, or was past this offset before
   */
  @Nullable Work<W> receive(
      TopicPartition partition, long offset, @Nullable Object key, int bytes, W payload) {
    Assignment<W> assignment = assignments.get(partition);
    if (assignment == null || !takes(partition) || assignment.passOver(offset)) {
      return null;
    }
    return assignment.receive(offset, key, bytes, payload);
  }

  /** Puts what was received at the end of its lane. */
  void line(Work<W> work) {
    Work<W> before = null;
    if (work.lane != null) {
      before = work.lane.queue.peekLast();
      work.lane.queue.add(work);
    }
    if (before != null) {
      before.await();
    }
    if (before == null || work.cancelled) {
      addReady(work);
    }
  }

  /**
   * It has become cancelled: what there is to be sent for it needn't wait for its turn. It keeps
   * its place in its lane all the same, so that those behind it wait for its end.
   */
  void goAhead(Work<W> work) {
    if (!ready.remove(work) && !alone.remove(work)) {
      waiting.remove(work);
    }
    work.state = Work.State.QUEUED;
    if (work.assignment.admits(work)) {
      addReady(work);
    }
  }

  /** Those before it in its lane have to run alone as well: without them it never gets its turn. */
  void isolateLaneOf(Work<W> suspect) {
    if (suspect.lane == null) {
      return;
    }
    for (Work<W> work : suspect.lane.queue) {
      if (work.step() == Work.Step.HANDLE) {
        work.trouble().suspicion = Trouble.Suspicion.ALONE;
        if (ready.remove(work)) {
          alone.add(work);
        }
      }
    }
  }

  private void addReady(Work<W> work) {
    if (work.step() != Work.Step.HANDLE) {
      sends.add(work);
    } else if (isAlone(work)) {
      alone.add(work);
    } else {
      ready.add(work);
    }
  }

  /** Whether {@link #next} would give out something. */
  public boolean hasNext() {
    return !ready.isEmpty();
  }

  /**
   * Gives out the next request to be handled. It must come back.
   *
   * @throws java.util.NoSuchElementException if there is none
   */
  public Work<W> next() {
    return give(ready.remove());
  }

  /** Whether {@link #nextAlone} would give out something. */
  boolean hasAlone() {
    return !alone.isEmpty();
  }

  /** Gives out the next request to be handled with nothing beside it. It must come back. */
  Work<W> nextAlone() {
    return give(alone.remove());
  }

  /** Whether {@link #nextSend} would give out something. */
  boolean hasSend() {
    return !sends.isEmpty();
  }

  /** Gives out the next request for which something has to be sent. It must come back. */
  Work<W> nextSend() {
    return give(sends.remove());
  }

  private Work<W> give(Work<W> work) {
    work.state = Work.State.BUSY;
    work.assignment.busy++;
    busy++;
    return work;
  }

  /** Came back and has ended: its offset is done and the next of its key has its turn. */
  public void end(Work<W> work) {
    if (!comesBack(work)) {
      return;
    }
    work.assignment.end(work);
    Lane<W> lane = work.lane;
    if (lane == null) {
      return;
    }
    if (lane.queue.peek() != work) {
      lane.queue.remove(work); // it was cancelled, and the first has its turn already
      return;
    }
    lane.queue.remove();
    Work<W> next = lane.queue.peek();
    if (next == null) {
      work.assignment.lanes.remove(lane.key);
    } else if (!next.cancelled && work.assignment.admits(next)) {
      addReady(next); // a cancelled one hasn't waited for this
    }
  }

  /**
   * Came back and has to be worked on again, in its place and not before its time.
   *
   * @param due nanoseconds
   * @param anew whether it starts from the beginning, so that it is as if it hadn't started
   */
  public void again(Work<W> work, long due, boolean anew) {
    if (!comesBack(work)) {
      return;
    }
    if (anew) {
      work.started = false;
    }
    work.state = Work.State.WAITING;
    work.due = due;
    if (work.assignment.isOpen() || work.started) {
      waiting.add(work);
    } else {
      leaveBehind(work);
    }
  }

  /** Came back without having been begun, or given up. */
  public void giveBack(Work<W> work) {
    if (!comesBack(work)) {
      return;
    }
    boolean failed = work.started;
    work.started = false;
    work.state = Work.State.QUEUED;
    if ((failed || leaving) && !work.assignment.isOpen()) {
      leaveBehind(work);
    } else if (work.assignment.admits(work)) {
      if (work.step() == Work.Step.HANDLE && !isAlone(work)) {
        ready.addFirst(work);
      } else {
        addReady(work);
      }
    }
  }

  /** Came back with its start recorded, and goes on to the handler before others. */
  void recorded(Work<W> work) {
    if (comesBack(work)) {
      work.state = Work.State.QUEUED;
      if (isAlone(work)) {
        alone.add(work);
      } else {
        ready.addFirst(work);
      }
    }
  }

  /** Came back and has to be kept: what there is to be sent for it isn't, for now. */
  void keep(Work<W> work) {
    if (!comesBack(work)) {
      return;
    }
    work.state = Work.State.WAITING;
    if (work.assignment.isOpen()) {
      kept.add(work);
    } else {
      startsAnew(work);
      leaveBehind(work);
    }
  }

  /** What was kept is to be sent, and what waits since it has failed on trial has its turn. */
  void release() {
    List<Work<W>> released = new ArrayList<>(kept);
    kept.clear();
    for (Work<W> work : waiting) {
      if (work.failedOnTrial()) {
        released.add(work);
      }
    }
    waiting.removeIf(Work::failedOnTrial);
    for (Work<W> work : released) {
      work.state = Work.State.QUEUED;
      addReady(work);
    }
  }

  private static boolean isAlone(Work<?> work) {
    return work.trouble != null && work.trouble.suspicion == Trouble.Suspicion.ALONE;
  }

  /** It won't end here, so the commit won't pass it, and there is no use in starting later ones. */
  private void leaveBehind(Work<W> work) {
    Assignment<W> assignment = work.assignment;
    assignment.fence = Math.min(assignment.fence, work.offset - 1);
    forgetWhatMayNotStart(assignment);
  }

  private void forgetWhatMayNotStart(Assignment<W> assignment) {
    ready.removeIf(work -> work.assignment == assignment && !assignment.admits(work));
    alone.removeIf(work -> work.assignment == assignment && !assignment.admits(work));
    sends.removeIf(work -> work.assignment == assignment && !assignment.admits(work));
    waiting.removeIf(work -> work.assignment == assignment && !work.started);
  }

  /** Gives their turn to those whose time has come. */
  public void tick(long now) {
    for (Work<W> work = waiting.peek(); work != null; work = waiting.peek()) {
      if (work.due - now > 0) {
        return;
      }
      waiting.remove();
      work.state = Work.State.QUEUED;
      addReady(work);
    }
  }

  /** How long until {@link #tick} has something to do; {@code Long.MAX_VALUE} for never. */
  public long untilNextTick(long now) {
    Work<W> first = waiting.peek();
    return first == null ? Long.MAX_VALUE : Math.max(0, first.due - now);
  }

  /** What may be committed now and wasn't yet. */
  public CommitSnapshot snapshot() {
    CommitSnapshot snapshot = new CommitSnapshot();
    for (Assignment<W> assignment : assignments.values()) {
      if (assignment.hasNews()) {
        snapshot.add(assignment.entry());
      }
    }
    return snapshot;
  }

  /** How the partitions stand. */
  List<View.Partition<W>> views() {
    List<View.Partition<W>> views = new ArrayList<>();
    for (Assignment<W> assignment : assignments.values()) {
      Work<W> oldest = assignment.oldest();
      views.add(
          new View.Partition<>(
              assignment.partition,
              fillOf(assignment),
              assignment.unfinished,
              oldest == null ? Assignment.NONE : oldest.offset,
              oldest == null ? 0 : oldest.attempts,
              oldest == null ? null : oldest.payload()));
    }
    return views;
  }

  /** How many lanes have a first request that could start. */
  int waiting() {
    return ready.size() + alone.size();
  }

  /** Kafka has taken the snapshot. */
  public void committed(CommitSnapshot snapshot) {
    snapshot.committed();
  }

  /**
   * Whether nothing is out or about to be sent, what has ended is committed, and the ledger has it.
   */
  boolean isStill() {
    if (busy > 0 || !sends.isEmpty()) {
      return false;
    }
    for (Work<W> work : waiting) {
      if (work.step() != Work.Step.HANDLE) {
        return false;
      }
    }
    for (Assignment<W> assignment : assignments.values()) {
      if (assignment.hasUncommitted() || !assignment.finished.isWritten()) {
        return false;
      }
    }
    return true;
  }

  /** How many requests are out. */
  public int busy() {
    return busy;
  }

  /** The partitions that are ours. */
  public List<TopicPartition> partitions() {
    return List.copyOf(assignments.keySet());
  }

  /** The partitions that are ours and take nothing, because of what comes next in them. */
  public List<TopicPartition> stopped() {
    return assignments.values().stream().filter(a -> a.stopped).map(a -> a.partition).toList();
  }

  /** Whether some partition waits for room in its window. */
  public boolean anyFull() {
    for (Assignment<W> assignment : assignments.values()) {
      if (assignment.full && !assignment.stopped) {
        return true;
      }
    }
    return false;
  }

  /** The partitions whose window has filled since the last call: their reading has to pause. */
  public List<TopicPartition> filled() {
    List<TopicPartition> filled = new ArrayList<>();
    for (Assignment<W> assignment : assignments.values()) {
      if (!assignment.full && fillOf(assignment) >= 1) {
        assignment.full = true;
        filled.add(assignment.partition);
      }
    }
    return filled;
  }

  /**
   * The partitions whose window has emptied to a half since the last call: their reading may go on.
   * A half, so that it doesn't change with every request.
   */
  public List<TopicPartition> emptied() {
    List<TopicPartition> emptied = new ArrayList<>();
    for (Assignment<W> assignment : assignments.values()) {
      if (assignment.full && !assignment.stopped && fillOf(assignment) <= 0.5) {
        assignment.full = false;
        emptied.add(assignment.partition);
      }
    }
    return emptied;
  }

  private double fillOf(Assignment<W> assignment) {
    int count = assignments.size();
    double records = (double) assignment.unfinished / limits.records();
    double bytes = (double) assignment.unfinishedBytes / limits.bytesFor(count);
    double tracked = (double) assignment.tracked() / limits.trackedFor(count);
    return Math.max(records, Math.max(bytes, tracked));
  }

  /** False for what is stale; what isn't out can't come back, so that is a defect. */
  private boolean comesBack(Work<W> work) {
    if (!work.assignment.live) {
      return false;
    }
    if (work.state != Work.State.BUSY) {
      throw new IllegalStateException("defect: came back without being out: " + work);
    }
    work.assignment.busy--;
    busy--;
    return true;
  }
}
