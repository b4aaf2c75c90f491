package dev.tideover.loadtests.drill;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * What became of the requests of a run, from two independent witnesses: what its clients saw, and
 * what the service did.
 *
 * @param sent requests
 * @param answered those with a final answer, whatever it was
 * @param failed those whose final answer isn't a success, or that got none
 * @param lost those that were answered as stored or done, and have no effect, or that were told to
 *     ask later and never got a reply
 * @param duplicated effects beyond the one that each request may have
 * @param wrongReply successes that are not about the request that they answer
 * @param outOfOrder requests whose first effect came after that of a later one of their key; its
 *     clients send one at least 2 s after the one before, so there is no doubt which is later
 * @param later202 those that were told to ask later
 * @param answeredBy successes by version
 * @param examples of what went wrong, one of each kind
 */
record Verdict(
    int sent,
    int answered,
    int failed,
    int lost,
    int duplicated,
    int wrongReply,
    int outOfOrder,
    int later202,
    Map<String, Integer> answeredBy,
    List<String> examples) {

  /**
   * Judges.
   *
   * @param run what replies have to name
   * @param effects in their order
   */
  static Verdict of(String run, List<Sent> requests, List<Effect> effects) {
    return new Judge(run).judge(requests, effects);
  }

  /** Both together, as if they were of one run. */
  Verdict plus(Verdict other) {
    Map<String, Integer> by = new TreeMap<>(answeredBy);
    other.answeredBy.forEach((version, count) -> by.merge(version, count, Integer::sum));
    List<String> all = new ArrayList<>(examples);
    all.addAll(other.examples);
    return new Verdict(
        sent + other.sent,
        answered + other.answered,
        failed + other.failed,
        lost + other.lost,
        duplicated + other.duplicated,
        wrongReply + other.wrongReply,
        outOfOrder + other.outOfOrder,
        later202 + other.later202,
        by,
        all);
  }

  private static final class Judge {

    private final String run;
    private final Map<String, String> examples = new LinkedHashMap<>();

    Judge(String run) {
      this.run = run;
    }

    Verdict judge(List<Sent> requests, List<Effect> effects) {
      Map<String, Integer> happened = new HashMap<>();
      effects.forEach(effect -> happened.merge(effect.id(), 1, Integer::sum));
      int answered = 0;
      int failed = 0;
      int lost = 0;
      int wrong = 0;
      int later = 0;
      int withEffect = 0;
      Map<String, Integer> by = new TreeMap<>();
      for (Sent request : requests) {
        boolean effect = happened.containsKey(request.id());
        withEffect += effect ? 1 : 0;
        answered += request.status() != 0 ? 1 : 0;
        later += request.told202() ? 1 : 0;
        if (request.promised() && !effect || request.told202() && !request.succeeded()) {
          lost++;
          example("lost", request.id() + ", status " + request.status() + ", effect: " + effect);
        }
        Sent.Reply reply = request.reply();
        if (!request.succeeded()) {
          failed++;
          example("failed", request.id() + ", status " + request.status());
        } else if (reply == null || !isAbout(request, reply)) {
          wrong++;
          example("wrong reply", request.id() + " got " + reply);
        } else {
          by.merge(Effect.versionOf(reply.by()), 1, Integer::sum);
        }
      }
      happened.forEach(
          (id, count) -> {
            if (count > 1) {
              example("duplicated", id + " has " + count + " effects: " + of(id, effects));
            }
          });
      return new Verdict(
          requests.size(),
          answered,
          failed,
          lost,
          // Effects that nobody asked for count as well.
          effects.size() - withEffect,
          wrong,
          outOfOrder(effects),
          later,
          by,
          examples.entrySet().stream()
              .map(each -> each.getKey() + ": " + each.getValue())
              .toList());
    }

    private boolean isAbout(Sent request, Sent.Reply reply) {
      return reply.run().equals(run)
          && reply.key().equals(request.key())
          && reply.seq() == request.seq();
    }

    /**
     * A second effect of the same request is a repetition and no breach of the order: at least once
     * means that a crash may repeat a run of requests from its start.
     */
    private int outOfOrder(List<Effect> effects) {
      int count = 0;
      Set<String> seen = new HashSet<>();
      Map<String, Integer> latest = new HashMap<>();
      for (Effect effect : effects) {
        if (seen.add(effect.id())) {
          int before = latest.getOrDefault(effect.key(), 0);
          if (effect.seq() < before) {
            count++;
            example("out of order", effect + " came after " + effect.key() + "-" + before);
          }
          latest.put(effect.key(), Math.max(before, effect.seq()));
        }
      }
      return count;
    }

    private static List<Effect> of(String id, List<Effect> effects) {
      return effects.stream().filter(effect -> effect.id().equals(id)).toList();
    }

    private void example(String kind, String detail) {
      examples.putIfAbsent(kind, detail);
    }
  }
}
