package dev.tideover.sdk.internal.core;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Ordering keys whose requests go to the dead-letter topic one after the other, since one of them
 * has failed for good, until that one is handled after all. Part of {@link Core}, with the same
 * owner.
 */
final class Parking<W> {

  /** Keys of one partition that can be parked. */
  private static final int MOST = 10_000;

  private final Policy policy;
  private final Effects<W> effects;

  Parking(Policy policy, Effects<W> effects) {
    this.policy = policy;
    this.effects = effects;
  }

  /** The id of the request that its key is parked for; null if the key isn't parked. */
  @Nullable String blockerOf(Work<W> work) {
    String key = work.assignment.parked.isEmpty() ? null : keyOf(work);
    return key == null ? null : work.assignment.parked.get(key);
  }

  private static @Nullable String keyOf(Work<?> work) {
    return work.lane == null ? null : work.lane.orderingKey();
  }

  /** Whether the key is to be parked once the request is dead. */
  boolean wants(Work<W> work) {
    return policy.parkKeys() && policy.ledger() && keyOf(work) != null && blockerOf(work) == null;
  }

  /** Whether no further key of its partition can be parked. */
  boolean isFull(Work<W> work) {
    return work.assignment.parked.size() >= MOST;
  }

  /**
   * Whether it is the failed one of a parked key. It frees the key if it has been handled, or if
   * its client doesn't want it any more.
   */
  boolean frees(Work<W> work) {
    String blocker = blockerOf(work);
    return blocker != null
        && (work.trouble == null || !work.trouble.dead || work.revived)
        && blocker.equals(effects.idOf(work.payload()));
  }

  /** What the ledger is to remember of a key that is {@link #wants wanted} to be parked. */
  LedgerEntry newEntry(Work<W> work) {
    return entry(work, effects.idOf(work.payload()));
  }

  /** What it remembers of a parked key. */
  LedgerEntry entryOf(Work<W> work) {
    return entry(work, blockerOf(work));
  }

  private LedgerEntry entry(Work<W> work, @Nullable String blocker) {
    return new LedgerEntry.Parked(
        Objects.requireNonNull(keyOf(work)), Objects.requireNonNull(blocker));
  }

  /** The entry that it waited for is in the ledger. */
  void park(Work<W> work) {
    LedgerEntry.Parked entry = (LedgerEntry.Parked) work.entry();
    work.assignment.parked.put(entry.orderingKey(), entry.blockerId());
  }

  /** The entry that it waited for is out of the ledger. */
  void free(Work<W> work) {
    work.assignment.parked.remove(((LedgerEntry.Parked) work.entry()).orderingKey());
  }
}
