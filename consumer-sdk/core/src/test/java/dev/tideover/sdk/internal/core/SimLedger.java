package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.Violation.Promise;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The model of one partition of the ledger, compacted at every moment. */
final class SimLedger {

  private final Simulation sim;
  private final Map<String, LedgerEntry> entries = new LinkedHashMap<>();

  /** In the order of the log; the latest of each key. */
  private final Map<String, FinishedBatch> batches = new LinkedHashMap<>();

  /** Keys that were parked by who didn't own the partition any more. */
  private final Set<String> parkedByStrangers = new HashSet<>();

  SimLedger(Simulation sim) {
    this.sim = sim;
  }

  /** Null takes an entry out. */
  void write(boolean byOwner, String key, @Nullable LedgerEntry entry) {
    if (entry instanceof LedgerEntry.Parked park && !byOwner) {
      parkedByStrangers.add(park.orderingKey());
    }
    if (entry == null) {
      entries.remove(key);
    } else {
      entries.put(key, entry);
    }
  }

  @Nullable LedgerEntry entry(String key) {
    return entries.get(key);
  }

  boolean isParkedByStranger(String key) {
    return parkedByStrangers.contains(key);
  }

  void write(FinishedBatch batch) {
    String key = FinishedBatches.key(batch.writer(), batch.number());
    FinishedBatch before = batches.remove(key);
    if (before != null && before != batch) {
      throw new Violation(Promise.BATCH_KEPT, before + " is overwritten");
    }
    batches.put(key, batch);
    sim.coverage.count("batch");
  }

  void takeOutBatch(String key) {
    if (batches.remove(key) != null) {
      sim.coverage.count("batch taken out");
    }
  }

  /** Whether it knows that a request with its id has finished. */
  boolean remembers(SimRequest request) {
    for (FinishedBatch batch : batches.values()) {
      long[] words = batch.words();
      for (int at = 0; at < words.length; at += FinishedBatch.WORDS) {
        if (words[at] == request.original.number) {
          return true;
        }
      }
    }
    return false;
  }

  /** The entries, as {@code LedgerPart} gives them. */
  List<LedgerEntry> read(long committed) {
    List<LedgerEntry> read = new ArrayList<>(entries.size());
    for (LedgerEntry entry : entries.values()) {
      if (!(entry instanceof LedgerEntry.Attempts a) || a.offset() >= committed) {
        read.add(entry);
      }
    }
    return read;
  }

  /** The finished ids, as {@code LedgerPart} gives them. */
  void read(FinishedIds ids, FinishedBatches names, long now) {
    for (FinishedBatch batch : batches.values()) {
      names.add(batch.writer(), batch.number(), Math.min(batch.finishedAt(), now));
      ids.addAll(batch, now);
    }
  }

  void clear() {
    entries.clear();
    batches.clear();
  }
}
