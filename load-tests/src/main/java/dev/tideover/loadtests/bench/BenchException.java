package dev.tideover.loadtests.bench;

/** The benchmark can't go on; the message says what happened, what it means and what to do. */
public final class BenchException extends Exception {

  private static final long serialVersionUID = 1L;

  /** With such a message. */
  public BenchException(String message) {
    super(message);
  }

  /** With such a message. */
  public BenchException(String message, Throwable cause) {
    super(message, cause);
  }
}
