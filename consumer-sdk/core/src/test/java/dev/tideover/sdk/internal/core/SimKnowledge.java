package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.common.TopicPartition;

/** What one instance has been told of what was before it, and whether its core heeds it. */
final class SimKnowledge {

  private final Simulation sim;
  private final SimInstance instance;
  private final Adoption[] known = new Adoption[4];

  /** By partition: the keys that are parked, with what blocks them. */
  private final List<Map<String, String>> parked = new ArrayList<>();

  /** What it knows to be cancelled, of partitions that it has. */
  private final Set<SimRequest> cancelled = new HashSet<>();

  SimKnowledge(Simulation sim, SimInstance instance) {
    this.sim = sim;
    this.instance = instance;
    for (int p = 0; p < 4; p++) {
      parked.add(Map.of());
    }
  }

  /** A partition has been found out about. */
  void adopted(TopicPartition partition, Adoption found) {
    int p = partition.partition();
    known[p] = found;
    Map<String, String> keys = new HashMap<>();
    for (LedgerEntry entry : found.ledger()) {
      if (entry instanceof LedgerEntry.Parked park) {
        keys.put(park.orderingKey(), park.blockerId());
      } else if (entry instanceof LedgerEntry.Cancelled wish) {
        SimRequest request = sim.broker.find(p, wish.offset());
        if (request != null) {
          heard(request, wish);
        }
      }
    }
    parked.set(p, keys);
    if (sim.broker.owner(p) == instance) {
      checkInnocent(p, found);
    }
    sim.coverage.adopted(found);
    if (sim.trace()) {
      sim.say(
          instance
              + " finds out: "
              + partition
              + " "
              + found.committed()
              + " of "
              + found.end()
              + ", "
              + found.note()
              + ", "
              + found.ledger()
              + ", alive "
              + new TreeSet<>(found.alive()));
    }
  }

  /** It is told, at its adoption or later, that a request of a partition it has is cancelled. */
  void heard(SimRequest request, LedgerEntry.Cancelled wish) {
    if (sim.config.ledger() && wish.id().equals(request.id())) {
      cancelled.add(request);
    }
  }

  /** It doesn't have these partitions any more. */
  void forget(int mask) {
    cancelled.removeIf(request -> (mask >> request.partition & 1) != 0);
  }

  /** A request is given to a worker. */
  void checkBegin(Work<SimDelivery> work) {
    SimRequest request = work.payload().request;
    if (work.step() == Work.Step.HANDLE
        && cancelled.contains(request)
        && !work.hasBegun()
        && !request.isResend()) {
      throw new Violation(
          Promise.CANCELLED, request + " is to be handled, and is known to be cancelled");
    }
  }

  /** An entry has been recorded, and the core is told. */
  void recorded(Work<SimDelivery> work) {
    if (!work.isStale() && work.entry() instanceof LedgerEntry.Parked entry) {
      Map<String, String> keys = parked.get(work.partition().partition());
      if (work.erases()) {
        keys.remove(entry.orderingKey());
      } else {
        keys.put(entry.orderingKey(), entry.blockerId());
      }
    }
  }

  private void checkInnocent(int p, Adoption found) {
    Map<Long, Inheritance.Remembered> all =
        Inheritance.of(found, instance.incarnation).remembered();
    for (LedgerEntry entry : found.ledger()) {
      if (!(entry instanceof LedgerEntry.Attempts attempts)) {
        continue;
      }
      SimRequest request = sim.broker.find(p, attempts.offset());
      int crashes = all.get(attempts.offset()).crashes();
      if (request != null && attempts.id().equals(request.id()) && crashes > request.endsAlone) {
        throw new Violation(
            Promise.INNOCENT,
            request
                + " is said to have run alone in "
                + crashes
                + " crashes, and was in "
                + request.endsAlone);
      }
    }
  }

  /** A handler of a partition that it owns starts: does the core know what it was told? */
  void checkStart(Work<SimDelivery> work, SimRequest request) {
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

  /** A request is about to be buried. */
  void checkParked(SimRequest request, String reason) {
    if (sim.broker.owner(request.partition) == instance
        && reason.equals("parked")
        && !sim.broker.ledger(request.partition).isParkedByStranger(request.key)) {
      String blocker = parked.get(request.partition).get(request.key);
      for (SimRequest earlier : sim.broker.log(request.partition).subList(0, request.index)) {
        if (earlier.completed && earlier.id().equals(blocker)) {
          throw new Violation(
              Promise.PARKED, request + " is parked, though " + earlier + " is over");
        }
      }
    }
  }
}
