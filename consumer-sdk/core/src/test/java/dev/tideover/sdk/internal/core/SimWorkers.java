package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.SimDelivery.Answer;
import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The model of one instance's workers and producer: the steps of {@code Handling}, each when the
 * schedule says so, in any order.
 */
final class SimWorkers {

  private static final long MILLI = 1_000_000;

  /** How long an interrupt doesn't help with a stubborn handler; longer than the core's grace. */
  private static final long STUBBORN = 7_000 * MILLI;

  /** A task with a worker. */
  private record Task(
      Work<SimDelivery> work, SimDelivery delivery, Permits.@Nullable Permit permit) {}

  private enum What {
    REPLY,
    DEAD_LETTER,
    /** An entry of the ledger that a request waits for. */
    ENTRY,
    /** One that nobody waits for. */
    NOTE
  }

  /** A record on its way to the broker. */
  private record Append(
      What what,
      int partition,
      @Nullable Work<SimDelivery> work,
      @Nullable SimDelivery delivery,
      String ledgerKey,
      @Nullable LedgerEntry entry) {}

  private final Simulation sim;
  private final SimInstance instance;
  private final List<Task> door = new ArrayList<>();
  private final List<Task> running = new ArrayList<>();
  private final List<Append> appends = new ArrayList<>();
  private int threads;

  SimWorkers(Simulation sim, SimInstance instance) {
    this.sim = sim;
    this.instance = instance;
    this.threads = sim.config.concurrency();
  }

  // ---- For the shell.

  void begin(Work<SimDelivery> work) {
    door.add(new Task(work, work.payload(), work.permit()));
  }

  void abandon(Work<SimDelivery> work) {
    SimDelivery delivery = work.payload();
    if (!delivery.interrupted || sim.now - delivery.interruptedAt < 4_000 * MILLI) {
      throw new Violation(
          Promise.INTERRUPT, "the handler of " + delivery + " was given up too early");
    }
    threads++;
  }

  void reclaim() {
    threads--;
  }

  void note(int partition, String key, @Nullable LedgerEntry entry) {
    appends.add(new Append(What.NOTE, partition, null, null, key, entry));
  }

  /** Whether a handler of this partition runs that hasn't become stale. */
  boolean anyLive(int partition) {
    for (Task task : running) {
      if (!task.work.isStale() && task.work.partition().partition() == partition) {
        return true;
      }
    }
    return false;
  }

  // ---- For the schedule.

  int waiting() {
    return door.size();
  }

  int running() {
    return running.size();
  }

  int sending() {
    return appends.size();
  }

  boolean isIdle() {
    return door.isEmpty() && running.isEmpty() && appends.isEmpty();
  }

  boolean isHandling() {
    return !running.isEmpty();
  }

  /** A worker takes a task; false if none can be taken. */
  boolean run(int choice) {
    for (int i = 0; i < door.size(); i++) {
      int at = (choice + i) % door.size();
      if (door.get(at).work.step() != Work.Step.HANDLE || running.size() < threads) {
        run(door.remove(at), choice);
        return true;
      }
    }
    return false;
  }

  private void run(Task task, int choice) {
    Work<SimDelivery> work = task.work;
    if (!work.tryStart()) {
      instance.post(SimInstance.Event.GIVEN_BACK, work);
      giveBack(task);
      return;
    }
    switch (work.step()) {
      case HANDLE -> {
        if (enter(task)) {
          return;
        }
      }
      case RECORD -> {
        if (sim.happens(SimConfig.Feature.SENDS_FAIL, choice, 3)) {
          instance.again(work, 2 * MILLI);
        } else {
          LedgerEntry entry = work.entry();
          send(What.ENTRY, task, entry.key(), work.erases() ? null : entry);
        }
      }
      case BURY -> send(What.DEAD_LETTER, task, "", null);
      case REPLY -> reply(task, choice);
    }
    giveBack(task);
  }

  private void giveBack(Task task) {
    boolean keeps = sim.fault == SimFault.STALE_WORK_KEEPS_ITS_PERMIT && task.work.isStale();
    if (task.permit != null && !keeps) {
      task.permit.giveBack();
    }
  }

  private void reply(Task task, int choice) {
    if (sim.happens(SimConfig.Feature.SENDS_FAIL, choice >> 2, 3)) {
      instance.again(task.work, 2 * MILLI);
      return;
    }
    send(What.REPLY, task, "", null);
    if (sim.fault == SimFault.ENDED_BEFORE_THE_ACKNOWLEDGEMENT) {
      instance.post(SimInstance.Event.ENDED, task.work);
    }
  }

  private void send(What what, Task task, String key, @Nullable LedgerEntry entry) {
    int partition = task.delivery.request.partition;
    appends.add(new Append(what, partition, task.work, task.delivery, key, entry));
  }

