package dev.tideover.sdk.internal.lanes;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.apache.kafka.common.TopicPartition;

/**
 * Any schedule of receiving, finishing, retrying, committing, closing, revoking and assigning
 * again, with stale results among it, against a model that knows only the log and what ended.
 */
class LanesProperties {

  private static final int PARTITIONS = 3;

  @Property(tries = 3_000)
  void noScheduleBreaksAPromise(
      @ForAll @Size(min = 1, max = 300) List<@IntRange(min = 0, max = 9_999) Integer> schedule) {
    Model model = new Model();
    schedule.forEach(model::step);
    model.finish();
  }

  /** What one record of the log is, for the model. */
  private record Entry(int partition, long offset, int key) {}

  private static final class Model {

    private final Lanes<Entry> lanes = new Lanes<>(new Limits(10, 1_000, 20, 1_000, 60));

    /** The logs, with gaps in their offsets. */
    private final List<TreeMap<Long, Entry>> logs = new ArrayList<>();

    private final long[] position = new long[PARTITIONS];
    private final long[] committed = new long[PARTITIONS];
    private final boolean[] closed = new boolean[PARTITIONS];
    private final Set<Integer> held = new HashSet<>();

    /** Everything that ever ended, whoever held its partition. */
    private final Set<Entry> ended = new HashSet<>();

    /** Received under the present assignment of its partition. */
    private final Map<Integer, List<Entry>> received = new HashMap<>();

    private final Map<Work<Entry>, Entry> out = new HashMap<>();
    private final List<Work<Entry>> order = new ArrayList<>();
    private final List<Work<Entry>> stale = new ArrayList<>();
    private long now;

    Model() {
      for (int p = 0; p < PARTITIONS; p++) {
        logs.add(new TreeMap<>());
      }
    }

    void step(int number) {
      int partition = number % PARTITIONS;
      int choice = number / 100;
      int action = number % 16;
      switch (action) {
        case 0, 1, 2, 3 -> receive(partition, choice);
        case 4, 5, 6 -> next();
        case 7, 8, 9 -> end(choice);
        case 10 -> again(choice);
        case 11 -> giveBack(choice);
        case 12 -> tick(choice);
        case 13 -> commit();
        case 14 -> staleResult(choice);
        default -> rebalance(partition, choice);
      }
      check();
    }

    private void receive(int p, int choice) {
      if (logs.get(p).tailMap(position[p]).isEmpty()) {
        // Offset gaps of 1 to 3; few keys, so that they meet; key 0 stands for none.
        long last = logs.get(p).isEmpty() ? -1 : logs.get(p).lastKey();
        long offset = last + 1 + choice % 3;
        logs.get(p).put(offset, new Entry(p, offset, choice % 4));
      }
      Entry entry = logs.get(p).ceilingEntry(position[p]).getValue();
      Object key = entry.key() == 0 ? null : "key" + entry.key();
      boolean taken = lanes.receive(partition(p), entry.offset(), key, 1 + choice % 50, entry);
      assertThat(taken).isEqualTo(held.contains(p) && !closed[p]);
      if (taken) {
        position[p] = entry.offset() + 1;
        received.get(p).add(entry);
      }
    }

    private void next() {
      if (!lanes.hasNext()) {
        return;
      }
      Work<Entry> work = lanes.next();
      Entry entry = work.payload();
      assertThat(held).contains(entry.partition());
      assertThat(closed[entry.partition()]).isFalse();
      assertThat(out).doesNotContainValue(entry);
      if (entry.key() != 0) {
        for (Entry earlier : received.get(entry.partition())) {
          if (earlier.key() == entry.key() && earlier.offset() < entry.offset()) {
            assertThat(ended).as("ended before %s starts", entry).contains(earlier);
          }
        }
        assertThat(out.values())
            .noneMatch(o -> o.partition() == entry.partition() && o.key() == entry.key());
      }
      out.put(work, entry);
      order.add(work);
    }

    private void end(int choice) {
      if (!order.isEmpty()) {
        Work<Entry> work = take(choice);
        ended.add(out.remove(work));
        lanes.end(work);
      }
    }

    private void again(int choice) {
      if (!order.isEmpty()) {
        Work<Entry> work = take(choice);
        out.remove(work);
        lanes.again(work, now + choice);
      }
    }

    private void giveBack(int choice) {
      if (!order.isEmpty()) {
        Work<Entry> work = take(choice);
        out.remove(work);
        lanes.giveBack(work);
      }
    }

    private Work<Entry> take(int choice) {
      return order.remove(choice % order.size());
    }

    private void tick(int choice) {
      now += choice;
      lanes.tick(now);
    }

    private void commit() {
      CommitSnapshot snapshot = lanes.snapshot();
      snapshot
          .offsets()
          .forEach(
              (partition, offset) -> {
                assertThat(offset).isGreaterThanOrEqualTo(committed[partition.partition()]);
                committed[partition.partition()] = offset;
              });
      lanes.committed(snapshot);
    }

    private void staleResult(int choice) {
      if (!stale.isEmpty()) {
        Work<Entry> work = stale.remove(choice % stale.size());
        switch (choice % 3) {
          case 0 -> lanes.end(work);
          case 1 -> lanes.again(work, now);
          default -> lanes.giveBack(work);
        }
      }
    }

    private void rebalance(int p, int choice) {
      if (!held.contains(p)) {
        lanes.assign(partition(p));
        held.add(p);
        closed[p] = false;
        position[p] = committed[p];
        received.put(p, new ArrayList<>());
      } else if (choice % 3 == 0 && !closed[p]) {
        lanes.close(List.of(partition(p)));
        closed[p] = true;
      } else {
        List<Work<Entry>> given = lanes.revoke(List.of(partition(p)));
        held.remove(p);
        List<Work<Entry>> mine = order.stream().filter(w -> out.get(w).partition() == p).toList();
        assertThat(given).containsExactlyInAnyOrderElementsOf(mine);
        order.removeAll(mine);
        mine.forEach(out::remove);
        stale.addAll(mine);
      }
    }

    private void check() {
      assertThat(lanes.busy()).isEqualTo(out.size());
      lanes
          .snapshot()
          .offsets()
          .forEach(
              (partition, offset) ->
                  assertThat(ended)
                      .as("all before the committable offset %s of %s", offset, partition)
                      .containsAll(logs.get(partition.partition()).headMap(offset).values()));
      lanes.filled();
      lanes.emptied();
    }

    /** Nothing is stuck: with all results in, everything received ends and can be committed. */
    void finish() {
      while (!order.isEmpty() || lanes.hasNext() || lanes.untilNextTick(now) < Long.MAX_VALUE) {
        tick(100);
        next();
        end(0);
      }
      commit();
      for (int p : held) {
        if (!closed[p]) {
          assertThat(ended).containsAll(received.get(p));
          if (!received.get(p).isEmpty()) {
            assertThat(committed[p]).isEqualTo(position[p]);
          }
        }
      }
      lanes.emptied();
      if (held.stream().noneMatch(p -> closed[p])) {
        assertThat(lanes.anyFull()).isFalse();
      }
    }

    private static TopicPartition partition(int p) {
      return new TopicPartition("t", p);
    }
  }
}
