package dev.tideover.sdk.internal.core;

import org.apache.kafka.common.Uuid;

/**
 * What the ledger topic remembers of a partition of the request topic, in its own partition of the
 * same number: only what is out of the ordinary. The latest entry of each {@link #key} counts.
 */
public sealed interface LedgerEntry {

  /** The record key, unique within the partition. */
  String key();

  /**
   * A request that has failed, or may have been under way when an instance crashed.
   *
   * @param offset of its record
   * @param id its request id; an entry for another id under the same offset is of a topic that is
   *     no more
   * @param attempts failed attempts that count
   * @param crashes how often an instance has ended while this request ran alone in it
   * @param start what was about to happen when this was written
   * @param by the incarnation that wrote it; see {@link Adoption}
   */
  record Attempts(long offset, String id, int attempts, int crashes, Start start, String by)
      implements LedgerEntry {
    /** The record key for a request. */
    static String key(long offset) {
      return "request/" + offset;
    }

    @Override
    public String key() {
      return key(offset);
    }
  }

  /** The kinds of start. */
  enum Start {
    /** None: the last start has come to an orderly end. */
    NONE,
    /** Beside others. */
    SHARED,
    /** Alone in its instance. */
    ALONE
  }

  /**
   * An ordering key whose requests are not handled, since one of them has failed for good.
   *
   * @param orderingKey the key
   * @param blockerId the id of the one that has failed
   */
  record Parked(String orderingKey, String blockerId) implements LedgerEntry {
    @Override
    public String key() {
      return "parked/" + orderingKey;
    }
  }

  /**
   * A request that a client wants not to begin.
   *
   * @param offset of its record
   * @param id its request id
   * @param decided false for the wish, as a gateway writes it; true for what an owner has made of
   *     it: the request hasn't begun, and must not begin any more
   */
  record Cancelled(long offset, String id, boolean decided) implements LedgerEntry {
    /** The record key for a request. */
    static String key(long offset, boolean decided) {
      return (decided ? "cancelled/" : "cancel/") + offset;
    }

    @Override
    public String key() {
      return key(offset, decided);
    }
  }

  /**
   * The partition has been read from before.
   *
   * @param topicId the topic's id then
   */
  record Begun(Uuid topicId) implements LedgerEntry {
    @Override
    public String key() {
      return "begun";
    }
  }
}
