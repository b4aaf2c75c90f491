package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.SimConfig.Feature;
import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * One run of the simulator: a few instances, each a real {@link Core} in a model shell, against a
 * model broker, through a schedule. Every number of the schedule is one step: what happens, and to
 * whom. After it all faults end, and then everything has to come to its end. The same literals give
 * the same run.
 */
final class Simulation {

  private static final long MILLI = 1_000_000;

  /** Virtual time within which all has to end once the faults are over; it takes seconds. */
  private static final long BOUND = 600_000 * MILLI;

  /**
   * What may happen, with its weight; the simplest first. Another order or other weights, or
   * another reading of a step's number, give the literals in {@link SimulatedSchedulesTest} another
   * meaning: new ones have to be found then, each with the fix that it is about taken out.
   */
  enum Step {
    PUMP(7),
    PRODUCE(9),
    TURN(9),
    RUN(8),
    FINISH(6),
    ACKNOWLEDGE(7),
    END_COMMIT(3),
    ADOPT(2),
    TIME(4),
    RESTART(2),
    CLOSE(1),
    MOVE(1),
    KILL(2),
    EXPIRE(1),
    REDRIVE(1),
    RECREATE(1);

    private final int weight;

    Step(int weight) {
      this.weight = weight;
    }

    /** As a number of a schedule; the choice says of what or whom. */
    int with(int choice) {
      int first = 0;
      for (int i = 0; i < ordinal(); i++) {
        first += values()[i].weight;
      }
      return choice << 6 | first;
    }
  }

  private static final Step[] STEPS = steps();

  private static final long[] PAUSES = {
    10 * MILLI, 110 * MILLI, 300 * MILLI, 1_000 * MILLI, 2_000 * MILLI, 3_100 * MILLI, 5_100 * MILLI
  };

  final SimConfig config;
  final SimFault fault;
  final SimBroker broker;
  final SimCoverage coverage;
  final SimOnce once;

  /** The instances whose process runs. */
  final List<SimInstance> live = new ArrayList<>();

  long now;

  private final @Nullable StringBuilder story;

  /** The last run of each slot, gone or not. */
  private final SimInstance[] slots;

  private final SimClients clients;
  private int runs;
  private boolean healing;

  /** The topic isn't the one that offsets were committed for, and nobody has reset them. */
  private boolean foreign;

  private Simulation(
      SimConfig config, SimFault fault, SimCoverage coverage, @Nullable StringBuilder story) {
    this.config = config;
    this.fault = fault;
    this.coverage = coverage;
    this.story = story;
    this.broker = new SimBroker(this, config.partitions());
    this.once = new SimOnce(this);
    this.clients = new SimClients(this);
    this.slots = new SimInstance[config.slots()];
    this.now = config.timeBase();
  }

  private static Step[] steps() {
    List<Step> steps = new ArrayList<>();
    for (Step step : Step.values()) {
      for (int i = 0; i < step.weight; i++) {
        steps.add(step);
      }
    }
    if (steps.size() != 64) {
      throw new IllegalStateException("weights add up to " + steps.size());
    }
    return steps.toArray(Step[]::new);
  }

  /** Null if all promises were kept. */
  static @Nullable Violation run(
      SimConfig config, int[] schedule, SimFault fault, SimCoverage coverage) {
    return new Simulation(config, fault, coverage, null).run(schedule);
  }

  /** What happens in a run, line by line. */
  static String tell(SimConfig config, int[] schedule, SimFault fault) {
    StringBuilder story = new StringBuilder();
    Simulation sim = new Simulation(config, fault, new SimCoverage(), story);
    Violation violation = sim.run(schedule);
    return story.append(violation == null ? "all is well" : violation.getMessage()).toString();
  }

  private @Nullable Violation run(int[] schedule) {
    try {
      start(0);
      for (int step : schedule) {
        step(STEPS[step & 63], step >>> 6);
        now += 1 + (step >>> 6) * 20_000L;
      }
      heal();
      if (config.has(Feature.IDEMPOTENCY)) {
        for (int i = 0; i < 4; i++) {
          clients.resend(i);
        }
        heal();
      }
      end();
      return null;
    } catch (Violation violation) {
      return violation;
    } catch (RuntimeException thrown) {
      return new Violation(thrown);
    }
  }

  boolean trace() {
    return story != null;
  }

  void say(String what) {
    if (story != null) {
      story.append((now - config.timeBase()) / MILLI).append(" ms ").append(what).append('\n');
    }
  }

  /** The time of day. */
  long epochMillis() {
    return Math.floorDiv(now, MILLI);
  }

