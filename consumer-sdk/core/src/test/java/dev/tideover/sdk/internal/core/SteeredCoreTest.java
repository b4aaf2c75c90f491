package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.junit.jupiter.api.Test;

/** What operators want, event by event; for all that depends on order see {@link SimulatorTest}. */
class SteeredCoreTest {

  private static final TopicPartition P0 = new TopicPartition("orders.requests", 0);
  private static final long MILLI = 1_000_000L;
  private static final long SECOND = 1_000 * MILLI;

  private final List<Work<String>> begun = new ArrayList<>();
  private final List<String> buried = new ArrayList<>();
  private final List<CommitSnapshot> commits = new ArrayList<>();
  private long offset;

  private Core<String> core;

  private void start(int concurrency, LedgerEntry... ledger) {
    core =
        new Core<>(
            new Policy(
                "i", 2, failures -> SECOND, false, concurrency, 0, 30 * SECOND, true, 9, () -> 0),
            new Limits(100, 10_000, 200, 10_000, 600),
            effects(),
            0);
    core.assigned(List.of(P0), 0);
    CommitNote crashed =
        ledger.length == 0 ? null : new CommitNote(Uuid.ONE_UUID, false, List.of());
    long committed = ledger.length == 0 ? Adoption.NONE : 0;
    core.adopted(
        P0, 1, new Adoption(Uuid.ONE_UUID, committed, crashed, 0, 2, List.of(ledger), Set.of(), 1));
    commit(0);
  }

  // ---- Hold.

  @Test
  void nothingStartsWhileHeldNeitherAnewNorAgainAndThereIsNothingToWaitFor() {
    start(10);
    receive("fails", null);
    core.start(0);
    fail(last(), Fault.MESSAGE, 0);
    core.hold(true, 0);
    receive("comes", null);
    core.recorded(last(), 0); // of the attempt that has failed
    core.start(2 * SECOND);

    assertThat(begun).hasSize(2); // its start, and the entry about its failure
    assertThat(core.untilNextStart(2 * SECOND)).isEqualTo(Long.MAX_VALUE);
    core.beforePoll();
    assertThat(core.permits().ownerIsWaitedFor()).isFalse();
    assertThat(core.view().held()).isTrue();

    core.hold(false, 3 * SECOND);
    core.beforePoll();
    assertThat(core.permits().ownerIsWaitedFor()).isTrue();
    core.start(3 * SECOND);
    assertThat(begun).hasSize(3); // slow start: one of ten
  }

  @Test
  void whatIsAtAWorkersDoorWhenTheHoldBeginsComesBackAndKeepsItsPlace() {
    start(1);
    receive("first", "key");
    receive("second", "key");
    core.start(0);
    core.hold(true, 0);

    assertThat(last().tryStart()).isFalse();
    last().permit().giveBack();
    core.givenBack(last(), 0);
    core.start(0);
    assertThat(begun).hasSize(1);
    assertThat(core.isStill()).isTrue();

    core.hold(false, 0);
    core.start(0);
    assertThat(begun).extracting(Work::payload).containsExactly("first", "first");
    assertThat(last().tryStart()).isTrue();
  }

  @Test
  void whatHasBegunIsSentAndCommittedWhileHeldAndThenItIsStill() {
    start(10);
    receive("runs", null);
    core.start(0);
    last().tryStart();
    core.hold(true, 0);
    assertThat(core.isStill()).isFalse();
    last().permit().giveBack();
    last().step(Work.Step.REPLY);
    core.again(last(), SECOND, 0); // Kafka hasn't taken it
    assertThat(core.isStill()).isFalse();
    core.start(SECOND);
    assertThat(begun).hasSize(2);
    core.ended(last(), 0, SECOND);
    assertThat(core.isStill()).isFalse();
    core.commit(2 * SECOND);
    assertThat(core.isStill()).isFalse();
    core.committed(commits.get(commits.size() - 1), true, 2 * SECOND);

    assertThat(core.isStill()).isTrue();
  }

  @Test
  void aRecordedStartIsClosedRatherThanBegunWhileHeld() {
    start(10, new LedgerEntry.Attempts(0, "suspect", 0, 0, LedgerEntry.Start.SHARED, "gone"));
    receive("suspect", null);
    core.start(0);
    assertThat(last().entry()).isInstanceOf(LedgerEntry.Attempts.class);
    last().permit().giveBack();
    core.hold(true, 0);
    core.recorded(last(), 0);

    assertThat(begun).hasSize(2);
    assertThat(((LedgerEntry.Attempts) last().entry()).start()).isEqualTo(LedgerEntry.Start.NONE);
    core.recorded(last(), 0);
    core.start(0);
    assertThat(begun).hasSize(2);
    assertThat(core.isStill()).isTrue();
  }

