package dev.tideover.wire;

/**
 * A record that is not what the contract says. The message names the header and what was wrong with
 * it; it never contains a field's value, which may be a secret.
 */
public final class WireFormatException extends Exception {

  private static final long serialVersionUID = 1L;

  /** What kind of problem it is, since the two call for different actions. */
  public enum Kind {
    /** The record breaks the contract of version 1: it will never become readable. */
    MALFORMED,
    /** The record is of another version: a newer reader could handle it, so it must wait. */
    UNKNOWN_VERSION
  }

  private final Kind kind;

  WireFormatException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  static WireFormatException malformed(String header, String problem) {
    return new WireFormatException(Kind.MALFORMED, header + ": " + problem);
  }

  /** What kind of problem it is. */
  public Kind kind() {
    return kind;
  }
}
