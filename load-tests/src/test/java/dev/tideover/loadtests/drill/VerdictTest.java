package dev.tideover.loadtests.drill;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Good histories pass, and each way of being bad is seen as what it is. */
class VerdictTest {

  private static final String RUN = "run";

  private final List<Sent> requests = new ArrayList<>();
  private final List<Effect> effects = new ArrayList<>();

  @Test
  void requestsThatWereAnsweredOnceAndInOrderAreGood() {
    good("a", 1, "v1/i1");
    good("b", 1, "v1/i2");
    good("a", 2, "v2/i3");

    Verdict verdict = judge();

    assertThat(verdict)
        .isEqualTo(new Verdict(3, 3, 0, 0, 0, 0, 0, 0, Map.of("v1", 2, "v2", 1), List.of()));
  }

  @Test
  void aReplyThatCameBy202IsGood() {
    sent("a", 1, true, true, 201, reply("a", 1, "v1/i1"));
    effect("a", 1, "v1/i1");

    assertThat(judge()).isEqualTo(new Verdict(1, 1, 0, 0, 0, 0, 0, 1, Map.of("v1", 1), List.of()));
  }

  @Test
  void anyOtherAnswerThanASuccessIsAFailure() {
    sent("a", 1, false, false, 503, null);
    sent("b", 1, false, false, 500, null);
    sent("c", 1, false, false, 404, null);

    assertThat(judge().failed()).isEqualTo(3);
    assertThat(judge().answered()).isEqualTo(3);
    assertThat(judge().lost()).isZero();
  }

  @Test
  void noAnswerIsAFailure() {
    sent("a", 1, false, false, 0, null);

    assertThat(judge().failed()).isEqualTo(1);
    assertThat(judge().answered()).isZero();
    assertThat(judge().lost()).isZero();
  }

  @Test
  void aFailureThatHasItsEffectAllTheSameIsNotLost() {
    sent("a", 1, true, false, 504, null);
    effect("a", 1, "v1/i1");

    assertThat(judge().failed()).isEqualTo(1);
    assertThat(judge().lost()).isZero();
    assertThat(judge().duplicated()).isZero();
  }

  @Test
  void aSuccessWithoutAnEffectIsLost() {
    sent("a", 1, true, false, 201, reply("a", 1, "v1/i1"));

    assertThat(judge().lost()).isEqualTo(1);
    assertThat(judge().failed()).isZero();
  }

  @Test
  void whatWasStoredAndHasNoEffectIsLost() {
    sent("a", 1, true, false, 504, null);

    assertThat(judge().lost()).isEqualTo(1);
  }

  @Test
  void whoWasToldToAskLaterAndNeverGotItIsLost() {
    sent("a", 1, true, true, 0, null);
    effect("a", 1, "v1/i1");

    assertThat(judge().lost()).isEqualTo(1);
    assertThat(judge().failed()).isEqualTo(1);
  }

  @Test
  void aSecondEffectIsADuplicateAndNoBreachOfTheOrder() {
    good("a", 1, "v1/i1");
    good("a", 2, "v1/i1");
    effect("a", 1, "v2/i2");
    effect("a", 2, "v2/i2");

    assertThat(judge().duplicated()).isEqualTo(2);
    assertThat(judge().outOfOrder()).isZero();
    assertThat(judge().examples()).hasSize(1).first().asString().contains("v1/i1", "v2/i2");
  }

  @Test
  void anEffectThatNobodyAskedForIsADuplicate() {
    good("a", 1, "v1/i1");
    effect("z", 9, "v1/i1");

    assertThat(judge().duplicated()).isEqualTo(1);
  }

  @Test
  void anEffectBehindThatOfALaterRequestOfItsKeyIsOutOfOrder() {
    sent("a", 1, true, false, 201, reply("a", 1, "v1/i1"));
    sent("a", 2, true, false, 201, reply("a", 2, "v1/i1"));
    sent("b", 1, true, false, 201, reply("b", 1, "v1/i1"));
    effect("a", 2, "v1/i1");
    effect("a", 1, "v1/i1");
    effect("b", 1, "v1/i1");

    assertThat(judge().outOfOrder()).isEqualTo(1);
  }

  @Test
  void aGapLeavesTheOrderAsItIs() {
    sent("a", 1, false, false, 503, null);
    good("a", 2, "v1/i1");
    good("a", 3, "v1/i1");

    assertThat(judge().outOfOrder()).isZero();
  }

  @Test
  void theReplyToAnotherRequestIsWrong() {
    for (Sent.Reply reply :
        List.of(
            reply("b", 1, "v1/i1"),
            reply("a", 2, "v1/i1"),
            new Sent.Reply("a", 1, "another run", "v1/i1"))) {
      requests.clear();
      effects.clear();
      sent("a", 1, true, false, 201, reply);
      effect("a", 1, "v1/i1");

      assertThat(judge().wrongReply()).as("%s", reply).isEqualTo(1);
    }
  }

  @Test
  void aSuccessThatIsNoReplyOfTheServiceIsWrong() {
    sent("a", 1, true, false, 200, null);
    effect("a", 1, "v1/i1");

    assertThat(judge().wrongReply()).isEqualTo(1);
  }

  @Test
  void twoRunsAreAsBadAsBoth() {
    sent("a", 1, false, false, 503, null);
    Verdict one = judge();
    requests.clear();
    good("a", 1, "v1/i1");
    effect("a", 1, "v1/i1");

    Verdict both = one.plus(judge());

    assertThat(both.sent()).isEqualTo(2);
    assertThat(both.failed()).isEqualTo(1);
    assertThat(both.duplicated()).isEqualTo(1);
    assertThat(both.examples()).hasSize(2);
  }

  private Verdict judge() {
    return Verdict.of(RUN, requests, effects);
  }

  private static Sent.Reply reply(String key, int seq, String by) {
    return new Sent.Reply(key, seq, RUN, by);
  }

  private void good(String key, int seq, String by) {
    sent(key, seq, true, false, 201, reply(key, seq, by));
    effect(key, seq, by);
  }

  private void sent(
      String key,
      int seq,
      boolean promised,
      boolean told202,
      int status,
      Sent.@Nullable Reply reply) {
    requests.add(new Sent(key, seq, promised, told202, status, reply, 1_000));
  }

  private void effect(String key, int seq, String by) {
    effects.add(new Effect(key, seq, by, 0));
  }
}
