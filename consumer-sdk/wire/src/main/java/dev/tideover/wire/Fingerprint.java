package dev.tideover.wire;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * What a request asked for, in 128 bits: two requests under one idempotency key are the same
 * request if and only if their fingerprints are equal. Immutable.
 *
 * @param high the first eight bytes, big-endian
 * @param low the last eight bytes, big-endian
 */
public record Fingerprint(long high, long low) {

  private static final int TEXT_LENGTH = 32;
  private static final HexFormat HEX = HexFormat.of();

  /** Each thread its own: to look one up costs as much as to use it. */
  private static final ThreadLocal<MessageDigest> SHA_256 =
      ThreadLocal.withInitial(Fingerprint::sha256);

  /**
   * The first half of SHA-256 over the six parts in this order, each as its length in bytes (four
   * bytes, big-endian) followed by its UTF-8. An absent part counts as an empty one.
   *
   * @param path the path alone, canonical, without the query
   * @param query what stands behind the first {@code ?}, or null
   * @param orderingKey the route's ordering key, or null where the route has none
   */
  public static Fingerprint of(
      String method,
      String path,
      @Nullable String query,
      @Nullable String contentType,
      @Nullable String orderingKey,
      byte[] body) {
    MessageDigest sha256 = SHA_256.get();
    part(sha256, utf8(method));
    part(sha256, utf8(path));
    part(sha256, utf8(query));
    part(sha256, utf8(contentType));
    part(sha256, utf8(orderingKey));
    part(sha256, body);
    byte[] digest = sha256.digest();
    return new Fingerprint(Bytes.readLong(digest, 0), Bytes.readLong(digest, 8));
  }

  /** Reads 32 lower-case hex digits; null for anything else. */
  public static @Nullable Fingerprint parse(String text) {
    if (text.length() != TEXT_LENGTH) {
      return null;
    }
    for (int i = 0; i < TEXT_LENGTH; i++) {
      char c = text.charAt(i);
      if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
        return null;
      }
    }
    return new Fingerprint(
        HexFormat.fromHexDigitsToLong(text, 0, 16), HexFormat.fromHexDigitsToLong(text, 16, 32));
  }

  @Override
  public String toString() {
    return HEX.toHexDigits(high) + HEX.toHexDigits(low);
  }

  private static byte[] utf8(@Nullable String text) {
    return text == null ? new byte[0] : text.getBytes(StandardCharsets.UTF_8);
  }

  private static void part(MessageDigest digest, byte[] part) {
    digest.update((byte) (part.length >>> 24));
    digest.update((byte) (part.length >>> 16));
    digest.update((byte) (part.length >>> 8));
    digest.update((byte) part.length);
    digest.update(part);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new AssertionError("every Java platform has SHA-256", impossible);
    }
  }
}
