package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * The model of {@code Doing}, {@code GroupMember} and {@code Adopter}: it does what the core of one
 * instance wants done, and answers when the schedule says so.
 */
final class SimShell implements Effects<SimDelivery> {

  /** An adoption under way; asked and not yet told, once there is an answer. */
  private static final class Asked {
    final TopicPartition partition;
    final long number;
    @Nullable Adoption answer;

    Asked(TopicPartition partition, long number) {
      this.partition = partition;
      this.number = number;
    }
  }

  /** A commit under way, or its result. */
  private record Commit(
      CommitSnapshot snapshot, int epoch, List<SimBroker.Committing> entries, boolean done) {}

  private final Simulation sim;
  private final SimInstance instance;
  private final List<Asked> asked = new ArrayList<>();
  private final ArrayDeque<Commit> commits = new ArrayDeque<>();
  private final List<Commit> results = new ArrayList<>();

  /** Which record of each log is read next. */
  final int[] next = new int[4];

  /** Partitions that aren't read now, as bits. */
  int paused;

  /** Partitions whose commits don't wait for the ledger, as bits. */
  int withoutLedger;

  /** What is to be committed by who waits for it, and isn't in the ledger yet. */
  private @Nullable CommitSnapshot preparing;

  private long ledgerDeadline;

  /** Whether a commit may have been applied that it takes for failed. */
  boolean inDoubt;

  SimShell(Simulation sim, SimInstance instance) {
    this.sim = sim;
    this.instance = instance;
  }

  boolean isIdle() {
    return asked.isEmpty() && commits.isEmpty() && preparing == null;
  }

  /** Within a poll: what has become of commits. */
  void tellResults() {
    for (Commit result : results) {
      instance.core.committed(result.snapshot, result.done, sim.now);
    }
    results.clear();
  }

  /** The process is gone; commits on their way may arrive still. */
  void die(int choice) {
    for (int bit = 0; !commits.isEmpty(); bit++) {
      Commit commit = commits.remove();
      if ((choice >> bit % 8 & 1) != 0) {
        sim.broker.commit(instance, commit.epoch, commit.entries);
      }
    }
  }

  /**
   * Whether it is over; if it isn't, poll and try again, unless it {@link #isPreparing}.
   *
   * @param mayPoll see {@code PollLoop}
   */
  boolean commitAndWait(int choice, boolean mayPoll, long deadline, long ledgerBudget) {
    if (preparing == null) {
      while (!commits.isEmpty()) {
        endCommit(choice);
      }
      tellResults();
      preparing = instance.core.prepareCommit(sim.now);
      ledgerDeadline = sim.now + ledgerBudget;
    }
    if (!instance.core.isWritten(preparing, sim.now) && sim.now - ledgerDeadline < 0) {
      return false;
    }
    CommitSnapshot snapshot = instance.core.prepared(preparing);
    preparing = null;
    if (snapshot.isEmpty()) {
      return true;
    }
    boolean fails = sim.happens(SimConfig.Feature.COMMITS_FAIL, choice >> 4, 2);
    if (fails && mayPoll && sim.now - deadline < 0) {
      return false; // the group is rebalancing
    }
    List<SimBroker.Committing> entries = encode(snapshot);
    boolean applied =
        (!fails || (choice & 1) == 0) && sim.broker.commit(instance, instance.epoch, entries);
    if (applied && !fails) {
      instance.core.committed(snapshot, true, sim.now);
    } else {
      inDoubt = true;
    }
    return true;
  }

  /** Whether it waits for the ledger, and does nothing but hear what it is told. */
  boolean isPreparing() {
    return preparing != null;
  }

  /** The answer to its oldest commit comes; false if none is under way. */
  boolean endCommit(int choice) {
    Commit commit = commits.poll();
    if (commit == null) {
      return false;
    }
    boolean fails = sim.happens(SimConfig.Feature.COMMITS_FAIL, choice >> 2, 2);
    boolean applied =
        (!fails || (choice & 1) == 0) && sim.broker.commit(instance, commit.epoch, commit.entries);
    boolean silent = fails && (choice & 2) == 0;
    boolean done = applied && !fails;
    if (sim.trace()) {
      sim.say(
          instance + (silent ? " hears nothing of its commit" : " hears of its commit: " + done));
    }
    inDoubt |= !done;
    if (!silent) {
      results.add(new Commit(commit.snapshot, commit.epoch, List.of(), done));
    }
    return true;
  }

  /** An adoption gets on: what is asked is looked up, or told; false if there is none. */
  boolean adopt(int choice) {
    if (asked.isEmpty()) {
      return false;
    }
    Asked one = asked.get(choice % asked.size());
    if (one.answer == null) {
      one.answer = sim.broker.adoption(instance, one.partition.partition());
    } else if (!instance.isInCallback()) {
      asked.remove(one);
      instance.knowledge.adopted(one.partition, one.answer);
      instance.core.adopted(one.partition, one.number, one.answer);
    } else {
      return false;
    }
    return true;
  }