  @Test
  void aPartitionThatIsClosedWhileHeldDoesNotWaitForWhatWouldHaveToStart() {
    start(10);
    for (String each : List.of("first", "second", "third")) {
      receive(each, each.equals("third") ? null : "key");
    }
    core.start(0); // slow start: one
    end(last());
    core.start(0);
    assertThat(last().payload()).isEqualTo("third");
    last().tryStart();
    core.hold(true, 0);
    core.close(List.of(P0));
    assertThat(core.drained(List.of(P0))).isFalse();
    end(last());

    assertThat(core.drained(List.of(P0))).isTrue();
    commit(SECOND);
    CommitSnapshot.Entry entry = commits.get(commits.size() - 1).entries().get(0);
    assertThat(entry.offset()).isEqualTo(1);
    assertThat(entry.note().done()).containsExactly(new CommitNote.OffsetRange(2, 3));
  }

  // ---- Rate.

  @Test
  void noMoreStartThanMayAndTheNextIsWaitedForJustSoLong() {
    start(100);
    core.rate(2, 0);
    for (int i = 0; i < 5; i++) {
      receive("r" + i, null);
    }
    core.start(0);
    assertThat(begun).hasSize(1);
    assertThat(core.untilNextStart(0)).isEqualTo(SECOND / 2);
    core.beforePoll();
    assertThat(core.permits().ownerIsWaitedFor()).isFalse(); // a permit is of no use
    core.start(SECOND / 2 - 1);
    assertThat(begun).hasSize(1);
    assertThat(core.untilNextStart(SECOND / 2 - 1)).isEqualTo(1);
    core.start(SECOND / 2);
    assertThat(begun).hasSize(2);

    core.rate(0, SECOND / 2);
    core.start(SECOND / 2);
    assertThat(begun).hasSize(5);
    assertThat(core.untilNextStart(SECOND / 2)).isEqualTo(Long.MAX_VALUE);
  }

  // ---- Trial.

  @Test
  void whatFailsOnTrialUsesNoAttemptAndIsTriedAgainAfterLongerAndLongerPauses() {
    start(10);
    core.trial(true, 0);
    receive("fails", "key");
    receive("waits", "key");
    receive("another", null);
    core.start(0);
    long now = 0;
    for (long pause : new long[] {500, 1_000, 2_000, 4_000, 5_000, 5_000}) {
      fail(last(), pause == 500 ? Fault.REJECTED : Fault.MESSAGE, now);
      core.start(now);
      if (now == 0) {
        assertThat(last().payload()).isEqualTo("another"); // its lane isn't blocked
        end(last());
      }
      int before = begun.size();
      now += pause * MILLI;
      core.start(now - 1);
      assertThat(begun).hasSize(before);
      core.start(now);
      assertThat(last().payload()).isEqualTo("fails");
      assertThat(last().attempts()).isZero();
    }
    assertThat(buried).isEmpty();
    assertThat(core.activity(now).parked()).isEqualTo(1);
    assertThat(begun).hasSize(8); // seven times the one that fails, and another
    assertThat(begun).extracting(Work::step).doesNotContain(Work.Step.RECORD);

    // It ends well: attempts count from now on.
    fail(last(), Fault.MESSAGE, now);
    core.trial(false, now);
    core.start(now);
    assertThat(core.activity(now).parked()).isZero();
    assertThat(last().payload()).isEqualTo("fails");
    fail(last(), Fault.MESSAGE, now);
    assertThat(last().step()).isEqualTo(Work.Step.RECORD);
    assertThat(((LedgerEntry.Attempts) last().entry()).attempts()).isEqualTo(1);
  }

  @Test
  void aWithheldReplyIsNeitherSentNorCommittedUntilTheTrialHasEndedWell() {
    start(10);
    core.trial(true, 0);
    receive("withheld", "key");
    receive("behind", "key");
    core.start(0);
    withhold(last());
    core.start(60 * SECOND);
    commit(60 * SECOND);
    assertThat(begun).hasSize(1);
    assertThat(commits).hasSize(1); // the first, which marks the partition
    core.hold(true, 60 * SECOND);
    assertThat(core.isStill()).isTrue();
    core.hold(false, 60 * SECOND);

    core.trial(false, 61 * SECOND);
    assertThat(core.untilNextStart(61 * SECOND)).isZero();
    core.start(61 * SECOND);
    assertThat(begun).hasSize(2);
    assertThat(last().step()).isEqualTo(Work.Step.REPLY);
    core.ended(last(), 0, 61 * SECOND);
    core.start(61 * SECOND);
    assertThat(last().payload()).isEqualTo("behind");
    commit(62 * SECOND);
    assertThat(commits.get(commits.size() - 1).entries().get(0).offset()).isEqualTo(1);
  }

