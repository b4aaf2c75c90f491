package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.SimConfig.Steered;
import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.List;

/** What operators want of one instance, as it has been told, and whether its core heeds it. */
final class SimSteering {

  private static final double[] RATES = {0, 0.5, 4, 40};
  private static final double SECOND = 1e9;

  private final Simulation sim;
  private final SimInstance instance;

  private boolean held;
  private boolean onTrial;

  /** The number of the trial under way, or of the last; 0 for none. */
  private int trial;

  private double rate;
  private long rateSince;
  private int startsSince;

  SimSteering(Simulation sim, SimInstance instance) {
    this.sim = sim;
    this.instance = instance;
  }

  boolean isHeld() {
    return held;
  }

  /** The number of the trial under way; 0 for none. */
  int trial() {
    return onTrial ? trial : 0;
  }

  // ---- Operators.

  /** One of them wants something else. */
  void steer(int choice) {
    List<Steered> may = sim.config.steered();
    int what = choice / 8;
    switch (may.get(choice % may.size())) {
      case HOLD -> hold(what % 3 == 0 ? held : !held); // what it has heard before changes nothing
      case RATE -> rate(RATES[what % RATES.length]);
      case TRIAL -> {
        if (!onTrial || what % 3 != 0 || instance.isDraining()) {
          trial(!onTrial);
        } else {
          say("is rolled back");
          instance.close();
        }
      }
    }
  }

  void hold(boolean hold) {
    say(hold ? "is held" : "is held no longer");
    held = hold;
    instance.core.hold(hold, sim.now);
  }

  private void rate(double perSecond) {
    say("may start " + perSecond + " a second");
    if (perSecond != rate) {
      rate = perSecond;
      rateSince = sim.now;
      startsSince = 0;
    }
    instance.core.rate(perSecond, sim.now);
  }

  private void trial(boolean begins) {
    say(begins ? "is on trial" : "has stood its trial");
    trial += begins ? 1 : 0;
    onTrial = begins;
    instance.core.trial(begins, sim.now);
  }

  /** Nobody wants anything any more. */
  void calm() {
    hold(false);
    rate(0);
    trial(false);
  }

  private void say(String what) {
    if (sim.trace()) {
      sim.say(instance + " " + what);
    }
  }

  // ---- What has to hold.

  /** A request is given to a worker who may call its handler. */
  void begins(Work<SimDelivery> work) {
    boolean goesOn = work.step() == Work.Step.HANDLE && work.trouble != null;
    if (rate == 0 || work.permit() == null || goesOn && work.trouble.recorded) {
      return;
    }
    startsSince++;
    double most = Math.max(1, rate / 10) + rate * (sim.now - rateSince) / SECOND;
    if (startsSince > most + 1) {
      throw new Violation(
          Promise.RATE, instance + " has started " + startsSince + ", and " + most + " may");
    }
    sim.coverage.count("started at a rate");
  }

  /** A handler starts. */
  void starts(SimRequest request) {
    if (held) {
      throw new Violation(Promise.HELD, request + " starts, and " + instance + " is held");
    }
    if (onTrial) {
      sim.coverage.count("started on trial");
    }
  }

  /** Whether the reply of a handler that ends now is to be withheld. */
  boolean withholds(SimDelivery delivery) {
    if (!onTrial || !delivery.request.answersWithAnError()) {
      return false;
    }
    delivery.withheldIn = trial;
    sim.coverage.count("withheld");
    return true;
  }

  /** A reply is about to be sent. */
  void replies(SimDelivery delivery) {
    if (onTrial && delivery.withheldIn == trial) {
      throw new Violation(Promise.TRIAL, delivery + " is answered, and is to be withheld");
    }
    if (delivery.withheldIn != 0) {
      sim.coverage.count("sent after a trial");
    }
  }

  /** The core is told of a failure. */
  void fails(Work<SimDelivery> work, Fault fault, Runnable tell) {
    SimRequest request = work.payload().request;
    request.failures += fault == Fault.MESSAGE && !onTrial ? 1 : 0;
    int before = work.attempts;
    tell.run();
    if (onTrial && work.attempts != before) {
      throw new Violation(Promise.TRIAL, request + " uses an attempt");
    }
    if (onTrial && !fault.isInfrastructure()) {
      sim.coverage.count("failed on trial");
    }
  }

  /** A request is to be buried. */
  void buries(SimDelivery delivery, String reason) {
    boolean ofThis = reason.equals("failed") || reason.equals("rejected");
    if (onTrial && (ofThis || reason.equals("malformed") && delivery.trial == trial)) {
      throw new Violation(Promise.TRIAL, delivery + " is buried by " + reason);
    }
  }

  /** At the end of a turn: whether it says that it is still only when it is. */
  void checkStill() {
    if (!held || !instance.core.isStill()) {
      return;
    }
    sim.coverage.count("still");
    String open = instance.workers.openWork();
    if (open != null) {
      throw new Violation(Promise.STILL, instance + " says it is still, and " + open);
    }
    for (int p = 0; p < sim.broker.count() && !sim.config.shortNotes(); p++) {
      if (sim.broker.owner(p) != instance) {
        continue;
      }
      for (SimRequest request : sim.broker.log(p)) {
        boolean ours = request.endedIn != null && request.endedIn.live;
        if (ours && request.endedBy == instance && !sim.broker.isCommitted(request)) {
          throw new Violation(Promise.STILL, instance + " hasn't committed " + request);
        }
      }
    }
  }
}
