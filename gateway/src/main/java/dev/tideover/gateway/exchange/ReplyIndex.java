package dev.tideover.gateway.exchange;

import dev.tideover.wire.RequestId;
import org.jspecify.annotations.Nullable;

/**
 * Where the replies of the recent past stand in the reply topic, by request id: 24 bytes a slot, at
 * most two thirds of the slots used, no object per entry. When the young half is full it becomes
 * the old half and what was old is forgotten, so the memory is fixed and the newest {@code
 * capacity} entries at least are known. Safe for any thread.
 */
final class ReplyIndex {

  /** Where a reply stands. */
  record Place(int partition, long offset) {}

  private static final long EMPTY = -1;
  private static final int OFFSET_BITS = 48;
  private static final long OFFSET_MASK = (1L << OFFSET_BITS) - 1;

  private final int capacity;

  /** Both guarded by this. */
  private Table young;

  private Table old;

  /**
   * An empty index.
   *
   * @param capacity how many of the newest entries it keeps at least
   */
  ReplyIndex(int capacity) {
    this.capacity = capacity;
    this.young = new Table(capacity);
    this.old = new Table(capacity);
  }

  /**
   * Remembers a place. The first one of an id stands: a handler that ran twice may have replied
   * twice, and who asks twice is to get the same answer.
   */
  synchronized void put(RequestId id, int partition, long offset) {
    if (get(id) != null) {
      return;
    }
    if (young.size == capacity) {
      Table forgotten = old;
      old = young;
      young = forgotten;
      young.clear();
    }
    young.put(id, (long) partition << OFFSET_BITS | offset & OFFSET_MASK);
  }

  synchronized @Nullable Place get(RequestId id) {
    long place = young.get(id);
    if (place == EMPTY) {
      place = old.get(id);
    }
    return place == EMPTY ? null : new Place((int) (place >>> OFFSET_BITS), place & OFFSET_MASK);
  }

  /** Open addressing with linear probing; nothing is ever removed, so no tombstones. */
  private static final class Table {

    private final long[] highs;
    private final long[] lows;
    private final long[] places;
    private int size;

    Table(int capacity) {
      int slots = Integer.highestOneBit(Math.max(2, capacity * 3 / 2 - 1)) << 1;
      highs = new long[slots];
      lows = new long[slots];
      places = new long[slots];
      clear();
    }

    void clear() {
      java.util.Arrays.fill(places, EMPTY);
      size = 0;
    }

    void put(RequestId id, long place) {
      int slot = slot(id);
      if (places[slot] == EMPTY) {
        highs[slot] = id.high();
        lows[slot] = id.low();
        size++;
      }
      places[slot] = place;
    }

    long get(RequestId id) {
      return places[slot(id)];
    }

    /** The id's slot, or the empty one where it belongs. */
    private int slot(RequestId id) {
      int mask = places.length - 1;
      int slot = (int) ((id.high() ^ id.low()) * 0x9E3779B97F4A7C15L >>> 32) & mask;
      while (places[slot] != EMPTY && (highs[slot] != id.high() || lows[slot] != id.low())) {
        slot = slot + 1 & mask;
      }
      return slot;
    }
  }
}
