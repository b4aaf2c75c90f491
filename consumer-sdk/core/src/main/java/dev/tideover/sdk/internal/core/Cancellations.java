package dev.tideover.sdk.internal.core;

import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * Requests that clients want not to begin. Part of {@link Core}, with the same owner.
 *
 * <p>That such a request hasn't begun is found in one place, {@link #decide}, and then recorded in
 * the ledger before its client is told so. From the record on it can't begin any more: not here,
 * since its step has changed, and not after a crash, since whoever has the partition next reads the
 * record before the request, and the record stays until the request's offset is committed. What an
 * earlier owner writes about the request, late, doesn't change that: it has another key.
 *
 * <p>The other way round, the wish for what has begun is taken out of the ledger as soon as that is
 * seen: otherwise, if the request came again after a crash, it would look as if it hadn't. That
 * can't undo a decision, which is an entry of its own.
 *
 * <p>Without a ledger none of this would hold, so nothing is cancelled then.
 */
final class Cancellations<W> {

  /**
   * How many of one partition are known, those with the lowest offsets. No partition has more
   * offsets in the books, see {@link Inheritance#REACH}, so no owner has decided about one that is
   * left out here.
   */
  static final int MOST = (int) Inheritance.REACH + 10_000;

  /** How many are kept for partitions that aren't found out about yet. */
  private static final int MOST_EARLY = 10_000;

  /** What was heard of a partition too early. */
  private record Early(TopicPartition partition, LedgerEntry.Cancelled wish) {}

  private final Policy policy;
  private final Effects<W> effects;
  private final Finished<W> finished;

  /** The oldest first. */
  private final ArrayDeque<Early> early = new ArrayDeque<>();

  Cancellations(Policy policy, Effects<W> effects, Finished<W> finished) {
    this.policy = policy;
    this.effects = effects;
    this.finished = finished;
  }

  /** A notice about a partition that is being found out about. */
  void heardEarly(TopicPartition partition, LedgerEntry.Cancelled wish) {
    if (!policy.ledger()) {
      return;
    }
    if (early.size() == MOST_EARLY) {
      effects.notCancelled(early.remove().partition);
    }
    early.add(new Early(partition, wish));
  }

  /** These partitions are gone, and what was heard of them with them. */
  void forget(Collection<TopicPartition> partitions) {
    if (!early.isEmpty()) {
      early.removeIf(notice -> partitions.contains(notice.partition));
    }
  }

  /** A partition has been found out about. */
  void adopted(Assignment<W> assignment, Adoption found) {
    for (LedgerEntry entry : found.ledger()) {
      if (entry instanceof LedgerEntry.Cancelled known && known.offset() < assignment.committed) {
        effects.forget(assignment.partition, known.key());
      }
    }
    early.removeIf(
        notice -> {
          boolean meant = notice.partition.equals(assignment.partition);
          if (meant) {
            heard(assignment, notice.wish);
          }
          return meant;
        });
  }

  /**
   * A notice about a partition that is ours.
   *
   * @return the request, if it has been received and is in the books; {@link #decide} about it
   */
  @Nullable Work<W> heard(Assignment<W> assignment, LedgerEntry.Cancelled wish) {
    if (!policy.ledger()) {
      return null;
    }
    Work<W> work = assignment.find(wish.offset());
    boolean ended =
        work == null ? assignment.isBehind(wish.offset()) : work.state == Work.State.TERMINAL;
    if (ended) {
      effects.forget(assignment.partition, wish.key());
      return null;
    }
    if (work != null && work.state == Work.State.BUSY) {
      // It may begin at any moment, and after a crash nobody would know that it had.
      effects.forget(assignment.partition, wish.key());
    }
    TreeMap<Long, LedgerEntry.Cancelled> wishes = assignment.cancelled;
    LedgerEntry.Cancelled known = wishes.get(wish.offset());
    if (known == null || !known.decided()) {
      wishes.put(wish.offset(), wish);
      if (wishes.size() > MOST) {
        wishes.pollLastEntry();
        effects.notCancelled(assignment.partition);
      }
    }
    return work;
  }

  /** Whether it has been decided before, maybe by another owner, that it is cancelled. */
  boolean isDecided(Work<W> work) {
    LedgerEntry.Cancelled wish = wishOf(work);
    return wish != null && wish.decided();
  }

  /**
   * Whether it is cancelled from now on: that is wanted, and it hasn't begun. What is out isn't
   * decided about before it comes back. Nor is one that was sent again: whether it has begun is
   * what its first record tells.
   */
  boolean decide(Work<W> work) {
    boolean idle = work.state == Work.State.QUEUED || work.state == Work.State.WAITING;
    LedgerEntry.Cancelled wish = idle && !work.cancelled ? wishOf(work) : null;
    if (wish == null) {
      return false;
    }
    if (!wish.decided() && (work.hasBegun() || finished.isResend(work))) {
      effects.forget(work.partition(), wish.key());
      work.assignment.cancelled.remove(wish.offset());
      return false;
    }
    work.cancelled = true;
    if (wish.decided()) {
      work.step(Work.Step.CANCEL);
    } else {
      work.record(Trouble.After.CANCEL, new LedgerEntry.Cancelled(wish.offset(), wish.id(), true));
    }
    return true;
  }

  private LedgerEntry.@Nullable Cancelled wishOf(Work<W> work) {
    if (work.isStale() || work.assignment.cancelled.isEmpty()) {
      return null;
    }
    LedgerEntry.Cancelled wish = work.assignment.cancelled.get(work.offset);
    return wish != null && wish.id().equals(effects.idOf(work.payload())) ? wish : null;
  }

  /** The ledger has it that it is cancelled. */
  void recorded(Work<W> work) {
    work.assignment.cancelled.put(work.offset, (LedgerEntry.Cancelled) work.entry());
    work.step(Work.Step.CANCEL);
  }

  /** What is before the offset can't come again any more. */
  void committed(Assignment<?> assignment, long offset) {
    TreeMap<Long, LedgerEntry.Cancelled> wishes = assignment.cancelled;
    while (assignment.live && !wishes.isEmpty() && wishes.firstKey() < offset) {
      Map.Entry<Long, LedgerEntry.Cancelled> over = wishes.pollFirstEntry();
      effects.forget(assignment.partition, LedgerEntry.Cancelled.key(over.getKey(), false));
      if (over.getValue().decided()) {
        effects.forget(assignment.partition, LedgerEntry.Cancelled.key(over.getKey(), true));
      }
    }
  }
}
