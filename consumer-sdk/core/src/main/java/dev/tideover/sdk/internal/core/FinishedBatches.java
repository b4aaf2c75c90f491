package dev.tideover.sdk.internal.core;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Which batches of finished ids stand in one partition of the ledger, so that each can be taken out
 * when the window of its ids is over: ranges of numbers for each writer and slot of time.
 *
 * <p>Not thread-safe: built by the adopter's thread, and then the core's.
 */
public final class FinishedBatches {

  /**
   * No more ranges than these; a megabyte. A writer has about nine in a window. What finds no room
   * stays in the ledger until the partition's next owner reads it.
   */
  static final int MOST_RANGES = 10_000;

  /** Batches with these numbers, both included. */
  private record Range(long slot, long from, long to) {}

  private final Slots slots;

  /** By writer and {@link Range#from}; they don't overlap. */
  private final Map<String, TreeMap<Long, Range>> writers = new HashMap<>();

  private int ranges;

  /** No range has an older slot. */
  private long oldest = Long.MAX_VALUE;

  /** None yet. */
  public FinishedBatches(long windowMillis) {
    this.slots = new Slots(windowMillis);
  }

  /** The record key of a batch. */
  public static String key(String writer, long number) {
    return "finished/" + writer + "/" + number;
  }

  /**
   * A batch stands there.
   *
   * @param number from 0 to {@code Long.MAX_VALUE - 1}
   * @param finishedAt epoch milliseconds
   */
  public void add(String writer, long number, long finishedAt) {
    long slot = slots.of(finishedAt);
    remove(writer, number); // it has been written anew
    Range last = find(writer, number - 1);
    if (last != null && last.to == number - 1 && last.slot == slot) {
      put(writer, new Range(slot, last.from, number));
    } else if (ranges < MOST_RANGES) {
      put(writer, new Range(slot, number, number));
    }
    oldest = Math.min(oldest, slot);
  }

  /** It has been taken out. */
  public void remove(String writer, long number) {
    Range range = find(writer, number);
    if (range == null) {
      return;
    }
    drop(writer, range);
    if (range.from < number) {
      put(writer, new Range(range.slot, range.from, number - 1));
    }
    if (number < range.to) {
      put(writer, new Range(range.slot, number + 1, range.to));
    }
  }

  /** The range that has the number in it. */
  private @Nullable Range find(String writer, long number) {
    TreeMap<Long, Range> known = writers.get(writer);
    Map.Entry<Long, Range> before = known == null ? null : known.floorEntry(number);
    return before == null || before.getValue().to < number ? null : before.getValue();
  }

  private void put(String writer, Range range) {
    TreeMap<Long, Range> known = writers.computeIfAbsent(writer, ignored -> new TreeMap<>());
    if (known.put(range.from, range) == null) {
      ranges++;
    }
  }

  private void drop(String writer, Range range) {
    writers.computeIfPresent(
        writer,
        (ignored, known) -> {
          known.remove(range.from);
          ranges--;
          return known.isEmpty() ? null : known;
        });
  }

  /**
   * The record keys of batches that are to be taken out, since the window of their ids is over; as
   * many as are wanted, and each only once.
   *
   * @param now epoch milliseconds
   */
  public List<String> expired(long now, int most) {
    if (!slots.isOver(oldest, now)) {
      return List.of();
    }
    List<String> keys = new ArrayList<>();
    long left = Long.MAX_VALUE;
    for (Map.Entry<String, List<Range>> writer : all().entrySet()) {
      for (Range range : writer.getValue()) {
        long next = range.from;
        if (slots.isOver(range.slot, now)) {
          while (next <= range.to && keys.size() < most) {
            keys.add(key(writer.getKey(), next++));
          }
        }
        if (next > range.from) {
          drop(writer.getKey(), range);
        }
        if (next > range.from && next <= range.to) {
          put(writer.getKey(), new Range(range.slot, next, range.to));
        }
        if (next <= range.to) {
          left = Math.min(left, range.slot);
        }
      }
    }
    oldest = left;
    return keys;
  }

  private Map<String, List<Range>> all() {
    Map<String, List<Range>> all = new HashMap<>();
    writers.forEach((writer, known) -> all.put(writer, List.copyOf(known.values())));
    return all;
  }

  /** Of how many ranges it consists. */
  int ranges() {
    return ranges;
  }
}
