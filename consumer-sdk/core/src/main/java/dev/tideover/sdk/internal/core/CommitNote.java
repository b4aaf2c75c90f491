package dev.tideover.sdk.internal.core;

import java.util.List;
import org.apache.kafka.common.Uuid;

/**
 * What travels with a committed offset, in its metadata: for the next owner of the partition.
 * Nothing rests on it but work saved and diagnoses; one that can't be read is as good as none.
 *
 * @param topicId of the topic that the offset belongs to; {@link Uuid#ZERO_UUID} where unknown
 * @param clean whether nothing of the partition was under way when it was written, and nothing has
 *     been started since. A consumer that holds the partition has written false
 * @param done offsets beyond the committed one that have ended, ascending, not touching
 */
public record CommitNote(Uuid topicId, boolean clean, List<OffsetRange> done) {

  /**
   * Offsets from one to another.
   *
   * @param from the first
   * @param to the one behind the last
   */
  public record OffsetRange(long from, long to) {

    /** Checks that there is at least one offset in it. */
    public OffsetRange {
      if (from < 0 || to <= from) {
        throw new IllegalArgumentException("no range: " + from + " to " + to);
      }
    }
  }

  /** Copies the list. */
  public CommitNote {
    done = List.copyOf(done);
  }
}
