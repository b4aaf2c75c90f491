package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.junit.jupiter.api.Test;

/** What the core does about requests with an idempotency key, event by event. */
class FinishedTest {

  private static final TopicPartition P0 = new TopicPartition("orders.requests", 0);
  private static final TopicPartition P1 = new TopicPartition("orders.requests", 1);
  private static final long MILLI = 1_000_000L;
  private static final long SECOND = 1_000 * MILLI;
  private static final long WINDOW = 8_000;

  /** A request; one with id 0 has no idempotency key. */
  private record Sent(int id, String what) {}

  private record Batch(TopicPartition partition, FinishedBatch batch) {}

  private final List<Work<Sent>> begun = new ArrayList<>();
  private final List<Batch> batches = new ArrayList<>();
  private final List<CommitSnapshot> commits = new ArrayList<>();
  private final List<String> forgotten = new ArrayList<>();
  private final List<String> answers = new ArrayList<>();
  private final List<String> alarms = new ArrayList<>();
  private final Map<TopicPartition, Long> adoptions = new HashMap<>();
  private final Map<TopicPartition, Long> next = new HashMap<>();
  private long now;
  private boolean ledger = true;
  private long most = 1_000;
  private Core<Sent> core;

  /** A core that holds these partitions, of which nothing is known. */
  private void start(TopicPartition... partitions) {
    core =
        new Core<>(
            new Policy(
                "incarnation",
                5,
                failures -> SECOND,
                false,
                100,
                0,
                30 * SECOND,
                ledger,
                most,
                () -> now / MILLI),
            new Limits(1_000, 100_000, 2_000, 100_000, 6_000),
            effects(),
            0);
    for (TopicPartition partition : partitions) {
      take(partition, new FinishedIds(WINDOW), new FinishedBatches(WINDOW));
    }
  }

  private void take(TopicPartition partition, FinishedIds ids, FinishedBatches known) {
    core.assigned(List.of(partition), now);
    long offset = next.getOrDefault(partition, 0L);
    core.adopted(
        partition,
        adoptions.get(partition),
        new Adoption(Uuid.ONE_UUID, offset, null, 0, 1_000, List.of(), Set.of(), ids, known));
    core.commit(now);
    core.committed(last(commits), true, now);
    assertThat(core.takes(partition)).isTrue();
    commits.clear();
  }

  private void receive(TopicPartition partition, int id, String what) {
    long offset = next.merge(partition, 1L, Long::sum) - 1;
    core.received(partition, offset, null, 1, new Sent(id, what), Work.Step.HANDLE);
    core.start(now);
  }

  /** The last one that was begun has come to its end, with its reply at this offset. */
  private void end(long replyOffset) {
    end(last(begun), replyOffset);
    core.start(now);
  }

  private void end(Work<Sent> work, long replyOffset) {
    if (work.permit() != null) {
      work.permit().giveBack();
    }
    core.ended(work, replyOffset, now);
  }

  private void handle(TopicPartition partition, int id, long replyOffset) {
    receive(partition, id, "same");
    assertThat(last(begun).step()).isEqualTo(Work.Step.HANDLE);
    end(replyOffset);
  }

  private void turn(long later) {
    now += later;
    core.start(now);
    core.commit(now);
  }

  private void acknowledge(int batch) {
    core.remembered(batches.get(batch).partition(), batches.get(batch).batch());
    core.commit(now);
  }

  /** The last batch of this partition. */
  private int batchOf(TopicPartition partition) {
    int at = batches.size() - 1;
    while (!batches.get(at).partition().equals(partition)) {
      at--;
    }
    return at;
  }

  private void fail(int batch, boolean refused) {
    core.notRemembered(
        batches.get(batch).partition(), batches.get(batch).batch(), refused, "away", now);
    core.commit(now);
  }

  private static <T> T last(List<T> list) {
    return list.get(list.size() - 1);
  }

  private static Map<TopicPartition, Long> offsets(CommitSnapshot snapshot) {
    Map<TopicPartition, Long> offsets = new HashMap<>();
    snapshot.entries().forEach(entry -> offsets.put(entry.partition(), entry.offset()));
    return offsets;
  }

