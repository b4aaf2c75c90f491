package dev.tideover.sdk.internal.core;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Ids of requests of one partition that have finished, with what is needed to answer them when they
 * come again. Of two requests with the same id the first one counts, for as long as it is known.
 *
 * <p>They are kept by generations: a generation is an eighth of the window, by the time when its
 * ids finished, and is forgotten as a whole. So an id is known for the window, and for up to an
 * eighth of it longer.
 *
 * <p>Not thread-safe: built by the adopter's thread, and then the core's.
 */
public final class FinishedIds {

  /** An offset that isn't known. */
  public static final long UNKNOWN = -1;

  /** Each id takes at most so many bytes, where there are 10,000 or more. */
  public static final int MOST_BYTES = 40;

  /**
   * What is known of an id.
   *
   * @param same whether it was the same request, by its fingerprint
   * @param replyOffset of the reply to it; {@link #UNKNOWN} where it isn't known, or where the
   *     reply has gone to another place than the one asked about
   */
  public record Known(boolean same, long replyOffset) {}

  private final Slots slots;

  /** Ascending by their slots. */
  private final List<FinishedGeneration> generations = new ArrayList<>();

  /** None yet. */
  public FinishedIds(long windowMillis) {
    this.slots = new Slots(windowMillis);
  }

  /**
   * How many ids a consumer keeps in mind in all its partitions: what a quarter of a heap holds.
   */
  public static long most(long heap) {
    return heap / 4 / MOST_BYTES;
  }

  /**
   * Remembers an id.
   *
   * @param replyOffset the offset of its reply, or {@link #UNKNOWN}
   * @param finishedAt epoch milliseconds; not in the future, or it is known for longer
   */
  public void add(Identity who, long replyOffset, long finishedAt) {
    generation(slots.of(finishedAt))
        .add(PackedId.first(who), PackedId.second(who), PackedId.third(who, replyOffset));
  }

  /**
   * Remembers those of a batch that was read, unless their window is over. What has finished in the
   * future, by a clock that is ahead, has finished now.
   *
   * @param now epoch milliseconds
   */
  public void addAll(FinishedBatch batch, long now) {
    long slot = slots.of(Math.min(batch.finishedAt(), now));
    if (slots.isOver(slot, now)) {
      return;
    }
    FinishedGeneration generation = generation(slot);
    long[] words = batch.words();
    for (int at = 0; at < words.length; at += PackedId.WORDS) {
      generation.add(words[at], words[at + 1], words[at + 2]);
    }
  }

  private FinishedGeneration generation(long slot) {
    int at = generations.size();
    while (at > 0 && generations.get(at - 1).slot >= slot) {
      at--;
    }
    if (at < generations.size() && generations.get(at).slot == slot) {
      return generations.get(at);
    }
    FinishedGeneration generation = new FinishedGeneration(slot);
    generations.add(at, generation);
    return generation;
  }

  /**
   * What is known of a request that comes now.
   *
   * @param now epoch milliseconds
   * @return null if nothing is, or not any more
   */
  public @Nullable Known find(Identity who, long now) {
    long first = PackedId.first(who);
    long second = PackedId.second(who);
    for (int i = 0; i < generations.size(); i++) {
      FinishedGeneration generation = generations.get(i);
      int found = slots.isOver(generation.slot, now) ? -1 : generation.find(first, second);
      if (found >= 0) {
        long knownSecond = generation.second(found);
        long knownThird = generation.third(found);
        long third = PackedId.third(who, UNKNOWN);
        boolean samePlace = PackedId.samePlace(third, knownThird);
        return new Known(
            PackedId.sameFingerprint(second, third, knownSecond, knownThird),
            samePlace ? PackedId.replyOffset(knownThird) : UNKNOWN);
      }
    }
    return null;
  }

  /** Forgets those whose window is over. */
  public void expire(long now) {
    while (!generations.isEmpty() && slots.isOver(generations.get(0).slot, now)) {
      generations.remove(0);
    }
  }

  /** Forgets the oldest generation; where there is but one, the older half of it. */
  public void dropOldest() {
    if (generations.size() == 1 && generations.get(0).dropOlderHalf()) {
      return;
    }
    if (!generations.isEmpty()) {
      generations.remove(0);
    }
  }

  /** How many there are, those that have finished in two generations counted twice. */
  public int size() {
    int size = 0;
    for (FinishedGeneration generation : generations) {
      size += generation.size();
    }
    return size;
  }

  /** How much memory the arrays that hold them take. */
  public long bytes() {
    long bytes = 0;
    for (FinishedGeneration generation : generations) {
      bytes += generation.bytes();
    }
    return bytes;
  }
}
