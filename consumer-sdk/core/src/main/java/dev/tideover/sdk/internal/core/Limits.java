package dev.tideover.sdk.internal.core;

/**
 * How much one consumer holds of what it hasn't finished. Divided among its partitions, so that one
 * which is stuck can't take the room of the others; and no partition gets more than its own limit.
 *
 * @param records unfinished requests of one partition
 * @param bytes unfinished bytes of one partition
 * @param tracked offsets of one partition from the first unfinished on; bounds what is handled
 *     again after a crash
 * @param totalBytes unfinished bytes of all partitions
 * @param totalTracked offsets of all partitions
 */
public record Limits(int records, long bytes, int tracked, long totalBytes, int totalTracked) {

  /**
   * Defaults for a JVM.
   *
   * @param heap its maximum heap, in bytes
   */
  public static Limits forHeap(long heap) {
    return new Limits(
        10_000,
        32L << 20,
        50_000,
        Math.max(8L << 20, Math.min(256L << 20, heap / 8)),
        (int) Math.max(20_000, Math.min(500_000, heap / 1_024)));
  }

  long bytesFor(int partitions) {
    return Math.min(bytes, totalBytes / Math.max(1, partitions));
  }

  int trackedFor(int partitions) {
    return Math.max(2, Math.min(tracked, totalTracked / Math.max(1, partitions)));
  }
}
