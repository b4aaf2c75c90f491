package dev.tideover.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Each fault that the demo looks for is made here once, and must be counted as itself only. */
class VerdictTest {
  private final List<ClientRecord> requests = new ArrayList<>();
  private final List<LedgerEntry> ledger = new ArrayList<>();

  @Test
  void allIsWellWhenEachRequestHasItsOwnAnswerAndOneEffectInOrder() {
    IntStream.rangeClosed(1, 3).forEach(seq -> place("ann", seq, "v1"));
    IntStream.rangeClosed(1, 2).forEach(seq -> place("bob", seq, "v2"));

    Verdict verdict = verdict();

    assertThat(verdict.problems(false)).isEmpty();
    assertThat(verdict.sent()).isEqualTo(5);
    assertThat(verdict.answered()).isEqualTo(5);
    assertThat(verdict.answeredBy()).containsOnly(entry("v1", 3), entry("v2", 2));
  }

  @Test
  void aRequestWithoutAnswerIsFailedAndNotAnswered() {
    requests.add(new ClientRecord("ann", 1, false, false, null));

    Verdict verdict = verdict();

    assertThat(verdict.answered()).isZero();
    assertThat(verdict.failed()).isEqualTo(1);
    assertThat(verdict.lost()).as("nobody promised anything").isZero();
    assertThat(verdict.problems(false)).hasSize(2);
  }

  @Test
  void theGatewaysOwnErrorIsAnsweredAndFailed() {
    requests.add(answered("ann", 1, false, new ClientRecord.Answer(503, false, null)));

    assertThat(verdict().answered()).isEqualTo(1);
    assertThat(verdict().failed()).isEqualTo(1);
    assertThat(verdict().problems(false)).hasSize(1);
  }

  @Test
  void a201OfTheGatewayIsNoAnswerOfTheService() {
    effect("ann", 1, "v1");
    requests.add(answered("ann", 1, true, new ClientRecord.Answer(201, false, null)));

    assertThat(verdict().failed()).isEqualTo(1);
    assertThat(verdict().answeredBy()).isEmpty();
  }

  @Test
  void anAnswerWithoutEffectIsLost() {
    requests.add(answered("ann", 1, true, own("ann", 1, "v1")));

    assertThat(verdict().lost()).isEqualTo(1);
    assertThat(verdict().problems(false)).hasSize(1);
  }

  @Test
  void anAcceptedRequestThatWasNeverHandledIsLost() {
    requests.add(new ClientRecord("ann", 1, true, true, null));

    assertThat(verdict().lost()).isEqualTo(1);
    assertThat(verdict().accepted202()).isEqualTo(1);
  }

  @Test
  void anAcceptedRequestThatWasAnsweredLaterIsWell() {
    effect("ann", 1, "v2");
    requests.add(new ClientRecord("ann", 1, true, true, own("ann", 1, "v2")));

    assertThat(verdict().problems(false)).isEmpty();
    assertThat(verdict().accepted202()).isEqualTo(1);
  }

  @Test
  void eachFurtherEffectOfAnOrderIsDuplicatedAndOnlyWithoutAKillAProblem() {
    place("ann", 1, "v1");
    effect("ann", 1, "v2");
    effect("ann", 1, "v2");

    assertThat(verdict().duplicated()).isEqualTo(2);
    assertThat(verdict().outOfOrder()).isZero();
    assertThat(verdict().problems(false)).hasSize(1);
    assertThat(verdict().problems(true)).isEmpty();
  }

  @Test
  void anEffectOfAnOrderThatNobodySentIsDuplicated() {
    place("ann", 1, "v1");
    effect("mallory", 1, "v1");

    assertThat(verdict().duplicated()).isEqualTo(1);
  }

  @Test
  void anEffectBehindALaterOneOfTheSameCustomerIsOutOfOrder() {
    place("ann", 1, "v1");
    place("ann", 3, "v1");
    place("ann", 2, "v1");
    place("ann", 4, "v1");

    assertThat(verdict().outOfOrder()).isEqualTo(1);
    assertThat(verdict().problems(true)).hasSize(1);
  }

  @Test
  void customersHaveNoOrderAmongEachOther() {
    place("ann", 7, "v1");
    place("bob", 1, "v1");

    assertThat(verdict().outOfOrder()).isZero();
  }

  @Test
  void aRunThatIsRepeatedFromItsStartIsNotOutOfOrder() {
    IntStream.rangeClosed(1, 3).forEach(seq -> place("ann", seq, "v1"));
    IntStream.rangeClosed(1, 3).forEach(seq -> effect("ann", seq, "v2"));

    assertThat(verdict().outOfOrder()).isZero();
    assertThat(verdict().duplicated()).isEqualTo(3);
  }

  @Test
  void aReplyAboutAnotherOrderIsWrongInEachOfItsParts() {
    List<@Nullable OrderReply> wrong = new ArrayList<>();
    wrong.add(new OrderReply("ann-2", "ann", 1, "v1"));
    wrong.add(new OrderReply("ann-1", "bob", 1, "v1"));
    wrong.add(new OrderReply("ann-1", "ann", 2, "v1"));
    wrong.add(null);
    effect("ann", 1, "v1");

    assertThat(wrong)
        .allSatisfy(
            reply -> {
              var answer = new ClientRecord.Answer(201, true, reply);
              Verdict verdict =
                  Verdict.of(List.of(answered("ann", 1, true, answer)), List.copyOf(ledger));
              assertThat(verdict.wrongReply()).isEqualTo(1);
              assertThat(verdict.failed()).isZero();
              assertThat(verdict.problems(true)).hasSize(1);
            });
  }

  private Verdict verdict() {
    return Verdict.of(requests, ledger);
  }

  /** A request, its effect and its own answer. */
  private void place(String customer, int seq, String version) {
    effect(customer, seq, version);
    requests.add(answered(customer, seq, true, own(customer, seq, version)));
  }

  private void effect(String customer, int seq, String version) {
    String order = OrderReply.orderId(customer, seq);
    ledger.add(
        new LedgerEntry(
            customer, seq, order, "id-" + ledger.size(), 0, ledger.size(), version, 1_000));
  }

  private static ClientRecord.Answer own(String customer, int seq, String version) {
    return new ClientRecord.Answer(
        201, true, new OrderReply(OrderReply.orderId(customer, seq), customer, seq, version));
  }

  private static ClientRecord answered(
      String customer, int seq, boolean promised, ClientRecord.Answer answer) {
    return new ClientRecord(customer, seq, promised, false, answer);
  }

  private static Map.Entry<String, Integer> entry(String version, int count) {
    return Map.entry(version, count);
  }
}