  @Test
  void aReplyThatIsWithheldTooLateIsSent() {
    start(10);
    core.trial(true, 0);
    receive("late", null);
    core.start(0);
    last().tryStart();
    core.trial(false, 0);
    withhold(last());
    core.start(0);

    assertThat(begun).hasSize(2);
    assertThat(last().step()).isEqualTo(Work.Step.REPLY);
  }

  @Test
  void whoeverIsGivenUpOnTrialLeavesWhatItKeepsAndCommitsWhatHasEnded() {
    start(100);
    core.trial(true, 0);
    for (String each : List.of("withheld", "fails", "well")) {
      receive(each, null);
    }
    core.start(0);
    assertThat(begun).hasSize(3);
    withhold(begun.get(0));
    fail(begun.get(1), Fault.REJECTED, 0);
    end(begun.get(2));
    core.drain();
    core.start(10 * SECOND);

    assertThat(begun).hasSize(3);
    assertThat(core.drained(List.of(P0))).isTrue();
    commit(10 * SECOND);
    CommitSnapshot.Entry entry = commits.get(commits.size() - 1).entries().get(0);
    assertThat(entry.offset()).isZero();
    assertThat(entry.note().clean()).isTrue();
    assertThat(entry.note().done()).containsExactly(new CommitNote.OffsetRange(2, 3));
  }

  @Test
  void whatThisVersionCannotReadIsBuriedOnlyOnceTheTrialHasEndedWell() {
    start(10);
    core.trial(true, 0);
    core.received(P0, offset++, null, 1, "malformed", Work.Step.BURY);
    core.start(0);
    assertThat(begun).isEmpty();
    assertThat(core.activity(0).parked()).isEqualTo(1);

    core.trial(false, 0);
    core.start(0);
    assertThat(begun).extracting(Work::step).containsExactly(Work.Step.BURY);
  }

  @Test
  void aStartOnTrialIsNotRecordedSoThatACrashOfTheVersionIsNotTheRequestsFault() {
    start(10, new LedgerEntry.Attempts(0, "suspect", 0, 0, LedgerEntry.Start.ALONE, "gone"));
    core.trial(true, 0);
    receive("suspect", null);
    receive("other", null);
    core.start(0);

    assertThat(begun).extracting(Work::payload).containsExactly("suspect"); // alone all the same
    assertThat(last().step()).isEqualTo(Work.Step.HANDLE);
  }

  @Test
  void activityTellsHowManyRunAndHowLongTheOldestHas() {
    start(100);
    receive("old", null);
    receive("young", null);
    core.start(0);
    begun.get(0).enterHandler(SECOND);
    begun.get(1).enterHandler(2 * SECOND);

    assertThat(core.activity(4 * SECOND)).isEqualTo(new Activity(0, 2, 3 * SECOND));
  }

  // ---- The workers' part.

  private void receive(String id, String key) {
    core.received(P0, offset++, key, 1, id, Work.Step.HANDLE);
  }

  private Work<String> last() {
    return begun.get(begun.size() - 1);
  }

  private void fail(Work<String> work, Fault fault, long now) {
    work.tryStart();
    work.permit().giveBack();
    core.failed(work, fault, -1, "it is so", now);
  }

  private void end(Work<String> work) {
    work.tryStart();
    work.permit().giveBack();
    core.ended(work, 0, 0);
  }

  private void withhold(Work<String> work) {
    work.tryStart();
    work.permit().giveBack();
    work.step(Work.Step.REPLY);
    core.withheld(work, 0);
  }

  private void commit(long now) {
    int before = commits.size();
    core.commit(now);
    if (commits.size() > before) {
      core.committed(commits.get(before), true, now);
    }
  }

  @SuppressWarnings("unchecked") // a proxy has no type arguments
  private Effects<String> effects() {
    return (Effects<String>)
        Proxy.newProxyInstance(
            Effects.class.getClassLoader(),
            new Class<?>[] {Effects.class},
            (proxy, method, arguments) -> {
              switch (method.getName()) {
                case "begin" -> begun.add((Work<String>) arguments[0]);
                case "bury" -> buried.add((String) arguments[0]);
                case "idOf" -> {
                  return arguments[0];
                }
                case "commit" -> commits.add((CommitSnapshot) arguments[0]);
                default -> {}
              }
              return null;
            });
  }
}
