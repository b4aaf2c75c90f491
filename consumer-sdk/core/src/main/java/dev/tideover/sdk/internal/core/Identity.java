package dev.tideover.sdk.internal.core;

/**
 * What makes two requests with an idempotency key the same one. What is kept of it is packed into
 * 18 bytes: 96 bits of the id, 48 of the fingerprint, 6 of the place. Two ids that share 96 bits
 * don't occur: of a million ids, with one chance in 10^17.
 *
 * @param idHigh the first eight bytes of the request id, big-endian
 * @param idLow the last eight
 * @param fingerprint the first eight bytes of what was asked for, big-endian
 * @param place of {@link #place}: where the reply goes
 */
public record Identity(long idHigh, long idLow, long fingerprint, int place) {

  private static final int PLACES = 64;

  /** Checks the place. */
  public Identity {
    if (place < 0 || place >= PLACES) {
      throw new IllegalArgumentException("no place: " + place);
    }
  }

  /**
   * A number from 0 to 63 for the partition that a reply goes to: equal for equal ones, in every
   * version, since it is written to the ledger. Unequal ones share it one time in 64, so an offset
   * that goes with it is a hint: whoever follows it has to look at the id of what is there.
   */
  public static int place(String topic, int partition) {
    // What String.hashCode() gives is part of Java's specification.
    long mixed = (31L * topic.hashCode() + partition) * 0x9E3779B97F4A7C15L;
    return (int) (mixed >>> 58);
  }
}
