package dev.tideover.sdk;

import org.jspecify.annotations.Nullable;

/**
 * The content of a request isn't what the handler asked for: the client's mistake. Where a handler
 * lets it pass, the client gets a 400 problem with the code {@code malformed-body}.
 */
public final class MalformedBodyException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /**
   * The message reaches the client.
   *
   * @param message what is wrong with the content, without quoting it
   * @param cause what the reader of the content said, or null
   */
  public MalformedBodyException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
