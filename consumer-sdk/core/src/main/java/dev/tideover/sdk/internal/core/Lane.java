package dev.tideover.sdk.internal.core;

import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * The requests of one ordering key in one partition, or of one id, in the order of the log. The
 * first is the only one that may run.
 */
final class Lane<W> {

  /** The key of those that have an idempotency key and no ordering key. */
  record OfId(long high, long low) {}

  final Object key;
  final ArrayDeque<Work<W>> queue = new ArrayDeque<>(2);

  Lane(Object key) {
    this.key = key;
  }

  /** Null for one of an id. */
  @Nullable String orderingKey() {
    return key instanceof OfId ? null : key.toString();
  }
}
