package dev.tideover.sdk.internal.core;

import java.util.Map;
import java.util.TreeMap;

/** What runs have come by, so that a simulator which gets nowhere is found out. */
final class SimCoverage {

  private final Map<String, Integer> counts = new TreeMap<>();

  void count(String what) {
    counts.merge(what, 1, Integer::sum);
  }

  void started(SimRequest request, boolean alone) {
    count(alone ? "started alone" : "started");
    count("started " + request.kind);
  }

  void died(String reason) {
    count("dead: " + reason);
  }

  void adopted(Adoption found) {
    CommitNote note = found.note();
    if (note == null) {
      count("adopted for the first time");
    } else {
      count(note.clean() ? "adopted clean" : "adopted after a crash");
      if (!note.done().isEmpty()) {
        count("adopted with hints");
      }
    }
    if (found.finished().size() > 0) {
      count("adopted with finished ids");
    }
    for (LedgerEntry entry : found.ledger()) {
      count("adopted with " + entry.getClass().getSimpleName());
    }
  }

  void interrupted(boolean stale) {
    count(stale ? "interrupted as stale" : "interrupted for its time");
  }

  void abandoned() {
    count("thread given up");
  }

  void cancelled() {
    count("cancelled");
  }

  void cancellationForgotten() {
    count("cancellation forgotten");
  }

  void held() {
    count("held");
  }

  int of(String what) {
    return counts.getOrDefault(what, 0);
  }

  @Override
  public String toString() {
    return counts.toString();
  }
}
