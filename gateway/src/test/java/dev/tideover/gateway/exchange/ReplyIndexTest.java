package dev.tideover.gateway.exchange;

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

  /** What a test does: an id from a small set, so that some come again. */
  record Put(int id, int partition, long offset) {}

  /** The model: a map that keeps everything, in the order of the entries' coming. */
  @Property(tries = 2_000)
  void knowsTheNewestEntriesAndNeverAWrongPlace(
      @ForAll @IntRange(min = 1, max = 20) int capacity, @ForAll("puts") List<Put> puts) {
    ReplyIndex index = new ReplyIndex(capacity);
    LinkedHashMap<RequestId, ReplyIndex.Place> model = new LinkedHashMap<>();
    for (Put put : puts) {
      RequestId id = id(put.id());
      boolean known = index.get(id) != null;
      index.put(id, put.partition(), put.offset());
      if (!known) {
        // New, or forgotten and so new again.
        model.remove(id);
        model.put(id, new ReplyIndex.Place(put.partition(), put.offset()));
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
  void theFirstPlaceOfAnIdStands() {
    ReplyIndex index = new ReplyIndex(2);
    index.put(id(1), 1, 10);
    index.put(id(1), 1, 20);
    index.put(id(2), 0, 0);
    index.put(id(3), 0, 1);
    index.put(id(1), 1, 30);

    assertThat(index.get(id(1))).isEqualTo(new ReplyIndex.Place(1, 10));
  }

  @Test
  void forgetsTheOldest() {
    ReplyIndex index = new ReplyIndex(100);
    for (int i = 0; i < 10_000; i++) {
      index.put(id(i), 0, i);
    }

    assertThat(index.get(id(0))).isNull();
    assertThat(index.get(id(9_799))).isNull();
    for (int i = 9_900; i < 10_000; i++) {
      assertThat(index.get(id(i))).isEqualTo(new ReplyIndex.Place(0, i));
    }
  }

  @Test
  void holdsTheLargestPlaces() {
    ReplyIndex index = new ReplyIndex(4);
    long largest = (1L << 48) - 1;
    index.put(id(1), 999, largest);
    index.put(id(2), 0, 0);

    assertThat(index.get(id(1))).isEqualTo(new ReplyIndex.Place(999, largest));
    assertThat(index.get(id(2))).isEqualTo(new ReplyIndex.Place(0, 0));
  }

  /** Ids are random, but those of idempotency keys may be chosen; equal halves cancel out. */
  @Test
  void idsWithEqualHashesAreKeptApart() {
    ReplyIndex index = new ReplyIndex(1_000);
    for (int i = 0; i < 1_000; i++) {
      index.put(new RequestId(i, i), 0, i);
    }
    for (int i = 0; i < 1_000; i++) {
      assertThat(index.get(new RequestId(i, i))).isEqualTo(new ReplyIndex.Place(0, i));
    }
  }

  @Test
  void takesAFixedAmountOfMemoryWhateverGoesIn() {
    int capacity = 100_000;
    ReplyIndex index = new ReplyIndex(capacity);
    long before = allocatedByThisThread();
    for (int i = 0; i < 5 * capacity; i++) {
      index.put(IDS[i % IDS.length], 3, i);
    }
    long perEntry = (allocatedByThisThread() - before) / (5 * capacity);

    assertThat(perEntry).as("bytes allocated for an entry").isZero();
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
    Arbitrary<Long> offsets = Arbitraries.longs().between(0, (1L << 48) - 1);
    return net.jqwik.api.Combinators.combine(ids, partitions, offsets)
        .as(Put::new)
        .list()
        .ofMaxSize(200);
  }
}
