package dev.tideover.gateway.http;

import dev.tideover.gateway.exchange.Answer;
import dev.tideover.gateway.exchange.RejectedException;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.WireHeaders;
import io.vertx.core.MultiMap;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Which header fields pass, in both directions, and how their bytes become text and back.
 *
 * <p>HTTP gives a value as bytes and Netty reads each byte as one character; the record holds
 * UTF-8. So a value that is UTF-8 passes byte for byte, and any other is refused rather than
 * changed.
 */
final class FieldRules {

  /** RFC 9110 section 7.6.1, and what describes one connection's framing or its first hop. */
  private static final Set<String> HOP_BY_HOP =
      Set.of(
          "connection",
          "keep-alive",
          "proxy-authenticate",
          "proxy-authorization",
          "proxy-connection",
          "te",
          "trailer",
          "transfer-encoding",
          "upgrade");

  /** What each hop makes anew, or has acted upon; the authority has its own place in the record. */
  private static final Set<String> OWN_EACH_HOP = Set.of("content-length", "expect", "host");

  /**
   * The end-to-end fields of a request.
   *
   * @throws RejectedException for a name or value that can't be passed on unchanged
   */
  static HttpFields endToEnd(MultiMap headers) {
    Set<String> named = named(headers.getAll("connection"));
    HttpFields.Builder fields = HttpFields.builder();
    int lines = 0;
    for (Map.Entry<String, String> line : headers) {
      String name = line.getKey().toLowerCase(Locale.ROOT);
      if (!passes(name, named) || OWN_EACH_HOP.contains(name)) {
        continue;
      }
      if (++lines > HttpFields.MAX_LINES) {
        throw new RejectedException(
            Answer.Reason.FIELDS_TOO_LARGE,
            "There are more than " + HttpFields.MAX_LINES + " field lines.");
      }
      try {
        fields.add(name, toText(line.getValue()));
      } catch (IllegalArgumentException | CharacterCodingException e) {
        throw new RejectedException(
            Answer.Reason.BAD_FIELD,
            e instanceof CharacterCodingException
                ? "The value of " + name + " is not UTF-8."
                : e.getMessage() + ".");
      }
    }
    return fields.build();
  }

  /**
   * Writes a reply's fields that pass into a response.
   *
   * @param keepLength whether the service's own Content-Length is kept, if it is one
   */
  static void copy(HttpFields fields, boolean keepLength, MultiMap headers) {
    Set<String> named = named(fields.all("connection"));
    fields.forEach(
        (name, value) -> {
          if (name.equals("content-length")) {
            if (keepLength && isLength(value)) {
              headers.set(name, value);
            }
          } else if (passes(name, named)) {
            headers.add(name, toBytes(value));
          }
        });
  }

  private static boolean passes(String name, Set<String> named) {
    return !HOP_BY_HOP.contains(name)
        && !name.startsWith(WireHeaders.PREFIX)
        && !named.contains(name);
  }

  /** The field names that {@code Connection} lists. */
  private static Set<String> named(List<String> connection) {
    if (connection.isEmpty()) {
      return Set.of();
    }
    Set<String> names = new HashSet<>();
    for (String line : connection) {
      for (String name : line.split(",", -1)) {
        names.add(name.strip().toLowerCase(Locale.ROOT));
      }
    }
    return names;
  }

  private static boolean isLength(String text) {
    return !text.isEmpty()
        && text.length() <= 18
        && text.chars().allMatch(c -> c >= '0' && c <= '9');
  }

  private static boolean isAscii(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) >= 0x80) {
        return false;
      }
    }
    return true;
  }

  private static String toText(String bytes) throws CharacterCodingException {
    return isAscii(bytes)
        ? bytes
        : StandardCharsets.UTF_8
            .newDecoder()
            .decode(ByteBuffer.wrap(bytes.getBytes(StandardCharsets.ISO_8859_1)))
            .toString();
  }

  private static String toBytes(String text) {
    return isAscii(text)
        ? text
        : new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
  }

  private FieldRules() {}
}