  // ---- Answers.

  @Test
  void isDecidedWhenTheRequestIsAboutToStartAndNotWhenItComes() {
    start(P0);
    receive(P0, 1, "same");
    receive(P0, 1, "same");
    receive(P0, 1, "other");
    assertThat(begun).hasSize(1);
    end(77);
    assertThat(begun).extracting(Work::step).endsWith(Work.Step.REPEAT);
    end(78);
    end(79);

    assertThat(begun).hasSize(3);
    assertThat(answers).containsExactly("1 same 77", "1 other -1");
  }

  @Test
  void requestsWithoutAKeyRunSideBySideAndAreNotRemembered() {
    start(P0);
    receive(P0, 0, "same");
    receive(P0, 0, "same");
    assertThat(begun).hasSize(2);
    end(begun.get(0), 5);
    end(begun.get(1), 6);
    turn(SECOND);

    assertThat(answers).isEmpty();
    assertThat(batches).isEmpty();
    assertThat(offsets(commits.get(0))).containsEntry(P0, 2L);
  }

  @Test
  void anAnswerToAResendIsNotRememberedAndDoesNotProlongTheWindow() {
    start(P0);
    handle(P0, 1, 5);
    turn(SECOND);
    acknowledge(0);
    core.committed(commits.get(0), true, now);
    for (int second = 0; second < 6; second++) {
      turn(SECOND);
      receive(P0, 1, "same");
      end(100 + second);
    }
    assertThat(answers).hasSize(6).containsOnly("1 same 5");
    turn(4 * SECOND);
    receive(P0, 1, "same");

    assertThat(last(begun).step()).isEqualTo(Work.Step.HANDLE);
    assertThat(batches).hasSize(1);
  }

  @Test
  void whatEndedWithoutAReplyIsHandledAgainAndWhatHasOneSomewhereIsNot() {
    start(P0);
    handle(P0, 1, Core.NO_REPLY);
    handle(P0, 2, FinishedIds.UNKNOWN);
    receive(P0, 1, "same");
    assertThat(last(begun).step()).isEqualTo(Work.Step.HANDLE);
    receive(P0, 2, "same");

    assertThat(answers).containsExactly("2 same -1");
  }

  @Test
  void whatAnEarlierOwnerHasFinishedIsKnown() {
    start();
    FinishedIds ids = new FinishedIds(WINDOW);
    ids.add(identity(new Sent(1, "same")), 42, 0);
    take(P0, ids, new FinishedBatches(WINDOW));
    receive(P0, 1, "same");

    assertThat(answers).containsExactly("1 same 42");
  }

  // ---- Ahead of the commit.

  @Test
  void aCommitWaitsForTheBatchOfWhatHadFinishedWhenItWasTaken() {
    start(P0);
    handle(P0, 1, 5);
    handle(P0, 0, 6);
    turn(SECOND);
    assertThat(commits).isEmpty();
    assertThat(batches).hasSize(1);
    assertThat(batches.get(0).batch().size()).isEqualTo(1);
    assertThat(core.isQuiet()).isFalse();
    handle(P0, 2, 7); // isn't in the batch, so it mustn't be in the commit
    turn(MILLI);
    assertThat(batches).hasSize(1);
    acknowledge(0);

    assertThat(commits).hasSize(1);
    assertThat(offsets(commits.get(0))).containsEntry(P0, 2L);
    core.committed(commits.get(0), true, now);
    turn(SECOND);
    acknowledge(1);
    assertThat(offsets(commits.get(1))).containsEntry(P0, 3L);
    core.committed(commits.get(1), true, now);
    assertThat(core.isQuiet()).isTrue();
  }

  @Test
  void withoutALedgerNothingIsWrittenAndAResendIsRecognisedAllTheSame() {
    ledger = false;
    start(P0);
    handle(P0, 1, 5);
    turn(SECOND);
    receive(P0, 1, "same");

    assertThat(batches).isEmpty();
    assertThat(commits).hasSize(1);
    assertThat(answers).containsExactly("1 same 5");
  }

