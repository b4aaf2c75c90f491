package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * One run of one instance: a real {@link Core} and a model of the shell around it, which does what
 * {@code PollLoop}, {@code GroupMember} and {@code Doing} do, each time the schedule says so.
 */
final class SimInstance implements Effects<SimDelivery> {

  private static final long SECOND = 1_000_000_000L;
  private static final long REVOKE_BUDGET = 5 * SECOND;
  private static final long DRAIN_BUDGET = 30 * SECOND;

  /** What a worker reports. */
  enum Event {
    ENDED,
    RECORDED,
    GIVEN_BACK,
    AGAIN,
    FAILED
  }

  private enum Mode {
    RUNNING,
    /** In the callback for partitions that are to be given up. */
    REVOKING,
    GONE
  }

  private record Message(Event event, Work<SimDelivery> work, @Nullable Fault fault, long pause) {}

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

  final int slot;
  final String incarnation;
  final Core<SimDelivery> core;
  final SimWorkers workers;

  /** As a member of the group; negative for none. */
  int epoch = -1;

  /** What the group wants of it, as bits. */
  int toAssign;

  int toRevoke;

  private final Simulation sim;
  private final ArrayDeque<Message> mailbox = new ArrayDeque<>();
  private final List<Asked> asked = new ArrayList<>();
  private final ArrayDeque<Commit> commits = new ArrayDeque<>();
  private final List<Commit> results = new ArrayList<>();
  private final int[] next = new int[4];
  private final Adoption[] known = new Adoption[4];
  private final List<Map<String, String>> parked = new ArrayList<>();

  private Mode mode = Mode.RUNNING;
  private boolean draining;

  /** Whether it has had enough of handlers that don't end. */
  private boolean failed;

  private long deadline;
  private long revokeDeadline;
  private int revoking;

  /** Partitions that it has been told to have, and those of them that it doesn't read now. */
  private int subscribed;

  private int paused;

  /** Partitions that it has committed since it got them. */
  int touched;

  /** Whether a commit may have been applied that it takes for failed. */
  private boolean inDoubt;

  SimInstance(Simulation sim, int slot, int run) {
    this.sim = sim;
    this.slot = slot;
    this.incarnation = "i" + slot + "." + run;
    this.workers = new SimWorkers(sim, this);
    for (int p = 0; p < 4; p++) {
      parked.add(Map.of());
    }
    SimConfig config = sim.config;
    Policy policy =
        new Policy(
            incarnation,
            config.attempts(),
            failures -> failures * (SECOND / 10),
            config.parkKeys(),
            config.concurrency(),
            config.surplus(),
            3 * SECOND,
            config.ledger());
    this.core = sim.fault.core(policy, new Limits(10, 2_000, 30, 3_000, 100), this, sim.now);
  }

  boolean isUp() {
    return mode != Mode.GONE;
  }

  boolean isDraining() {
    return draining;
  }

  /** Whether it has nothing to do but to wait. */
  boolean isIdle() {
    return mailbox.isEmpty() && asked.isEmpty() && commits.isEmpty() && workers.isIdle();
  }

  // ---- What workers report.

  void post(Event event, Work<SimDelivery> work) {
    mailbox.add(new Message(event, work, null, 0));
  }

  void again(Work<SimDelivery> work, long pause) {
    mailbox.add(new Message(Event.AGAIN, work, null, pause));
  }

  void failed(Work<SimDelivery> work, Fault fault, long pause) {
    mailbox.add(new Message(Event.FAILED, work, fault, pause));
  }

  private void tell(Message message) {
    long now = sim.now;
    Work<SimDelivery> work = message.work;
    if (sim.trace()) {
      sim.say(this + " hears " + message.event + " " + message.work + " " + message.work.step());
    }
    switch (message.event) {
      case ENDED -> {
        SimRequest request = work.payload().request;
        request.aloneIsBack |= request.alone == this && request.aloneWork == work;
        core.ended(work, now);
      }
      case GIVEN_BACK -> core.givenBack(work, now);
      case AGAIN -> core.again(work, message.pause, now);
      case RECORDED -> {
        rememberParked(work);
        core.recorded(work, now);
      }
      case FAILED -> {
        SimRequest request = work.payload().request;
        request.aloneIsBack |= request.alone == this && request.aloneWork == work;
        core.failed(work, message.fault, message.pause, "as its kind is", now);
      }
    }
  }

  private void rememberParked(Work<SimDelivery> work) {
    if (!work.isStale() && work.entry() instanceof LedgerEntry.Parked entry) {
      Map<String, String> keys = parked.get(work.partition().partition());
      if (work.erases()) {
        keys.remove(entry.orderingKey());
      } else {
        keys.put(entry.orderingKey(), entry.blockerId());
      }
    }
  }

