package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.SimDelivery.Answer;
import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * All that happens to requests with an idempotency key, as an omniscient observer sees it, and what
 * has to hold: one that has finished isn't handled again, and who sends it again is told so.
 *
 * <p>All of this is promised for the window, from the finish on, as far as clocks agree. Behind it
 * some know of a finish still and others don't: one may answer by the first finish what another one
 * has handled since. Of what comes after that it is only checked that the same owner doesn't handle
 * it twice, and that the answers are true.
 */
final class SimOnce {

  /** A reply that stands in a reply partition. */
  private record Reply(SimRequest request, Answer answer) {
    boolean isFirstHand() {
      return answer != Answer.DUPLICATE && answer != Answer.MISMATCH;
    }

    boolean isOf(SimRequest other) {
      return request.original == other.original && isFirstHand();
    }
  }

  /** What has happened to the requests with one id. */
  private static final class Id {
    private static final long NEVER = Long.MAX_VALUE;

    final List<Reply> replies = new ArrayList<>();

    /** When the first reply was written since it was last free to be handled; milliseconds. */
    long finishedAt = NEVER;

    /** Whether a commit has passed one of them that had finished, and the ledger knew it. */
    boolean covered;

    /** Whether a commit has passed one of them for which the ledger couldn't be had. */
    boolean unprotected;

    /** Where a handler of the owner's has come to its end last, and after how many losses. */
    @Nullable Assignment<?> handledIn;

    int losses;

    /** Whether its window was over once. */
    boolean old;
  }

  private final Simulation sim;
  private final Map<SimRequest, Id> ids = new HashMap<>();

  /** By place. */
  private final List<List<Reply>> replies = List.of(new ArrayList<>(), new ArrayList<>());

  /** How often each partition was taken from its owner while something of it was open. */
  private final int[] losses = new int[4];

  SimOnce(Simulation sim) {
    this.sim = sim;
  }

  private Id of(SimRequest request) {
    return ids.computeIfAbsent(request.original, ignored -> new Id());
  }

  private boolean isWithinWindow(Id id) {
    return id.finishedAt != Id.NEVER && isWithinWindow(id.finishedAt);
  }

  private boolean isWithinWindow(long finishedAt) {
    return sim.epochMillis() - finishedAt < sim.config.surely();
  }

  /** Whether it is promised that whoever has the partition next knows what has finished. */
  private boolean isProtected(Id id) {
    return sim.config.ledger() && !id.unprotected;
  }

  /** Their topic is no more. */
  void forget() {
    ids.clear();
  }

  /** The owners of these partitions lose them, and don't leave them in good order. */
  void lost(int mask) {
    for (int p = 0; p < losses.length; p++) {
      losses[p] += mask >> p & 1;
    }
  }

  /** A handler of the owner's starts. */
  void starts(Work<SimDelivery> work) {
    SimRequest request = work.payload().request;
    if (!request.keyed) {
      return;
    }
    Id id = of(request);
    if (id.finishedAt != Id.NEVER && !isWithinWindow(id)) {
      id.finishedAt = Id.NEVER;
      id.covered = false;
      id.handledIn = null;
      id.old = true;
      sim.coverage.count("handled again after its window");
      return;
    }
    boolean ledger = isProtected(id) && !id.old;
    if (ledger && id.covered) {
      throw new Violation(
          Promise.ONCE, request + " is handled again, and a commit has passed its finish");
    }
    if (id.handledIn != null) {
      if (id.handledIn == work.assignment) {
        throw new Violation(Promise.ONCE, request + " is handled again by the same owner");
      }
      if (ledger && id.losses == losses[request.partition]) {
        throw new Violation(Promise.ONCE, request + " is handled again, and nothing was lost");
      }
      sim.coverage.count("handled again after a loss");
    }
    if (request.repeated != null && ledger) {
      throw new Violation(
          Promise.ANSWERED, request + " is handled, and its client was told " + request.repeated);
    }
  }

