package dev.tideover.gateway.kafka;

import dev.tideover.wire.ReplyEnvelope;

/**
 * Is told of every reply of the cell, once, whoever waits for it, also of those that say that a
 * resend was recognised or refused. On the feed's thread, after the listener; must be quick.
 */
public interface ReplyObserver {

  /** Nobody looks. */
  ReplyObserver NONE = (reply, repeated) -> {};

  /**
   * A reply has come; one that can't be read is not told of. What this throws ends nothing.
   *
   * @param repeated whether the handler has run twice: this one is completed and of no replay, and
   *     another reply of the request had come before, as far as this gateway remembers
   */
  void onReply(ReplyEnvelope reply, boolean repeated);
}
