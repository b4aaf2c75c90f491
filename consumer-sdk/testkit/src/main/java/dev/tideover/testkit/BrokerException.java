package dev.tideover.testkit;

/**
 * A broker could not do what was asked of it. The message is for people: what happened, what it
 * means and what to do.
 */
public final class BrokerException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  BrokerException(String message) {
    super(message);
  }

  BrokerException(String message, Throwable cause) {
    super(message, cause);
  }
}
