package dev.tideover.sdk.internal.core;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * What the owner of a partition takes over from those before: drawn from an {@link Adoption} by
 * {@link #of}, or the reason why the partition must not be read.
 *
 * @param refusal null, or what a human has to know and do before it can be read
 * @param topicId of the topic
 * @param offset where to go on
 * @param done offsets from there on that have ended already; from inclusive to exclusive
 * @param suspectsEnd requests before this offset may have run in an instance that has crashed
 * @param remembered entries about requests, by offset
 * @param parked ordering keys that are parked, with the id of the request that failed
 * @param cancelled what clients want not to begin, by offset
 * @param first whether nobody has read the partition before
 * @param crashed whether the one before hasn't ended in good order
 */
record Inheritance(
    @Nullable String refusal,
    Uuid topicId,
    long offset,
    List<CommitNote.OffsetRange> done,
    long suspectsEnd,
    Map<Long, Remembered> remembered,
    Map<String, String> parked,
    Map<Long, LedgerEntry.Cancelled> cancelled,
    boolean first,
    boolean crashed) {

  /**
   * What is known of a request.
   *
   * @param id its request id
   * @param crashes how often an instance has crashed while it ran alone
   * @param openStart whether a start of it may have ended in a crash
   * @param begun whether a start of it stands there, or stood there in a crash
   */
  record Remembered(String id, int attempts, int crashes, boolean openStart, boolean begun) {}

  /**
   * How far behind the committed offset a crashed owner can have started something: no partition
   * has more offsets in the books; see {@link Limits}.
   */
  static final long REACH = 50_000;

  /** For a partition that nobody has had before, and nothing is known of. */
  static final Inheritance NOTHING =
      new Inheritance(
          null,
          Uuid.ZERO_UUID,
          Adoption.NONE,
          List.of(),
          0,
          Map.of(),
          Map.of(),
          Map.of(),
          true,
          false);

  /** Draws the conclusions. */
  static Inheritance of(Adoption found, String incarnation) {
    Uuid begun = null;
    Map<Long, Remembered> remembered = new HashMap<>();
    Map<String, String> parked = new TreeMap<>();
    Map<Long, LedgerEntry.Cancelled> cancelled = new HashMap<>();
    CommitNote note = found.note();
    boolean crashed = note != null && !note.clean();
    for (LedgerEntry entry : found.ledger()) {
      if (entry instanceof LedgerEntry.Begun mark) {
        begun = mark.topicId();
      } else if (entry instanceof LedgerEntry.Parked key) {
        parked.put(key.orderingKey(), key.blockerId());
      } else if (entry instanceof LedgerEntry.Cancelled wish) {
        cancelled.merge(wish.offset(), wish, (one, other) -> one.decided() ? one : other);
      } else if (entry instanceof LedgerEntry.Attempts attempts) {
        remembered.put(attempts.offset(), remember(attempts, found, incarnation, crashed));
      }
    }
    String refusal = refusal(found, begun);
    boolean first = found.committed() == Adoption.NONE;
    long offset = first ? found.begin() : found.committed();
    return new Inheritance(
        refusal,
        found.topicId(),
        offset,
        note == null ? List.of() : note.done(),
        crashed ? Math.min(found.end(), offset + REACH) : 0,
        Map.copyOf(remembered),
        parked,
        cancelled,
        begun == null,
        crashed);
  }

  /**
   * A start is open if an instance that isn't there any more has recorded it and no end. One alone
   * is so whoever has recorded it: who has lost the partition and has it again had suspected the
   * request, and hasn't found out.
   */
  private static Remembered remember(
      LedgerEntry.Attempts entry, Adoption found, String incarnation, boolean crashed) {
    boolean gone = !entry.by().equals(incarnation) && !found.alive().contains(entry.by());
    boolean alone = entry.start() == LedgerEntry.Start.ALONE;
    boolean shared = entry.start() == LedgerEntry.Start.SHARED;
    boolean open = crashed && (alone || shared && gone);
    int crashes = entry.crashes() + (crashed && alone && gone ? 1 : 0);
    boolean begun = alone || shared || crashes > 0;
    return new Remembered(entry.id(), entry.attempts(), crashes, open, begun);
  }

  private static @Nullable String refusal(Adoption found, @Nullable Uuid begun) {
    CommitNote note = found.note();
    Uuid before = note != null && !isUnknown(note.topicId()) ? note.topicId() : begun;
    if (before != null && !isUnknown(before) && !isUnknown(found.topicId())) {
      if (!before.equals(found.topicId())) {
        return "the topic has been deleted and created anew (its id was "
            + before
            + " and is "
            + found.topicId()
            + "), so the group's offset "
            + (found.committed() == Adoption.NONE ? "" : found.committed() + " ")
            + "means nothing in it. Stop the service, delete the group's offsets for the topic"
            + " (kafka-consumer-groups --delete-offsets) and the service's ledger topic, and start"
            + " it again: it then makes the ledger anew and begins with the first request";
      }
    }
    if (found.committed() == Adoption.NONE) {
      return begun == null
          ? null
          : "the group has no offset for it any more, though it has been read before: Kafka has"
              + " dropped the group's offsets (offsets.retention.minutes), or somebody has deleted"
              + " them. To begin anywhere would skip requests or repeat them. Stop the service,"
              + " set the offset (kafka-consumer-groups --reset-offsets; the log has "
              + found.begin()
              + " to "
              + found.end()
              + "), and start it again";
    }
    if (found.committed() < found.begin()) {
      return "requests were deleted before they were handled: the group is at offset "
          + found.committed()
          + ", the log begins at "
          + found.begin()
          + ". Lost are the offsets between (topic.retention is too short for such an outage, or"
          + " somebody has deleted records). To go on with what is there, stop the service, set"
          + " the offset (kafka-consumer-groups --reset-offsets --to-earliest), and start it again";
    }
    if (found.committed() > found.end()) {
      return "the log ends at "
          + found.end()
          + ", before the group's offset "
          + found.committed()
          + ": the topic has lost acknowledged records (an unclean leader election) or was"
          + " recreated. Stop the service, set the offset (kafka-consumer-groups"
          + " --reset-offsets), and start it again";
    }
    return null;
  }

  private static boolean isUnknown(Uuid topicId) {
    return topicId.equals(Uuid.ZERO_UUID);
  }
}
