package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.internal.core.FinishedIds.Known;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.From;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;
import org.assertj.core.data.Offset;
import org.jspecify.annotations.Nullable;

/** The table of finished ids does what a map of them would, in less memory. */
class FinishedIdsTest {

  private static final long WINDOW = 800;
  private static final long EIGHTH = 100;

  /** What is done with the table; the time has moved on before. */
  record Act(int kind, Identity who, long offset, long later) {}

  /** Few ids, alike in all but one part, so that they meet; and some that differ everywhere. */
  @Provide
  Arbitrary<Identity> identities() {
    Arbitrary<Long> high = Arbitraries.of(0L, 1L, -1L, Long.MIN_VALUE);
    Arbitrary<Long> low = Arbitraries.of(0L, 1L << 32, -1L << 32, 5L << 40);
    Arbitrary<Long> fingerprint = Arbitraries.of(0L, 1L << 16, 1L << 31, 1L << 32, 1L << 63);
    return Arbitraries.frequencyOf(
        Tuple.of(
            4,
            Combinators.combine(high, low, fingerprint, Arbitraries.of(0, 1, 63))
                .as(Identity::new)),
        Tuple.of(
            1,
            Combinators.combine(
                    Arbitraries.longs(),
                    Arbitraries.longs().map(some -> some << 32),
                    Arbitraries.longs().map(some -> some << 16),
                    Arbitraries.integers().between(0, 63))
                .as(Identity::new)));
  }

  @Provide
  Arbitrary<List<Act>> acts() {
    return Combinators.combine(
            Arbitraries.integers().between(0, 99),
            identities(),
            Arbitraries.longs().between(-1, (1L << 42) - 2),
            Arbitraries.frequencyOf(
                Tuple.of(6, Arbitraries.just(0L)),
                Tuple.of(3, Arbitraries.longs().between(1, 60)),
                Tuple.of(1, Arbitraries.longs().between(1, 2 * WINDOW))))
        .as(Act::new)
        .list()
        .ofMaxSize(300);
  }

  private record Id(long high, long low) {}

  private record Finish(Identity who, long offset) {}

  /** What the table promises, said with maps: by slot, then by id, the first finish. */
  private static final class Model {
    final TreeMap<Long, Map<Id, Finish>> slots = new TreeMap<>();

    void add(Identity who, long offset, long at) {
      slots
          .computeIfAbsent(Math.floorDiv(at, EIGHTH), slot -> new HashMap<>())
          .putIfAbsent(new Id(who.idHigh(), who.idLow()), new Finish(who, offset));
    }

    @Nullable Known find(Identity who, long now) {
      for (Map.Entry<Long, Map<Id, Finish>> slot : slots.entrySet()) {
        Finish found = slot.getValue().get(new Id(who.idHigh(), who.idLow()));
        if (found != null && !isOver(slot.getKey(), now)) {
          boolean same = found.who.fingerprint() == who.fingerprint();
          boolean here = found.who.place() == who.place();
          return new Known(same, here ? found.offset : FinishedIds.UNKNOWN);
        }
      }
      return null;
    }

    void expire(long now) {
      slots.keySet().removeIf(slot -> isOver(slot, now));
    }

    int size() {
      return slots.values().stream().mapToInt(Map::size).sum();
    }

    /** The last that can be in it finished a window ago. */
    private static boolean isOver(long slot, long now) {
      return (slot + 1) * EIGHTH + WINDOW <= now;
    }
  }

  @Property
  void itDoesWhatMapsWould(@ForAll("acts") List<Act> acts, @ForAll @LongRange(max = 1000) long t) {
    FinishedIds table = new FinishedIds(WINDOW);
    Model model = new Model();
    long now = 1_700_000_000_000L + t;
    for (Act act : acts) {
      now += act.later;
      if (act.kind < 60) {
        // Not everything comes in the order of its time.
        long at = now - act.kind * 3L;
        table.add(act.who, act.offset, at);
        model.add(act.who, act.offset, at);
      } else if (act.kind < 93) {
        assertThat(table.find(act.who, now)).isEqualTo(model.find(act.who, now));
      } else if (act.kind < 98) {
        table.expire(now);
        model.expire(now);
      } else if (model.slots.size() > 1) {
        table.dropOldest();
        model.slots.pollFirstEntry();
      }
      assertThat(table.size()).isEqualTo(model.size());
    }
    for (Act act : acts) {
      assertThat(table.find(act.who, now)).isEqualTo(model.find(act.who, now));
    }
  }