  boolean healing() {
    return healing;
  }

  /** Whether a fault happens, which it does in one of 2^bits cases. */
  boolean happens(Feature feature, int choice, int bits) {
    int mask = (1 << bits) - 1;
    return !healing && (choice & mask) == mask && config.has(feature);
  }

  // ---- Steps.

  private void step(Step step, int choice) {
    if (config.steering() != 0 && isSteered(step, choice)) {
      SimInstance instance = any(each -> true, choice);
      if (instance != null) {
        instance.steering.steer(choice / 4);
        return;
      }
    }
    switch (step) {
      case PRODUCE -> clients.produce(choice);
      case TURN -> {
        SimInstance instance = any(each -> true, choice);
        if (instance != null) {
          instance.turn(choice / 4);
        }
      }
      case RUN -> {
        SimInstance instance = any(each -> each.workers.waiting() > 0, choice);
        if (instance != null) {
          instance.workers.run(choice / 4);
        }
      }
      case FINISH -> {
        SimInstance instance = any(each -> each.workers.running() > 0, choice);
        if (instance != null) {
          instance.workers.finish(choice / 4);
        }
      }
      case ACKNOWLEDGE -> {
        SimInstance instance = any(each -> each.workers.sending() > 0, choice);
        if (instance != null) {
          instance.workers.acknowledge(choice / 4);
        }
      }
      case END_COMMIT -> {
        for (int i = 0; i < live.size(); i++) {
          if (live.get((choice + i) % live.size()).endCommit(choice / 4)) {
            return;
          }
        }
      }
      case ADOPT -> {
        for (int i = 0; i < live.size(); i++) {
          if (live.get((choice + i) % live.size()).adopt(choice / 4)) {
            return;
          }
        }
      }
      case TIME -> now += PAUSES[choice % PAUSES.length];
      case RESTART -> start(choice % slots.length);
      default -> {
        if (!disturb(step, choice)) {
          pump(any(each -> true, choice), choice / 4, 1);
        }
      }
    }
  }

  /** In the place of some of those steps that are there more often than they do something. */
  private static boolean isSteered(Step step, int choice) {
    boolean may = step == Step.TIME || step == Step.RESTART || step == Step.REDRIVE;
    return may && (choice * 0x9E3779B1) >>> 30 != 0;
  }

  /** What isn't the normal course of things; false if it can't happen in this run. */
  private boolean disturb(Step step, int choice) {
    switch (step) {
      case CLOSE -> {
        SimInstance instance = any(each -> !each.isDraining(), choice);
        if (config.has(Feature.CLOSE) && instance != null) {
          say(instance + " is closed");
          instance.close();
          return true;
        }
      }
      case MOVE -> {
        if (config.has(Feature.MOVE)) {
          broker.move(choice % broker.count(), choice / 4);
          return true;
        }
      }
      case KILL -> {
        SimInstance instance = any(each -> true, choice);
        if (config.has(Feature.KILL) && instance != null) {
          instance.kill(choice / 4);
          return true;
        }
      }
      case EXPIRE -> {
        SimInstance instance = slots[choice % slots.length];
        boolean dead = instance != null && !instance.isUp();
        if ((config.has(Feature.EXPIRE) || dead) && instance != null && broker.isMember(instance)) {
          instance.expire();
          return true;
        }
      }
      case REDRIVE -> {
        return config.has(Feature.REDRIVE) && clients.redrive(choice);
      }
      case RECREATE -> {
        if (config.has(Feature.RECREATE) && choice % 4 == 0) {
          recreate(choice);
          return true;
        }
      }
      default -> {}
    }
    return false;
  }

  /** The first that fits, from one on. */
  private @Nullable SimInstance any(Predicate<SimInstance> fits, int choice) {
    for (int i = 0; i < live.size(); i++) {
      SimInstance instance = live.get((choice + i) % live.size());
      if (fits.test(instance)) {
        return instance;
      }
    }
    return null;
  }

  private void recreate(int choice) {
    say("the topic is made anew");
    killAll(choice);
    broker.recreate();
    clients.forget();
    once.forget();
    foreign = true;
  }

  private void killAll(int choice) {
    for (SimInstance instance : List.copyOf(live)) {
      instance.kill(choice);
    }
    for (SimInstance instance : slots) {
      if (instance != null && broker.isMember(instance)) {
        broker.remove(instance);
      }
    }
  }

  private void start(int slot) {
    SimInstance before = slots[slot];
    if (before != null && before.isUp()) {
      return;
    }
    if (before != null && broker.isMember(before)) {
      broker.remove(before); // a static member: who comes under its name takes over
    }
    SimInstance instance = new SimInstance(this, slot, ++runs);
    slots[slot] = instance;
    live.add(instance);
    say(instance + " starts");
    broker.join(instance);
  }

