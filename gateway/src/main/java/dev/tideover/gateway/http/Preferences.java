package dev.tideover.gateway.http;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a client prefers (RFC 7240): several {@code Prefer} lines are one list, the first occurrence
 * of a name wins, and whatever is unknown or can't be read is ignored, as the RFC demands.
 *
 * @param respondAsync whether it said {@code respond-async}
 * @param patience how long it wants to wait; null where it doesn't say
 */
record Preferences(boolean respondAsync, @Nullable Duration patience) {

  private static final Preferences NONE = new Preferences(false, null);
  private static final int MAX_DIGITS = 9;

  static Preferences parse(List<String> lines) {
    if (lines.isEmpty()) {
      return NONE;
    }
    boolean respondAsync = false;
    Duration wait = null;
    Set<String> seen = new HashSet<>();
    Reader reader = new Reader(String.join(",", lines));
    while (reader.nextPreference()) {
      String name = reader.name.toLowerCase(Locale.ROOT);
      if (seen.add(name)) {
        if (name.equals("respond-async")) {
          respondAsync = true;
        } else if (name.equals("wait")) {
          wait = seconds(reader.value);
        }
      }
    }
    return new Preferences(respondAsync, wait);
  }

  private static @Nullable Duration seconds(String text) {
    boolean digits = !text.isEmpty() && text.length() <= MAX_DIGITS;
    for (int i = 0; i < text.length() && digits; i++) {
      digits = text.charAt(i) >= '0' && text.charAt(i) <= '9';
    }
    return digits ? Duration.ofSeconds(Integer.parseInt(text)) : null;
  }

  /**
   * What {@code Preference-Applied} says; null where there is nothing to say.
   *
   * @param granted how long the client is kept: less than it wanted, where the route gives less
   */
  @Nullable String applied(Duration granted) {
    String waited = null;
    if (patience != null) {
      waited = "wait=" + Math.min(patience.toSeconds(), granted.toSeconds());
    }
    if (!respondAsync) {
      return waited;
    }
    return waited == null ? "respond-async" : "respond-async, " + waited;
  }

  /** Walks over {@code token [= word] *(; parameter)} items that commas separate. */
  private static final class Reader {

    private final String text;
    private int at;
    private String name = "";
    private String value = "";

    Reader(String text) {
      this.text = text;
    }

    boolean nextPreference() {
      while (at < text.length() && (isSpace(text.charAt(at)) || text.charAt(at) == ',')) {
        at++;
      }
      if (at >= text.length()) {
        return false;
      }
      name = word("=;,");
      value = at < text.length() && text.charAt(at) == '=' ? afterEquals() : "";
      while (at < text.length() && text.charAt(at) != ',') {
        // Parameters of preferences that we know have no meaning; step over them.
        if (text.charAt(at) == '"') {
          quoted();
        } else {
          at++;
        }
      }
      return true;
    }

    private String afterEquals() {
      at++;
      while (at < text.length() && isSpace(text.charAt(at))) {
        at++;
      }
      return at < text.length() && text.charAt(at) == '"' ? quoted() : word(";,");
    }

    private String word(String ends) {
      int start = at;
      while (at < text.length() && ends.indexOf(text.charAt(at)) < 0) {
        at++;
      }
      return text.substring(start, at).strip();
    }

    private String quoted() {
      StringBuilder out = new StringBuilder();
      for (at++; at < text.length() && text.charAt(at) != '"'; at++) {
        if (text.charAt(at) == '\\' && at + 1 < text.length()) {
          at++;
        }
        out.append(text.charAt(at));
      }
      at = Math.min(at + 1, text.length());
      return out.toString();
    }

    private static boolean isSpace(char c) {
      return c == ' ' || c == '\t';
    }
  }
}
