package dev.tideover.loadtests.drill;

/** What is rehearsed. */
enum Kind {
  /** Three instances are replaced, one after the other. */
  ROLLING,
  /** From one version to the next at one moment. */
  BLUE_GREEN,
  /** The same to a version that is bad, and so back. */
  BAD_GREEN,
  /** Nothing is handled for a while. */
  HOLD
}
