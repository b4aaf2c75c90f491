package dev.tideover.sdk.internal.core;

import java.util.ArrayDeque;

/**
 * The requests of one ordering key in one partition, in the order of the log. The first is the only
 * one that may run.
 */
final class Lane<W> {

  final Object key;
  final ArrayDeque<Work<W>> queue = new ArrayDeque<>(2);

  Lane(Object key) {
    this.key = key;
  }
}