  /** Up to the handler; false if it isn't called. */
  private boolean enter(Task task) {
    Work<SimDelivery> work = task.work;
    SimDelivery delivery = task.delivery;
    SimRequest request = delivery.request;
    if (request.kind == SimRequest.Kind.EXPIRED) {
      answer(task, Answer.EXPIRED);
      reply(task, 0);
      return false;
    }
    if (request.lookups > 0) {
      request.lookups--;
      instance.again(work, 2_000 * MILLI);
      return false;
    }
    if (delivery.cancelled) {
      instance.post(SimInstance.Event.GIVEN_BACK, work);
      return false;
    }
    checkStart(work, request);
    work.enterHandler(sim.now);
    delivery.inHandler = true;
    delivery.interrupted = false;
    running.add(task);
    if (sim.trace()) {
      sim.say(instance + " starts " + request + (isAlone(work) ? " alone" : ""));
    }
    if (request.kind == SimRequest.Kind.POISON) {
      instance.dieOf(request);
    }
    return true;
  }

  private static boolean isAlone(Work<SimDelivery> work) {
    Trouble trouble = work.trouble;
    return trouble != null
        && trouble.recorded
        && trouble.entry instanceof LedgerEntry.Attempts attempts
        && attempts.start() == LedgerEntry.Start.ALONE;
  }

  private void checkStart(Work<SimDelivery> work, SimRequest request) {
    int p = request.partition;
    boolean alone = isAlone(work);
    for (Task other : running) {
      if (!other.work.abandoned && (alone || isAlone(other.work)) && !other.work.isStale()) {
        throw new Violation(Promise.ALONE, request + " starts beside " + other.delivery.request);
      }
    }
    if (work.isStale()) {
      throw new Violation(Promise.DEFECT, "stale work starts: " + request);
    }
    if (sim.broker.owner(p) != instance) {
      return; // another one has the partition, and this one doesn't know yet
    }
    sim.coverage.started(request, alone);
    for (Task other : running) {
      if (request.key != null
          && !other.work.isStale()
          && other.delivery.request.partition == p
          && request.key.equals(other.delivery.request.key)) {
        throw new Violation(
            Promise.ONE_AT_A_TIME, request + " starts beside " + other.delivery.request);
      }
    }
    if (request.key != null) {
      for (int i = sim.broker.firstOpen(p); i < request.index; i++) {
        SimRequest earlier = sim.broker.log(p).get(i);
        if (!earlier.terminal && request.key.equals(earlier.key)) {
          throw new Violation(Promise.ORDER, request + " starts before the end of " + earlier);
        }
      }
    }
    if (!sim.broker.isMarked(p)) {
      throw new Violation(
          Promise.CRASH_NOTICED,
          instance + " starts " + request + ", and nobody knows that it has it");
    }
    instance.checkKnown(work, request);
  }

  /** Whether the handler would end now, if it is to. */
  private boolean mayFinish(Task task) {
    SimDelivery delivery = task.delivery;
    return switch (delivery.request.kind) {
      case HANGS -> delivery.request.times <= 0 || delivery.interrupted;
      case STUBBORN ->
          delivery.request.times <= 0
              || delivery.interrupted && sim.now - delivery.interruptedAt >= STUBBORN;
      default -> true;
    };
  }

  /** A handler ends; false if none can. */
  boolean finish(int choice) {
    for (int i = 0; i < running.size(); i++) {
      int at = (choice + i) % running.size();
      if (mayFinish(running.get(at))) {
        finish(running.remove(at), choice);
        return true;
      }
    }
    return false;
  }

  private void finish(Task task, int choice) {
    Work<SimDelivery> work = task.work;
    SimDelivery delivery = task.delivery;
    SimRequest request = delivery.request;
    work.leaveHandler(sim.now);
    delivery.inHandler = false;
    if (delivery.cancelled) {
      request.times -=
          request.kind == SimRequest.Kind.HANGS || request.kind == SimRequest.Kind.STUBBORN ? 1 : 0;
      instance.post(SimInstance.Event.GIVEN_BACK, work);
    } else {
      Fault fault = fault(request);
      if (fault == null) {
        answer(task, Answer.COMPLETED);
        reply(task, choice);
      } else {
        request.failures += fault == Fault.MESSAGE ? 1 : 0;
        instance.failed(work, fault, choice % 4 == 0 ? MILLI : -1);
      }
    }
    giveBack(task);
  }

  private static @Nullable Fault fault(SimRequest request) {
    Fault fault =
        switch (request.kind) {
          case FAILS, FAILS_ALWAYS, HANGS, STUBBORN -> Fault.MESSAGE;
          case REJECTED -> Fault.REJECTED;
          case INFRASTRUCTURE -> Fault.INFRASTRUCTURE;
          case HOLD -> Fault.HOLD;
          default -> null;
        };
    boolean always =
        request.kind == SimRequest.Kind.FAILS_ALWAYS || request.kind == SimRequest.Kind.REJECTED;
    return always || request.times-- > 0 ? fault : null;
  }

  private static void answer(Task task, Answer answer) {
    task.delivery.answer = answer;
    task.work.step(Work.Step.REPLY);
  }

