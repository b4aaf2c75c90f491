package dev.tideover.wire;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * HTTP field lines (RFC 9110 section 5) in their order, repeated where they were repeated. Names
 * are lower-case tokens; values are text without CR, LF and NUL. Immutable.
 */
public final class HttpFields {

  /**
   * How many lines a message may have at most. A reader takes 1,000 headers in all; the rest is
   * room for the contract's own, those of a dead letter, and those that a later version adds.
   */
  public static final int MAX_LINES = 900;

  /** No field at all. */
  public static final HttpFields EMPTY = new HttpFields(new String[0]);

  /** Name, value, name, value... */
  private final String[] lines;

  private HttpFields(String[] lines) {
    this.lines = lines;
  }

  /** A new, empty builder. */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Fields from name, value, name, value...
   *
   * @throws IllegalArgumentException for an odd count, a name that is no lower-case token, a value
   *     that can't stand in a field line, or more than {@link #MAX_LINES}
   */
  public static HttpFields of(String... namesAndValues) {
    if (namesAndValues.length % 2 != 0) {
      throw new IllegalArgumentException("the last name has no value");
    }
    Builder builder = builder();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      builder.add(namesAndValues[i], namesAndValues[i + 1]);
    }
    return builder.build();
  }

  /** How many field lines there are. */
  public int size() {
    return lines.length / 2;
  }

  /** The name of line {@code index}, lower-case. */
  public String name(int index) {
    return lines[2 * index];
  }

  /** The value of line {@code index}. */
  public String value(int index) {
    return lines[2 * index + 1];
  }

  /** The value of the first line with this lower-case name, or null. */
  public @Nullable String first(String name) {
    for (int i = 0; i < lines.length; i += 2) {
      if (lines[i].equals(name)) {
        return lines[i + 1];
      }
    }
    return null;
  }

  /** The values of all lines with this lower-case name, in order; often empty. */
  public List<String> all(String name) {
    List<String> values = new ArrayList<>();
    for (int i = 0; i < lines.length; i += 2) {
      if (lines[i].equals(name)) {
        values.add(lines[i + 1]);
      }
    }
    return List.copyOf(values);
  }

  /** Passes each line, in order. */
  public void forEach(BiConsumer<? super String, ? super String> action) {
    for (int i = 0; i < lines.length; i += 2) {
      action.accept(lines[i], lines[i + 1]);
    }
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof HttpFields fields && Arrays.equals(lines, fields.lines);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(lines);
  }

  /** The names only: values may be secrets and this text may reach a log. */
  @Override
  public String toString() {
    List<String> names = new ArrayList<>();
    forEach((name, value) -> names.add(name));
    return names.toString();
  }

  /** True for a token (RFC 9110 section 5.6.2) without upper-case letters. */
  static boolean isName(String text) {
    if (text.isEmpty()) {
      return false;
    }
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (!isTokenChar(c) || c >= 'A' && c <= 'Z') {
        return false;
      }
    }
    return true;
  }

  /** True for a token in any case. */
  static boolean isToken(String text) {
    if (text.isEmpty()) {
      return false;
    }
    for (int i = 0; i < text.length(); i++) {
      if (!isTokenChar(text.charAt(i))) {
        return false;
      }
    }
    return true;
  }

  private static boolean isTokenChar(char c) {
    return c >= 'a' && c <= 'z'
        || c >= 'A' && c <= 'Z'
        || c >= '0' && c <= '9'
        || "!#$%&'*+-.^_`|~".indexOf(c) >= 0;
  }

  /** True if nothing in the text could end the line or hide a part of it. */
  static boolean isValue(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < ' ' && c != '\t' || c == 0x7F) {
        return false;
      }
    }
    return true;
  }

  /** Collects lines. Not safe for use by several threads at once. */
  public static final class Builder {

    private String[] lines = new String[16];
    private int length;

    private Builder() {}

    /**
     * Adds a line.
     *
     * @throws IllegalArgumentException if the name is no lower-case token, the value can't stand in
     *     a field line, or there are {@link #MAX_LINES} already; the message names the field, never
     *     the value
     */
    public Builder add(String name, String value) {
      if (length >= 2 * MAX_LINES) {
        throw new IllegalArgumentException("more than " + MAX_LINES + " HTTP field lines");
      }
      if (!isName(name)) {
        throw new IllegalArgumentException(
            "not a lower-case HTTP field name: " + HeaderBlock.printable(name));
      }
      if (!isValue(value)) {
        throw new IllegalArgumentException(
            "control character in the value of HTTP field " + HeaderBlock.printable(name));
      }
      return addChecked(name, value);
    }

    /** The same for a line that the caller has checked already. */
    Builder addChecked(String name, String value) {
      if (length == lines.length) {
        lines = Arrays.copyOf(lines, 2 * length);
      }
      lines[length++] = name;
      lines[length++] = value;
      return this;
    }

    /** The lines so far. */
    public HttpFields build() {
      return length == 0 ? EMPTY : new HttpFields(Arrays.copyOf(lines, length));
    }
  }
}
