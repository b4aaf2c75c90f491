package dev.tideover.sdk.internal.core;

/**
 * The eighths of the window in which finished ids are remembered: a slot is over when the window of
 * the last that can have finished in it is. Immutable.
 */
final class Slots {

  private static final int IN_A_WINDOW = 8;

  private final long window;
  private final long length;

  Slots(long windowMillis) {
    if (windowMillis <= 0) {
      throw new IllegalArgumentException("no window: " + windowMillis);
    }
    this.window = windowMillis;
    this.length = (windowMillis + IN_A_WINDOW - 1) / IN_A_WINDOW;
  }

  /** The slot of a time, in epoch milliseconds. */
  long of(long epochMillis) {
    return Math.floorDiv(epochMillis, length);
  }

  boolean isOver(long slot, long now) {
    return slot < of(now - window);
  }
}