  @Test
  void aPartitionThatIsTakenAwayMeanwhileIsNotCommittedAndWritesNothingMore() {
    start(P0, P1);
    handle(P0, 1, 5);
    handle(P1, 2, 6);
    receive(P1, 3, "same");
    Work<Sent> out = last(begun);
    turn(SECOND);
    assertThat(batches).hasSize(2);
    core.revoke(List.of(P1), now);
    end(out, 7);
    acknowledge(0);
    acknowledge(1);

    assertThat(offsets(commits.get(0))).containsOnlyKeys(P0);
    core.committed(commits.get(0), true, now);
    turn(10 * SECOND);
    assertThat(batches).hasSize(2);
  }

  @Test
  void aPartitionThatComesBackGoesOnWithTheNumbersOfItsBatches() {
    start(P0);
    handle(P0, 1, 5);
    turn(SECOND);
    FinishedBatch first = batches.get(0).batch();
    core.revoke(List.of(P0), now);
    take(P0, new FinishedIds(WINDOW), new FinishedBatches(WINDOW));
    core.remembered(P0, first); // too late to mean anything
    handle(P0, 2, 6);
    turn(SECOND);

    assertThat(batches)
        .extracting(each -> each.batch().writer() + "/" + each.batch().number())
        .containsExactly("incarnat/0", "incarnat/1");
    assertThat(commits).isEmpty();
    acknowledge(1);
    assertThat(commits).hasSize(1);
  }

  @Test
  void aBatchThatIsNotTakenIsWrittenAgainUnderTheSameNumber() {
    start(P0);
    handle(P0, 1, 5);
    turn(SECOND);
    fail(0, false);
    assertThat(batches).hasSize(1);
    assertThat(core.untilNextStart(now)).isEqualTo(20 * MILLI);
    turn(20 * MILLI);
    assertThat(batches).hasSize(2);
    assertThat(batches.get(1).batch()).isSameAs(batches.get(0).batch());
    assertThat(commits).isEmpty();
    acknowledge(1);

    assertThat(commits).hasSize(1);
    assertThat(alarms).isEmpty();
  }

  @Test
  void aPartitionWhoseLedgerIsAwayHoldsUpNoOtherAndIsCommittedAfterHalfAMinute() {
    start(P0, P1);
    handle(P0, 1, 5);
    handle(P1, 2, 6);
    turn(SECOND);
    int late = batchOf(P0);
    acknowledge(batchOf(P1));
    assertThat(commits).isEmpty();
    turn(SECOND);
    assertThat(commits).hasSize(1);
    assertThat(offsets(commits.get(0))).containsOnlyKeys(P1);
    core.committed(commits.get(0), true, now);
    for (int second = 0; second < 27; second++) {
      turn(SECOND);
    }
    assertThat(commits).hasSize(1);
    assertThat(alarms).isEmpty();
    for (int second = 0; second < 5; second++) {
      turn(SECOND);
    }

    assertThat(alarms).hasSize(1);
    assertThat(alarms.get(0)).startsWith(P0 + " Kafka hasn't taken");
    assertThat(offsets(last(commits))).containsExactlyEntriesOf(Map.of(P0, 1L));
    core.committed(last(commits), true, now);
    // Once the ledger is there again, commits wait for it again.
    acknowledge(late);
    handle(P0, 3, 7);
    int before = commits.size();
    turn(SECOND);
    assertThat(commits).hasSize(before);
    acknowledge(batches.size() - 1);
    assertThat(commits).hasSize(before + 1);
  }

