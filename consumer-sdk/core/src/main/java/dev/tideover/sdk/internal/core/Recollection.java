package dev.tideover.sdk.internal.core;

import java.util.Objects;

/**
 * What the ledger remembers of single requests: what follows from it when a request comes, and when
 * it may be forgotten. Part of {@link Core}, with the same owner.
 */
final class Recollection<W> {

  /** Crashes alone that make a dead letter. */
  private static final int MOST_CRASHES = 2;

  private final Policy policy;
  private final Effects<W> effects;

  Recollection(Policy policy, Effects<W> effects) {
    this.policy = policy;
    this.effects = effects;
  }

  /** It has come: what is known of it from before. */
  void recall(Work<W> work) {
    Inheritance inheritance = work.assignment.inheritance;
    if (policy.ledger() && work.offset < inheritance.suspectsEnd()) {
      work.trouble().suspicion = Trouble.Suspicion.SHARED;
    }
    Inheritance.Remembered known = inheritance.remembered().get(work.offset);
    if (known == null || !known.id().equals(effects.idOf(work.payload()))) {
      return;
    }
    Trouble trouble = work.trouble();
    work.attempts = known.attempts();
    trouble.inLedger = true;
    trouble.crashes = known.crashes();
    work.begun = known.begun();
    if (known.crashes() >= MOST_CRASHES) {
      bury(
          work,
          "crash-loop",
          known.crashes() + " times an instance has ended while this request ran alone in it");
      if (known.openStart()) {
        // So that it stays one, should it come again, whatever is made of its last start by then.
        effects.note(work.partition(), attempts(work, LedgerEntry.Start.NONE));
      }
    } else if (known.openStart()) {
      trouble.suspicion = Trouble.Suspicion.ALONE;
    }
  }

  /** From now on it is dead. */
  void bury(Work<W> work, String reason, String error) {
    work.trouble().dead = true;
    work.step(Work.Step.BURY);
    effects.bury(work.payload(), reason, error);
  }

  /** How it stands, and what is about to happen. */
  LedgerEntry attempts(Work<W> work, LedgerEntry.Start start) {
    return new LedgerEntry.Attempts(
        work.offset,
        Objects.requireNonNull(effects.idOf(work.payload())),
        work.attempts,
        work.trouble().crashes,
        start,
        policy.incarnation());
  }

  /** It is about to be taken out of the books. */
  void ended(Work<W> work) {
    if (!work.isStale() && work.trouble != null && work.trouble.inLedger) {
      if (work.trouble.dead) {
        // Until its offset is committed it can come again, and then it mustn't begin anew.
        work.assignment.forgettable.add(work.offset);
      } else {
        effects.forget(work.partition(), LedgerEntry.Attempts.key(work.offset));
      }
    }
  }

  /** What is before the offset can't come again any more. */
  void committed(Assignment<?> assignment, long offset) {
    if (assignment.live && !assignment.forgettable.isEmpty()) {
      assignment.forgettable.removeIf(
          dead -> {
            boolean committedNow = dead < offset;
            if (committedNow) {
              effects.forget(assignment.partition, LedgerEntry.Attempts.key(dead));
            }
            return committedNow;
          });
    }
  }
}
