package dev.tideover.sdk;

/**
 * Somebody else has settled this request meanwhile, or this version, which is on trial, must not
 * settle it with an error; so the transaction in which this was thrown must not commit. Let it
 * pass: the transaction is rolled back, and the consumer then answers the request with what the
 * inbox has, or tries it again.
 */
public class RequestSettledException extends RuntimeException {

  private static final long serialVersionUID = 1;

  /**
   * An exception.
   *
   * @param message what happened, and what to do
   */
  public RequestSettledException(String message) {
    super(message);
  }
}
