package dev.tideover.gateway.kafka;

import dev.tideover.wire.ReplyEnvelope;

/**
 * Is told of every reply of the cell, whoever waits for it. On the feed's thread; must be quick.
 */
public interface ReplyObserver {

  /** Nobody looks. */
  ReplyObserver NONE = (reply, repeated) -> {};

  /**
   * A reply has come.
   *
   * @param repeated whether another of the same request, neither replayed nor a refusal, had come
   *     before: its handler has run twice
   */
  void onReply(ReplyEnvelope reply, boolean repeated);
}