  // ---- What the core wants done.

  @Override
  public @Nullable String idOf(SimDelivery delivery) {
    return delivery.request.id();
  }

  @Override
  public @Nullable Identity identityOf(SimDelivery delivery) {
    return delivery.request.identity();
  }

  @Override
  public void repeat(SimDelivery delivery, boolean same, long original) {
    delivery.same = same;
    delivery.original = original;
  }

  @Override
  public void remember(TopicPartition partition, FinishedBatch batch) {
    instance.workers.remember(partition.partition(), batch);
  }

  @Override
  public void notRemembered(TopicPartition partition, String why) {
    if (sim.trace()) {
      sim.say(instance + " goes on without the ledger of " + partition + ": " + why);
    }
    withoutLedger |= 1 << partition.partition();
  }

  @Override
  public void forgotten(TopicPartition partition, int ids) {
    throw new Violation(Promise.ONCE, "there is room for all ids of " + partition);
  }

  @Override
  public void begin(Work<SimDelivery> work) {
    int out = instance.core.permits().inUse();
    // One whose start has been recorded goes on, as the probe or alone, if need be with one more.
    int most =
        work.trouble == null
            ? instance.core.allowance()
            : sim.config.concurrency() + sim.config.surplus() + 1;
    if (work.permit != null && out > most) {
      throw new Violation(Promise.CONCURRENCY, out + " are out, and " + most + " may be");
    }
    instance.knowledge.checkBegin(work);
    instance.steering.begins(work);
    instance.workers.begin(work);
  }

  @Override
  public void bury(SimDelivery delivery, String reason, String error) {
    delivery.deadReason = reason;
    instance.steering.buries(delivery, reason);
    instance.knowledge.checkParked(delivery.request, reason);
  }

  @Override
  public void interrupt(Work<SimDelivery> work, boolean stale) {
    SimDelivery delivery = work.payload();
    delivery.cancelled |= stale;
    delivery.interrupt(sim.now);
    sim.coverage.interrupted(stale);
  }

  @Override
  public void abandon(Work<SimDelivery> work) {
    instance.workers.abandon(work);
    sim.coverage.abandoned();
  }

  @Override
  public void reclaim(Work<SimDelivery> work) {
    instance.workers.reclaim();
  }

  @Override
  public void giveUp(String reason) {
    instance.failed = true;
  }

  @Override
  public void note(TopicPartition partition, LedgerEntry entry) {
    instance.workers.note(partition.partition(), entry.key(), entry);
  }

  @Override
  public void forget(TopicPartition partition, String ledgerKey) {
    instance.workers.note(partition.partition(), ledgerKey, null);
  }

  @Override
  public void notCancelled(TopicPartition partition) {
    throw new Violation(Promise.CANCELLED, "there is room for all that are in " + partition);
  }

  @Override
  public void adopt(TopicPartition partition, long number) {
    asked.add(new Asked(partition, number));
  }

  @Override
  public void abandonAdoption(TopicPartition partition) {
    asked.removeIf(one -> one.partition.equals(partition));
  }

  @Override
  public void seek(TopicPartition partition, long offset) {
    int p = partition.partition();
    next[p] = sim.broker.indexOf(p, offset);
  }

  @Override
  public void pause(Collection<TopicPartition> partitions) {
    partitions.forEach(partition -> paused |= 1 << partition.partition());
  }

  @Override
  public void resume(Collection<TopicPartition> partitions) {
    partitions.forEach(partition -> paused &= ~(1 << partition.partition()));
  }

  @Override
  public void commit(CommitSnapshot snapshot) {
    commits.add(new Commit(snapshot, instance.epoch, encode(snapshot), false));
  }

  private List<SimBroker.Committing> encode(CommitSnapshot snapshot) {
    List<SimBroker.Committing> entries = new ArrayList<>();
    for (CommitSnapshot.Entry entry : snapshot.entries()) {
      CommitNote note = entry.note();
      if (sim.config.shortNotes() && note.done().size() > 1) {
        note = new CommitNote(note.topicId(), note.clean(), note.done().subList(0, 1));
      }
      entries.add(
          new SimBroker.Committing(
              entry.partition().partition(),
              entry.offset(),
              note,
              CommitNoteCodec.encode(note, entry.offset())));
    }
    return entries;
  }

  @Override
  public void opened(Collection<TopicPartition> partitions) {}

  @Override
  public void stopped(TopicPartition partition, String diagnosis) {
    sim.stopped(instance, partition, diagnosis);
  }

  @Override
  public void held(String reason) {
    sim.coverage.held();
  }

  @Override
  public void resumed() {}
}