  void stopped(SimInstance instance, TopicPartition partition, String diagnosis) {
    say(instance + " stops " + partition + ": " + diagnosis);
    if (!foreign) {
      throw new Violation(Promise.STOPPED, partition + ": " + diagnosis);
    }
  }

  // ---- The end.

  /** An instance does all that it can, a round or more. */
  private void pump(@Nullable SimInstance instance, int choice, int rounds) {
    if (instance == null) {
      return;
    }
    for (int round = 0; round < rounds && instance.isUp(); round++) {
      instance.turn(choice);
      boolean some = false;
      while (instance.isUp() && instance.adopt(choice)) {
        some = true;
      }
      while (instance.isUp() && instance.workers.run(choice)) {
        some = true;
      }
      while (instance.isUp() && instance.workers.finish(choice)) {
        some = true;
      }
      while (instance.isUp() && instance.workers.acknowledge(choice)) {
        some = true;
      }
      while (instance.isUp() && instance.endCommit(choice)) {
        some = true;
      }
      if (!some) {
        return;
      }
    }
  }

  private void heal() {
    say("all faults are over");
    healing = true;
    if (foreign) {
      killAll(0);
      broker.reset();
      once.forget();
      foreign = false;
    }
    if (config.steered().contains(SimConfig.Steered.HOLD)) {
      settle();
    }
    live.forEach(instance -> instance.steering.calm());
    long end = now + BOUND;
    while (true) {
      reap();
      boolean handling = false;
      boolean idle = true;
      long wait = 1_000 * MILLI;
      for (SimInstance instance : List.copyOf(live)) {
        pump(instance, 0, 8);
        if (instance.isUp()) {
          handling |= instance.workers.isHandling();
          idle &= instance.isIdle();
          wait = Math.min(wait, Math.max(MILLI, instance.core.untilNextStart(now)));
        }
      }
      if (idle && !live.isEmpty() && broker.isDone()) {
        return;
      }
      if (now - end > 0) {
        throw new Violation(Promise.LIVENESS, "not done in time: " + broker.undone());
      }
      now += handling ? Math.min(wait, 250 * MILLI) : wait;
    }
  }

  /** All are held, and come to a stand. */
  private void settle() {
    live.forEach(instance -> instance.steering.hold(true));
    for (int p = 0; p < broker.count() && config.has(Feature.MOVE); p++) {
      broker.move(p, p + 1);
    }
    long end = now + BOUND;
    boolean still = false;
    while (!still) {
      still = true;
      for (SimInstance instance : List.copyOf(live)) {
        pump(instance, 0, 8);
        still &= !instance.isUp() || instance.core.isStill();
      }
      if (now - end > 0) {
        throw new Violation(Promise.STILL, "not still in time: " + live);
      }
      now += still ? 0 : 250 * MILLI;
    }
    for (SimInstance instance : live) {
      instance.core.start(now);
      if (instance.core.untilNextStart(now) == 0) {
        throw new Violation(Promise.STILL, instance + " is still, and has something to start");
      }
    }
  }

  /** The group notices who is dead, and somebody runs. */
  private void reap() {
    for (SimInstance instance : slots) {
      if (instance != null && !instance.isUp() && broker.isMember(instance)) {
        instance.expire();
      }
    }
    boolean running = false;
    for (SimInstance instance : live) {
      running |= !instance.isDraining();
    }
    if (!running) {
      for (int slot = 0; slot < slots.length; slot++) {
        if (slots[slot] == null || !slots[slot].isUp()) {
          start(slot);
          return;
        }
      }
    }
  }

  /** All instances end in good order, and leave nothing behind. */
  private void end() {
    for (SimInstance instance : List.copyOf(live)) {
      if (instance.core.permits().inUse() != 0 || instance.core.watched() != 0) {
        throw new Violation(
            Promise.LEFTOVER,
            instance
                + " has "
                + instance.core.permits().inUse()
                + " permits out and watches "
                + instance.core.watched());
      }
      if (!instance.isDraining()) {
        instance.close();
      }
    }
    long end = now + 60_000 * MILLI;
    while (!live.isEmpty()) {
      for (SimInstance instance : List.copyOf(live)) {
        pump(instance, 0, 8);
      }
      now += 100 * MILLI;
      if (now - end > 0) {
        throw new Violation(Promise.LIVENESS, "not closed in time: " + live);
      }
    }
    clients.checkPoison();
  }
}
