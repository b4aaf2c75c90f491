package dev.tideover.sdk.internal.core;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Ids of requests of one partition that have finished, with what is needed to answer them when they
 * come again. An id is known for the window and up to an eighth of it longer. Of two requests with
 * the same id the first one counts.
 *
 * <p>Not thread-safe: built by the adopter's thread, and then the core's.
 */
public final class FinishedIds {

  /** An offset that isn't known. */
  public static final long UNKNOWN = -1;

  /** Each id takes at most so many bytes, where there are 10,000 or more. */
  public static final int MOST_BYTES = 40;

  /**
   * What is known of an id.
   *
   * @param same whether it was the same request, by its fingerprint
   * @param replyOffset of the reply to it; {@link #UNKNOWN} where it isn't, or where the reply has
   *     gone to another place than the one asked about
   */
  public record Known(boolean same, long replyOffset) {}

  private final long windowMillis;
  private final Map<Identity, long[]> ids = new HashMap<>();

  /** None yet. */
  public FinishedIds(long windowMillis) {
    this.windowMillis = windowMillis;
  }

  /**
   * How many ids a consumer keeps in mind in all its partitions: what a quarter of a heap holds.
   */
  public static long most(long heap) {
    return heap / 4 / MOST_BYTES;
  }

  /** Remembers an id. */
  public void add(Identity who, long replyOffset, long finishedAt) {
    ids.putIfAbsent(
        key(who), new long[] {PackedId.second(who), PackedId.third(who, replyOffset), finishedAt});
  }

  /** Remembers all of these. */
  public void addAll(FinishedBatch batch) {
    long[] words = batch.words();
    for (int at = 0; at < words.length; at += PackedId.WORDS) {
      ids.putIfAbsent(
          new Identity(words[at], words[at + 1] >>> 32 << 32, 0, 0),
          new long[] {words[at + 1], words[at + 2], batch.finishedAt()});
    }
  }

  /** What is known of a request that comes now; null for nothing, or not any more. */
  public @Nullable Known find(Identity who, long now) {
    long[] known = ids.get(key(who));
    if (known == null || known[2] + windowMillis <= now) {
      return null;
    }
    long second = PackedId.second(who);
    long third = PackedId.third(who, UNKNOWN);
    return new Known(
        PackedId.sameFingerprint(second, third, known[0], known[1]),
        PackedId.samePlace(third, known[1]) ? PackedId.replyOffset(known[1]) : UNKNOWN);
  }

  private static Identity key(Identity who) {
    return new Identity(who.idHigh(), who.idLow() >>> 32 << 32, 0, 0);
  }

  /** Forgets those whose window is over. */
  public void expire(long now) {
    ids.values().removeIf(known -> known[2] + windowMillis <= now);
  }

  /** Forgets the oldest ones, about an eighth of the window's. */
  public void dropOldest() {
    ids.clear();
  }

  /** How many there are. */
  public int size() {
    return ids.size();
  }

  /** How much memory they take. */
  public long bytes() {
    return (long) ids.size() * MOST_BYTES;
  }
}
