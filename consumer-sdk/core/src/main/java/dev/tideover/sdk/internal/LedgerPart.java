package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.core.FinishedBatch;
import dev.tideover.sdk.internal.core.FinishedBatches;
import dev.tideover.sdk.internal.core.FinishedIds;
import dev.tideover.sdk.internal.core.LedgerEntry;
import dev.tideover.sdk.internal.core.LedgerEntry.Attempts;
import dev.tideover.sdk.internal.core.LedgerEntry.Cancelled;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * What was read of one partition of the ledger so far: the latest entry of each key. For the thread
 * of the {@link LedgerReader}, its owner.
 */
final class LedgerPart {

  /** So many about cancelled requests that are finished are handed over, to be forgotten. */
  private static final int MAX_OVER = 1_000;

  /**
   * What is to be read.
   *
   * @param from the first offset
   * @param to the one behind the last
   * @param committed of the request partition: entries of requests below it are passed over
   */
  record Span(long from, long to, long committed) {}

  /**
   * All that it says.
   *
   * @param entries about single requests and keys
   * @param finished ids whose window isn't over
   * @param batches of these and of older ones
   */
  record Content(List<LedgerEntry> entries, FinishedIds finished, FinishedBatches batches) {}

  private final Span span;
  private final Map<String, LedgerEntry> entries = new HashMap<>();

  /** Those about cancelled requests among them that aren't finished. */
  private final TreeSet<Cancelled> cancelled =
      new TreeSet<>(Comparator.comparingLong(Cancelled::offset).thenComparing(Cancelled::decided));

  /** Those about cancelled ones that are. */
  private final Map<String, LedgerEntry> over = new HashMap<>();

  private final FinishedIds finished;
  private final FinishedBatches batches;

  LedgerPart(Span span, long windowMillis) {
    this.span = span;
    this.finished = new FinishedIds(windowMillis);
    this.batches = new FinishedBatches(windowMillis);
  }

  Span span() {
    return span;
  }

  boolean isTooMuch() {
    return entries.size() - cancelled.size() > LedgerReader.MAX_ENTRIES;
  }

  void forget(String key) {
    over.remove(key);
    if (entries.remove(key) instanceof Cancelled about) {
      cancelled.remove(about);
    }
  }

  void put(LedgerEntry entry) {
    if (!(entry instanceof Attempts attempts) || attempts.offset() >= span.committed()) {
      entries.put(entry.key(), entry);
    }
  }

  /** Whether there is still room for all. */
  boolean put(Cancelled about) {
    if (about.offset() < span.committed()) {
      if (over.size() < MAX_OVER) {
        over.put(about.key(), about);
      }
      return true;
    }
    cancelled.add(about);
    entries.put(about.key(), about);
    if (cancelled.size() <= LedgerReader.MAX_CANCELLED) {
      return true;
    }
    entries.remove(cancelled.pollLast().key());
    return false;
  }

  /**
   * Of a batch whose window is over only the name is kept, so that it can be taken out.
   *
   * @param now epoch milliseconds
   */
  void put(FinishedBatch batch, long now) {
    // A clock that is ahead mustn't keep it for ever.
    batches.add(batch.writer(), batch.number(), Math.min(batch.finishedAt(), now));
    finished.addAll(batch, now);
  }

  /** Its ids stay if they are there: whoever took it out found their window over. */
  void forget(FinishedCodec.Name batch) {
    batches.remove(batch.writer(), batch.number());
  }

  int finished() {
    return finished.size();
  }

  void dropOldestFinished() {
    finished.dropOldest();
  }

  Content content() {
    List<LedgerEntry> all = new ArrayList<>(entries.values());
    all.addAll(over.values());
    return new Content(all, finished, batches);
  }
}
