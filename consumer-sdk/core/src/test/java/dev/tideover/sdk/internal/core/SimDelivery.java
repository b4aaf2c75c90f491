package dev.tideover.sdk.internal.core;

import org.jspecify.annotations.Nullable;

/** What the model shell keeps with a request; as the real one's {@code Delivery}. */
final class SimDelivery {

  /** What a reply says. */
  enum Answer {
    COMPLETED,
    DEAD,
    EXPIRED,
    CANCELLED,
    /** It has finished before. */
    DUPLICATE,
    /** Another one with its id has. */
    MISMATCH
  }

  final SimRequest request;
  @Nullable String deadReason;
  @Nullable Answer answer;
  boolean cancelled;

  /** What is known of the one before, when it has finished before. */
  boolean same;

  long original = FinishedIds.UNKNOWN;

  /** Whether its handler runs, and whether it was interrupted since it began. */
  boolean inHandler;

  boolean interrupted;
  long interruptedAt;

  SimDelivery(SimRequest request) {
    this.request = request;
  }

  /** In which trial it was received, and in which its reply was withheld; 0 for none. */
  int trial;

  int withheldIn;

  void interrupt(long now) {
    if (inHandler && !interrupted) {
      interrupted = true;
      interruptedAt = now;
    }
  }

  @Override
  public String toString() {
    return request.toString();
  }
}
