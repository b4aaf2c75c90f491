package dev.tideover.demo;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What became of every request: computed from two independent witnesses, the client's own record of
 * what it sent and got, and the ledger of what the service really did.
 *
 * @param sent requests sent
 * @param answered requests that got a final answer, of whatever kind
 * @param failed requests whose final answer isn't the service's 201, or that got none
 * @param accepted202 requests that were first answered with 202
 * @param lost requests that were answered as done or stored, but have no effect
 * @param duplicated effects beyond the one that each order sent may have
 * @param outOfOrder first effects that came after a later one of the same customer
 * @param wrongReply the service's 201s that are not about the request they answer
 * @param answeredBy the service's 201s by version
 */
record Verdict(
    int sent,
    int answered,
    int failed,
    int accepted202,
    int lost,
    int duplicated,
    int outOfOrder,
    int wrongReply,
    Map<String, Integer> answeredBy) {

  static Verdict of(List<ClientRecord> requests, List<LedgerEntry> ledger) {
    var effects = new HashMap<String, Integer>();
    ledger.forEach(entry -> effects.merge(entry.order(), 1, Integer::sum));

    int answered = 0;
    int failed = 0;
    int accepted202 = 0;
    int lost = 0;
    int wrongReply = 0;
    int orderedEffects = 0;
    var answeredBy = new TreeMap<String, Integer>();
    for (ClientRecord request : requests) {
      ClientRecord.Answer answer = request.answer();
      boolean happened = effects.containsKey(request.order());
      answered += answer != null ? 1 : 0;
      accepted202 += request.answeredWith202() ? 1 : 0;
      lost += request.promised() && !happened ? 1 : 0;
      orderedEffects += happened ? 1 : 0;
      if (answer == null || !answer.isServices201()) {
        failed++;
      } else {
        wrongReply += isAbout(request, answer.order()) ? 0 : 1;
        String version = answer.order() == null ? "unknown" : answer.order().version();
        answeredBy.merge(version, 1, Integer::sum);
      }
    }
    int duplicated = ledger.size() - orderedEffects;
    return new Verdict(
        requests.size(),
        answered,
        failed,
        accepted202,
        lost,
        duplicated,
        countOutOfOrder(ledger),
        wrongReply,
        answeredBy);
  }

  /**
   * What is wrong, one line each; empty where all is well.
   *
   * @param killed whether the service was killed: then a request whose reply the crash cut off is
   *     handled again, so duplicates are within the promise
   */
  List<String> problems(boolean killed) {
    var problems = new ArrayList<String>();
    add(problems, sent - answered, "requests got no answer");
    add(problems, failed, "requests did not end with the service's 201");
    add(problems, lost, "requests were answered as done or stored, but had no effect");
    add(problems, wrongReply, "replies were about another request");
    add(problems, outOfOrder, "effects came out of their customer's order");
    if (!killed) {
      add(problems, duplicated, "effects happened more than once");
    }
    return problems;
  }

  private static void add(List<String> problems, int count, String what) {
    if (count != 0) {
      problems.add(count + " " + what);
    }
  }

  private static boolean isAbout(ClientRecord request, @Nullable OrderReply reply) {
    return reply != null
        && request.order().equals(reply.order())
        && request.customer().equals(reply.customer())
        && request.seq() == reply.seq();
  }

  /**
   * A later effect of the same order is a repetition and no breach of the order: at least once
   * means that a crash may repeat a run of requests from its start.
   */
  private static int countOutOfOrder(List<LedgerEntry> ledger) {
    int count = 0;
    Set<String> seen = new HashSet<>();
    var latest = new HashMap<String, Integer>();
    for (LedgerEntry entry : ledger) {
      if (seen.add(entry.order())) {
        int before = latest.getOrDefault(entry.customer(), Integer.MIN_VALUE);
        count += entry.seq() < before ? 1 : 0;
        latest.put(entry.customer(), Math.max(before, entry.seq()));
      }
    }
    return count;
  }
}