  @Property
  void anIdIsKnownForTheWindowAndNoMoreThanAnEighthLonger(
      @ForAll @LongRange(min = 1, max = 100_000_000) long window,
      @ForAll @LongRange(min = -1_000_000_000, max = 4_000_000_000_000L) long finishedAt,
      @ForAll("identities") Identity who) {
    FinishedIds table = new FinishedIds(window);
    table.add(who, 7, finishedAt);

    assertThat(table.find(who, finishedAt + window - 1)).isEqualTo(new Known(true, 7));
    assertThat(table.find(who, finishedAt + window + (window + 7) / 8)).isNull();
    table.expire(finishedAt + window - 1);
    assertThat(table.size()).isEqualTo(1);
    table.expire(finishedAt + window + (window + 7) / 8);
    assertThat(table.size()).isZero();
  }

  @Property(tries = 50)
  void ofManyEachIsFoundAndNoOther(
      @ForAll @IntRange(max = 20_000) int count, @ForAll long seed, @ForAll boolean inARow) {
    FinishedIds table = new FinishedIds(WINDOW);
    List<Identity> known = ids(count, seed, inARow);
    for (int i = 0; i < count; i++) {
      table.add(known.get(i), i, i % WINDOW);
    }
    for (int i = 0; i < count; i++) {
      assertThat(table.find(known.get(i), WINDOW)).isEqualTo(new Known(true, i));
    }
    for (Identity other : ids(1_000, seed + 1, false)) {
      assertThat(table.find(other, WINDOW)).isNull();
    }
    assertThat(table.size()).isEqualTo(count);
  }

