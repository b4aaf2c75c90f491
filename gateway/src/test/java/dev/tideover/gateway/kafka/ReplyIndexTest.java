package dev.tideover.gateway.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.wire.RequestId;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class ReplyIndexTest {

  private static final int PARTITIONS = 3;

  /** What a test does: an id from a small set, so that some come again. */
  record Put(int id, int partition, long offset) {}

  /** The model: a map that keeps everything, in the order of the entries' coming. */
  @Property(tries = 2_000)
  void knowsTheNewestEntriesAndNeverAWrongPlace(
      @ForAll @IntRange(min = 1, max = 20) int capacity, @ForAll("puts") List<Put> puts) {
    ReplyIndex index = new ReplyIndex(capacity, 1_000);
    LinkedHashMap<RequestId, ReplyIndex.Place> model = new LinkedHashMap<>();
    for (Put put : puts) {
      RequestId id = id(put.id());
      ReplyIndex.Place known = index.get(id);
      ReplyIndex.Place place = new ReplyIndex.Place(put.partition(), put.offset());
      index.put(id, put.partition(), put.offset(), 0, false);
      if (known == null) {
        // New, or forgotten and so new again.
        model.remove(id);
        model.put(id, place);
      } else if (known.partition() == put.partition() && known.offset() > put.offset()) {
        model.replace(id, place);
      }
      assertThat(index.get(id)).isEqualTo(model.get(id));
    }

    List<Map.Entry<RequestId, ReplyIndex.Place>> entries = List.copyOf(model.entrySet());
    for (int i = 0; i < entries.size(); i++) {
      ReplyIndex.Place found = index.get(entries.get(i).getKey());
      if (entries.size() - i <= capacity) {
        assertThat(found).isEqualTo(entries.get(i).getValue());
      } else {
        assertThat(found).isIn(entries.get(i).getValue(), null);
      }
    }
    assertThat(index.get(new RequestId(-7, -7))).isNull();
  }

  @Test
  void theLastReplyToAReplayedRequestStandsWhateverComesWhen() {
    ReplyIndex index = new ReplyIndex(100, PARTITIONS);
    index.put(id(1), 1, 20, 0, false);
    index.put(id(1), 1, 30, 0, true);
    assertThat(index.get(id(1))).isEqualTo(new ReplyIndex.Place(1, 30));
    index.put(id(1), 1, 40, 0, true);
    assertThat(index.get(id(1))).isEqualTo(new ReplyIndex.Place(1, 40));
    // Backwards, as after a start.
    index.putOlder(id(1), 1, 10, 0, false);
    index.putOlder(id(1), 1, 35, 0, true);
    assertThat(index.get(id(1))).isEqualTo(new ReplyIndex.Place(1, 40));

    index.correct(id(1), new ReplyIndex.Place(1, 40), new ReplyIndex.Place(1, 20));
    assertThat(index.get(id(1))).isEqualTo(new ReplyIndex.Place(1, 20));
  }

  /**
   * A log is written by one and filled backwards by another, in any interleaving, and what the
   * index says of itself must hold all the time: what it claims to have it has.
   */
  @Property(tries = 1_000)
  void hasEveryReplyThatItsHorizonPromises(
      @ForAll @IntRange(min = 7, max = 60) int capacity,
      @ForAll @IntRange(min = 0, max = 200) int before,
      @ForAll List<Boolean> turns) {
    ReplyIndex index = new ReplyIndex(capacity, 1);
    int end = before;
    int filled = before;
    boolean room = true;
    // Offset, id and time of a record are one number here.
    index.reachesBackTo(0, before, before);
    for (boolean live : turns) {
      for (int i = 0; i < 5; i++) {
        if (live) {
          index.put(id(end), 0, end, end, false);
          end++;
        } else if (room && filled > 0) {
          room = index.putOlder(id(filled - 1), 0, filled - 1, filled - 1, false);
          if (room) {
            filled--;
            index.reachesBackTo(0, filled, filled);
          }
        }
      }
      ReplyIndex.View horizon = index.view(id(-1), 0);
      for (int offset = 0; offset < end; offset++) {
        ReplyIndex.View view = index.view(id(offset), 0);
        if (offset >= horizon.completeFrom() || offset > horizon.completeSince()) {
          assertThat(view.place()).isEqualTo(new ReplyIndex.Place(0, offset));
        } else if (view.place() != null) {
          assertThat(view.place()).isEqualTo(new ReplyIndex.Place(0, offset));
        }
      }
      assertThat(end - horizon.completeFrom())
          .isGreaterThanOrEqualTo(Math.min(capacity, end - filled));
    }
  }

  @Test
  void theReplyThatWasWrittenFirstStands() {
    ReplyIndex index = new ReplyIndex(14, PARTITIONS);
    index.put(id(1), 1, 20, 0, false);
    index.put(id(1), 1, 30, 0, false);
    index.put(id(2), 0, 0, 0, false);
    index.put(id(3), 0, 1, 0, false);
    index.put(id(1), 1, 40, 0, false);

    assertThat(index.get(id(1))).isEqualTo(new ReplyIndex.Place(1, 20));

    // Found behind the start, as with a handler that ran twice.
    assertThat(index.putOlder(id(1), 1, 10, 0, false)).isTrue();

    assertThat(index.get(id(1))).isEqualTo(new ReplyIndex.Place(1, 10));
  }

  @Test
  void forgetsTheOldestAndSaysSo() {
    ReplyIndex index = new ReplyIndex(700, PARTITIONS);
    index.reachesBackTo(0, 0, 0);
    for (int i = 0; i < 10_000; i++) {
      index.put(id(i), 0, i, 1_000 + i, false);
    }

    assertThat(index.get(id(0))).isNull();
    assertThat(index.get(id(9_199))).isNull();
    for (int i = 9_300; i < 10_000; i++) {
      assertThat(index.get(id(i))).isEqualTo(new ReplyIndex.Place(0, i));
    }
    ReplyIndex.View view = index.view(id(0), 0);
    assertThat(view.completeFrom()).isBetween(9_200L, 9_300L);
    assertThat(view.completeSince()).isEqualTo(1_000 + view.completeFrom() - 1);
    assertThat(index.putOlder(id(20_000), 0, 0, 0, false)).isFalse();
  }

  @Test
  void holdsTheLargestPlaces() {
    ReplyIndex index = new ReplyIndex(14, 1_000);
    long largest = (1L << 47) - 1;
    index.put(id(1), 999, largest, 0, false);
    index.put(id(2), 0, 0, 0, false);

    assertThat(index.get(id(1))).isEqualTo(new ReplyIndex.Place(999, largest));
    assertThat(index.get(id(2))).isEqualTo(new ReplyIndex.Place(0, 0));
  }

  @Test
  void idsOfEqualHalvesAreKeptApart() {
    ReplyIndex index = new ReplyIndex(1_000, PARTITIONS);
    for (int i = 0; i < 1_000; i++) {
      index.put(new RequestId(i, i), 0, i, 0, false);
    }
    for (int i = 0; i < 1_000; i++) {
      assertThat(index.get(new RequestId(i, i))).isEqualTo(new ReplyIndex.Place(0, i));
    }
  }

  @Test
  void aPlaceIsCorrectedOnlyWhereItIsTheWrongOne() {
    ReplyIndex index = new ReplyIndex(14, PARTITIONS);
    index.put(id(1), 1, 10, 0, false);

    index.correct(id(1), new ReplyIndex.Place(1, 11), new ReplyIndex.Place(1, 99));
    assertThat(index.get(id(1))).isEqualTo(new ReplyIndex.Place(1, 10));

    index.correct(id(1), new ReplyIndex.Place(1, 10), new ReplyIndex.Place(1, 99));
    assertThat(index.get(id(1))).isEqualTo(new ReplyIndex.Place(1, 99));
  }

  /** All that is allocated while it fills up and goes on: the arrays, whatever they are. */
  @Test
  void takesAtMost32BytesForEachEntryThatIsSure() {
    int capacity = 100_000;
    long before = allocatedByThisThread();
    ReplyIndex index = new ReplyIndex(capacity, 12);
    for (int i = 0; i < 5 * capacity; i++) {
      index.put(IDS[i % IDS.length], 3, i, i, false);
    }
    double perEntry = (double) (allocatedByThisThread() - before) / capacity;

    System.out.printf("ReplyIndex: %.1f bytes an entry%n", perEntry);
    assertThat(perEntry).isBetween(16.0, 32.0);
    for (int i = 5 * capacity - capacity; i < 5 * capacity; i++) {
      assertThat(index.get(IDS[i % IDS.length])).isNotNull();
    }
  }

  private static final RequestId[] IDS = new RequestId[300_000];

  static {
    for (int i = 0; i < IDS.length; i++) {
      IDS[i] = id(i);
    }
  }

  private static long allocatedByThisThread() {
    return ((com.sun.management.ThreadMXBean)
            java.lang.management.ManagementFactory.getThreadMXBean())
        .getCurrentThreadAllocatedBytes();
  }

  private static RequestId id(int number) {
    return new RequestId(number * 0x9E3779B97F4A7C15L, number);
  }

  @Provide
  Arbitrary<List<Put>> puts() {
    Arbitrary<Integer> ids = Arbitraries.integers().between(0, 60);
    Arbitrary<Integer> partitions = Arbitraries.integers().between(0, 999);
    Arbitrary<Long> offsets = Arbitraries.longs().between(0, (1L << 47) - 1);
    return net.jqwik.api.Combinators.combine(ids, partitions, offsets)
        .as(Put::new)
        .list()
        .ofMaxSize(200);
  }
}