  @Test
  void aLedgerThatIsSlowForLongOnlyDelaysCommits() {
    start(P0, P1);
    List<Long> givenOut = new ArrayList<>();
    int written = 0;
    int acknowledged = 0;
    for (int n = 1; n <= 200; n++) {
      handle(P0, n, n);
      handle(P1, 0, n); // without a key, so it waits for no ledger
      turn(SECOND / 10);
      while (givenOut.size() < batches.size()) {
        givenOut.add(now);
      }
      while (written < batches.size() && now - givenOut.get(written) >= 3 * SECOND / 2) {
        acknowledge(written++);
      }
      int inLedger = batches.subList(0, written).stream().mapToInt(b -> b.batch().size()).sum();
      assertThat(committed(P0)).isLessThanOrEqualTo(inLedger);
      if (commits.size() > acknowledged) {
        core.committed(commits.get(acknowledged++), true, now);
      }
    }

    assertThat(alarms).isEmpty();
    assertThat(commits).hasSizeLessThan(45);
    assertThat(committed(P0)).isGreaterThan(150);
    assertThat(committed(P1)).isGreaterThan(180);
  }

  private long committed(TopicPartition partition) {
    return commits.stream()
        .mapToLong(commit -> offsets(commit).getOrDefault(partition, 0L))
        .max()
        .orElse(0);
  }

  @Test
  void aLedgerThatRefusesHoldsUpNothing() {
    start(P0);
    handle(P0, 1, 5);
    turn(SECOND);
    fail(0, true);
    assertThat(alarms).containsExactly(P0 + " away");
    assertThat(offsets(commits.get(0))).containsEntry(P0, 1L);
    core.committed(commits.get(0), true, now);
    for (int n = 2; n < 100; n++) {
      handle(P0, n, n);
      turn(SECOND);
      fail(batches.size() - 1, true);
      core.committed(last(commits), true, now);
    }

    assertThat(commits).hasSize(99);
    assertThat(alarms).hasSize(1);
    receive(P0, 98, "same");
    assertThat(answers).containsExactly("98 same 98");
  }

  @Test
  void whatFoundNoRoomWhileTheLedgerWasAwayIsWrittenOnceItIsThereAgain() {
    start(P0);
    for (int n = 1; n <= 20; n++) {
      handle(P0, n, n);
      turn(SECOND);
      fail(batches.size() - 1, true);
      core.committed(last(commits), true, now);
    }
    assertThat(batches.stream().map(Batch::batch).distinct().count()).isEqualTo(16);
    for (FinishedBatch batch : batches.stream().map(Batch::batch).distinct().toList()) {
      core.remembered(P0, batch);
    }
    turn(0);

    assertThat(batches.stream().map(Batch::batch).distinct().mapToInt(FinishedBatch::size).sum())
        .isEqualTo(20);
  }

  @Test
  void thatSomebodyHasAPartitionIsCommittedWhileAnotherWaitsForTheLedger() {
    start(P0);
    handle(P0, 1, 5);
    core.assigned(List.of(P1), now);
    core.adopted(
        P1,
        adoptions.get(P1),
        new Adoption(Uuid.ONE_UUID, 0, null, 0, 0, List.of(), Set.of(), WINDOW));
    turn(SECOND);

    assertThat(batches).hasSize(1);
    assertThat(offsets(commits.get(0))).containsOnlyKeys(P1);
    acknowledge(0);
    assertThat(commits).hasSize(1); // one at a time
    core.committed(commits.get(0), true, now);
    assertThat(core.takes(P1)).isTrue();
    turn(0);
    assertThat(offsets(commits.get(1))).containsEntry(P0, 1L);
  }

  @Test
  void whoWaitsForACommitGetsTheNewestAndTheOneThatWaitedBeforeIsDropped() {
    start(P0);
    handle(P0, 1, 5);
    turn(SECOND);
    handle(P0, 2, 6);
    core.close(List.of(P0));
    CommitSnapshot snapshot = core.prepareCommit(now);
    assertThat(batches).hasSize(2);
    assertThat(core.isWritten(snapshot, now)).isFalse();
    core.remembered(P0, batches.get(0).batch());
    assertThat(core.isWritten(snapshot, now)).isFalse();
    core.remembered(P0, batches.get(1).batch());
    assertThat(core.isWritten(snapshot, now)).isTrue();

    snapshot = core.prepared(snapshot);
    assertThat(offsets(snapshot)).containsEntry(P0, 2L);
    core.committed(snapshot, true, now);
    turn(SECOND);
    assertThat(commits).isEmpty();
    assertThat(alarms).isEmpty();
  }

