package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.SimDelivery.Answer;
import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The model of one instance's workers: the steps of {@code Handling}, each when the schedule says
 * so, in any order.
 */
final class SimWorkers {

  private static final long MILLI = 1_000_000;

  /** How long an interrupt doesn't help with a stubborn handler; longer than the core's grace. */
  private static final long STUBBORN = 7_000 * MILLI;

  /** A task with a worker. */
  private record Task(
      Work<SimDelivery> work, SimDelivery delivery, Permits.@Nullable Permit permit) {}

  private final Simulation sim;
  private final SimInstance instance;
  private final List<Task> door = new ArrayList<>();
  private final List<Task> running = new ArrayList<>();
  private final SimProducer producer;
  private int threads;

  SimWorkers(Simulation sim, SimInstance instance) {
    this.sim = sim;
    this.instance = instance;
    this.producer = new SimProducer(sim, instance);
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
    producer.note(partition, key, entry);
  }

  void remember(int partition, FinishedBatch batch) {
    producer.remember(partition, batch);
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

  /** What is out still of what it has not lost; null for nothing. */
  @Nullable String openWork() {
    for (Task task : running) {
      if (!task.work.isStale()) {
        return "the handler of " + task.delivery + " runs";
      }
    }
    for (Task task : door) {
      if (!task.work.isStale()) {
        return task.delivery + " is with a worker";
      }
    }
    return producer.openWork();
  }

  // ---- For the schedule.

  int waiting() {
    return door.size();
  }

  int running() {
    return running.size();
  }

  int sending() {
    return producer.sending();
  }

  boolean isIdle() {
    return door.isEmpty() && running.isEmpty() && producer.sending() == 0;
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
      instance.mailbox.givenBack(work);
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
          instance.mailbox.again(work, 2 * MILLI);
        } else {
          LedgerEntry entry = work.entry();
          producer.record(work, entry.key(), work.erases() ? null : entry);
        }
      }
      case BURY -> {
        if ("malformed".equals(task.delivery.deadReason)) {
          instance.steering.buries(task.delivery, "malformed");
        }
        producer.bury(work);
      }
      case CANCEL -> {
        if (hasReplyPartition(work)) {
          answer(task, Answer.CANCELLED);
          reply(task, choice);
        }
      }
      case REPEAT -> {
        if (hasReplyPartition(work)) {
          answer(task, task.delivery.same ? Answer.DUPLICATE : Answer.MISMATCH);
          reply(task, choice);
        }
      }
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
    instance.steering.replies(task.delivery);
    if (sim.happens(SimConfig.Feature.SENDS_FAIL, choice >> 2, 3)) {
      instance.mailbox.again(task.work, 2 * MILLI);
      return;
    }
    producer.reply(task.work);
    if (sim.fault == SimFault.ENDED_BEFORE_THE_ACKNOWLEDGEMENT) {
      instance.mailbox.ended(task.work, FinishedIds.UNKNOWN);
    }
  }

  private boolean hasReplyPartition(Work<SimDelivery> work) {
    SimRequest request = work.payload().request;
    if (request.lookups > 0) {
      request.lookups--;
      instance.mailbox.again(work, 2_000 * MILLI);
      return false;
    }
    return true;
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
    if (!hasReplyPartition(work)) {
      return false;
    }
    if (delivery.cancelled) {
      instance.mailbox.givenBack(work);
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
    instance.steering.starts(request);
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
    if (request.cancelled) {
      throw new Violation(
          Promise.CANCELLED, request + " starts, and its client was told that it doesn't");
    }
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
    for (Task other : running) {
      if (request.keyed
          && !other.work.isStale()
          && other.delivery.request.keyed
          && other.delivery.request.original == request.original) {
        throw new Violation(
            Promise.ONE_AT_A_TIME, request + " starts beside " + other.delivery.request);
      }
    }
    sim.once.starts(work);
    instance.knowledge.checkStart(work, request);
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
      instance.mailbox.givenBack(work);
    } else {
      Fault fault = fault(request);
      if (fault == null && instance.steering.withholds(delivery)) {
        answer(task, Answer.COMPLETED);
        instance.mailbox.withheld(work);
      } else if (fault == null) {
        if (!work.isStale() && sim.broker.owner(request.partition) == instance) {
          sim.once.handled(work);
        }
        answer(task, Answer.COMPLETED);
        reply(task, choice);
      } else {
        instance.mailbox.failed(work, fault, choice % 4 == 0 ? MILLI : -1);
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

  boolean acknowledge(int choice) {
    return producer.acknowledge(choice);
  }

  void overtaken(int mask) {
    producer.overtaken(mask);
  }

  /** The instance is gone; what is on its way may arrive still. */
  void die(int choice) {
    door.clear();
    running.clear();
    producer.die(choice);
  }
}
