package dev.tideover.gateway.route;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A request target in the one spelling that everything after it uses: routing, the record, the
 * fingerprint. Two spellings of one path that different parts read differently are how a request
 * gets past a rule, so the path is made canonical once (RFC 3986 section 6.2.2) and whatever has no
 * single reading is refused.
 *
 * @param path begins with {@code /}; percent-encoding only where needed and with capital digits, no
 *     dot segments; or {@code *}
 * @param query what stood behind the first {@code ?}, untouched; null where there was none
 */
public record RequestTarget(String path, @Nullable String query) {

  private static final String HEX = "0123456789ABCDEF";

  /** A target that has no single reading; the message says why. */
  public static final class IllegalTargetException extends Exception {
    private static final long serialVersionUID = 1L;

    IllegalTargetException(String message) {
      super(message);
    }
  }

  /**
   * Reads the target of a request line or {@code :path}.
   *
   * @param raw origin-form, or {@code *}
   */
  public static RequestTarget parse(String raw) throws IllegalTargetException {
    if (raw.equals("*")) {
      return new RequestTarget("*", null);
    }
    if (!raw.startsWith("/")) {
      throw new IllegalTargetException("the request target does not begin with \"/\"");
    }
    int question = raw.indexOf('?');
    String path = question < 0 ? raw : raw.substring(0, question);
    String query = question < 0 ? null : raw.substring(question + 1);
    checkCharacters(raw);
    return new RequestTarget(canonicalPath(path), query);
  }

  /** Path and query as they go into the record. */
  public String pathAndQuery() {
    return query == null ? path : path + "?" + query;
  }

  /** The path's segments, encoded as they stand; "/" has one, the empty one. */
  public List<String> segments() {
    return List.of(path.substring(1).split("/", -1));
  }

  private static void checkCharacters(String raw) throws IllegalTargetException {
    for (int i = 0; i < raw.length(); i++) {
      char c = raw.charAt(i);
      if (c <= ' ' || c >= 0x7F) {
        throw new IllegalTargetException(
            "the request target has a character outside printable ASCII; percent-encode it");
      }
      if (c == '#') {
        throw new IllegalTargetException("the request target has a fragment");
      }
    }
  }

  private static String canonicalPath(String path) throws IllegalTargetException {
    if (isPlain(path)) {
      return path;
    }
    Deque<String> kept = new ArrayDeque<>();
    String[] segments = path.substring(1).split("/", -1);
    for (int i = 0; i < segments.length; i++) {
      String segment = canonicalSegment(segments[i]);
      boolean last = i == segments.length - 1;
      int semicolon = segment.indexOf(';');
      String name = semicolon < 0 ? segment : segment.substring(0, semicolon);
      if (name.equals(".") || name.equals("..")) {
        if (semicolon >= 0) {
          throw new IllegalTargetException("a dot segment with a parameter has no single reading");
        }
        if (name.equals("..") && kept.pollLast() == null) {
          throw new IllegalTargetException("the path leads out of its root");
        }
        if (last) {
          kept.addLast("");
        }
      } else {
        kept.addLast(segment);
      }
    }
    return "/" + String.join("/", kept);
  }

  /** Most paths: nothing encoded, no dot at the start of a segment. They are canonical already. */
  private static boolean isPlain(String path) {
    char before = '/';
    for (int i = 0; i < path.length(); i++) {
      char c = path.charAt(i);
      if (c == '%' || c == '\\' || c == '.' && before == '/') {
        return false;
      }
      before = c;
    }
    return true;
  }

  private static String canonicalSegment(String segment) throws IllegalTargetException {
    if (segment.indexOf('\\') >= 0) {
      throw new IllegalTargetException("the path has a backslash");
    }
    if (segment.indexOf('%') < 0) {
      return segment;
    }
    StringBuilder out = new StringBuilder(segment.length());
    ByteBuffer decoded = ByteBuffer.allocate(segment.length());
    for (int i = 0; i < segment.length(); i++) {
      char c = segment.charAt(i);
      if (c != '%') {
        decoded.put((byte) c);
        out.append(c);
        continue;
      }
      int octet = i + 2 < segment.length() ? hex(segment, i + 1) * 16 + hex(segment, i + 2) : -1;
      if (octet < 0) {
        throw new IllegalTargetException("\"%\" in the path is not followed by two hex digits");
      }
      if (octet == '/' || octet == '\\' || octet == 0) {
        throw new IllegalTargetException(
            "the path has an encoded slash, backslash or NUL, which has no single reading");
      }
      decoded.put((byte) octet);
      if (isUnreserved(octet)) {
        out.append((char) octet);
      } else {
        out.append('%').append(HEX.charAt(octet >> 4)).append(HEX.charAt(octet & 15));
      }
      i += 2;
    }
    try {
      var unused = StandardCharsets.UTF_8.newDecoder().decode(decoded.flip());
    } catch (CharacterCodingException e) {
      throw new IllegalTargetException("the path is not UTF-8 when decoded");
    }
    return out.toString();
  }

  /** A digit's value; so negative for anything else that no sum with it is 0 or more. */
  private static int hex(String text, int index) {
    int digit = Character.digit(text.charAt(index), 16);
    return digit < 0 ? -1_000 : digit;
  }

  private static boolean isUnreserved(int octet) {
    return octet >= 'a' && octet <= 'z'
        || octet >= 'A' && octet <= 'Z'
        || octet >= '0' && octet <= '9'
        || octet == '-'
        || octet == '.'
        || octet == '_'
        || octet == '~';
  }
}