  // ---- The owner thread.

  /** One turn of its loop. */
  void turn(int choice) {
    if (mode == Mode.REVOKING) {
      turnOfRevocation(choice);
      return;
    }
    if (failed && !draining) {
      close();
      deadline = sim.now;
    }
    if (epoch < 0 && (sim.healing() || (choice & 1) == 0)) {
      noticeLoss();
    }
    core.beforePoll();
    poll(choice);
    if (mode == Mode.REVOKING) {
      return;
    }
    long now = sim.now;
    core.start(now);
    while (!mailbox.isEmpty()) {
      tell(mailbox.remove());
    }
    core.start(now);
    core.flow();
    core.commit(now);
    if (draining && (core.drained(core.partitions()) || now - deadline >= 0)) {
      if (commitAndWait(choice, true)) {
        leave(choice);
      }
    }
  }

  private void poll(int choice) {
    for (Commit result : results) {
      core.committed(result.snapshot, result.done, sim.now);
    }
    results.clear();
    if (toRevoke != 0) {
      revoking = toRevoke;
      toRevoke = 0;
      mode = Mode.REVOKING;
      revokeDeadline = sim.now + REVOKE_BUDGET;
      if (sim.trace()) {
        sim.say(this + " is to give up " + SimBroker.partitions(revoking));
      }
      core.close(SimBroker.partitions(revoking));
      return;
    }
    if (toAssign != 0) {
      int mask = toAssign;
      toAssign = 0;
      subscribed |= mask;
      if (sim.trace()) {
        sim.say(this + " gets " + SimBroker.partitions(mask));
      }
      core.assigned(SimBroker.partitions(mask), sim.now);
    }
    int most = !sim.healing() ? 1 + choice % 5 : sim.config.concurrency() == 1 ? 1 : 10;
    for (int p = 0; p < sim.broker.count(); p++) {
      if ((subscribed & ~paused & 1 << p) != 0) {
        fetch(p, most);
      }
    }
  }

  private void fetch(int p, int most) {
    List<SimRequest> log = sim.broker.log(p);
    TopicPartition partition = SimBroker.partition(p);
    for (int i = 0; i < most && next[p] < log.size(); i++) {
      SimRequest request = log.get(next[p]++);
      if (!core.takes(partition)) {
        continue;
      }
      SimDelivery delivery = new SimDelivery(request);
      boolean malformed = request.kind == SimRequest.Kind.MALFORMED;
      if (malformed) {
        delivery.deadReason = "malformed";
      }
      core.received(
          partition,
          request.offset,
          malformed ? null : request.key,
          200,
          delivery,
          malformed ? Work.Step.BURY : Work.Step.HANDLE);
    }
  }

  private void turnOfRevocation(int choice) {
    Collection<TopicPartition> partitions = SimBroker.partitions(revoking);
    core.start(sim.now);
    int messages = sim.healing() ? Integer.MAX_VALUE : 1 + choice % 3;
    for (int i = 0; i < messages && !mailbox.isEmpty(); i++) {
      tell(mailbox.remove());
      core.start(sim.now);
    }
    boolean drained = core.drained(partitions);
    if (!drained && sim.now - revokeDeadline < 0) {
      return;
    }
    boolean committed = commitAndWait(choice, false);
    checkEnd(revoking, drained && committed);
    giveUp(revoking);
    int mask = revoking;
    revoking = 0;
    subscribed &= ~mask;
    mode = Mode.RUNNING;
    sim.broker.revoked(this, mask);
  }

  private void giveUp(int mask) {
    endsAlone(mask & ~cleanOf(mask));
    int stale = core.revoke(SimBroker.partitions(mask), sim.now);
    touched &= ~mask;
    if (sim.trace()) {
      sim.say(this + " has given up " + SimBroker.partitions(mask) + ", stale: " + stale);
    }
  }

  private int cleanOf(int mask) {
    int clean = 0;
    for (int p = 0; p < 4; p++) {
      boolean held = (mask >> p & 1) != 0;
      clean |= held && p < sim.broker.count() && !sim.broker.isMarkedBy(p, this) ? 1 << p : 0;
    }
    return clean;
  }

  /** After an end in good order nobody has reason to think of a crash. */
  private void checkEnd(int mask, boolean inGoodOrder) {
    for (int p = 0; p < sim.broker.count(); p++) {
      boolean mine = (mask >> p & 1) != 0 && sim.broker.owner(p) == this;
      mine &= (touched >> p & 1) != 0;
      if (inGoodOrder && !inDoubt && mine && sim.broker.isMarkedBy(p, this)) {
        throw new Violation(
            Promise.CLEAN_END,
            this + " gives up partition " + p + ", which then looks like a crash");
      }
    }
  }

