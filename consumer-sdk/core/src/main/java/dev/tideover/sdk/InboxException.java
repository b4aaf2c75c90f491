package dev.tideover.sdk;

import org.jspecify.annotations.Nullable;

/**
 * The inbox can't be used now: its database is away, or its table. It is no fault of any request's:
 * it uses no attempt, and after five in a row the consumer holds until the inbox works again.
 */
public class InboxException extends RuntimeException {

  private static final long serialVersionUID = 1;

  /**
   * An exception.
   *
   * @param message what happened, and what to do
   */
  public InboxException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
