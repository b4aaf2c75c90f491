package dev.tideover.sdk.internal.core;

import java.util.ArrayList;
import java.util.List;

/**
 * Which batches of finished ids stand in one partition of the ledger, so that each can be taken out
 * when the window of its ids is over.
 *
 * <p>Not thread-safe: built by the adopter's thread, and then the core's.
 */
public final class FinishedBatches {

  private final long windowMillis;
  private final List<String> keys = new ArrayList<>();
  private final List<Long> times = new ArrayList<>();

  /** None yet. */
  public FinishedBatches(long windowMillis) {
    this.windowMillis = windowMillis;
  }

  /** The record key of a batch. */
  public static String key(String writer, long number) {
    return "finished/" + writer + "/" + number;
  }

  /** A batch stands there. */
  public void add(String writer, long number, long finishedAt) {
    keys.add(key(writer, number));
    times.add(finishedAt);
  }

  /** It has been taken out. */
  public void remove(String writer, long number) {
    int index = keys.indexOf(key(writer, number));
    if (index >= 0) {
      keys.remove(index);
      times.remove(index);
    }
  }

  /**
   * The record keys of batches that are to be taken out, since the window of their ids is over; as
   * many as are wanted, and each only once.
   */
  public List<String> expired(long now, int most) {
    List<String> expired = new ArrayList<>();
    for (int i = 0; i < keys.size() && expired.size() < most; ) {
      if (times.get(i) + windowMillis <= now) {
        expired.add(keys.remove(i));
        times.remove(i);
      } else {
        i++;
      }
    }
    return expired;
  }
}