  /** It hears that the group has taken it for dead, and joins again. */
  private void noticeLoss() {
    if (sim.trace()) {
      sim.say(this + " has lost " + SimBroker.partitions(subscribed));
    }
    if (sim.fault == SimFault.COMMIT_WHEN_LOST && !draining) {
      // The client has joined again behind the scenes: the broker takes the commit for a member's.
      sim.broker.join(this);
      toAssign = 0;
      commitAndWait(0, false);
      sim.broker.remove(this);
    }
    giveUp(subscribed);
    subscribed = 0;
    if (!draining) {
      sim.broker.join(this);
    }
  }

  void close() {
    draining = true;
    deadline = sim.now + DRAIN_BUDGET;
    core.drain();
    paused = -1;
    core.flow();
  }

  private void leave(int choice) {
    int held = 0;
    for (TopicPartition partition : core.partitions()) {
      held |= 1 << partition.partition();
    }
    checkEnd(held, core.drained(core.partitions()));
    giveUp(held);
    int rest = subscribed;
    core.close(SimBroker.partitions(rest));
    boolean committed = commitAndWait(choice, false);
    checkEnd(rest & ~held, committed);
    giveUp(rest);
    if (sim.trace()) {
      sim.say(this + " leaves");
    }
    if (sim.broker.isMember(this)) {
      sim.broker.remove(this);
    }
    mode = Mode.GONE;
    workers.die(-1);
    sim.live.remove(this);
  }

  /**
   * Whether it is over; if it isn't, poll and try again.
   *
   * @param mayPoll see {@code PollLoop}
   */
  private boolean commitAndWait(int choice, boolean mayPoll) {
    while (!commits.isEmpty()) {
      endCommit(choice);
    }
    for (Commit result : results) {
      core.committed(result.snapshot, result.done, sim.now);
    }
    results.clear();
    CommitSnapshot snapshot = core.snapshot();
    if (snapshot.isEmpty()) {
      return true;
    }
    boolean fails = sim.happens(SimConfig.Feature.COMMITS_FAIL, choice >> 4, 2);
    if (fails && mayPoll && sim.now - deadline < 0) {
      return false; // the group is rebalancing
    }
    List<SimBroker.Committing> entries = encode(snapshot);
    boolean applied = (!fails || (choice & 1) == 0) && sim.broker.commit(this, epoch, entries);
    if (applied && !fails) {
      core.committed(snapshot, true, sim.now);
    } else {
      inDoubt = true;
    }
    return true;
  }

  // ---- What the schedule does to it.

  /** The answer to its oldest commit comes; false if none is under way. */
  boolean endCommit(int choice) {
    Commit commit = commits.poll();
    if (commit == null) {
      return false;
    }
    boolean fails = sim.happens(SimConfig.Feature.COMMITS_FAIL, choice >> 2, 2);
    boolean applied =
        (!fails || (choice & 1) == 0) && sim.broker.commit(this, commit.epoch, commit.entries);
    boolean silent = fails && (choice & 2) == 0;
    boolean done = applied && !fails;
    if (sim.trace()) {
      sim.say(this + (silent ? " hears nothing of its commit" : " hears of its commit: " + done));
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
      one.answer = sim.broker.adoption(one.partition.partition());
    } else if (mode == Mode.RUNNING) {
      asked.remove(one);
      adopted(one.partition, one.number, one.answer);
    } else {
      return false;
    }
    return true;
  }

  private void adopted(TopicPartition partition, long number, Adoption found) {
    int p = partition.partition();
    known[p] = found;
    Map<String, String> keys = new HashMap<>();
    for (LedgerEntry entry : found.ledger()) {
      if (entry instanceof LedgerEntry.Parked park) {
        keys.put(park.orderingKey(), park.blockerId());
      }
    }
    parked.set(p, keys);
    checkInnocent(p, found);
    sim.coverage.adopted(found);
    if (sim.trace()) {
      sim.say(this + " finds out: " + partition + " " + found);
    }
    core.adopted(partition, number, found);
  }

  private void checkInnocent(int p, Adoption found) {
    Map<Long, Inheritance.Remembered> all = Inheritance.of(found, incarnation).remembered();
    for (Map.Entry<Long, Inheritance.Remembered> one : all.entrySet()) {
      SimRequest request = sim.broker.find(p, one.getKey());
      if (request != null
          && one.getValue().id().equals(request.id())
          && one.getValue().crashes() > request.endsAlone) {
        throw new Violation(
            Promise.INNOCENT,
            request
                + " is said to have run alone in "
                + one.getValue().crashes()
                + " crashes, and was in "
                + request.endsAlone);
      }
    }
  }

