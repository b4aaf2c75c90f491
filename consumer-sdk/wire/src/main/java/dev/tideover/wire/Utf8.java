package dev.tideover.wire;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * UTF-8 that is either valid or refused. {@code new String(bytes, UTF_8)} replaces what it can't
 * read, and a replaced byte would be a changed request; a {@code CharsetDecoder} allocates several
 * times its input.
 */
final class Utf8 {

  static byte[] encode(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** The text, or null where the bytes are not well-formed UTF-8 (RFC 3629). */
  static @Nullable String decode(byte[] bytes) {
    for (byte b : bytes) {
      if (b < 0) {
        return decodeMultibyte(bytes);
      }
    }
    return new String(bytes, StandardCharsets.ISO_8859_1);
  }

  private static @Nullable String decodeMultibyte(byte[] bytes) {
    char[] chars = new char[countChars(bytes)];
    int out = 0;
    for (int i = 0; i < bytes.length; ) {
      int first = bytes[i] & 0xFF;
      int length = sequenceLength(first);
      if (length == 0 || i + length > bytes.length) {
        return null;
      }
      int point = length == 1 ? first : first & (0x7F >> length);
      for (int k = 1; k < length; k++) {
        int next = bytes[i + k] & 0xFF;
        if ((next & 0xC0) != 0x80) {
          return null;
        }
        point = point << 6 | next & 0x3F;
      }
      boolean overlong = length == 3 && point < 0x800 || length == 4 && point < 0x10000;
      boolean surrogate = point >= 0xD800 && point <= 0xDFFF;
      if (overlong || surrogate || point > 0x10FFFF) {
        return null;
      }
      out += Character.toChars(point, chars, out);
      i += length;
    }
    return new String(chars, 0, out);
  }

  /** Exact for valid input, and never too small for what is read of an invalid one. */
  private static int countChars(byte[] bytes) {
    int count = 0;
    for (byte b : bytes) {
      if ((b & 0xC0) != 0x80) {
        count += (b & 0xF8) == 0xF0 ? 2 : 1;
      }
    }
    return count;
  }

  /** The length that a first byte announces; 0 for one that can't come first (or is overlong). */
  private static int sequenceLength(int first) {
    if (first < 0x80) {
      return 1;
    }
    if (first < 0xC2) {
      return 0;
    }
    if (first < 0xE0) {
      return 2;
    }
    return first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  }

  private Utf8() {}
}
