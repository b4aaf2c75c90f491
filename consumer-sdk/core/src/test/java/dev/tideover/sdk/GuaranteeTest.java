package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.sdk.History.Answer;
import dev.tideover.sdk.History.Run;
import dev.tideover.sdk.History.Sent;
import dev.tideover.wire.RequestId;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A judge who never finds anything proves nothing: each finds what it is there for. */
class GuaranteeTest {

  private final List<Sent> sent = new ArrayList<>();
  private final List<Run> runs = new ArrayList<>();
  private final List<Answer> answers = new ArrayList<>();
  private final List<Long> breaks = new ArrayList<>();

  private History history() {
    return new History(sent, runs, answers, breaks);
  }

  private void send(int number) {
    RequestId id = RequestId.random();
    sent.add(new Sent(id, "k", number, 0, number));
    answers.add(new Answer(id, true, "" + number, "v1", 100));
  }

  private void run(String by, int number, long started, long ended) {
    runs.add(new Run(by, 0, "k", number, started, ended, true, true));
  }

  @Test
  void whatIsInOrderPasses() {
    send(0);
    send(1);
    run("a", 0, 10, 20);
    run("b", 1, 20, 30);

    assertThatCode(() -> Guarantee.always(history())).doesNotThrowAnyException();
    assertThatCode(() -> new Guarantee.NothingTwice().judge(history())).doesNotThrowAnyException();
  }

  @Test
  void aRequestWithoutReplyIsLost() {
    send(0);
    answers.clear();
    run("a", 0, 10, 20);

    assertBroken(new Guarantee.NothingLost());
  }

  @Test
  void aRequestWithAnothersReplyIsLost() {
    send(0);
    Answer right = answers.remove(0);
    answers.add(new Answer(right.id(), true, "7", "v1", 100));
    run("a", 0, 10, 20);

    assertBroken(new Guarantee.NothingLost());
  }

  @Test
  void aRequestThatWasAnsweredButNeverHandledToItsEndIsLost() {
    send(0);
    runs.add(new Run("a", 0, "k", 0, 10, 20, false, true));

    assertBroken(new Guarantee.NothingLost());
  }

  @Test
  void aSecondRunIsOneTooMany() {
    send(0);
    run("a", 0, 10, 20);
    run("b", 0, 30, 40);

    assertBroken(new Guarantee.NothingTwice());
  }

  @Test
  void aRequestThatWasPassedOverBreaksTheOrder() {
    run("a", 1, 10, 20);
    run("a", 0, 30, 40);

    assertBroken(new Guarantee.PerKeyOrder());
  }

  @Test
  void aRequestThatBeginsBeforeItsPredecessorHasEndedBreaksTheOrder() {
    run("a", 0, 10, 30);
    run("b", 1, 20, 40);

    assertBroken(new Guarantee.PerKeyOrder());
    assertBroken(new Guarantee.OneAtATimePerKey());
  }

  @Test
  void aStepBackBreaksTheOrderUnlessSomethingBroke() {
    run("a", 0, 10, 20);
    run("a", 1, 30, 40);
    run("b", 0, 60, 70);
    assertBroken(new Guarantee.PerKeyOrder());

    breaks.add(50L);
    assertThatCode(() -> new Guarantee.PerKeyOrder().judge(history())).doesNotThrowAnyException();
  }

  @Test
  void onlyAnInstanceThatIsTakenForDeadMayRunBesideAnother() {
    run("b", 0, 20, 40);
    runs.add(0, new Run("a", 0, "k", 0, 10, 30, true, false));
    assertThatCode(() -> new Guarantee.OneAtATimePerKey().judge(history()))
        .doesNotThrowAnyException();

    runs.set(0, new Run("a", 0, "k", 0, 10, 30, true, true));
    assertBroken(new Guarantee.OneAtATimePerKey());
  }

  private void assertBroken(Guarantee guarantee) {
    assertThatThrownBy(() -> guarantee.judge(history())).isInstanceOf(AssertionError.class);
  }
}
