package dev.tideover.sdk.internal.core;

import java.util.Arrays;

/**
 * Ids of requests that have finished, as one record of the ledger holds them. Immutable; any
 * thread.
 */
public final class FinishedBatch {

  /** No batch has more: 240 KB, a quarter of what a broker takes unless told otherwise. */
  public static final int MOST = 10_000;

  /** Each id takes so many longs. */
  static final int WORDS = PackedId.WORDS;

  private final String writer;
  private final long number;
  private final long finishedAt;
  private final long[] words;

  private FinishedBatch(String writer, long number, long finishedAt, long[] words) {
    this.writer = writer;
    this.number = number;
    this.finishedAt = finishedAt;
    this.words = words;
  }

  /**
   * One that was read.
   *
   * @param writer drawn from the incarnation that has written it; see {@link Adoption}
   * @param number counts up from 0 for each writer and partition. It goes on counting when the
   *     partition is taken away and comes back, otherwise the writer would overwrite its own
   *     batches
   * @param finishedAt when the last of them had finished, at the latest; epoch milliseconds
   * @param words as of {@link #words}; not copied, so not to be changed
   * @throws IllegalArgumentException if there can't be so many words
   */
  public static FinishedBatch of(String writer, long number, long finishedAt, long[] words) {
    if (words.length == 0 || words.length % WORDS != 0 || words.length > MOST * WORDS) {
      throw new IllegalArgumentException("no batch: " + words.length + " words");
    }
    return new FinishedBatch(writer, number, finishedAt, words);
  }

  /** Drawn from the incarnation that has written it. */
  public String writer() {
    return writer;
  }

  /** Counts up from 0 for each writer and partition. */
  public long number() {
    return number;
  }

  /** When the last of them had finished, at the latest; epoch milliseconds. */
  public long finishedAt() {
    return finishedAt;
  }

  /** How many ids it has; at least one. */
  public int size() {
    return words.length / WORDS;
  }

  /** The ids, packed into three longs each; not to be changed. */
  public long[] words() {
    return words;
  }

  @Override
  public String toString() {
    return FinishedBatches.key(writer, number) + " with " + size() + " ids";
  }

  /** Collects what hasn't been written yet. For one thread. */
  public static final class Builder {

    private static final int FIRST = 16;

    private long[] words = new long[FIRST * WORDS];
    private int size;

    /**
     * Adds one; only while it isn't full.
     *
     * @param replyOffset the offset of its reply, or {@link FinishedIds#UNKNOWN}
     */
    public void add(Identity who, long replyOffset) {
      if (isFull()) {
        throw new IllegalStateException("the batch is full");
      }
      int at = size * WORDS;
      if (at == words.length) {
        words = Arrays.copyOf(words, Math.min(2 * words.length, MOST * WORDS));
      }
      words[at] = PackedId.first(who);
      words[at + 1] = PackedId.second(who);
      words[at + 2] = PackedId.third(who, replyOffset);
      size++;
    }

    /** How many there are. */
    public int size() {
      return size;
    }

    /** Whether there are none. */
    public boolean isEmpty() {
      return size == 0;
    }

    /** Whether there are {@link #MOST}. */
    public boolean isFull() {
      return size == MOST;
    }

    /** The batch; not of none. See {@link FinishedBatch#of} for what it takes. */
    public FinishedBatch build(String writer, long number, long finishedAt) {
      return of(writer, number, finishedAt, Arrays.copyOf(words, size * WORDS));
    }
  }
}
