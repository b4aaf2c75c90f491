package dev.tideover.sdk.internal.core;

import java.util.List;
import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * What was found out about a partition when it was assigned, before its first request starts.
 *
 * @param topicId of the request topic now; {@link Uuid#ZERO_UUID} where it can't be found out
 * @param committed the offset that the group has committed, or {@link #NONE}
 * @param note what came with it; null for none that is readable
 * @param begin the first offset in the log
 * @param end the one behind the last offset in the log
 * @param ledger the entries in this partition of the ledger; empty where there is no ledger
 * @param alive the incarnations whose heartbeats are heard. An incarnation is one run of one
 *     instance: a random text made at its start
 * @param finished ids of finished requests that the ledger knows, within their window; whoever gets
 *     the adoption owns it from then on
 * @param batches the batches in which they stand there, and those whose window is over; likewise
 */
public record Adoption(
    Uuid topicId,
    long committed,
    @Nullable CommitNote note,
    long begin,
    long end,
    List<LedgerEntry> ledger,
    Set<String> alive,
    FinishedIds finished,
    FinishedBatches batches) {

  /** No offset. */
  public static final long NONE = -1;

  /** One without finished ids. */
  public Adoption(
      Uuid topicId,
      long committed,
      @Nullable CommitNote note,
      long begin,
      long end,
      List<LedgerEntry> ledger,
      Set<String> alive,
      long windowMillis) {
    this(
        topicId,
        committed,
        note,
        begin,
        end,
        ledger,
        alive,
        new FinishedIds(windowMillis),
        new FinishedBatches(windowMillis));
  }

  /** Copies the collections. */
  public Adoption {
    ledger = List.copyOf(ledger);
    alive = Set.copyOf(alive);
  }
}