  private static List<Identity> ids(int count, long seed, boolean inARow) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Identity> ids = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      ids.add(
          inARow
              ? new Identity(i % 2 == 0 ? i : 0, i % 2 == 0 ? 0 : (long) i << 32, 0, 0)
              : new Identity(random.nextLong(), random.nextLong(), random.nextLong(), i % 64));
    }
    return ids;
  }

  @Property
  void aBatchIsAddedAsItsIdsWouldBe(
      @ForAll @Size(min = 1, max = 50) List<@From("identities") Identity> ids,
      @ForAll @LongRange(min = -1, max = 1000) long offset,
      @ForAll @LongRange(max = 3 * WINDOW) long finishedAt) {
    long now = 2 * WINDOW;
    FinishedIds one = new FinishedIds(WINDOW);
    FinishedIds other = new FinishedIds(WINDOW);
    FinishedBatch.Builder batch = new FinishedBatch.Builder();
    for (Identity who : ids) {
      // What is said to have finished in the future has finished now.
      one.add(who, offset, Math.min(now, finishedAt));
      batch.add(who, offset);
    }
    one.expire(now);
    other.addAll(batch.build("w", 0, finishedAt), now);

    assertThat(other.size()).isEqualTo(one.size());
    for (Identity who : ids) {
      assertThat(other.find(who, now)).isEqualTo(one.find(who, now));
    }
  }

  @Example
  void onlyWhatIsKeptOfAnIdentityIsCompared() {
    FinishedIds table = new FinishedIds(WINDOW);
    table.add(new Identity(1, 2L << 32 | 3, 4L << 16 | 5, 6), 7, 0);

    assertThat(table.find(new Identity(1, 2L << 32 | 33, 4L << 16 | 55, 6), 0))
        .isEqualTo(new Known(true, 7));
    assertThat(table.find(new Identity(1, 2L << 32, 5L << 16, 6), 0))
        .isEqualTo(new Known(false, 7));
    assertThat(table.find(new Identity(1, 2L << 32, 4L << 16, 7), 0))
        .isEqualTo(new Known(true, FinishedIds.UNKNOWN));
    assertThat(table.find(new Identity(1, 3L << 32, 4L << 16, 6), 0)).isNull();
    assertThat(table.find(new Identity(2, 2L << 32, 4L << 16, 6), 0)).isNull();
  }

  @Example
  void anOffsetBeyondWhatFitsIsUnknown() {
    for (long tooMuch : new long[] {(1L << 42) - 1, 1L << 42, Long.MAX_VALUE, -1, -7}) {
      FinishedIds table = new FinishedIds(WINDOW);
      Identity who = new Identity(1, 2, 3, 63);
      table.add(who, tooMuch, 0);
      assertThat(table.find(who, 0)).isEqualTo(new Known(true, FinishedIds.UNKNOWN));
    }
  }

  @Example
  void whereThereIsOneGenerationOnlyItsOlderHalfIsDropped() {
    FinishedIds table = new FinishedIds(WINDOW);
    List<Identity> ids = ids(10_000, 1, false);
    for (int i = 0; i < ids.size(); i++) {
      table.add(ids.get(i), i, 0);
    }
    table.dropOldest();

    int left = table.size();
    assertThat(left).isBetween(4_900, 5_100);
    for (int i = 0; i < ids.size(); i++) {
      Known known = table.find(ids.get(i), 0);
      assertThat(known).isEqualTo(i < ids.size() - left ? null : new Known(true, i));
    }
    // It can be filled again, and emptied.
    for (int i = 0; i < ids.size(); i++) {
      table.add(ids.get(i), i, 0);
    }
    assertThat(table.size()).isEqualTo(ids.size());
    for (int i = 0; i < 20; i++) {
      table.dropOldest();
    }
    assertThat(table.size()).isZero();
    assertThat(table.find(ids.get(9_999), 0)).isNull();
  }

  @Example
  void anIdTakesAtMostFortyBytesAtEverySizeFromTenThousand() {
    for (int generations : new int[] {1, 2, 9}) {
      SplittableRandom random = new SplittableRandom(generations);
      FinishedIds table = new FinishedIds(WINDOW);
      double worst = 0;
      for (int size = 1; size <= 500_000; size++) {
        Identity who = new Identity(random.nextLong(), random.nextLong(), random.nextLong(), 0);
        table.add(who, size, size % generations * EIGHTH);
        // A look takes long. From one to the next the table grows by half a percent at most.
        if (size >= 10_000 && size % 50 == 0) {
          worst = Math.max(worst, (double) table.bytes() / size);
        }
      }
      System.out.printf("%d generations: at most %.1f bytes an id%n", generations, worst);
      assertThat(worst).isLessThanOrEqualTo(FinishedIds.MOST_BYTES);
    }
  }

  /** The sum of the arrays is what the heap says too, a sixteenth of it more or less. */
  @Example
  void theHeapAgrees() {
    int count = 1_000_000;
    long before = usedHeap();
    FinishedIds table = new FinishedIds(WINDOW);
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < count; i++) {
      table.add(
          new Identity(random.nextLong(), random.nextLong(), random.nextLong(), 0),
          i,
          i % 9 * EIGHTH);
    }
    double each = (double) (usedHeap() - before) / count;
    System.out.printf(
        "A million ids: %.1f bytes of heap each, %.1f by the arrays%n",
        each, (double) table.bytes() / count);
    assertThat(each).isLessThanOrEqualTo(FinishedIds.MOST_BYTES);
    assertThat(each).isCloseTo((double) table.bytes() / count, Offset.offset(2.0));
    assertThat(table.size()).isEqualTo(count);
  }

  private static long usedHeap() {
    Runtime runtime = Runtime.getRuntime();
    long used = Long.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      System.gc();
      used = Math.min(used, runtime.totalMemory() - runtime.freeMemory());
    }
    return used;
  }
}
