package dev.tideover.gateway.release;

import java.util.Arrays;

/**
 * How many values there were of each size, from 0 to {@link #MOST}; larger ones count as that. Each
 * power of two has 16 buckets, so a bucket's middle is at most 1/32, 3.1 %, away from what is in
 * it. Only the powers of two between the least and the largest value have memory: 4 bytes a bucket,
 * 2.4 KiB at most. Clearing keeps it. Not safe for threads.
 */
final class Histogram {

  /** In microseconds it is 12 days. */
  static final long MOST = (1L << 40) - 1;

  private static final int BITS = 4;
  private static final int BUCKETS_OF_ONE = 1 << BITS;

  /** Of the buckets from {@link #first} on; a multiple of 16 long, as that one is. */
  private int[] counts = {};

  private int first;
  private long count;
  private long max;

  void record(long value) {
    long bounded = Math.min(Math.max(0, value), MOST);
    add(bucket(bounded), 1);
    max = Math.max(max, bounded);
  }

  private void add(int bucket, int times) {
    int place = bucket - first;
    if (place < 0 || place >= counts.length) {
      place = makeRoom(bucket);
    }
    // Never negative: after 2,147,483,647 of one size that size is counted no further.
    counts[place] = (int) Math.min(Integer.MAX_VALUE, (long) counts[place] + times);
    count += times;
  }

  private int makeRoom(int bucket) {
    int from = bucket - bucket % BUCKETS_OF_ONE;
    int to = from + BUCKETS_OF_ONE;
    if (counts.length > 0) {
      from = Math.min(from, first);
      to = Math.max(to, first + counts.length);
    }
    int[] wider = new int[to - from];
    System.arraycopy(counts, 0, wider, Math.max(0, first - from), counts.length);
    counts = wider;
    first = from;
    return bucket - from;
  }

  /** All that the other one has. */
  void add(Histogram other) {
    for (int i = 0; i < other.counts.length; i++) {
      if (other.counts[i] > 0) {
        add(other.first + i, other.counts[i]);
      }
    }
    max = Math.max(max, other.max);
  }

  void clear() {
    Arrays.fill(counts, 0);
    count = 0;
    max = 0;
  }

  long count() {
    return count;
  }

  /** The largest, exactly; 0 of nothing. */
  long max() {
    return max;
  }

  /**
   * The least value that this share of all values doesn't exceed; NaN of nothing.
   *
   * @param share 0 to 1
   */
  double quantile(double share) {
    if (count == 0) {
      return Double.NaN;
    }
    long rank = Math.max(1, (long) Math.ceil(share * count));
    long seen = 0;
    for (int i = 0; i < counts.length; i++) {
      seen += counts[i];
      if (seen >= rank) {
        return Math.min(middle(first + i), max);
      }
    }
    return max;
  }

  /** Below 16 each value has its own; above, the leading one and the four bits behind it decide. */
  private static int bucket(long value) {
    int shift = Math.max(0, 63 - Long.numberOfLeadingZeros(value | 1) - BITS);
    return (shift << BITS) + (int) (value >>> shift);
  }

  private static double middle(int bucket) {
    if (bucket < 2 * BUCKETS_OF_ONE) {
      return bucket;
    }
    int shift = (bucket >> BITS) - 1;
    long least = (long) (bucket - (shift << BITS)) << shift;
    return least + ((1L << shift) - 1) / 2.0;
  }
}
