package dev.tideover.sdk.internal.core;

/** Whose fault a failed handler is. */
public enum Fault {
  /** The request's, as far as can be told: uses an attempt. */
  MESSAGE,
  /**
   * The same, by a start that an instance on trial has made: uses no attempt, also if the trial has
   * ended meanwhile.
   */
  ON_TRIAL,
  /** The request's, for good: the handler has said that it never will be handled. */
  REJECTED,
  /** Of something that the handler needs, a database say: uses no attempt. */
  INFRASTRUCTURE,
  /** The same, and the handler has said so itself. */
  HOLD;

  boolean isInfrastructure() {
    return this == INFRASTRUCTURE || this == HOLD;
  }
}
