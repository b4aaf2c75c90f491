package dev.tideover.sdk.internal.core;

/**
 * When to commit: every second or every 1,000 completions, at once where a partition has to be
 * marked as held, and one at a time. Part of {@link Commits}, with the same owner.
 */
final class CommitPace {

  private static final long SECOND = 1_000_000_000L;
  private static final long INTERVAL = SECOND;
  private static final int MOST_COMPLETIONS = 1_000;

  /** Without an answer for so long, there won't be one. */
  private static final long LOST = 30 * SECOND;

  private static final long RETRY_PAUSE = SECOND / 10;

  private int completions;
  private long next;
  private long began;
  private boolean underWay;
  private boolean failed;

  CommitPace(long now) {
    this.next = now + INTERVAL;
    this.began = now;
  }

  void completed() {
    completions++;
  }

  boolean anyCompletions() {
    return completions > 0;
  }

  /**
   * Whether to begin one now.
   *
   * @param urgent whether there is something that mustn't wait for its time
   */
  boolean isDue(boolean urgent, long now) {
    boolean late = now - next >= 0;
    boolean due =
        urgent || isLost(now) || completions > 0 && (late || completions >= MOST_COMPLETIONS);
    return due && mayBegin(now);
  }

  /** Whether one may begin now, be it due or not. */
  boolean mayBegin(long now) {
    boolean tooEarly = failed && now - next < 0;
    // One at a time: of two under way the older could win and set the offset back.
    return !tooEarly && (!underWay || isLost(now));
  }

  private boolean isLost(long now) {
    return underWay && now - began >= LOST;
  }

  /** What has been completed by now is in a snapshot, which is going to be committed. */
  void taken() {
    completions = 0;
  }

  void begin(boolean sent, long now) {
    failed = false;
    underWay = sent;
    began = now;
    next = now + INTERVAL;
  }

  void ended(boolean done, long now) {
    underWay = false;
    if (!done) {
      completions++; // so that it is tried again
      failed = true;
      next = now + RETRY_PAUSE;
    }
  }
}