  @Test
  void whoCannotWaitCommitsWhatIsGivenUpWithoutTheLedgerAndLeavesOutWhatCanWait() {
    start(P0, P1);
    handle(P0, 1, 5);
    handle(P1, 2, 6);
    core.close(List.of(P1));
    CommitSnapshot snapshot = core.prepareCommit(now);

    assertThat(offsets(core.prepared(snapshot))).containsOnlyKeys(P1);
    assertThat(alarms).hasSize(1);
    assertThat(alarms.get(0)).startsWith(P1.toString());
    acknowledge(batchOf(P0));
    turn(SECOND);
    assertThat(offsets(last(commits))).containsEntry(P0, 1L);
  }

  // ---- Bounds.

  @Test
  void batchesLeaveTheLedgerWhenTheirWindowIsOverSoManyAtATime() {
    start();
    FinishedBatches known = new FinishedBatches(WINDOW);
    for (int n = 0; n < 250; n++) {
      known.add("before", n, 0);
    }
    take(P0, new FinishedIds(WINDOW), known);
    turn(5 * SECOND);
    assertThat(forgotten).isEmpty();
    turn(5 * SECOND);
    assertThat(forgotten).hasSize(100);
    turn(SECOND / 2);
    assertThat(forgotten).hasSize(100);
    turn(SECOND / 2);
    turn(SECOND);
    turn(SECOND);

    assertThat(forgotten).hasSize(250).doesNotHaveDuplicates().contains("finished/before/249");
  }

  @Test
  void whereThereAreTooManyIdsTheOldestOfTheLargestPartitionAreForgotten() {
    most = 30;
    start(P0, P1);
    for (int n = 1; n <= 10; n++) {
      handle(P1, 100 + n, n);
    }
    for (int n = 1; n <= 25; n++) {
      handle(P0, n, n);
      now += n == 12 ? 3 * SECOND : 0;
    }
    turn(SECOND);

    assertThat(alarms).hasSize(1);
    assertThat(alarms.get(0)).startsWith(P0 + " forgets ");
    assertThat(core.view().finished()).isLessThanOrEqualTo(30);
    receive(P0, 25, "same");
    receive(P1, 101, "same");
    assertThat(answers).containsExactly("25 same 25", "101 same 1");
    receive(P0, 1, "same");
    assertThat(last(begun).step()).isEqualTo(Work.Step.HANDLE);
  }

  private static Identity identity(Sent sent) {
    return new Identity(sent.id(), 7L << 40, (long) sent.what().hashCode() << 32, 3);
  }

  @SuppressWarnings("unchecked") // a proxy has no type arguments
  private Effects<Sent> effects() {
    return (Effects<Sent>)
        Proxy.newProxyInstance(
            Effects.class.getClassLoader(),
            new Class<?>[] {Effects.class},
            (proxy, method, arguments) -> {
              switch (method.getName()) {
                case "idOf" -> {
                  return "" + ((Sent) arguments[0]).id();
                }
                case "identityOf" -> {
                  Sent sent = (Sent) arguments[0];
                  return sent.id() == 0 ? null : identity(sent);
                }
                case "repeat" ->
                    answers.add(
                        ((Sent) arguments[0]).id()
                            + ((boolean) arguments[1] ? " same " : " other ")
                            + arguments[2]);
                case "adopt" -> adoptions.put((TopicPartition) arguments[0], (Long) arguments[1]);
                case "begin" -> begun.add((Work<Sent>) arguments[0]);
                case "remember" ->
                    batches.add(
                        new Batch((TopicPartition) arguments[0], (FinishedBatch) arguments[1]));
                case "forget" -> forgotten.add((String) arguments[1]);
                case "commit" -> commits.add((CommitSnapshot) arguments[0]);
                case "notRemembered" -> alarms.add(arguments[0] + " " + arguments[1]);
                case "forgotten" -> alarms.add(arguments[0] + " forgets " + arguments[1]);
                default -> {}
              }
              return null;
            });
  }
}