  /** The broker, or its silence, answers; false if nothing is on its way. */
  boolean acknowledge(int choice) {
    if (appends.isEmpty()) {
      return false;
    }
    Append append = appends.remove(choice % appends.size());
    boolean lost = sim.happens(SimConfig.Feature.SENDS_FAIL, choice, 3);
    boolean applied = !lost || (choice & 8) != 0;
    if (applied) {
      apply(append);
    } else {
      lost(append);
    }
    Work<SimDelivery> work = append.work;
    if (work == null) {
      return true;
    }
    if (lost) {
      instance.again(work, 100 * MILLI);
      return true;
    }
    switch (append.what) {
      case ENTRY -> instance.post(SimInstance.Event.RECORDED, work);
      case DEAD_LETTER -> {
        if (append.delivery.request.kind == SimRequest.Kind.MALFORMED) {
          instance.post(SimInstance.Event.ENDED, work);
        } else {
          append.delivery.answer = Answer.DEAD;
          work.step(Work.Step.REPLY);
          instance.again(work, 0);
        }
      }
      default -> {
        if (sim.fault != SimFault.ENDED_BEFORE_THE_ACKNOWLEDGEMENT) {
          instance.post(SimInstance.Event.ENDED, work);
        }
      }
    }
    return true;
  }

  private void apply(Append append) {
    if (append.delivery == null || append.what == What.ENTRY) {
      write(append);
      return;
    }
    SimDelivery delivery = append.delivery;
    SimRequest request = delivery.request;
    if (append.what == What.DEAD_LETTER) {
      String reason = String.valueOf(delivery.deadReason);
      if (sim.trace()) {
        sim.say("broker: dead letter of " + request + ": " + reason);
      }
      checkDeath(request, reason);
      sim.coverage.died(reason);
      request.deadReason = reason;
      if (request.kind == SimRequest.Kind.MALFORMED) {
        sim.broker.terminal(request);
      }
    } else {
      if (delivery.answer == Answer.DEAD && request.deadReason == null) {
        throw new Violation(Promise.DEAD_LETTER, request + " is told to be dead and isn't");
      }
      if (sim.trace()) {
        sim.say("broker: reply of " + request + ": " + delivery.answer);
      }
      request.completed |= delivery.answer == Answer.COMPLETED;
      sim.broker.terminal(request);
    }
  }

  private void checkDeath(SimRequest request, String reason) {
    boolean right =
        switch (reason) {
          case "failed" -> request.failures >= sim.config.attempts();
          case "rejected" -> request.kind == SimRequest.Kind.REJECTED;
          case "malformed" -> request.kind == SimRequest.Kind.MALFORMED;
          case "parked" -> sim.config.parkKeys();
          case "crash-loop" -> true;
          default -> false;
        };
    if (!right) {
      throw new Violation(
          Promise.DEAD_LETTER,
          request + " is dead by " + reason + " after " + request.failures + " failures");
    }
    if (reason.equals("crash-loop") && request.endsAlone < 2) {
      throw new Violation(Promise.INNOCENT, request + " is taken for what ends instances");
    }
  }

  private void write(Append append) {
    int p = append.partition;
    String key = append.ledgerKey;
    LedgerEntry entry = append.entry;
    if (sim.trace()) {
      sim.say("broker: ledger " + p + " " + (entry == null ? "no " + key : entry));
    }
    boolean stale = append.work != null && append.work.isStale();
    sim.broker.write(!stale && sim.broker.owner(p) == instance, p, key, entry);
    if (!key.startsWith("request/")) {
      return;
    }
    SimRequest request = sim.broker.find(p, Long.parseLong(key.substring("request/".length())));
    if (request == null) {
      return;
    }
    request.alone = null;
    if (entry instanceof LedgerEntry.Attempts attempts
        && attempts.start() == LedgerEntry.Start.ALONE) {
      request.alone = instance;
      request.aloneWork = append.work;
      request.aloneIsBack = false;
      if (!instance.isUp() || sim.broker.owner(p) != instance) {
        request.endsAlone++;
      }
    }
  }

  /**
   * A note that a start has ended well doesn't arrive, and nobody waited for it. So the start
   * stands in the ledger, and a crash of the next owner looks like one of this request.
   */
  private void lost(Append append) {
    if (append.what == What.NOTE
        && sim.broker.ledger(append.partition, append.ledgerKey) instanceof LedgerEntry.Attempts old
        && old.start() == LedgerEntry.Start.ALONE) {
      SimRequest request = sim.broker.find(append.partition, old.offset());
      if (request != null) {
        request.endsAlone++;
      }
    }
  }

  /** The instance is gone; what is on its way may arrive still. */
  void die(int choice) {
    door.clear();
    running.clear();
    for (int i = 0; i < appends.size(); i++) {
      if ((choice >> i % 8 & 1) != 0) {
        apply(appends.get(i));
      } else {
        lost(appends.get(i));
      }
    }
    appends.clear();
  }
}
