package dev.tideover.loadtests.bench;

/** The benchmark can't go on; the message says what happened, what it means and what to do. */
final class BenchException extends Exception {

  private static final long serialVersionUID = 1L;

  BenchException(String message) {
    super(message);
  }

  BenchException(String message, Throwable cause) {
    super(message, cause);
  }
}
