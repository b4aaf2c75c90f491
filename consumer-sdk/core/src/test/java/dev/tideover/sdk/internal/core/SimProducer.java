package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.SimDelivery.Answer;
import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The model of one instance's producer: records on their way, in any order, some in vain. */
final class SimProducer {

  private static final long MILLI = 1_000_000;

  private enum What {
    REPLY,
    DEAD_LETTER,
    /** An entry of the ledger that a request waits for. */
    ENTRY,
    /** One that nobody waits for. */
    NOTE,
    /** Finished ids. */
    BATCH
  }

  /** A record on its way to the broker. */
  private record Append(
      What what,
      int partition,
      @Nullable Work<SimDelivery> work,
      @Nullable SimDelivery delivery,
      String ledgerKey,
      @Nullable LedgerEntry entry,
      @Nullable FinishedBatch batch) {}

  private final Simulation sim;
  private final SimInstance instance;
  private final List<Append> appends = new ArrayList<>();

  SimProducer(Simulation sim, SimInstance instance) {
    this.sim = sim;
    this.instance = instance;
  }

  int sending() {
    return appends.size();
  }

  /** What is on its way for a request; null for nothing. */
  @Nullable String openWork() {
    for (Append append : appends) {
      if (append.work != null && !append.work.isStale()) {
        return "a record for " + append.delivery + " is on its way";
      }
    }
    return null;
  }

  void reply(Work<SimDelivery> work) {
    send(What.REPLY, work, "", null);
  }

  void bury(Work<SimDelivery> work) {
    send(What.DEAD_LETTER, work, "", null);
  }

  /** An entry that its request waits for; null to take it out. */
  void record(Work<SimDelivery> work, String key, @Nullable LedgerEntry entry) {
    send(What.ENTRY, work, key, entry);
  }

  private void send(What what, Work<SimDelivery> work, String key, @Nullable LedgerEntry entry) {
    SimDelivery delivery = work.payload();
    appends.add(new Append(what, delivery.request.partition, work, delivery, key, entry, null));
  }

  /** An entry that nobody waits for. */
  void note(int partition, String key, @Nullable LedgerEntry entry) {
    appends.add(new Append(What.NOTE, partition, null, null, key, entry, null));
  }

  /** A batch, which commits wait for. */
  void remember(int partition, FinishedBatch batch) {
    String key = FinishedBatches.key(batch.writer(), batch.number());
    appends.add(new Append(What.BATCH, partition, null, null, key, null, batch));
  }

  /** The broker, or its silence, answers; false if nothing is on its way. */
  boolean acknowledge(int choice) {
    if (appends.isEmpty()) {
      return false;
    }
    Append append = appends.remove(choice % appends.size());
    boolean lost = sim.happens(SimConfig.Feature.SENDS_FAIL, choice, 3);
    boolean applied = !lost || (choice & 8) != 0;
    long offset = FinishedIds.UNKNOWN;
    if (applied) {
      offset = apply(append);
    } else {
      lost(append);
    }
    if (append.batch != null) {
      boolean refused = lost && (choice & 48) == 48;
      if (lost) {
        instance.mailbox.notRemembered(append.partition, append.batch, refused);
      } else {
        instance.mailbox.remembered(append.partition, append.batch);
      }
      return true;
    }
    Work<SimDelivery> work = append.work;
    if (work == null) {
      return true;
    }
    if (lost) {
      instance.mailbox.again(work, 100 * MILLI);
      return true;
    }
    switch (append.what) {
      case ENTRY -> instance.mailbox.recorded(work);
      case DEAD_LETTER -> {
        if (append.delivery.request.kind == SimRequest.Kind.MALFORMED) {
          instance.mailbox.ended(work, Core.NO_REPLY);
        } else {
          append.delivery.answer = Answer.DEAD;
          work.step(Work.Step.REPLY);
          instance.mailbox.again(work, 0);
        }
      }
      default -> {
        if (sim.fault != SimFault.ENDED_BEFORE_THE_ACKNOWLEDGEMENT) {
          instance.mailbox.ended(work, offset);
        }
      }
    }
    return true;
  }

  /** The offset of a reply. */
  private long apply(Append append) {
    if (append.batch != null) {
      if (sim.trace()) {
        sim.say("broker: ledger " + append.partition + " " + append.batch);
      }
      sim.broker.ledger(append.partition).write(append.batch);
      return FinishedIds.UNKNOWN;
    }
    if (append.delivery == null || append.what == What.ENTRY) {
      write(append);
      return FinishedIds.UNKNOWN;
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
      sim.broker.log(request.partition).stream()
          .filter(each -> each.original == request.original)
          .forEach(each -> each.completed = false); // the last end counts, if it has come again
      if (request.kind == SimRequest.Kind.MALFORMED) {
        sim.broker.terminal(request);
      }
      return FinishedIds.UNKNOWN;
    } else {
      if (delivery.answer == Answer.DEAD && request.deadReason == null) {
        throw new Violation(Promise.DEAD_LETTER, request + " is told to be dead and isn't");
      }
      if (sim.trace()) {
        sim.say("broker: reply of " + request + ": " + delivery.answer + " " + delivery.original);
      }
      if (delivery.answer == Answer.CANCELLED) {
        checkCancelled(request);
      }
      boolean byOwner = !append.work.isStale() && sim.broker.owner(append.partition) == instance;
      request.cancelled |= delivery.answer == Answer.CANCELLED && byOwner;
      request.completed |= delivery.answer == Answer.COMPLETED && byOwner;
      sim.broker.terminal(request);
      return sim.once.replied(delivery);
    }
  }

  private void checkCancelled(SimRequest request) {
    if (!request.unwanted) {
      throw new Violation(Promise.CANCELLED, request + " is cancelled, and nobody wants that");
    }
    sim.coverage.cancelled();
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
    if (key.startsWith("finished/")) {
      sim.broker.ledger(p).takeOutBatch(key);
      return;
    }
    boolean stale = append.work != null && append.work.isStale();
    sim.broker.ledger(p).write(!stale && sim.broker.owner(p) == instance, key, entry);
    if (entry == null && key.startsWith("cancel")) {
      sim.coverage.cancellationForgotten();
    }
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
        && sim.broker.ledger(append.partition).entry(append.ledgerKey)
            instanceof LedgerEntry.Attempts old
        && old.start() == LedgerEntry.Start.ALONE) {
      SimRequest request = sim.broker.find(append.partition, old.offset());
      if (request != null) {
        request.endsAlone++;
      }
    }
  }

  /** Its partitions go, and notes are on their way: whoever is next may not see them. */
  void overtaken(int mask) {
    for (Append append : appends) {
      if ((mask >> append.partition & 1) != 0) {
        lost(append);
      }
    }
  }

  /** The instance is gone; what is on its way may arrive still. */
  void die(int choice) {
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
