package dev.tideover.wire;

import java.security.SecureRandom;
import java.util.Base64;
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
  private static final Base64.Encoder ENCODER = Base64.getUrlEncoder().withoutPadding();
  private static final Base64.Decoder DECODER = Base64.getUrlDecoder();

  /** A fresh id that nobody can guess. Safe to call from any thread. */
  public static RequestId random() {
    byte[] bytes = new byte[BYTES];
    RANDOM.nextBytes(bytes);
    return ofBytes(bytes);
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
    try {
      RequestId id = ofBytes(DECODER.decode(text));
      // The last character carries four unused bits; only one spelling of an id is its name.
      return id.toString().equals(text) ? id : null;
    } catch (IllegalArgumentException notBase64) {
      return null;
    }
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
    return ENCODER.encodeToString(toBytes());
  }
}
