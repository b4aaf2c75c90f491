package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * The model of Kafka: logs with gaps, the ledger, committed offsets with their metadata, and a
 * group whose partitions move one by one, each revoked before it is given to another. It sees all
 * that is applied, and checks it.
 */
final class SimBroker {

  static final String TOPIC = "orders.requests";
  private static final TopicPartition[] PARTITIONS = {
    new TopicPartition(TOPIC, 0),
    new TopicPartition(TOPIC, 1),
    new TopicPartition(TOPIC, 2),
    new TopicPartition(TOPIC, 3)
  };

  /** One partition of the topic, and of the ledger. */
  private static final class Partition {
    final List<SimRequest> log = new ArrayList<>();
    final SimLedger ledger;
    long end;

    /** How many requests from the beginning are terminal without a gap. */
    int terminal;

    long committed = Adoption.NONE;
    @Nullable String metadata;

    /** What the metadata says, before it went through the codec. */
    @Nullable CommitNote note;

    @Nullable SimInstance committedBy;
    @Nullable SimInstance owner;
    @Nullable SimInstance target;

    Partition(Simulation sim) {
      this.ledger = new SimLedger(sim);
    }
  }

  private final Simulation sim;
  private final Partition[] partitions;
  private final List<SimInstance> members = new ArrayList<>();
  private int epochs;
  private int numbers;
  private Uuid topicId = new Uuid(1, 1);

  SimBroker(Simulation sim, int count) {
    this.sim = sim;
    partitions = new Partition[count];
    for (int p = 0; p < count; p++) {
      partitions[p] = new Partition(sim);
    }
  }

  static TopicPartition partition(int p) {
    return PARTITIONS[p];
  }

  static List<TopicPartition> partitions(int mask) {
    List<TopicPartition> list = new ArrayList<>(4);
    for (int p = 0; p < PARTITIONS.length; p++) {
      if ((mask >> p & 1) != 0) {
        list.add(PARTITIONS[p]);
      }
    }
    return list;
  }

  int count() {
    return partitions.length;
  }

  // ---- The log.

  SimRequest append(
      int p, int gap, @Nullable String key, @Nullable SimRequest of, SimRequest.Kind kind, int n) {
    Partition partition = partitions[p];
    long offset = partition.end + gap;
    SimRequest request =
        new SimRequest(++numbers, p, offset, key, partition.log.size(), of, kind, n);
    partition.log.add(request);
    partition.end = offset + 1;
    return request;
  }

  List<SimRequest> log(int p) {
    return partitions[p].log;
  }

