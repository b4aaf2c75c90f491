package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.Collection;
import java.util.List;
import org.apache.kafka.common.TopicPartition;

/**
 * One run of one instance: a real {@link Core} and a model of the shell around it, which does what
 * {@code PollLoop}, {@code GroupMember} and {@code Doing} do, each time the schedule says so.
 */
final class SimInstance {

  private static final long SECOND = 1_000_000_000L;
  private static final long REVOKE_BUDGET = 5 * SECOND;
  private static final long LEDGER_BUDGET = 3 * SECOND;
  private static final long DRAIN_BUDGET = 30 * SECOND;

  private enum Mode {
    RUNNING,
    /** In the callback for partitions that are to be given up. */
    REVOKING,
    GONE
  }

  final int slot;
  final String incarnation;
  final Core<SimDelivery> core;
  final SimWorkers workers;
  final SimKnowledge knowledge;
  final SimMailbox mailbox;
  final SimSteering steering;
  private final SimShell shell;

  /** As a member of the group; negative for none. */
  int epoch = -1;

  /** What the group wants of it, as bits. */
  int toAssign;

  int toRevoke;

  private final Simulation sim;

  private Mode mode = Mode.RUNNING;
  private boolean draining;

  /** Whether it has had enough of handlers that don't end. */
  boolean failed;

  private long deadline;
  private long revokeDeadline;
  private int revoking;
  private boolean revokedInGoodOrder;

  /** Partitions that it has been told to have. */
  private int subscribed;

  /** Partitions that it has committed since it got them. */
  int touched;

  SimInstance(Simulation sim, int slot, int run) {
    this.sim = sim;
    this.slot = slot;
    this.incarnation = "i" + slot + "." + run;
    this.workers = new SimWorkers(sim, this);
    this.knowledge = new SimKnowledge(sim, this);
    this.mailbox = new SimMailbox(sim, this);
    this.steering = new SimSteering(sim, this);
    this.shell = new SimShell(sim, this);
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
            config.ledger(),
            1_000,
            this::epochMillis);
    this.core = sim.fault.core(policy, new Limits(10, 2_000, 30, 3_000, 100), shell, sim.now);
  }

  /** The time of day, by its own clock. */
  long epochMillis() {
    return sim.epochMillis() + (slot - 1) * sim.config.skew();
  }

  boolean isUp() {
    return mode != Mode.GONE;
  }

  /** Whether its commits of this partition don't wait for the ledger, which can't be had. */
  boolean isWithoutLedger(int partition) {
    return (shell.withoutLedger >> partition & 1) != 0;
  }

  boolean isInCallback() {
    return mode == Mode.REVOKING;
  }

  boolean isDraining() {
    return draining;
  }

  /** Whether it has nothing to do but to wait. */
  boolean isIdle() {
    return mailbox.isIdle() && shell.isIdle() && workers.isIdle();
  }

  private void hear(int choice) {
    mailbox.hearNotices(() -> sim.healing() || (choice & 3) != 3, subscribed);
  }

  // ---- The owner thread.

  /** One turn of its loop. */
  void turn(int choice) {
    if (mode == Mode.REVOKING) {
      turnOfRevocation(choice);
      return;
    }
    if (shell.isPreparing()) {
      listen(choice);
      if (shell.commitAndWait(choice, true, deadline, LEDGER_BUDGET)) {
        leave(choice);
      }
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
    hear(choice >> 2);
    mailbox.hear(Integer.MAX_VALUE, () -> {});
    core.start(now);
    core.flow();
    core.commit(now);
    steering.checkStill();
    if (draining && (core.drained(core.partitions()) || now - deadline >= 0)) {
      if (shell.commitAndWait(choice, true, deadline, LEDGER_BUDGET)) {
        leave(choice);
      }
    }
  }

  private void poll(int choice) {
    shell.tellResults();
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
      if ((subscribed & ~shell.paused & 1 << p) != 0) {
        fetch(p, most);
      }
    }
  }

  private void fetch(int p, int most) {
    List<SimRequest> log = sim.broker.log(p);
    TopicPartition partition = SimBroker.partition(p);
    for (int i = 0; i < most && shell.next[p] < log.size(); i++) {
      SimRequest request = log.get(shell.next[p]++);
      if (!core.takes(partition)) {
        continue;
      }
      SimDelivery delivery = new SimDelivery(request);
      delivery.trial = steering.trial();
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
    if (shell.isPreparing()) {
      listen(choice);
    } else {
      hear(choice >> 2);
      core.start(sim.now);
      int messages = sim.healing() ? Integer.MAX_VALUE : 1 + choice % 3;
      mailbox.hear(messages, () -> core.start(sim.now));
      revokedInGoodOrder = core.drained(partitions);
      if (!revokedInGoodOrder && sim.now - revokeDeadline < 0) {
        return;
      }
      // What is to be sent again waits for its time, and that comes.
      boolean waitsForNothing = isIdle() && core.untilNextStart(sim.now) == Long.MAX_VALUE;
      if (!revokedInGoodOrder && steering.isHeld() && waitsForNothing) {
        throw new Violation(Promise.STILL, this + " waits for what it doesn't start");
      }
    }
    boolean committed = shell.commitAndWait(choice, false, sim.now, LEDGER_BUDGET);
    if (shell.isPreparing()) {
      return;
    }
    checkEnd(revoking, revokedInGoodOrder && committed);
    giveUp(revoking);
    int mask = revoking;
    revoking = 0;
    subscribed &= ~mask;
    mode = Mode.RUNNING;
    sim.broker.revoked(this, mask);
  }

  /** It waits for the ledger, and meanwhile hears what it is told. */
  private void listen(int choice) {
    hear(choice >> 2);
    int messages = sim.healing() ? Integer.MAX_VALUE : 1 + choice % 3;
    mailbox.hear(messages, () -> {});
  }

  private void giveUp(int mask) {
    int unclean = mask & ~cleanOf(mask);
    // Without the ledger the note alone tells what has ended, and it has no room for all.
    sim.once.lost(unclean | mask & shell.withoutLedger);
    shell.withoutLedger &= ~mask;
    endsAlone(unclean);
    workers.overtaken(unclean);
    int stale = core.revoke(SimBroker.partitions(mask), sim.now);
    touched &= ~mask;
    knowledge.forget(mask);
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
      if (inGoodOrder && !shell.inDoubt && mine && sim.broker.isMarkedBy(p, this)) {
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
      shell.commitAndWait(0, false, sim.now, 0);
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
    shell.paused = -1;
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
    boolean committed = shell.commitAndWait(choice, false, sim.now, 0);
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

  // ---- What the schedule does to it.

  boolean endCommit(int choice) {
    return shell.endCommit(choice);
  }

  boolean adopt(int choice) {
    return shell.adopt(choice);
  }

  /** Its process ends, at once. */
  void kill(int choice) {
    if (sim.trace()) {
      sim.say(this + " is killed");
    }
    int owned = sim.broker.owned(this);
    mode = Mode.GONE;
    sim.live.remove(this);
    shell.die(choice);
    sim.once.lost(owned);
    endsAlone(owned);
    workers.die(choice);
  }

  void dieOf(SimRequest poison) {
    if (sim.broker.owner(poison.partition) == this && steering.trial() == 0) {
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
    int owned = sim.broker.owned(this);
    sim.once.lost(owned);
    endsAlone(owned);
    workers.overtaken(owned);
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

  @Override
  public String toString() {
    return incarnation;
  }
}
