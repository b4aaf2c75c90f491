package dev.tideover.sdk;

/**
 * Give the request up; see {@link Outcome#deadLetter}.
 *
 * @param reason for people
 */
public record DeadLetter(String reason) implements Outcome {

  /** Checks the reason. */
  public DeadLetter {
    if (reason.isBlank()) {
      throw new IllegalArgumentException("a dead letter needs a reason: somebody will read it");
    }
  }
}
