package dev.tideover.demo;

/** The demo can't go on. The message is for the person who runs it and is shown without a trace. */
final class DemoException extends Exception {
  private static final long serialVersionUID = 1L;

  DemoException(String message) {
    super(message);
  }

  DemoException(String message, Throwable cause) {
    super(message, cause);
  }
}
