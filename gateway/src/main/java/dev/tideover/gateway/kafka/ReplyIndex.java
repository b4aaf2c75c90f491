package dev.tideover.gateway.kafka;

import dev.tideover.wire.RequestId;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Where the replies of the recent past stand in the reply topic, by request id, and from when on it
 * knows all of them.
 *
 * <p>Entries are in generations of equal size, the newest first. When the newest is full another
 * begins, and where there are eight already the oldest is forgotten as a whole. So the memory is
 * fixed: a slot has 16 bytes, at most two thirds of the slots are used, and seven generations have
 * what is guaranteed, which makes 8/7 &times; 3/2 &times; 16 = 27.5 bytes an entry. Generations are
 * made when they are needed.
 *
 * <p>Of an id it keeps 64 of the 128 bits. Ids are random or come from an HMAC, so one that isn't
 * in here is alike to one of a million entries with a probability of 5 in 10<sup>14</sup>, and any
 * two of a million entries are with 3 in 10<sup>8</sup> (n&sup2;/2<sup>65</sup>). Who reads the
 * record compares the whole id, so nobody ever gets another's reply: the second of the two is
 * searched for.
 *
 * <p>{@link #put} is for one thread, the feed's, and {@link #putOlder} for one other; the rest is
 * for any. Under the lock, which event loops take, nothing is allocated or cleared.
 */
final class ReplyIndex {

  /** Where a reply stands. */
  record Place(int partition, long offset) {}

  /**
   * What is known of an id at one moment, and how much that says.
   *
   * @param place of its reply; null if it is not in here
   * @param completeFrom every reply of the partition from this offset on is in here
   * @param completeSince every reply of the partition with a later timestamp is in here, in epoch
   *     milliseconds; writers' clocks differ, so a minute is to be allowed for
   */
  record View(@Nullable Place place, long completeFrom, long completeSince) {}

  private static final int GENERATIONS = 8;

  private final int capacityOfOne;
  private final int partitions;

  /** This and all below is guarded by this. The newest first. */
  private final Generation[] generations = new Generation[GENERATIONS];

  private int count;

  /** By partition: every reply from this offset on has been put in. */
  private final long[] filledFrom;

  /** By partition: what stands before {@link #filledFrom} has no later timestamp than this. */
  private final long[] filledSince;

  /** By partition: a reply before this offset may have been forgotten. */
  private final long[] forgottenUpTo;

  /** No reply that was forgotten has a later timestamp. */
  private long forgottenUntil = Long.MIN_VALUE;

  private boolean forgetful;

  /**
   * An empty index that knows nothing of any partition.
   *
   * @param capacity how many of the newest entries it keeps at least
   */
  ReplyIndex(int capacity, int partitions) {
    this.capacityOfOne = (capacity + GENERATIONS - 2) / (GENERATIONS - 1);
    this.partitions = partitions;
    this.filledFrom = filled(partitions, Long.MAX_VALUE);
    this.filledSince = filled(partitions, Long.MAX_VALUE);
    this.forgottenUpTo = new long[partitions];
    this.generations[0] = new Generation(capacityOfOne, partitions);
    this.count = 1;
  }

  private static long[] filled(int length, long value) {
    long[] array = new long[length];
    Arrays.fill(array, value);
    return array;
  }

  /**
   * Says that all replies of a partition from an offset on are here, or will be before anybody is
   * told of them.
   *
   * @param since no reply before the offset has a later timestamp, in epoch milliseconds
   */
  synchronized void reachesBackTo(int partition, long offset, long since) {
    filledFrom[partition] = Math.min(filledFrom[partition], offset);
    filledSince[partition] = Math.min(filledSince[partition], since);
  }

  /** The partition was made anew and is read from this offset on. What is known stays known. */
  synchronized void restart(int partition, long offset) {
    filledFrom[partition] = offset;
    forgottenUpTo[partition] = 0;
    for (int i = 0; i < count; i++) {
      generations[i].ends[partition] = 0;
    }
  }

  /** The horizon of a partition: see {@link View}. */
  synchronized long completeSince(int partition) {
    return Math.max(filledSince[partition], forgottenUntil);
  }

  /**
   * Remembers the place of a reply that has just come. The first one of an id, by its offset,
   * stands: a handler that ran twice may have replied twice, and who asks twice is to get the same
   * answer. Unless an operator had the request replayed: then the last reply to that stands.
   *
   * @param timestamp of the record, in epoch milliseconds
   */
  void put(RequestId id, int partition, long offset, long timestamp, boolean replayed) {
    long key = key(id);
    synchronized (this) {
      if (isKnown(key, partition, offset, replayed)) {
        return;
      }
      if (!generations[0].isFull()) {
        generations[0].put(key, Generation.place(partition, offset, replayed), timestamp);
        return;
      }
    }
    Generation next = emptyOne();
    synchronized (this) {
      if (count == GENERATIONS) {
        forgetOldest();
      }
      System.arraycopy(generations, 0, generations, 1, count);
      generations[0] = next;
      count++;
      if (!isKnown(key, partition, offset, replayed)) {
        next.put(key, Generation.place(partition, offset, replayed), timestamp);
      }
    }
  }

  /**
   * Remembers the place of a reply that is older than all those from {@link #put}.
   *
   * @return false if it has no room for anything older
   */
  boolean putOlder(RequestId id, int partition, long offset, long timestamp, boolean replayed) {
    long key = key(id);
    synchronized (this) {
      if (forgetful) {
        return false;
      }
      if (isKnown(key, partition, offset, replayed)) {
        return true;
      }
      // Behind the newest one only the filler's can have room: put() begins another when one is
      // full.
      if (count > 1 && !generations[count - 1].isFull()) {
        generations[count - 1].put(key, Generation.place(partition, offset, replayed), timestamp);
        return true;
      }
      if (count == GENERATIONS) {
        return false;
      }
    }
    Generation next = new Generation(capacityOfOne, partitions);
    synchronized (this) {
      if (forgetful || count == GENERATIONS) {
        return false;
      }
      generations[count++] = next;
      next.put(key, Generation.place(partition, offset, replayed), timestamp);
      return true;
    }
  }

  synchronized @Nullable Place get(RequestId id) {
    long key = key(id);
    for (int i = 0; i < count; i++) {
      long place = generations[i].get(key);
      if (place != Generation.NONE) {
        return new Place(Generation.partition(place), Generation.offset(place));
      }
    }
    return null;
  }

  /** The same with how much a null says, all of one moment. */
  synchronized View view(RequestId id, int partition) {
    return new View(
        get(id),
        Math.max(filledFrom[partition], forgottenUpTo[partition]),
        completeSince(partition));
  }

  /** Puts the right place where a wrong one stands: one whose record is gone or another's. */
  synchronized void correct(RequestId id, Place wrong, Place right) {
    long key = key(id);
    for (int i = 0; i < count; i++) {
      long known = generations[i].get(key);
      if (known != Generation.NONE
          && Generation.partition(known) == wrong.partition()
          && Generation.offset(known) == wrong.offset()) {
        generations[i].set(key, Generation.place(right.partition(), right.offset(), false));
      }
    }
  }

  /** Called under the lock. Of two places it keeps the one that stands. */
  private boolean isKnown(long key, int partition, long offset, boolean replayed) {
    for (int i = 0; i < count; i++) {
      long known = generations[i].get(key);
      if (known != Generation.NONE) {
        if (stands(partition, offset, replayed, known)) {
          generations[i].set(key, Generation.place(partition, offset, replayed));
        }
        return true;
      }
    }
    return false;
  }

  private static boolean stands(int partition, long offset, boolean replayed, long known) {
    if (replayed != Generation.isReplayed(known)) {
      return replayed;
    }
    boolean samePartition = partition == Generation.partition(known);
    return replayed
        ? !samePartition || offset > Generation.offset(known)
        : samePartition && offset < Generation.offset(known);
  }

  /** Takes a while where the index is large, so it is not done under the lock. */
  private Generation emptyOne() {
    Generation oldest;
    synchronized (this) {
      oldest = count == GENERATIONS ? forgetOldest() : null;
    }
    if (oldest == null) {
      return new Generation(capacityOfOne, partitions);
    }
    oldest.clear();
    return oldest;
  }

  /** Called under the lock. */
  private Generation forgetOldest() {
    Generation oldest = generations[--count];
    for (int partition = 0; partition < partitions; partition++) {
      forgottenUpTo[partition] = Math.max(forgottenUpTo[partition], oldest.ends[partition]);
    }
    forgottenUntil = Math.max(forgottenUntil, oldest.newest);
    forgetful = true;
    return oldest;
  }

  /**
   * The two halves are multiplied by different odd numbers, so that equal ones don't cancel out.
   */
  private static long key(RequestId id) {
    long mixed = id.high() * 0x9E3779B97F4A7C15L + id.low() * 0xC2B2AE3D27D4EB4FL;
    return mixed ^ mixed >>> 29;
  }

  /** A hash table with open addressing and linear probing; nothing is ever removed from it. */
  private static final class Generation {

    static final long NONE = 0;
    private static final int OFFSET_BITS = 47;
    private static final long OFFSET_MASK = (1L << OFFSET_BITS) - 1;
    private static final long REPLAYED = 1L << OFFSET_BITS;

    private final int capacity;
    private final long[] keys;

    /** Inverted, so that new arrays are empty: no place has all bits set. */
    private final long[] places;

    /** By partition, the offset behind the last reply in here. */
    final long[] ends;

    /** The latest timestamp in here. */
    long newest = Long.MIN_VALUE;

    private int size;

    Generation(int capacity, int partitions) {
      this.capacity = capacity;
      int slots = (int) Math.min(Integer.MAX_VALUE - 8, capacity * 3L / 2 + 1);
      this.keys = new long[slots];
      this.places = new long[slots];
      this.ends = new long[partitions];
    }

    static long place(int partition, long offset, boolean replayed) {
      long high = (long) partition << OFFSET_BITS + 1 | (replayed ? REPLAYED : 0);
      return ~(high | offset & OFFSET_MASK);
    }

    static int partition(long place) {
      return (int) (~place >>> OFFSET_BITS + 1);
    }

    static boolean isReplayed(long place) {
      return (~place & REPLAYED) != 0;
    }

    static long offset(long place) {
      return ~place & OFFSET_MASK;
    }

    boolean isFull() {
      return size == capacity;
    }

    void clear() {
      Arrays.fill(places, NONE);
      Arrays.fill(ends, 0);
      newest = Long.MIN_VALUE;
      size = 0;
    }

    /** For a key that is not in here. */
    void put(long key, long place, long timestamp) {
      int slot = slot(key);
      keys[slot] = key;
      places[slot] = place;
      int partition = partition(place);
      ends[partition] = Math.max(ends[partition], offset(place) + 1);
      newest = Math.max(newest, timestamp);
      size++;
    }

    /** For a key that is in here. */
    void set(long key, long place) {
      places[slot(key)] = place;
    }

    long get(long key) {
      return places[slot(key)];
    }

    /** The key's slot, or the empty one where it belongs. */
    private int slot(long key) {
      int slot = (int) ((key >>> 32) * keys.length >>> 32);
      while (places[slot] != NONE && keys[slot] != key) {
        slot++;
        if (slot == keys.length) {
          slot = 0;
        }
      }
      return slot;
    }
  }
}
