package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** Every batch is named once, when the window of its ids is over and not before. */
class FinishedBatchesTest {

  private static final long WINDOW = 800;
  private static final long EIGHTH = 100;

  record Act(int kind, String writer, long number, long time) {}

  @Provide
  Arbitrary<List<Act>> acts() {
    return Combinators.combine(
            Arbitraries.integers().between(0, 9),
            Arbitraries.of("one", "other"),
            Arbitraries.longs().between(0, 30),
            Arbitraries.longs().between(0, 300))
        .as(Act::new)
        .list()
        .ofMaxSize(200);
  }

  @Property
  void itDoesWhatAMapWould(@ForAll("acts") List<Act> acts) {
    FinishedBatches batches = new FinishedBatches(WINDOW);
    Map<String, Long> model = new HashMap<>();
    Map<String, Long> next = new HashMap<>();
    long now = 1_700_000_000_000L;
    for (Act act : acts) {
      now += act.time / 10;
      if (act.kind < 5) {
        // As a writer does: one number behind the other.
        long number = next.merge(act.writer, 1L, Long::sum) - 1;
        batches.add(act.writer, number, now);
        model.put(FinishedBatches.key(act.writer, number), now);
      } else if (act.kind < 7) {
        long number = next.getOrDefault(act.writer, 0L) + act.number - 20;
        if (number >= 0) {
          batches.add(act.writer, number, now - act.time);
          model.put(FinishedBatches.key(act.writer, number), now - act.time);
        }
      } else if (act.kind == 7) {
        batches.remove(act.writer, act.number);
        model.remove(FinishedBatches.key(act.writer, act.number));
      } else {
        int most = (int) act.number;
        List<String> expired = batches.expired(now, most);
        Set<String> due = due(model, now);
        assertThat(expired).doesNotHaveDuplicates().isSubsetOf(due);
        assertThat(expired).hasSize(Math.min(most, due.size()));
        expired.forEach(model::remove);
      }
    }
    assertThat(new HashSet<>(batches.expired(now, 1_000))).isEqualTo(due(model, now));
    model.keySet().removeAll(due(model, now));
    long later = now + 2 * WINDOW;
    assertThat(new HashSet<>(batches.expired(later, 1_000))).isEqualTo(model.keySet());
    assertThat(batches.expired(later, 1_000)).isEmpty();
    assertThat(batches.ranges()).isZero();
  }

  private static Set<String> due(Map<String, Long> model, long now) {
    Set<String> due = new HashSet<>();
    model.forEach(
        (key, at) -> {
          if ((Math.floorDiv(at, EIGHTH) + 1) * EIGHTH + WINDOW <= now) {
            due.add(key);
          }
        });
    return due;
  }

  @Example
  void aBatchStaysAsLongAsItsIdsAreKnown() {
    for (long finishedAt = 0; finishedAt < 1_000; finishedAt += 7) {
      for (long now = finishedAt; now < finishedAt + 2 * WINDOW; now += 9) {
        FinishedIds ids = new FinishedIds(WINDOW);
        ids.add(new Identity(1, 2, 3, 4), 5, finishedAt);
        FinishedBatches batches = new FinishedBatches(WINDOW);
        batches.add("one", 1, finishedAt);

        boolean known = ids.find(new Identity(1, 2, 3, 4), now) != null;
        assertThat(batches.expired(now, 10).isEmpty()).isEqualTo(known);
      }
    }
  }

  @Example
  void aMillionBatchesOfOneWriterAreAFewRanges() {
    FinishedBatches batches = new FinishedBatches(WINDOW);
    for (int number = 0; number < 1_000_000; number++) {
      batches.add("one", number, number * WINDOW / 1_000_000);
    }
    assertThat(batches.ranges()).isEqualTo(8);
    assertThat(batches.expired(WINDOW + EIGHTH, Integer.MAX_VALUE)).hasSize(125_000);
    assertThat(batches.ranges()).isEqualTo(7);
  }

  @Example
  void moreRangesThanFindRoomAreLeftToTheNextOwner() {
    FinishedBatches batches = new FinishedBatches(WINDOW);
    for (int i = 0; i < FinishedBatches.MOST_RANGES; i++) {
      batches.add("writer-" + i, 0, 0);
      batches.add("writer-" + i + "-beyond", 0, 0);
      batches.add("writer", 2L * i, 0);
    }
    assertThat(batches.ranges()).isEqualTo(FinishedBatches.MOST_RANGES);
    assertThat(batches.expired(10 * WINDOW, Integer.MAX_VALUE))
        .hasSize(FinishedBatches.MOST_RANGES);
    assertThat(batches.ranges()).isZero();
  }
}
