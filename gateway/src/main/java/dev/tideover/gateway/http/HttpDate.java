package dev.tideover.gateway.http;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/**
 * The time as {@code Date} says it (RFC 9110 section 6.6.1). Safe for any thread; formats once a
 * second.
 */
final class HttpDate {

  private static final DateTimeFormatter FORMAT =
      DateTimeFormatter.ofPattern("EEE, dd MMM yyyy HH:mm:ss 'GMT'", Locale.ENGLISH)
          .withZone(ZoneOffset.UTC);

  private record Formatted(long second, String text) {}

  private static volatile Formatted latest = new Formatted(Long.MIN_VALUE, "");

  static String now() {
    long second = System.currentTimeMillis() / 1_000;
    Formatted formatted = latest;
    if (formatted.second != second) {
      formatted = new Formatted(second, FORMAT.format(Instant.ofEpochSecond(second)));
      latest = formatted;
    }
    return formatted.text;
  }

  private HttpDate() {}
}
