package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

class LanesTest {

  @Test
  void aStoppedPartitionThatWasFullWaitsForNoRoom() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    for (int offset = 0; offset < 4; offset++) {
      receive(P0, offset, null);
    }
    assertThat(lanes.filled()).containsExactly(P0);
    lanes.stop(P0);
    drainNext().forEach(lanes::end);

    assertThat(lanes.emptied()).isEmpty();
    assertThat(lanes.anyFull()).isFalse();
  }

  private static final TopicPartition P0 = new TopicPartition("orders.requests", 0);
  private static final TopicPartition P1 = new TopicPartition("orders.requests", 1);

  private final Lanes<String> lanes = new Lanes<>(new Limits(4, 1_000, 8, 1_000, 16));

  @Test
  void requestsWithoutAKeyAllComeOutAtOnce() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    receive(P0, 0, null);
    receive(P0, 1, null);

    assertThat(drainNext()).extracting(Work::payload).containsExactly("0", "1");
  }

  @Test
  void theSecondOfAKeyWaitsForTheEndOfTheFirst() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    receive(P0, 0, "k");
    receive(P0, 1, "k");
    receive(P0, 2, "other");

    Work<String> first = lanes.next();
    assertThat(drainNext()).extracting(Work::payload).containsExactly("2");
    assertThat(first.awaited()).isTrue();

    lanes.end(first);
    assertThat(drainNext()).extracting(Work::payload).containsExactly("1");
  }

  @Test
  void theSameKeyInTwoPartitionsIsTwoLanes() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    lanes.assign(new Assignment<>(P1, Inheritance.NOTHING));
    receive(P0, 0, "k");
    receive(P1, 0, "k");

    assertThat(drainNext()).hasSize(2);
  }

  @Test
  void aRetryKeepsItsPlaceAndItsTime() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    receive(P0, 0, "k");
    receive(P0, 1, "k");
    Work<String> head = lanes.next();

    lanes.again(head, 100, true);
    lanes.tick(99);
    assertThat(lanes.hasNext()).isFalse();
    assertThat(lanes.untilNextTick(99)).isEqualTo(1);

    lanes.tick(100);
    assertThat(lanes.next()).isSameAs(head);
    assertThat(lanes.hasNext()).isFalse();
  }

  @Test
  void onlyTheFinishedPrefixIsCommitted() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    receive(P0, 5, null);
    receive(P0, 6, null);
    receive(P0, 9, null);
    List<Work<String>> out = drainNext();
    assertThat(offsets(lanes.snapshot())).containsExactlyEntriesOf(Map.of(P0, 5L));

    lanes.end(out.get(1));
    assertThat(offsets(lanes.snapshot()).get(P0)).isEqualTo(5);
    lanes.end(out.get(0));
    assertThat(offsets(lanes.snapshot()).get(P0)).isEqualTo(9);
    lanes.end(out.get(2));
    assertThat(offsets(lanes.snapshot()).get(P0)).isEqualTo(10);
  }

  @Test
  void nothingIsCommittedBeforeSomethingWasReceivedNorTwice() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    assertThat(lanes.snapshot().isEmpty()).isTrue();
    receive(P0, 0, null);
    lanes.end(lanes.next());

    CommitSnapshot snapshot = lanes.snapshot();
    lanes.committed(snapshot);
    assertThat(lanes.snapshot().isEmpty()).isTrue();
  }

  @Test
  void whatWasOutWhenItsPartitionWasTakenChangesNothing() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    receive(P0, 0, "k");
    Work<String> stale = lanes.next();
    assertThat(lanes.revoke(List.of(P0))).containsExactly(stale);
    assertThat(stale.tryStart()).isFalse();
    assertThat(lanes.busy()).isZero();

    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    receive(P0, 0, "k");
    lanes.end(stale);
    lanes.again(stale, 0, true);
    lanes.giveBack(stale);

    assertThat(offsets(lanes.snapshot()).get(P0)).isZero();
    Work<String> fresh = lanes.next();
    assertThat(fresh).isNotSameAs(stale);
    lanes.end(fresh);
    assertThat(offsets(lanes.snapshot()).get(P0)).isEqualTo(1);
  }

  @Test
  void aClosedPartitionStartsNothingButStillEndsWhatIsOut() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    receive(P0, 0, "k");
    receive(P0, 1, "k");
    receive(P0, 2, null);
    Work<String> out = lanes.next();
    assertThat(out.tryStart()).isTrue();
    Work<String> atTheDoor = lanes.next();

    lanes.close(List.of(P0));
    assertThat(lanes.hasNext()).isFalse();
    assertThat(atTheDoor.tryStart()).isFalse();
    lanes.giveBack(atTheDoor);
    assertThat(receive(P0, 3, null)).isFalse();
    assertThat(lanes.drained(List.of(P0))).isFalse();

    lanes.end(out);
    assertThat(lanes.hasNext()).isFalse();
    assertThat(lanes.drained(List.of(P0))).isTrue();
    assertThat(offsets(lanes.snapshot()).get(P0)).isEqualTo(1);
  }

  @Test
  void aClosedPartitionFinishesWhatTheCommitOfTheFinishedNeeds() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    receive(P0, 0, "k");
    receive(P0, 1, "k");
    receive(P0, 2, null);
    receive(P0, 3, null);
    Work<String> head = lanes.next();
    Work<String> finished = lanes.next();
    assertThat(head.tryStart() && finished.tryStart()).isTrue();
    lanes.end(finished); // offset 2, beyond 0 and 1

    lanes.close(List.of(P0));
    lanes.end(head);
    Work<String> needed = lanes.next();
    assertThat(needed.payload()).isEqualTo("1");
    assertThat(needed.tryStart()).isTrue();
    assertThat(lanes.drained(List.of(P0))).isFalse();
    lanes.end(needed);

    assertThat(lanes.hasNext()).isFalse();
    assertThat(lanes.drained(List.of(P0))).isTrue();
    assertThat(offsets(lanes.snapshot()).get(P0)).isEqualTo(3);
  }

  @Test
  void whatFailsWhileItsPartitionClosesIsLeftBehindAndNothingBehindItStarts() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    for (int i = 0; i < 4; i++) {
      receive(P0, i, "k" + i / 2);
    }
    Work<String> failing = lanes.next();
    Work<String> other = lanes.next();
    assertThat(failing.tryStart() && other.tryStart()).isTrue();

    lanes.close(List.of(P0));
    lanes.end(other);
    lanes.giveBack(failing);

    assertThat(lanes.hasNext()).isFalse();
    assertThat(lanes.drained(List.of(P0))).isTrue();
    assertThat(offsets(lanes.snapshot()).get(P0)).isZero();
  }

  @Test
  void aReplyThatHasToBeSentAgainIsSentThoughItsPartitionCloses() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    receive(P0, 0, null);
    Work<String> work = lanes.next();
    assertThat(work.tryStart()).isTrue();

    lanes.close(List.of(P0));
    lanes.again(work, 10, false);
    assertThat(lanes.drained(List.of(P0))).isFalse();
    lanes.tick(10);
    assertThat(lanes.next()).isSameAs(work);
    assertThat(work.tryStart()).isTrue();
    lanes.end(work);
    assertThat(lanes.drained(List.of(P0))).isTrue();
  }

  @Test
  void aRequestThatWaitsForItsNextAttemptIsNotWaitedForByAClose() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    receive(P0, 0, null);
    receive(P0, 1, null);
    Work<String> failed = lanes.next();
    Work<String> done = lanes.next();
    assertThat(failed.tryStart() && done.tryStart()).isTrue();
    lanes.again(failed, 1_000_000, true);
    lanes.end(done);

    lanes.close(List.of(P0));
    assertThat(lanes.drained(List.of(P0))).isTrue();
    assertThat(lanes.untilNextTick(0)).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void aStoppedPartitionFinishesWhatItHasAndCommitsUpToTheStop() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    receive(P0, 0, null);
    lanes.stop(P0);

    assertThat(lanes.takes(P0)).isFalse();
    assertThat(receive(P0, 1, null)).isFalse();
    lanes.end(lanes.next());
    assertThat(offsets(lanes.snapshot()).get(P0)).isEqualTo(1);
    assertThat(lanes.stopped()).containsExactly(P0);
  }

  @Test
  void aFullWindowPausesAndOpensAgainAtHalf() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    for (int i = 0; i < 4; i++) {
      receive(P0, i, null);
    }
    assertThat(lanes.filled()).containsExactly(P0);
    assertThat(lanes.filled()).isEmpty();
    assertThat(lanes.anyFull()).isTrue();

    lanes.end(lanes.next());
    assertThat(lanes.emptied()).isEmpty();
    lanes.end(lanes.next());
    assertThat(lanes.emptied()).containsExactly(P0);
    assertThat(lanes.anyFull()).isFalse();
  }

  @Test
  void theWindowCountsBytesToo() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    lanes.line(lanes.receive(P0, 0, null, 1_000, "0"));
    assertThat(lanes.filled()).containsExactly(P0);

    lanes.end(lanes.next());
    assertThat(lanes.emptied()).containsExactly(P0);
  }

  @Test
  void manyFinishedBehindOneUnfinishedFillTheWindow() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    receive(P0, 0, null);
    Work<String> stuck = lanes.next();
    for (int i = 1; i < 8; i++) {
      receive(P0, i, null);
      lanes.end(lanes.next());
    }
    assertThat(lanes.filled()).containsExactly(P0);

    lanes.end(stuck);
    assertThat(lanes.emptied()).containsExactly(P0);
  }

  @Test
  void severalPartitionsShareTheBytes() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    lanes.assign(new Assignment<>(P1, Inheritance.NOTHING));
    lanes.line(lanes.receive(P0, 0, null, 500, "0"));

    assertThat(lanes.filled()).containsExactly(P0);
  }

  @Test
  void anOffsetSeenBeforeIsNotTakenTwice() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    assertThat(receive(P0, 7, null)).isTrue();
    assertThat(receive(P0, 7, null)).isFalse();
    assertThat(receive(P0, 6, null)).isFalse();
  }

  @Test
  void workThatIsNotOutCantComeBack() {
    lanes.assign(new Assignment<>(P0, Inheritance.NOTHING));
    receive(P0, 0, null);
    Work<String> work = lanes.next();
    lanes.end(work);

    assertThatThrownBy(() -> lanes.end(work))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("defect");
  }

  private boolean receive(TopicPartition partition, long offset, String key) {
    Work<String> work = lanes.receive(partition, offset, key, 1, Long.toString(offset));
    if (work != null) {
      lanes.line(work);
    }
    return work != null;
  }

  static Map<TopicPartition, Long> offsets(CommitSnapshot snapshot) {
    Map<TopicPartition, Long> offsets = new HashMap<>();
    snapshot.entries().forEach(entry -> offsets.put(entry.partition(), entry.offset()));
    return offsets;
  }

  private List<Work<String>> drainNext() {
    List<Work<String>> out = new ArrayList<>();
    while (lanes.hasNext()) {
      out.add(lanes.next());
    }
    return out;
  }
}
