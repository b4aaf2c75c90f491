package dev.tideover.wire;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** How a request ended, as the reply record says it in {@code tideover-outcome}. */
public enum ReplyOutcome {
  /** The handler ran and this is its reply. */
  COMPLETED,
  /** All attempts failed; the request is in the dead-letter topic. */
  DEAD,
  /** Its deadline passed before the handler saw it; it never ran and never will. */
  EXPIRED,
  /** It was cancelled before the handler saw it. */
  CANCELLED,
  /** It had been handled before; the original reply stands at {@code tideover-original}. */
  DUPLICATE,
  /** Its idempotency key belongs to another request; it did not run. */
  MISMATCH;

  private static final ReplyOutcome[] ALL = values();

  private final String text = name().toLowerCase(Locale.ROOT);

  /** The word in the record. */
  public String text() {
    return text;
  }

  /** Reads the word; null for an unknown one. */
  static @Nullable ReplyOutcome parse(String text) {
    for (ReplyOutcome outcome : ALL) {
      if (outcome.text.equals(text)) {
        return outcome;
      }
    }
    return null;
  }
}
