package dev.tideover.loadtests.once;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.loadtests.once.Checker.Explanation;
import dev.tideover.loadtests.once.Checker.Problem;
import dev.tideover.loadtests.once.Checker.Rule;
import dev.tideover.loadtests.once.Checker.Verdict;
import dev.tideover.loadtests.once.History.Answer;
import dev.tideover.loadtests.once.History.Call;
import dev.tideover.loadtests.once.History.Effect;
import dev.tideover.loadtests.once.History.Kill;
import dev.tideover.loadtests.once.History.Kind;
import dev.tideover.loadtests.once.History.Loss;
import dev.tideover.loadtests.once.History.Loss.How;
import dev.tideover.loadtests.once.History.Outage;
import dev.tideover.loadtests.once.History.Sent;
import dev.tideover.loadtests.once.History.Unanswered;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckerTest {

  /** A day in November, so that no time is 0. */
  private static final long DAY = 1_795_000_000_000L;

  private final List<Sent> sent = new ArrayList<>();
  private final List<Answer> answers = new ArrayList<>();
  private final List<Unanswered> unanswered = new ArrayList<>();
  private final List<Effect> effects = new ArrayList<>();
  private final List<Call> calls = new ArrayList<>();
  private final List<Kill> kills = new ArrayList<>();
  private final List<Loss> losses = new ArrayList<>();
  private final List<Outage> outages = new ArrayList<>();

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void resendsThatGetTheSameAnswerAreGood(boolean inbox) {
    sent("k", "k a", 0);
    call("k", "s1-1/1", "s1-1", 10, 20);
    effect("k", "k a", "s1-1/1");
    success("k", "k a", 30, "s1-1/1");
    success("k", "k a", 5_000, "s1-1/1");

    Verdict verdict = judge(inbox);

    assertThat(verdict.pass()).isTrue();
    assertThat(verdict.keys()).isEqualTo(1);
    assertThat(verdict.successes()).isEqualTo(2);
    assertThat(verdict.effects()).isEqualTo(1);
    assertThat(verdict.extraCalls()).isZero();
  }

  @Test
  void aClientWithoutAnAnswerIsBad() {
    sent("k", "k a", 0);
    unanswered.add(new Unanswered("k", "k a", "503"));

    broken(judge(true), Rule.ANSWERED);
  }

  @Test
  void anAnswerThatNoClientShouldGetIsBad() {
    sent("k", "k a", 0);
    answers.add(new Answer("k", "k a", DAY + 9, Kind.OTHER, 500, "", "{}", ""));

    broken(judge(true), Rule.KNOWN_ANSWERS);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void theAnswerToAnotherRequestIsBad(boolean inbox) {
    goodKey("l");
    sent("k", "k a", 0);
    call("k", "s1-1/1", "s1-1", 10, 20);
    effect("k", "k a", "s1-1/1");
    answers.add(new Answer("k", "k a", DAY + 9, Kind.SUCCESS, 201, "text/plain", "s1-1/1 l a", ""));

    assertThat(rules(judge(inbox))).contains(Rule.OWN_ANSWER);
  }

  @Test
  void theAnswerToTheSameKeysOtherBodyIsBad() {
    goodKey("k");
    sent("k", "k b", 40);
    answers.add(new Answer("k", "k b", DAY + 50, Kind.SUCCESS, 201, "text/plain", "k/1 k a", ""));

    broken(judge(true), Rule.OWN_ANSWER);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void twoAnswersOfAKeyThatDifferAreBad(boolean inbox) {
    sent("k", "k a", 0);
    call("k", "s1-1/1", "s1-1", 10, 20);
    kills.add(new Kill("s1-1", DAY + 25));
    call("k", "s2-1/7", "s2-1", 30, 40);
    effect("k", "k a", "s1-1/1");
    success("k", "k a", 30, "s1-1/1");
    success("k", "k a", 50, "s2-1/7");

    assertThat(rules(judge(inbox))).contains(Rule.SAME_ANSWER);
  }

  @ParameterizedTest
  @ValueSource(strings = {"status", "fields", "content"})
  void everyByteOfAnAnswerCounts(String what) {
    goodKey("k");
    Answer first = answers.get(0);
    answers.add(
        new Answer(
            "k",
            "k a",
            DAY + 99,
            Kind.SUCCESS,
            what.equals("status") ? 200 : first.status(),
            what.equals("fields") ? "text/html" : first.fields(),
            first.content() + (what.equals("content") ? " " : ""),
            ""));

    assertThat(rules(judge(false))).contains(Rule.SAME_ANSWER);
  }

  @Test
  void a422ForAnotherBodyIsGood() {
    goodKey("k");
    sent("k", "k b", 40);
    mismatch("k", "k b", 50);

    assertThat(judge(true).pass()).isTrue();
    assertThat(judge(true).mismatches()).isEqualTo(1);
  }

  @Test
  void a422WhereNothingElseWasSentBeforeIsBad() {
    sent("k", "k a", 0);
    mismatch("k", "k a", 50);
    sent("k", "k b", 60);

    broken(judge(true), Rule.JUST_MISMATCH);
  }

  @Test
  void a422ForTheBodyThatSucceededIsBad() {
    goodKey("k");
    sent("k", "k b", 1);
    mismatch("k", "k b", 50);
    mismatch("k", "k a", 60);

    broken(judge(true), Rule.JUST_MISMATCH);
  }

  @Test
  void a422ForTheBodyThatIsDeadIsBad() {
    sent("k", "k a", 0);
    sent("k", "k b", 1);
    dead("k", "k a", 10);
    mismatch("k", "k a", 50);

    broken(judge(true), Rule.JUST_MISMATCH);
  }

  @Test
  void a422ForEachBodyIsBad() {
    sent("k", "k a", 0);
    sent("k", "k b", 1);
    mismatch("k", "k a", 50);
    mismatch("k", "k b", 50);

    assertThat(rules(judge(true))).containsOnly(Rule.JUST_MISMATCH);
  }

  @Test
  void a422WhileTheOtherIsStillOpenIsNoFaultOfIts() {
    sent("k", "k a", 0);
    sent("k", "k b", 1);
    mismatch("k", "k b", 50);
    unanswered.add(new Unanswered("k", "k a", "503"));

    broken(judge(true), Rule.ANSWERED);
  }

  @Test
  void deadForOneClientAndSuccessForAnotherIsBad() {
    goodKey("k");
    dead("k", "k a", 90);

    assertThat(rules(judge(true))).contains(Rule.DEAD_IS_DEAD);
    assertThat(rules(judge(false))).containsExactly(Rule.DEAD_IS_DEAD);
  }

  @Test
  void anEffectOfWhatIsToldToBeDeadIsBad() {
    sent("k", "k a", 0);
    effect("k", "k a", "s1-1/1");
    dead("k", "k a", 90);

    broken(judge(true), Rule.DEAD_IS_DEAD);
  }

  @Test
  void deadWithoutAnEffectIsGood() {
    sent("k", "k a", 0);
    dead("k", "k a", 90);
    dead("k", "k a", 99);

    assertThat(judge(true).pass()).isTrue();
    assertThat(judge(true).dead()).isEqualTo(2);
  }

  @Test
  void twoEffectsAreBadEvenWithoutAnAnswer() {
    sent("k", "k a", 0);
    effect("k", "k a", "s1-1/1");
    effect("k", "k a", "s1-1/2");
    unanswered.add(new Unanswered("k", "k a", "503"));

    assertThat(rules(judge(true))).contains(Rule.AT_MOST_ONE_EFFECT);
  }

  @Test
  void aSuccessWithoutAnEffectIsBad() {
    sent("k", "k a", 0);
    success("k", "k a", 30, "s1-1/1");

    broken(judge(true), Rule.EFFECT_OF_THE_ANSWER);
    broken(judge(false), Rule.EFFECT_OF_THE_ANSWER);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void anAnswerFromAnotherCallThanTheEffectIsBad(boolean inbox) {
    sent("k", "k a", 0);
    call("k", "s1-1/1", "s1-1", 10, 20);
    effect("k", "k a", "s1-1/1");
    success("k", "k a", 30, "s1-1/2");

    broken(judge(inbox), Rule.EFFECT_OF_THE_ANSWER);
  }

  @Test
  void anEffectOfTheOtherBodyIsBad() {
    sent("k", "k a", 0);
    effect("k", "k b", "s1-1/1");
    success("k", "k a", 30, "s1-1/1");

    broken(judge(true), Rule.EFFECT_OF_THE_ANSWER);
  }

  @Test
  void withTheInboxAHandlerMayBeCalledAgain() {
    goodKey("k");
    call("k", "s2-1/9", "s2-1", 80, 90);

    Verdict verdict = judge(true);

    assertThat(verdict.pass()).isTrue();
    assertThat(verdict.extraCalls()).isEqualTo(1);
  }

  @Test
  void anotherCallThatNothingExplainsIsBad() {
    goodKey("k");
    call("k", "s2-1/9", "s2-1", 80, 90);

    broken(judge(false), Rule.EXPLAINED_CALLS);
  }

  @Test
  void aCallThatAKillCutOffExplainsTheNext() {
    twoCalls(Call.NEVER);
    kills.add(new Kill("s1-1", DAY + 500));

    Verdict verdict = judge(false);

    assertThat(verdict.pass()).isTrue();
    assertThat(verdict.explained()).containsOnly(entry(Explanation.KILLED));
    assertThat(verdict.cutOff()).isEqualTo(1);
  }

  @Test
  void aKillSoonAfterTheEndOfTheCallExplainsTheNext() {
    twoCalls(20);
    kills.add(new Kill("s1-1", DAY + 500));

    assertThat(judge(false).pass()).isTrue();
  }

  @Test
  void theKillOfAnotherLifeExplainsNothing() {
    twoCalls(Call.NEVER);
    kills.add(new Kill("s1-2", DAY + 500));

    broken(judge(false), Rule.EXPLAINED_CALLS);
  }

  @ParameterizedTest
  @ValueSource(longs = {9, 1_001})
  void aKillBeforeOrAfterTheTwoCallsExplainsNothing(long at) {
    twoCalls(Call.NEVER);
    kills.add(new Kill("s1-1", DAY + at));

    broken(judge(false), Rule.EXPLAINED_CALLS);
  }

  @Test
  void aKillLongAfterTheEndOfTheCallExplainsNothingUnlessKafkaWasAway() {
    call("k", "s1-1/1", "s1-1", 10, 20);
    call("k", "s2-1/1", "s2-1", 30_000, 30_010);
    success("k", "k a", 31_000, "s1-1/1");
    sent("k", "k a", 0);
    kills.add(new Kill("s1-1", DAY + 20_000));

    broken(judge(false), Rule.EXPLAINED_CALLS);

    outages.add(new Outage(DAY + 1_000, DAY + 18_000));
    assertThat(judge(false).pass()).isTrue();
  }

  @Test
  void onePartOfACrashDoesNotExplainTwoCalls() {
    twoCalls(Call.NEVER);
    call("k", "s2-1/2", "s2-1", 2_000, 2_010);
    kills.add(new Kill("s1-1", DAY + 500));

    Verdict verdict = judge(false);

    broken(verdict, Rule.EXPLAINED_CALLS);
    assertThat(verdict.extraCalls()).isEqualTo(2);
    assertThat(verdict.explained()).containsOnly(entry(Explanation.KILLED));
  }

  @Test
  void aPartitionTakenAwayWithTheCallUnfinishedExplainsTheNext() {
    twoCalls(2_000);
    losses.add(new Loss("s1-1", Set.of(3, 4), DAY + 500, How.REVOKED));

    assertThat(judge(false).explained()).containsOnly(entry(Explanation.REVOKED));
    assertThat(judge(false).pass()).isTrue();
  }

  @Test
  void anotherPartitionTakenAwayExplainsNothing() {
    twoCalls(2_000);
    losses.add(new Loss("s1-1", Set.of(4), DAY + 500, How.REVOKED));

    broken(judge(false), Rule.EXPLAINED_CALLS);
  }

  @Test
  void anotherInstancesPartitionTakenAwayExplainsNothing() {
    twoCalls(2_000);
    losses.add(new Loss("s3-1", Set.of(3), DAY + 500, How.REVOKED));

    broken(judge(false), Rule.EXPLAINED_CALLS);
  }

  @Test
  void thatAPartitionIsLostMayBeLearnedABitLaterThanTheNextCallAndNotMuchLater() {
    twoCalls(2_000);
    losses.add(new Loss("s1-1", Set.of(3), DAY + 5_000, How.LOST));
    assertThat(judge(false).explained()).containsOnly(entry(Explanation.LOST));
    assertThat(judge(false).pass()).isTrue();

    losses.set(0, new Loss("s1-1", Set.of(3), DAY + 60_000, How.LOST));
    broken(judge(false), Rule.EXPLAINED_CALLS);

    losses.set(0, new Loss("s1-1", Set.of(3), DAY + 5_000, How.REVOKED));
    broken(judge(false), Rule.EXPLAINED_CALLS);
  }

  private static java.util.Map.Entry<Explanation, Integer> entry(Explanation why) {
    return java.util.Map.entry(why, 1);
  }

  /** Of partition 3: the first of s1-1, at 10; the second of s2-1, at 1000. */
  private void twoCalls(long firstEnded) {
    sent("k", "k a", 0);
    call("k", "s1-1/1", "s1-1", 10, firstEnded);
    call("k", "s2-1/1", "s2-1", 1_000, 1_010);
    success("k", "k a", 1_100, "s2-1/1");
  }

  private void goodKey(String key) {
    sent(key, key + " a", 0);
    call(key, key + "/1", "s1-1", 10, 20);
    effect(key, key + " a", key + "/1");
    success(key, key + " a", 30, key + "/1");
  }

  private void sent(String key, String body, long at) {
    sent.add(new Sent(key, body, DAY + at));
  }

  private void call(String key, String call, String life, long began, long ended) {
    calls.add(
        new Call(
            key, call, life, 3, 77, DAY + began, ended == Call.NEVER ? Call.NEVER : DAY + ended));
  }

  private void effect(String key, String body, String call) {
    effects.add(new Effect(key, body, call));
  }

  private void success(String key, String body, long at, String call) {
    answers.add(
        new Answer(key, body, DAY + at, Kind.SUCCESS, 201, "text/plain", call + " " + body, ""));
  }

  private void mismatch(String key, String body, long at) {
    answers.add(new Answer(key, body, DAY + at, Kind.MISMATCH, 422, "", "{}", ""));
  }

  private void dead(String key, String body, long at) {
    answers.add(new Answer(key, body, DAY + at, Kind.DEAD, 502, "", "{}", ""));
  }

  private Verdict judge(boolean inbox) {
    return Checker.judge(
        new History(inbox, sent, answers, unanswered, effects, calls, kills, losses, outages));
  }

  private static List<Rule> rules(Verdict verdict) {
    return verdict.problems().stream().map(Problem::rule).toList();
  }

  private static void broken(Verdict verdict, Rule rule) {
    assertThat(rules(verdict)).containsExactly(rule);
  }
}
