package dev.tideover.wire;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The name of one request: 128 bits, written as 22 characters of base64url (RFC 4648 section 5,
 * without padding). Immutable.
 *
 * @param high the first eight bytes, big-endian
 * @param low the last eight bytes, big-endian
 */
public record RequestId(long high, long low) {

  /** How many characters {@link #toString()} has. */
  public static final int TEXT_LENGTH = 22;

  private static final int BYTES = 16;
  private static final SecureRandom RANDOM = new SecureRandom();

  /** Random bytes of one thread, drawn for 64 ids at a time: each draw takes a lock. */
  private static final ThreadLocal<ByteBuffer> DRAWN =
      ThreadLocal.withInitial(() -> ByteBuffer.allocate(64 * BYTES).limit(0));

  private static final byte[] DIGITS =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
          .getBytes(StandardCharsets.ISO_8859_1);
  private static final byte[] VALUES = new byte[128];

  static {
    Arrays.fill(VALUES, (byte) -1);
    for (byte value = 0; value < DIGITS.length; value++) {
      VALUES[DIGITS[value]] = value;
    }
  }

  /** A fresh id that nobody can guess. Safe to call from any thread. */
  public static RequestId random() {
    ByteBuffer drawn = DRAWN.get();
    if (!drawn.hasRemaining()) {
      RANDOM.nextBytes(drawn.array());
      drawn.clear();
    }
    return new RequestId(drawn.getLong(), drawn.getLong());
  }

  /**
   * The id with these bytes.
   *
   * @throws IllegalArgumentException unless there are exactly 16
   */
  public static RequestId ofBytes(byte[] bytes) {
    if (bytes.length != BYTES) {
      throw new IllegalArgumentException("a request id has 16 bytes, not " + bytes.length);
    }
    return new RequestId(Bytes.readLong(bytes, 0), Bytes.readLong(bytes, 8));
  }

  /** Reads the text form; null for anything that {@link #toString()} would not have written. */
  public static @Nullable RequestId parse(String text) {
    if (text.length() != TEXT_LENGTH) {
      return null;
    }
    long high = 0;
    long low = 0;
    int invalid = 0;
    for (int i = 0; i < 11; i++) {
      int first = value(text.charAt(i));
      int second = value(text.charAt(11 + i));
      invalid |= first | second;
      // The eleventh digit has four bits of the high half and two of the low one, the last has
      // two and four that must be 0, so that an id has one spelling only.
      high = i < 10 ? high << 6 | first : high << 4 | first >>> 2;
      low = i < 10 ? low << 6 | second : low << 2 | second >>> 4 | (long) (first & 3) << 62;
      invalid |= i < 10 ? 0 : -(second & 15);
    }
    return invalid < 0 ? null : new RequestId(high, low);
  }

  /** A digit's six bits; negative for what is none. */
  private static int value(char digit) {
    return digit < VALUES.length ? VALUES[digit] : -1;
  }

  /** The 16 bytes, newly allocated. */
  public byte[] toBytes() {
    byte[] bytes = new byte[BYTES];
    Bytes.writeLong(bytes, 0, high);
    Bytes.writeLong(bytes, 8, low);
    return bytes;
  }

  @Override
  public String toString() {
    byte[] text = new byte[TEXT_LENGTH];
    for (int i = 0; i < 10; i++) {
      text[i] = DIGITS[(int) (high >>> 58 - 6 * i) & 63];
      text[11 + i] = DIGITS[(int) (low >>> 56 - 6 * i) & 63];
    }
    text[10] = DIGITS[(int) ((high & 15) << 2 | low >>> 62)];
    text[21] = DIGITS[(int) (low & 3) << 4];
    return new String(text, StandardCharsets.ISO_8859_1);
  }
}