  /** The place in the log of the first record from this offset on. */
  int indexOf(int p, long offset) {
    List<SimRequest> log = partitions[p].log;
    int low = 0;
    int high = log.size();
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (log.get(middle).offset < offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** The topic is deleted and made anew; nobody runs meanwhile. */
  void recreate() {
    topicId = new Uuid(1, topicId.getLeastSignificantBits() + 1);
    for (Partition partition : partitions) {
      partition.log.clear();
      partition.end = 0;
      partition.terminal = 0;
    }
  }

  /** What the operator is told to do after that. */
  void reset() {
    for (Partition partition : partitions) {
      partition.committed = Adoption.NONE;
      partition.metadata = null;
      partition.note = null;
      partition.committedBy = null;
      partition.ledger.clear();
      for (SimRequest request : partition.log) {
        request.crashes = 0; // nobody knows of them any more
        request.cancelled = false;
        request.finishedAt = Long.MIN_VALUE;
        request.repeated = null;
      }
    }
  }

  void terminal(SimRequest request) {
    request.terminal = true;
  }

  private int terminalPrefix(Partition partition) {
    List<SimRequest> log = partition.log;
    while (partition.terminal < log.size() && log.get(partition.terminal).terminal) {
      partition.terminal++;
    }
    return partition.terminal;
  }

  int firstOpen(int p) {
    return terminalPrefix(partitions[p]);
  }

  /** Whether whoever has its partition next knows that it has ended. */
  boolean isCommitted(SimRequest request) {
    Partition partition = partitions[request.partition];
    return request.offset < partition.committed
        || partition.note != null && contains(partition.note, request.offset);
  }

  /** Whether all requests are terminal and committed. */
  boolean isDone() {
    for (Partition partition : partitions) {
      int size = partition.log.size();
      if (terminalPrefix(partition) < size
          || size > 0 && partition.committed <= partition.log.get(size - 1).offset) {
        return false;
      }
    }
    return true;
  }

  String undone() {
    StringBuilder text = new StringBuilder();
    for (int p = 0; p < partitions.length; p++) {
      Partition partition = partitions[p];
      text.append("\n  ").append(p).append(" committed ").append(partition.committed);
      text.append(" of ").append(partition.end).append(", open:");
      for (SimRequest request : partition.log) {
        text.append(request.terminal ? "" : " " + request);
      }
    }
    return text.toString();
  }

  // ---- The ledger.

  SimLedger ledger(int p) {
    return partitions[p].ledger;
  }

  @Nullable SimRequest find(int p, long offset) {
    List<SimRequest> log = partitions[p].log;
    int index = indexOf(p, offset);
    return index < log.size() && log.get(index).offset == offset ? log.get(index) : null;
  }

  Adoption adoption(SimInstance by, int p) {
    Partition partition = partitions[p];
    CommitNote note = CommitNoteCodec.decode(partition.metadata, partition.committed);
    if (note == null != (partition.metadata == null)) {
      throw new IllegalStateException("a note that can't be read: " + partition.note);
    }
    Set<String> alive = new HashSet<>();
    if (sim.config.heartbeats()) {
      sim.live.forEach(instance -> alive.add(instance.incarnation));
    }
    FinishedIds finished = new FinishedIds(sim.config.window());
    FinishedBatches batches = new FinishedBatches(sim.config.window());
    if (sim.config.ledger()) {
      partition.ledger.read(finished, batches, by.epochMillis());
    }
    return new Adoption(
        topicId,
        partition.committed,
        note,
        0,
        partition.end,
        sim.config.ledger() ? partition.ledger.read(partition.committed) : List.of(),
        alive,
        finished,
        batches);
  }

  // ---- Commits.

  /** One partition of a commit on its way. */
  record Committing(int partition, long offset, CommitNote note, String metadata) {}

  /** Applies a commit; false if its sender isn't the member that it was any more. */
  boolean commit(SimInstance by, int epoch, List<Committing> commit) {
    if (epoch < 0 || by.epoch != epoch) {
      return false;
    }
    for (Committing entry : commit) {
      commit(by, entry);
    }
    return true;
  }

  private void commit(SimInstance by, Committing entry) {
    int p = entry.partition;
    Partition partition = partitions[p];
    if (sim.trace()) {
      sim.say("broker: " + by + " commits " + p + "/" + entry.offset + " " + entry.note);
    }
    if (partition.owner != by) {
      throw new Violation(
          Promise.COMMIT_BY_OWNER, by + " commits " + entry + " of " + partition.owner);
    }
    if (entry.offset < partition.committed) {
      throw new Violation(
          Promise.COMMIT_FORWARD, by + " commits " + entry + " after " + partition.committed);
    }
    int open = terminalPrefix(partition);
    boolean passes =
        open < partition.log.size()
            ? entry.offset > partition.log.get(open).offset
            : entry.offset > partition.end;
    if (passes) {
      throw new Violation(
          Promise.COMMIT,
          by
              + " commits "
              + entry
              + " past "
              + (open < partition.log.size() ? partition.log.get(open) : "the end"));
    }
    for (CommitNote.OffsetRange range : entry.note.done()) {
      int index = indexOf(p, range.from());
      for (;
          index < partition.log.size() && partition.log.get(index).offset < range.to();
          index++) {
        if (!partition.log.get(index).terminal) {
          throw new Violation(
              Promise.NOTE, by + " commits " + entry + " with " + partition.log.get(index));
        }
      }
      if (range.to() > partition.end) {
        throw new Violation(Promise.NOTE, by + " commits " + entry + " beyond the end");
      }
    }
    checkKept(by, entry, partition);
    if (entry.note.clean() && by.workers.anyLive(p)) {
      throw new Violation(
          Promise.CRASH_NOTICED, by + " commits " + entry + " as clean while a handler runs");
    }
    sim.once.committed(by, p, entry.offset, entry.note);
    partition.committed = entry.offset;
    partition.metadata = entry.metadata;
    partition.note = entry.note;
    partition.committedBy = by;
    if (entry.note.clean()) {
      // With an end in good order what was suspected is forgotten: the count begins anew.
      for (int i = open; i < partition.log.size(); i++) {
        partition.log.get(i).crashes = 0;
      }
    }
    by.touched |= 1 << p;
  }

  private void checkKept(SimInstance by, Committing entry, Partition partition) {
    CommitNote before = partition.note;
    if (before == null || before.done().isEmpty() || sim.config.shortNotes()) {
      return;
    }
    for (CommitNote.OffsetRange range : before.done()) {
      long from = Math.max(range.from(), entry.offset);
      for (int i = indexOf(entry.partition, from); i < partition.log.size(); i++) {
        long offset = partition.log.get(i).offset;
        if (offset >= range.to()) {
          break;
        }
        if (!contains(entry.note, offset)) {
          throw new Violation(
              Promise.NOTE_KEPT, by + " commits " + entry + " without " + partition.log.get(i));
        }
      }
    }
  }

  static boolean contains(CommitNote note, long offset) {
    for (CommitNote.OffsetRange range : note.done()) {
      if (range.from() <= offset && offset < range.to()) {
        return true;
      }
    }
    return false;
  }

  /** Whether a crash of its owner would be noticed by the next. */
  boolean isMarked(int p) {
    CommitNote note = partitions[p].note;
    return note != null && !note.clean();
  }

  boolean isMarkedBy(int p, SimInstance instance) {
    return isMarked(p) && partitions[p].committedBy == instance;
  }

  // ---- The group.

  @Nullable SimInstance owner(int p) {
    return partitions[p].owner;
  }

  int owned(SimInstance instance) {
    int mask = 0;
    for (int p = 0; p < partitions.length; p++) {
      mask |= partitions[p].owner == instance ? 1 << p : 0;
    }
    return mask;
  }

  boolean isMember(SimInstance instance) {
    return members.contains(instance);
  }

  void join(SimInstance instance) {
    members.add(instance);
    instance.epoch = ++epochs;
    rebalance();
  }

  /** It has left, or is taken for dead. */
  void remove(SimInstance instance) {
    members.remove(instance);
    instance.epoch = -1;
    instance.toAssign = 0;
    instance.toRevoke = 0;
    for (Partition partition : partitions) {
      if (partition.owner == instance) {
        partition.owner = null;
      }
    }
    rebalance();
  }

  /** A member has given these up. */
  void revoked(SimInstance instance, int mask) {
    for (int p = 0; p < partitions.length; p++) {
      if ((mask >> p & 1) != 0 && partitions[p].owner == instance) {
        partitions[p].owner = null;
      }
    }
    if (instance.epoch >= 0) {
      instance.epoch = ++epochs;
    }
    reconcile();
  }

  void move(int p, int choice) {
    if (!members.isEmpty()) {
      partitions[p].target = members.get(choice % members.size());
      reconcile();
    }
  }

  /** Sticky: a member keeps what it has, up to its share. */
  private void rebalance() {
    int most = members.isEmpty() ? 0 : (partitions.length + members.size() - 1) / members.size();
    int[] counts = new int[members.size()];
    for (Partition partition : partitions) {
      int at = members.indexOf(partition.owner);
      partition.target = at >= 0 && counts[at] < most ? partition.owner : null;
      if (partition.target != null) {
        counts[at]++;
      }
    }
    for (Partition partition : partitions) {
      if (partition.target == null && !members.isEmpty()) {
        int least = 0;
        for (int i = 1; i < counts.length; i++) {
          least = counts[i] < counts[least] ? i : least;
        }
        counts[least]++;
        partition.target = members.get(least);
      }
    }
    reconcile();
  }

  private void reconcile() {
    for (int p = 0; p < partitions.length; p++) {
      Partition partition = partitions[p];
      SimInstance owner = partition.owner;
      int bit = 1 << p;
      if (owner != null && owner == partition.target) {
        owner.toRevoke &= ~bit;
      } else if (owner != null && (owner.toAssign & bit) != 0) {
        owner.toAssign &= ~bit; // hasn't heard of it yet
        partition.owner = null;
      } else if (owner != null) {
        owner.toRevoke |= bit;
      }
      SimInstance target = partition.target;
      if (partition.owner == null && target != null) {
        partition.owner = target;
        target.toAssign |= bit;
      }
    }
  }
}
