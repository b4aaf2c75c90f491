package dev.tideover.loadtests.once;

import dev.tideover.loadtests.once.History.Answer;
import dev.tideover.loadtests.once.History.Call;
import dev.tideover.loadtests.once.History.Effect;
import dev.tideover.loadtests.once.History.Kind;
import dev.tideover.loadtests.once.History.Loss;
import dev.tideover.loadtests.once.History.Loss.How;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Judges a {@link History}: one request, one effect, one answer. Not thread-safe. */
final class Checker {

  /** What must hold. */
  enum Rule {
    /** Every client has a final answer at the end. */
    ANSWERED,
    /** A final answer is the service's, 422, or 502 of a request that is dead. */
    KNOWN_ANSWERS,
    /** A success answers the request that its client sent. */
    OWN_ANSWER,
    /** All successes of a key are equal, byte for byte. */
    SAME_ANSWER,
    /** A 422 is for a client whose body isn't the one that the key belongs to. */
    JUST_MISMATCH,
    /** Who is told that a request is dead isn't told by others that it succeeded. */
    DEAD_IS_DEAD,
    /** A key has one effect at most; with the inbox. */
    AT_MOST_ONE_EFFECT,
    /** A key with a success has an effect, and the answer is from the call that made it. */
    EFFECT_OF_THE_ANSWER,
    /** A call beyond a key's first follows a crash or a lost partition; without the inbox. */
    EXPLAINED_CALLS
  }

  /** A rule that was broken. */
  record Problem(Rule rule, String key, String detail) {}

  /** Why a handler was called again. */
  enum Explanation {
    /** The instance that had it was killed. */
    KILLED,
    /** Its partition was taken away before it had ended. */
    REVOKED,
    /** Its partition was taken away and the instance learned of it later. */
    LOST
  }

  /**
   * The judgement.
   *
   * @param extraCalls calls of handlers beyond the first of each key
   * @param explained how many of them are explained in which way; with the inbox they need not be
   * @param cutOff calls that a kill cut off
   * @param cutOffEffects effects whose call was cut off before its reply was sent
   */
  record Verdict(
      List<Problem> problems,
      int keys,
      int successes,
      int mismatches,
      int dead,
      int effects,
      int extraCalls,
      Map<Explanation, Integer> explained,
      int cutOff,
      int cutOffEffects) {

    boolean pass() {
      return problems.isEmpty();
    }

    /** How often each rule was broken. */
    Map<Rule, Long> broken() {
      return new TreeMap<>(
          problems.stream().collect(Collectors.groupingBy(Problem::rule, Collectors.counting())));
    }
  }

  /**
   * A finished request is committed within about a second; one that a kill makes run again long
   * after it had finished isn't explained by that kill.
   */
  private static final long COMMIT_BOUND_MILLIS = 10_000;

  /** How much later than the others an instance may learn that a partition isn't its own. */
  private static final long LATE_NEWS_MILLIS = 15_000;

  private final History history;
  private final List<Problem> problems = new ArrayList<>();
  private final Map<Explanation, Integer> explained = new EnumMap<>(Explanation.class);

  private Checker(History history) {
    this.history = history;
  }

  static Verdict judge(History history) {
    return new Checker(history).judge();
  }

  private Verdict judge() {
    Map<String, List<Answer>> answers = byKey(history.answers(), Answer::key);
    Map<String, List<Effect>> effects = byKey(history.effects(), Effect::key);
    Map<String, List<Call>> calls = byKey(history.calls(), Call::key);
    Map<String, Map<String, Long>> sent = new HashMap<>();
    history
        .sent()
        .forEach(
            each ->
                sent.computeIfAbsent(each.key(), key -> new HashMap<>())
                    .merge(each.body(), each.at(), Math::min));

    history
        .unanswered()
        .forEach(
            each ->
                problem(
                    Rule.ANSWERED, each.key(), "no final answer; the last one: " + each.last()));
    answers.forEach((key, of) -> judgeAnswers(key, of, sent.getOrDefault(key, Map.of())));
    Set<String> keys = new HashSet<>(answers.keySet());
    keys.addAll(effects.keySet());
    keys.addAll(calls.keySet());
    int extra = 0;
    for (String key : keys) {
      List<Answer> given = answers.getOrDefault(key, List.of());
      List<Call> called = calls.getOrDefault(key, List.of());
      if (history.inbox()) {
        judgeEffects(key, given, effects.getOrDefault(key, List.of()));
      } else {
        judgeCalls(key, given, called);
      }
      extra += Math.max(0, called.size() - 1);
    }
    Set<String> madeAnEffect =
        history.effects().stream().map(Effect::call).collect(Collectors.toSet());
    List<Call> cutOff =
        history.calls().stream().filter(call -> call.ended() == Call.NEVER).toList();
    return new Verdict(
        List.copyOf(problems),
        sent.size(),
        count(Kind.SUCCESS),
        count(Kind.MISMATCH),
        count(Kind.DEAD),
        history.effects().size(),
        extra,
        new TreeMap<>(explained),
        cutOff.size(),
        (int) cutOff.stream().filter(call -> madeAnEffect.contains(call.call())).count());
  }

  private int count(Kind kind) {
    return (int) history.answers().stream().filter(answer -> answer.kind() == kind).count();
  }

  private static <T> Map<String, List<T>> byKey(List<T> all, Function<T, String> key) {
    return all.stream().collect(Collectors.groupingBy(key));
  }

  private void problem(Rule rule, String key, String detail) {
    problems.add(new Problem(rule, key, detail));
  }

