package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.SimConfig.Feature;
import dev.tideover.sdk.internal.core.SimRequest.Kind;
import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.ArrayList;
import java.util.List;

/** Who appends requests, and all that was appended. */
final class SimClients {

  private final Simulation sim;
  private final List<SimRequest> requests = new ArrayList<>();

  SimClients(Simulation sim) {
    this.sim = sim;
  }

  /** A gateway appends a request. */
  void produce(int choice) {
    int kindNumber = choice / 64 % 16;
    boolean instead = kindNumber >= 1 && kindNumber <= 3 || kindNumber == 15;
    if (instead && sim.config.has(Feature.CANCEL) && cancel(choice)) {
      return;
    }
    int mixed = (choice * 0x9E3779B1) >>> 20;
    if (sim.config.has(Feature.IDEMPOTENCY) && mixed % 8 < 3 && resend(choice)) {
      return;
    }
    int p = choice % sim.broker.count();
    int keyNumber = choice / 4 % (sim.config.keys() + 1);
    String key = keyNumber == 0 ? null : "k" + keyNumber;
    int gap = choice / 16 % 4 == 3 ? 1 + choice % 2 : 0;
    Kind kind = kind(choice / 64);
    if (kind == Kind.MALFORMED) {
      key = null; // who can't be read has none that could be kept in order
    }
    SimRequest request = sim.broker.append(p, gap, key, null, kind, 1 + choice % 2);
    if (kind == Kind.OK && sim.config.has(Feature.LOOKUPS) && choice % 16 == 15) {
      request.lookups = 1 + choice / 16 % 2;
    }
    request.keyed =
        sim.config.has(Feature.IDEMPOTENCY) && kind != Kind.MALFORMED && mixed / 8 % 4 != 3;
    requests.add(request);
    sim.say("there is " + request);
  }

  /** A client sends one of the latest requests with a key again, or another one with that key. */
  boolean resend(int choice) {
    List<SimRequest> keyed = requests.stream().filter(each -> each.keyed).toList();
    if (keyed.isEmpty()) {
      return false;
    }
    SimRequest before = keyed.get(keyed.size() - 1 - choice % Math.min(keyed.size(), 8));
    SimRequest request =
        sim.broker.append(
            before.partition,
            choice / 16 % 4 == 3 ? 1 : 0,
            before.key,
            before.original,
            before.original.kind,
            1 + choice % 2);
    request.keyed = true;
    request.fingerprint = choice / 8 % 4 == 3 ? 1 - before.fingerprint : before.fingerprint;
    request.place = choice / 32 % 8 == 7 ? 1 : 0;
    requests.add(request);
    sim.say("there comes " + request);
    return true;
  }

  private Kind kind(int choice) {
    return switch (choice % 16) {
      case 4 -> sim.config.has(Feature.MESSAGE_FAULTS) ? Kind.FAILS : Kind.OK;
      case 5 -> sim.config.has(Feature.MESSAGE_FAULTS) ? Kind.FAILS_ALWAYS : Kind.OK;
      case 6 -> sim.config.has(Feature.MESSAGE_FAULTS) ? Kind.REJECTED : Kind.OK;
      case 7, 8 -> sim.config.has(Feature.INFRASTRUCTURE) ? Kind.INFRASTRUCTURE : Kind.OK;
      case 9 -> sim.config.has(Feature.INFRASTRUCTURE) ? Kind.HOLD : Kind.OK;
      case 10 -> sim.config.has(Feature.HANG) ? Kind.HANGS : Kind.OK;
      case 11 -> sim.config.has(Feature.HANG) ? Kind.STUBBORN : Kind.OK;
      case 12 -> sim.config.has(Feature.POISON) && sim.config.ledger() ? Kind.POISON : Kind.OK;
      case 13 -> sim.config.has(Feature.ODD_RECORDS) ? Kind.MALFORMED : Kind.OK;
      case 14 -> sim.config.has(Feature.ODD_RECORDS) ? Kind.EXPIRED : Kind.OK;
      default -> Kind.OK;
    };
  }

  /**
   * One of the latest requests is to be cancelled: a gateway writes that to the ledger, and then
   * tells the instances, unless it is killed between.
   */
  private boolean cancel(int choice) {
    if (requests.isEmpty()) {
      return false;
    }
    int back = choice % Math.min(requests.size(), 8);
    SimRequest request = requests.get(requests.size() - 1 - back);
    if (request.kind == Kind.MALFORMED || request.mistaken) {
      return false;
    }
    // Once in a while one that is meant for a topic which is no more.
    boolean mistaken = choice / 8 % 8 == 7 && !request.unwanted;
    request.mistaken = mistaken;
    request.unwanted |= !mistaken;
    LedgerEntry.Cancelled wish =
        new LedgerEntry.Cancelled(request.offset, mistaken ? "r0" : request.id(), false);
    sim.say("there is " + wish + " for " + request);
    sim.broker.ledger(request.partition).write(true, wish.key(), wish);
    if (choice / 64 % 16 != 1) {
      sim.live.forEach(instance -> instance.mailbox.notice(request, wish));
    }
    return true;
  }

  /** An operator appends a dead request again, its fault mended. */
  boolean redrive(int choice) {
    if (requests.isEmpty()) {
      return false;
    }
    SimRequest dead = requests.get(choice % requests.size());
    if (dead.deadReason == null || dead.kind == Kind.MALFORMED || dead.keyed) {
      return false;
    }
    SimRequest request = sim.broker.append(dead.partition, 0, dead.key, dead.original, Kind.OK, 0);
    requests.add(request);
    sim.say("there is again " + request);
    return true;
  }

  /** Their topic is no more. */
  void forget() {
    requests.clear();
  }

  /** What ends its instance has been found out. */
  void checkPoison() {
    for (SimRequest request : requests) {
      boolean cancelled = request.unwanted && request.deadReason == null;
      if (request.kind == Kind.POISON
          && !cancelled
          && request.repeated == null
          && !"crash-loop".equals(request.deadReason)
          && !"parked".equals(request.deadReason)) {
        throw new Violation(Promise.POISON, request + " is dead by " + request.deadReason);
      }
    }
  }
}
