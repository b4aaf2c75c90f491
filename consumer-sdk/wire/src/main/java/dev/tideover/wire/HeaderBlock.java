package dev.tideover.wire;

import java.util.List;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.jspecify.annotations.Nullable;

/**
 * The headers of one record, read once: the contract's own by name, each at most once, and the HTTP
 * field lines in order.
 */
final class HeaderBlock {

  /** More than any honest record has; it bounds the work that a hostile one can cause. */
  static final int MAX_HEADERS = 1_000;

  private final List<String> names;
  private final @Nullable String[] values;
  private final HttpFields fields;

  private HeaderBlock(List<String> names, @Nullable String[] values, HttpFields fields) {
    this.names = names;
    this.values = values;
    this.fields = fields;
  }

  /**
   * Reads a record's headers.
   *
   * @param names the contract's headers that this kind of record may have
   */
  static HeaderBlock read(Headers headers, List<String> names) throws WireFormatException {
    Header[] lines = headers.toArray();
    checkVersion(lines);
    if (lines.length > MAX_HEADERS) {
      throw WireFormatException.malformed(
          "headers", lines.length + " of them, at most " + MAX_HEADERS + " are read");
    }
    @Nullable String[] values = new String[names.size()];
    HttpFields.Builder fields = HttpFields.builder();
    for (Header line : lines) {
      String name = line.key();
      if (name.startsWith(WireHeaders.PREFIX) || name.startsWith(":")) {
        int index = names.indexOf(name);
        if (index >= 0) {
          if (values[index] != null) {
            throw WireFormatException.malformed(name, "stands twice, is meant once");
          }
          values[index] = text(line);
        } else if (name.startsWith(":")) {
          throw WireFormatException.malformed(printable(name), "no such pseudo-header here");
        }
      } else if (!HttpFields.isName(name)) {
        throw WireFormatException.malformed(printable(name), "not a lower-case HTTP field name");
      } else {
        String value = text(line);
        if (!HttpFields.isValue(value)) {
          throw WireFormatException.malformed(printable(name), "control character in the value");
        }
        fields.addChecked(name, value);
      }
    }
    return new HeaderBlock(names, values, fields.build());
  }

  /** Comes before all else: nothing may be concluded about a record of another version. */
  private static void checkVersion(Header[] lines) throws WireFormatException {
    String version = null;
    for (Header line : lines) {
      if (line.key().equals(WireHeaders.VERSION)) {
        if (version != null) {
          throw WireFormatException.malformed(WireHeaders.VERSION, "stands twice, is meant once");
        }
        version = text(line);
      }
    }
    if (version == null) {
      throw WireFormatException.malformed(WireHeaders.VERSION, "missing");
    }
    if (!version.equals(WireHeaders.VERSION_1)) {
      throw new WireFormatException(
          WireFormatException.Kind.UNKNOWN_VERSION,
          WireHeaders.VERSION + ": " + printable(version) + ", this program reads version 1");
    }
  }

  private static String text(Header line) throws WireFormatException {
    byte[] bytes = line.value();
    String text = bytes == null ? null : Utf8.decode(bytes);
    if (text == null) {
      throw WireFormatException.malformed(
          printable(line.key()), bytes == null ? "has no value" : "the value is not UTF-8");
    }
    return text;
  }

  HttpFields fields() {
    return fields;
  }

  @Nullable String optional(String name) {
    return values[names.indexOf(name)];
  }

  String required(String name) throws WireFormatException {
    String value = optional(name);
    if (value == null) {
      throw WireFormatException.malformed(name, "missing");
    }
    return value;
  }

  /** A decimal number within the bounds; {@code absent} where the header is missing. */
  long number(String name, long min, long max, long absent) throws WireFormatException {
    String value = optional(name);
    if (value == null) {
      return absent;
    }
    long number = Decimals.parse(value, 0);
    if (number < min || number > max) {
      throw WireFormatException.malformed(
          name, "found " + printable(value) + ", expected a number from " + min + " to " + max);
    }
    return number;
  }

  RequestId requestId() throws WireFormatException {
    RequestId id = RequestId.parse(required(WireHeaders.ID));
    if (id == null) {
      throw WireFormatException.malformed(
          WireHeaders.ID, "expected 22 characters of base64url for 128 bits");
    }
    return id;
  }

  Fingerprint fingerprint() throws WireFormatException {
    Fingerprint fingerprint = Fingerprint.parse(required(WireHeaders.FINGERPRINT));
    if (fingerprint == null) {
      throw WireFormatException.malformed(
          WireHeaders.FINGERPRINT, "expected 32 lower-case hex digits");
    }
    return fingerprint;
  }

  /** For messages: in quotes, and {@link #clean}. */
  static String printable(String text) {
    return '"' + clean(text) + '"';
  }

  /** At most 250 characters, none of which could forge a line in a log. */
  static String clean(String text) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < text.length() && i < 250; i++) {
      char c = text.charAt(i);
      out.append(c >= ' ' && c < 0x7F ? c : '?');
    }
    return out.toString();
  }
}