  private void judgeAnswers(String key, List<Answer> answers, Map<String, Long> bodies) {
    Answer first = null;
    boolean dead = false;
    for (Answer answer : answers) {
      switch (answer.kind()) {
        case OTHER -> problem(Rule.KNOWN_ANSWERS, key, answer.told());
        case DEAD -> dead = true;
        case SUCCESS -> {
          if (!answer.answers().equals(answer.body())) {
            problem(
                Rule.OWN_ANSWER, key, "sent " + answer.body() + ", was answered " + answer.told());
          }
          if (first == null) {
            first = answer;
          } else if (!first.bytes().equals(answer.bytes())) {
            problem(Rule.SAME_ANSWER, key, first.told() + " and " + answer.told());
          }
        }
        case MISMATCH -> {}
      }
    }
    if (dead && first != null) {
      problem(Rule.DEAD_IS_DEAD, key, "one client was told that it is dead, one " + first.told());
    }
    judgeMismatches(key, answers, bodies, first);
  }

  /** The key belongs to the request that succeeded, or is dead; without one of these to nobody. */
  private void judgeMismatches(
      String key, List<Answer> answers, Map<String, Long> bodies, @Nullable Answer success) {
    Set<String> owners =
        answers.stream()
            .filter(answer -> answer.kind() == Kind.DEAD || answer.equals(success))
            .map(Answer::body)
            .collect(Collectors.toSet());
    boolean open = history.unanswered().stream().anyMatch(each -> each.key().equals(key));
    for (Answer answer : answers) {
      if (answer.kind() != Kind.MISMATCH) {
        continue;
      }
      boolean anotherWasSent =
          bodies.entrySet().stream()
              .anyMatch(
                  each -> !each.getKey().equals(answer.body()) && each.getValue() <= answer.at());
      if (!anotherWasSent) {
        problem(Rule.JUST_MISMATCH, key, "422, and no other body had been sent: " + answer.told());
      } else if (owners.contains(answer.body())) {
        problem(
            Rule.JUST_MISMATCH, key, "422 for the body that the key belongs to: " + answer.told());
      } else if (owners.isEmpty() && !open) {
        problem(
            Rule.JUST_MISMATCH,
            key,
            "422 for each body that was sent: " + answer.body() + answer.told());
      }
    }
  }

  private void judgeEffects(String key, List<Answer> answers, List<Effect> effects) {
    if (effects.size() > 1) {
      problem(Rule.AT_MOST_ONE_EFFECT, key, effects.size() + " effects: " + effects);
    }
    for (Answer answer : answers) {
      if (answer.kind() == Kind.SUCCESS
          && effects.stream()
              .noneMatch(
                  effect ->
                      effect.call().equals(answer.call())
                          && effect.body().equals(answer.answers()))) {
        problem(
            Rule.EFFECT_OF_THE_ANSWER,
            key,
            "answered " + answer.told() + ", and the effects are " + effects);
        return;
      }
      if (answer.kind() == Kind.DEAD && !effects.isEmpty()) {
        problem(Rule.DEAD_IS_DEAD, key, "told to be dead, and it has the effects " + effects);
        return;
      }
    }
  }

  private void judgeCalls(String key, List<Answer> answers, List<Call> calls) {
    for (Answer answer : answers) {
      if (answer.kind() == Kind.SUCCESS
          && calls.stream().noneMatch(call -> call.call().equals(answer.call()))) {
        problem(
            Rule.EFFECT_OF_THE_ANSWER,
            key,
            "answered " + answer.told() + ", and the handler's calls are " + calls);
        break;
      }
    }
    List<Call> inOrder = calls.stream().sorted(Comparator.comparingLong(Call::began)).toList();
    for (int i = 1; i < inOrder.size(); i++) {
      Explanation why = explain(inOrder.get(i - 1), inOrder.get(i));
      if (why == null) {
        problem(
            Rule.EXPLAINED_CALLS,
            key,
            "called again, and nothing broke between "
                + inOrder.get(i - 1)
                + " and "
                + inOrder.get(i));
      } else {
        explained.merge(why, 1, Integer::sum);
      }
    }
  }

  private @Nullable Explanation explain(Call first, Call again) {
    boolean killed =
        history.kills().stream()
            .filter(kill -> kill.life().equals(first.life()))
            .filter(kill -> kill.at() >= first.began() && kill.at() <= again.began())
            .anyMatch(kill -> uncommitted(first, kill.at()));
    if (killed) {
      return Explanation.KILLED;
    }
    for (Loss loss : history.losses()) {
      boolean late = loss.how() == How.LOST && !again.life().equals(first.life());
      if (loss.life().equals(first.life())
          && loss.partitions().contains(first.partition())
          && loss.at() >= first.began()
          && loss.at() <= again.began() + (late ? LATE_NEWS_MILLIS : 0)
          && uncommitted(first, loss.at())) {
        return loss.how() == How.LOST ? Explanation.LOST : Explanation.REVOKED;
      }
    }
    return null;
  }

  /** Whether it may have had no commit behind it then: Kafka takes none while it is away. */
  private boolean uncommitted(Call call, long at) {
    if (call.ended() >= at) {
      return true;
    }
    long away =
        history.outages().stream()
            .mapToLong(outage -> Math.min(outage.to(), at) - Math.max(outage.from(), call.ended()))
            .filter(millis -> millis > 0)
            .sum();
    return at - call.ended() - away <= COMMIT_BOUND_MILLIS;
  }
}
