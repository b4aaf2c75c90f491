package dev.tideover.gateway.cli;

/** A command that could not do what it was to; the message is for who gave it. */
final class AdminFailure extends RuntimeException {

  /** What was asked for didn't come about: refused, rolled back, abandoned. */
  static final int NOT_DONE = 1;

  static final int WRONG_USE = 2;

  /** No gateway can be reached; what was asked for may be done or not. */
  static final int UNKNOWN = 3;

  private static final long serialVersionUID = 1L;

  private final int exitCode;

  AdminFailure(int exitCode, String message) {
    super(message, null, false, false);
    this.exitCode = exitCode;
  }

  int exitCode() {
    return exitCode;
  }

  boolean isUnknown() {
    return exitCode == UNKNOWN;
  }
}
