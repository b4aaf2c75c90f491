package dev.tideover.gateway.http;

import java.util.List;

/** Entity tags (RFC 9110 section 8.8.3) as a conditional GET compares them. */
final class EntityTags {

  /**
   * Whether {@code If-None-Match} names this tag, by the weak comparison that RFC 9110 section
   * 13.1.2 wants. What can't be read names nothing.
   *
   * @param lines the field's lines, which are one list
   */
  static boolean matches(List<String> lines, String tag) {
    for (String line : lines) {
      if (line.strip().equals("*") || contains(line, opaque(tag))) {
        return true;
      }
    }
    return false;
  }

  /** A quoted tag may contain commas, so the list can't be split at them. */
  private static boolean contains(String line, String opaque) {
    int at = 0;
    while ((at = line.indexOf('"', at)) >= 0) {
      int end = line.indexOf('"', at + 1);
      if (end < 0) {
        return false;
      }
      if (line.substring(at, end + 1).equals(opaque)) {
        return true;
      }
      at = end + 1;
    }
    return false;
  }

  private static String opaque(String tag) {
    return tag.startsWith("W/") ? tag.substring(2) : tag;
  }

  private EntityTags() {}
}
