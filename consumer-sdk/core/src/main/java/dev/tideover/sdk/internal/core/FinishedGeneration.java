package dev.tideover.sdk.internal.core;

import java.util.Arrays;

/**
 * Ids that have finished in the same slot of time; a part of {@link FinishedIds}.
 *
 * <p>They stand one behind the other in chunks, which are never moved, and an index by open
 * addressing says where. When it is full the index is let go and made anew from the chunks, twice
 * as large; so at the worst moment, just after that, an id takes 24 bytes and 4 for each of the 8/3
 * places of the index that come to it: 34.7, and its share of the last chunk.
 */
final class FinishedGeneration {

  private static final int WORDS = PackedId.WORDS;

  /** So many ids: some chunks that are nearly empty mustn't count among ten thousand ids. */
  private static final int CHUNK_BITS = 7;

  private static final int CHUNK = 1 << CHUNK_BITS;
  private static final int FIRST_INDEX = 16;

  /** What a JVM takes for an array besides its elements, and for a reference, at the most. */
  private static final int ARRAY_HEAD = 16;

  private static final int REFERENCE = 8;

  final long slot;

  private long[][] chunks = new long[1][];
  private int size;

  /**
   * A power of two. Each place has 0, or in its lower bits the number of an id, from 1, and in the
   * upper ones a part of its hash, so that hardly any other id has to be looked at in vain.
   */
  private int[] index = new int[FIRST_INDEX];

  FinishedGeneration(long slot) {
    this.slot = slot;
  }

  int size() {
    return size;
  }

  /** Adds an id, unless it is there. */
  void add(long first, long second, long third) {
    if (find(first, second) >= 0) {
      return;
    }
    if (size >= index.length / 4 * 3) {
      reindex(2 * index.length);
    }
    int chunk = size >>> CHUNK_BITS;
    if (chunk == chunks.length) {
      chunks = Arrays.copyOf(chunks, chunks.length + chunks.length / 2 + 1);
    }
    if (chunks[chunk] == null) {
      chunks[chunk] = new long[CHUNK * WORDS];
    }
    int at = at(size);
    chunks[chunk][at] = first;
    chunks[chunk][at + 1] = second;
    chunks[chunk][at + 2] = third;
    enter(size++);
  }

  /** The number of an id, from 0; -1 if it isn't there. */
  int find(long first, long second) {
    long hash = hash(first, second);
    int mask = index.length - 1;
    int tag = tag(hash, mask);
    for (int place = (int) hash & mask; index[place] != 0; place = place + 1 & mask) {
      if ((index[place] & ~mask) == tag) {
        int id = (index[place] & mask) - 1;
        if (first(id) == first && PackedId.sameId(second(id), second)) {
          return id;
        }
      }
    }
    return -1;
  }

  /**
   * Forgets those that came first.
   *
   * @return false if there are too few for that
   */
  boolean dropOlderHalf() {
    int used = size + CHUNK - 1 >>> CHUNK_BITS;
    int gone = used / 2;
    if (gone == 0) {
      return false;
    }
    chunks = Arrays.copyOfRange(chunks, gone, used);
    size -= gone << CHUNK_BITS;
    int length = FIRST_INDEX;
    while (size > length / 4 * 3) {
      length *= 2;
    }
    reindex(length);
    return true;
  }

  private void reindex(int length) {
    index = new int[0]; // so that the old one needn't be kept beside the new one
    index = new int[length];
    for (int id = 0; id < size; id++) {
      enter(id);
    }
  }

  /** There is a place: of the index a quarter is empty. */
  private void enter(int id) {
    long hash = hash(first(id), second(id));
    int mask = index.length - 1;
    int place = (int) hash & mask;
    while (index[place] != 0) {
      place = place + 1 & mask;
    }
    index[place] = tag(hash, mask) | id + 1;
  }

  /** Ids are as good as random, but a client of Kafka's may choose them as it likes. */
  private static long hash(long first, long second) {
    long hash = (first ^ (second >>> 32) * 0xC2B2AE3D27D4EB4FL) * 0x9E3779B97F4A7C15L;
    return hash ^ hash >>> 32;
  }

  private static int tag(long hash, int mask) {
    return (int) (hash >>> 32) & ~mask;
  }

  private static int at(int id) {
    return (id & CHUNK - 1) * WORDS;
  }

  private long first(int id) {
    return chunks[id >>> CHUNK_BITS][at(id)];
  }

  long second(int id) {
    return chunks[id >>> CHUNK_BITS][at(id) + 1];
  }

  long third(int id) {
    return chunks[id >>> CHUNK_BITS][at(id) + 2];
  }

  long bytes() {
    long bytes = 2 * ARRAY_HEAD + (long) REFERENCE * chunks.length + 4L * index.length;
    for (long[] chunk : chunks) {
      bytes += chunk == null ? 0 : ARRAY_HEAD + 8L * chunk.length;
    }
    return bytes;
  }
}