  /** A handler of the owner's has done its work. */
  void handled(Work<SimDelivery> work) {
    SimRequest request = work.payload().request;
    if (request.keyed) {
      of(request).handledIn = work.assignment;
      of(request).losses = losses[request.partition];
    }
  }

  /** The broker has a reply; its offset. */
  long replied(SimDelivery delivery) {
    SimRequest request = delivery.request;
    List<Reply> log = replies.get(request.place);
    Reply reply = new Reply(request, delivery.answer);
    if (request.keyed) {
      Id id = of(request);
      if (reply.isFirstHand()) {
        id.finishedAt = Math.min(id.finishedAt, sim.epochMillis());
        if (request.finishedAt == Long.MIN_VALUE) {
          request.finishedAt = sim.epochMillis();
        }
      } else {
        checkRepeat(delivery, id, log);
        request.repeated = delivery.answer;
        sim.coverage.count(delivery.answer == Answer.DUPLICATE ? "duplicate" : "mismatch");
      }
      id.replies.add(reply);
    }
    log.add(reply);
    return log.size() - 1;
  }

  private void checkRepeat(SimDelivery delivery, Id id, List<Reply> log) {
    SimRequest request = delivery.request;
    boolean anySame = false;
    boolean anyOther = false;
    boolean anyElsewhere = false;
    for (Reply reply : id.replies) {
      if (reply.isOf(request)) {
        boolean same = reply.request.fingerprint == request.fingerprint;
        anySame |= same;
        anyOther |= !same;
        anyElsewhere |= same && reply.request.place != request.place;
      }
    }
    String told = request + " is told " + delivery.answer + " " + delivery.original;
    if (delivery.answer == Answer.MISMATCH ? !anyOther : !anySame) {
      throw new Violation(Promise.ANSWERED, told + ", and nothing like that has finished");
    }
    boolean strict = isProtected(id) && isWithinWindow(id) && !id.old;
    if (strict && delivery.answer == Answer.MISMATCH && anySame) {
      throw new Violation(Promise.ANSWERED, told + ", and the same request has finished");
    }
    if (strict && request.repeated != null && request.repeated != delivery.answer) {
      throw new Violation(Promise.ANSWERED, told + " after " + request.repeated);
    }
    if (delivery.answer == Answer.MISMATCH) {
      return;
    }
    if (delivery.original == FinishedIds.UNKNOWN) {
      if (!anyElsewhere) {
        throw new Violation(Promise.ANSWERED, told + ", and all replies to it stand there");
      }
      sim.coverage.count("duplicate of elsewhere");
      return;
    }
    Reply original = delivery.original < log.size() ? log.get((int) delivery.original) : null;
    if (original == null
        || !original.isOf(request)
        || original.request.fingerprint != request.fingerprint) {
      throw new Violation(Promise.ANSWERED, told + ", and there stands " + original);
    }
  }

  /** The owner's commit is applied. */
  void committed(SimInstance by, int p, long offset, CommitNote note) {
    for (SimRequest request : sim.broker.log(p)) {
      boolean passed = request.offset < offset || SimBroker.contains(note, request.offset);
      boolean finished = request.finishedAt != Long.MIN_VALUE;
      if (request.keyed && passed && finished && isWithinWindow(request.finishedAt)) {
        passed(by, request);
      }
    }
  }

  private void passed(SimInstance by, SimRequest request) {
    Id id = of(request);
    if (!isProtected(id)) {
      return;
    }
    if (sim.broker.ledger(request.partition).remembers(request)) {
      id.covered = true;
    } else if (id.old || !isWithinWindow(id) || by.isWithoutLedger(request.partition)) {
      id.unprotected = true;
      sim.coverage.count("committed without the ledger");
    } else {
      throw new Violation(
          Promise.REMEMBERED, by + " commits " + request + ", and the ledger doesn't know it");
    }
  }
}
