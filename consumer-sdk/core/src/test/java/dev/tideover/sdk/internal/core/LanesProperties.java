package dev.tideover.sdk.internal.core;

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

    /** Something of a closed partition failed, so its commit is held up. */
    private final boolean[] leftBehind = new boolean[PARTITIONS];

    /** The last offset that had begun or ended when its partition was closed. */
    private final long[] lastAtClose = new long[PARTITIONS];

    private final Set<Work<Entry>> started = new HashSet<>();
    private final Set<Integer> held = new HashSet<>();

    /** Everything that ever ended, whoever held its partition. */
    private final Set<Entry> ended = new HashSet<>();

    /** Received under the present assignment of its partition. */
    private final Map<Integer, List<Entry>> received = new HashMap<>();

    /** Ended under the present assignment. */
    private final Map<Integer, Set<Entry>> endedNow = new HashMap<>();

    /** Sent back for another attempt; some have come out again since. */
    private final List<Work<Entry>> retried = new ArrayList<>();

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
      int action = number % 18;
      switch (action) {
        case 0, 1, 2, 3 -> receive(partition, choice);
        case 4, 5, 6 -> next();
        case 7, 8, 9 -> end(choice);
        case 10 -> again(choice);
        case 11 -> giveBack(choice);
        case 12 -> tick(choice);
        case 13 -> commit();
        case 14 -> staleResult(choice);
        case 15, 16 -> startOne(choice);
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
      Work<Entry> work = lanes.receive(partition(p), entry.offset(), key, 1 + choice % 50, entry);
      boolean taken = work != null;
      assertThat(taken).isEqualTo(held.contains(p) && !closed[p]);
      if (work != null) {
        lanes.line(work);
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
      if (closed[entry.partition()]) {
        assertThat(entry.offset()).isLessThanOrEqualTo(lastAtClose[entry.partition()]);
      }
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

    /** A worker asks to start what it has. */
    private void start(Work<Entry> work) {
      Entry entry = out.get(work);
      boolean allowed = work.tryStart();
      if (closed[entry.partition()]) {
        assertThat(allowed && entry.offset() > lastAtClose[entry.partition()]).isFalse();
      } else {
        assertThat(allowed).isTrue();
      }
      if (allowed) {
        started.add(work);
      }
    }

    private void end(int choice) {
      if (!order.isEmpty()) {
        Work<Entry> work = take(choice);
        start(work);
        if (started.contains(work)) {
          Entry entry = out.remove(work);
          ended.add(entry);
          endedNow.get(entry.partition()).add(entry);
          started.remove(work);
          lanes.end(work);
        } else {
          out.remove(work);
          lanes.giveBack(work);
        }
      }
    }

    private void startOne(int choice) {
      if (!order.isEmpty()) {
        start(order.get(choice % order.size()));
      }
    }

    private void again(int choice) {
      if (!order.isEmpty()) {
        Work<Entry> work = take(choice);
        Entry entry = out.remove(work);
        boolean anew = choice % 2 == 0 || !started.contains(work);
        if (anew) {
          started.remove(work);
          retried.add(work);
          leftBehind[entry.partition()] |= closed[entry.partition()];
        }
        lanes.again(work, now + choice, anew);
      }
    }

    private void giveBack(int choice) {
      if (!order.isEmpty()) {
        Work<Entry> work = take(choice);
        Entry entry = out.remove(work);
        if (started.remove(work)) {
          leftBehind[entry.partition()] |= closed[entry.partition()];
        }
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
      LanesTest.offsets(snapshot)
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
          case 1 -> lanes.again(work, now, choice % 2 == 0);
          default -> lanes.giveBack(work);
        }
      }
    }

    private void rebalance(int p, int choice) {
      if (!held.contains(p)) {
        lanes.assign(new Assignment<>(partition(p), Inheritance.NOTHING));
        held.add(p);
        closed[p] = false;
        leftBehind[p] = false;
        position[p] = committed[p];
        received.put(p, new ArrayList<>());
        endedNow.put(p, new HashSet<>());
      } else if (choice % 3 == 0 && !closed[p]) {
        lastAtClose[p] = -1;
        for (Entry entry : received.get(p)) {
          if (endedNow.get(p).contains(entry) || isStarted(entry)) {
            lastAtClose[p] = Math.max(lastAtClose[p], entry.offset());
          }
        }
        lanes.close(List.of(partition(p)));
        closed[p] = true;
        // Whoever waits for another attempt is left behind from the start.
        leftBehind[p] = waitForAnotherAttempt(p);
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

    private boolean waitForAnotherAttempt(int p) {
      return retried.stream()
          .anyMatch(
              work ->
                  work.assignment.live
                      && work.partition().partition() == p
                      && work.state == Work.State.WAITING
                      && !work.started);
    }

    private boolean isStarted(Entry entry) {
      return started.stream().anyMatch(work -> work.assignment.live && isOf(work, entry));
    }

    private static boolean isOf(Work<Entry> work, Entry entry) {
      return work.partition().partition() == entry.partition() && work.offset() == entry.offset();
    }

    private void check() {
      assertThat(lanes.busy()).isEqualTo(out.size());
      LanesTest.offsets(lanes.snapshot())
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
      for (int p : held) {
        if (closed[p] && !leftBehind[p]) {
          // A clean end: whatever ended is committed, so nobody handles it again.
          assertThat(lanes.drained(List.of(partition(p)))).isTrue();
          for (Entry entry : received.get(p)) {
            if (endedNow.get(p).contains(entry)) {
              assertThat(entry.offset()).isLessThan(committed[p]);
            }
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
