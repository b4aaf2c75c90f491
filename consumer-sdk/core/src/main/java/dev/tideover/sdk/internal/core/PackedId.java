package dev.tideover.sdk.internal.core;

/**
 * A finished id and the offset of its reply in three longs: 96 bits of the id, 48 of the
 * fingerprint, 42 of the offset, 6 of the place, in this order. The ledger has them in the same
 * order, big-endian.
 */
final class PackedId {

  /** Each takes so many longs. */
  static final int WORDS = 3;

  private static final long LOW_32 = 0xFFFF_FFFFL;
  private static final int PLACE_BITS = 6;
  private static final long PLACE = (1 << PLACE_BITS) - 1;

  /** Stands for an offset that isn't known, and for one that needs more than 42 bits. */
  private static final long NO_OFFSET = (1L << 42) - 1;

  static long first(Identity who) {
    return who.idHigh();
  }

  static long second(Identity who) {
    return who.idLow() & ~LOW_32 | who.fingerprint() >>> 32;
  }

  static long third(Identity who, long replyOffset) {
    boolean known = replyOffset >= 0 && replyOffset < NO_OFFSET;
    return (who.fingerprint() >>> 16 & 0xFFFF) << 48
        | (known ? replyOffset : NO_OFFSET) << PLACE_BITS
        | who.place();
  }

  /** Whether the ids are equal, whose first longs are. */
  static boolean sameId(long second, long otherSecond) {
    return (second ^ otherSecond) >>> 32 == 0;
  }

  /** Whether the fingerprints are equal. */
  static boolean sameFingerprint(long second, long third, long otherSecond, long otherThird) {
    return (second ^ otherSecond) << 32 == 0 && (third ^ otherThird) >>> 48 == 0;
  }

  static boolean samePlace(long third, long otherThird) {
    return ((third ^ otherThird) & PLACE) == 0;
  }

  /** The offset of the reply, or {@link FinishedIds#UNKNOWN}. */
  static long replyOffset(long third) {
    long offset = third >>> PLACE_BITS & NO_OFFSET;
    return offset == NO_OFFSET ? FinishedIds.UNKNOWN : offset;
  }

  private PackedId() {}
}
