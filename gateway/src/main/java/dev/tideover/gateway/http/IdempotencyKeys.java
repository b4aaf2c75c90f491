package dev.tideover.gateway.http;

import dev.tideover.gateway.exchange.Answer;
import dev.tideover.gateway.exchange.RejectedException;
import java.util.List;
import org.greenbytes.http.sfv.Item;
import org.greenbytes.http.sfv.ParseException;
import org.greenbytes.http.sfv.Parser;
import org.greenbytes.http.sfv.StringItem;
import org.jspecify.annotations.Nullable;

/**
 * Reads the {@code Idempotency-Key} field: an RFC 8941 string, as
 * draft-ietf-httpapi-idempotency-key-header says, or the same text without quotes, as most clients
 * send it.
 */
final class IdempotencyKeys {

  private static final int MAX_LENGTH = 255;

  /**
   * The key; null where the request has none.
   *
   * @param lines the values of all its {@code Idempotency-Key} lines
   * @throws RejectedException where there is a line and it is not one key of 1 to 255 characters:
   *     to handle such a request as one without a key would handle its resend again
   */
  static @Nullable String parse(List<String> lines) {
    if (lines.isEmpty()) {
      return null;
    }
    if (lines.size() > 1) {
      throw bad("there is more than one Idempotency-Key line");
    }
    String text = withoutSpace(lines.get(0));
    String key = text.startsWith("\"") ? string(text) : token(text);
    if (key.isEmpty()) {
      throw bad("it is empty");
    }
    if (key.length() > MAX_LENGTH) {
      throw bad("it has more than " + MAX_LENGTH + " characters");
    }
    return key;
  }

  /** Its parameters mean nothing to us, but must be some. */
  private static String string(String text) {
    try {
      Item<?> item = new Parser(text).parseItem();
      if (item instanceof StringItem string) {
        return string.get();
      }
    } catch (ParseException e) {
      // It may be secret, so what is said does not repeat it.
    }
    throw bad("it begins with a quote and is not one RFC 8941 string");
  }

  private static String token(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c <= ' ' || c > '~' || c == '"' || c == ',' || c == ';' || c == '\\') {
        throw bad("without quotes it may have visible ASCII except for \" , ; and \\ only");
      }
    }
    return text;
  }

  /** RFC 9110 section 5.5: what is around a value is not part of it. */
  private static String withoutSpace(String line) {
    int from = 0;
    int to = line.length();
    while (from < to && isSpace(line.charAt(from))) {
      from++;
    }
    while (from < to && isSpace(line.charAt(to - 1))) {
      to--;
    }
    return line.substring(from, to);
  }

  private static boolean isSpace(char c) {
    return c == ' ' || c == '\t';
  }

  private static RejectedException bad(String what) {
    return new RejectedException(
        Answer.Reason.BAD_IDEMPOTENCY_KEY,
        "The key can't be used: "
            + what
            + ". Nothing was stored; send one Idempotency-Key of 1 to "
            + MAX_LENGTH
            + " characters, such as \"8e03978e-40d5-43dd-bc93-6894a57f9324\".");
  }

  private IdempotencyKeys() {}
}