  /** A handler of a partition that it owns starts: does the core know what it was told? */
  void checkKnown(Work<SimDelivery> work, SimRequest request) {
    int p = request.partition;
    CommitNote note = known[p].note();
    if (note != null && SimBroker.contains(note, request.offset)) {
      throw new Violation(Promise.NOTE_USED, request + " starts in spite of " + note);
    }
    for (LedgerEntry entry : known[p].ledger()) {
      if (entry instanceof LedgerEntry.Attempts attempts
          && attempts.offset() == request.offset
          && attempts.id().equals(request.id())
          && attempts.attempts() > work.attempts()) {
        throw new Violation(
            Promise.ATTEMPTS, request + " starts after " + work.attempts() + " of " + attempts);
      }
    }
    String blocker = request.key == null ? null : parked.get(p).get(request.key);
    if (blocker != null && !blocker.equals(request.id())) {
      throw new Violation(
          Promise.PARKED, request + " is handled, and its key is parked for " + blocker);
    }
  }

  /** Its process ends, at once. */
  void kill(int choice) {
    if (sim.trace()) {
      sim.say(this + " is killed");
    }
    int owned = sim.broker.owned(this);
    mode = Mode.GONE;
    sim.live.remove(this);
    for (int bit = 0; !commits.isEmpty(); bit++) {
      Commit commit = commits.remove();
      if ((choice >> bit % 8 & 1) != 0) {
        sim.broker.commit(this, commit.epoch, commit.entries);
      }
    }
    endsAlone(owned);
    workers.die(choice);
  }

  void dieOf(SimRequest poison) {
    if (sim.broker.owner(poison.partition) == this) {
      poison.crashes++;
      if (poison.crashes > 5) {
        throw new Violation(Promise.POISON, poison + " has ended " + poison.crashes + " instances");
      }
    }
    kill(poison.number * 31 + poison.crashes * 7);
  }

  /** The group takes it for dead. */
  void expire() {
    if (sim.trace()) {
      sim.say("the group takes " + this + " for dead");
    }
    endsAlone(sim.broker.owned(this));
    sim.broker.remove(this);
  }

  /** What it runs alone in these partitions looks as if it had ended the instance. */
  private void endsAlone(int mask) {
    for (int p = 0; p < sim.broker.count(); p++) {
      if ((mask >> p & 1) == 0) {
        continue;
      }
      for (SimRequest request : sim.broker.log(p)) {
        if (request.alone == this) {
          boolean over = request.aloneIsBack && request.aloneWork.step() != Work.Step.RECORD;
          request.endsAlone += over ? 0 : 1;
          request.alone = null;
        }
      }
    }
  }

  // ---- What the core wants done.

  @Override
  public @Nullable String idOf(SimDelivery delivery) {
    return delivery.request.id();
  }

  @Override
  public void begin(Work<SimDelivery> work) {
    int out = core.permits().inUse();
    // One whose start has been recorded goes on, as the probe or alone, if need be with one more.
    int most =
        work.trouble == null
            ? core.allowance()
            : sim.config.concurrency() + sim.config.surplus() + 1;
    if (work.permit != null && out > most) {
      throw new Violation(Promise.CONCURRENCY, out + " are out, and " + most + " may be");
    }
    workers.begin(work);
  }

  @Override
  public void bury(SimDelivery delivery, String reason, String error) {
    delivery.deadReason = reason;
    SimRequest request = delivery.request;
    if (reason.equals("parked") && !sim.broker.isParkedByStranger(request.partition, request.key)) {
      String blocker = parked.get(request.partition).get(request.key);
      for (SimRequest earlier : sim.broker.log(request.partition).subList(0, request.index)) {
        if (earlier.completed && earlier.id().equals(blocker)) {
          throw new Violation(
              Promise.PARKED, request + " is parked, though " + earlier + " is over");
        }
      }
    }
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
    workers.abandon(work);
    sim.coverage.abandoned();
  }

  @Override
  public void reclaim(Work<SimDelivery> work) {
    workers.reclaim();
  }

  @Override
  public void giveUp(String reason) {
    failed = true;
  }

  @Override
  public void note(TopicPartition partition, LedgerEntry entry) {
    workers.note(partition.partition(), entry.key(), entry);
  }

  @Override
  public void forget(TopicPartition partition, String ledgerKey) {
    workers.note(partition.partition(), ledgerKey, null);
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
    commits.add(new Commit(snapshot, epoch, encode(snapshot), false));
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
    sim.stopped(this, partition, diagnosis);
  }

  @Override
  public void held(String reason) {
    sim.coverage.held();
  }

  @Override
  public void resumed() {}

  @Override
  public String toString() {
    return incarnation;
  }
}
