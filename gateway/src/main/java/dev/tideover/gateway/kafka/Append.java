package dev.tideover.gateway.kafka;

import org.jspecify.annotations.Nullable;

/** What became of the attempt to write a request. */
public sealed interface Append {

  /** Acknowledged by all in-sync replicas. */
  record Acknowledged(int partition, long offset) implements Append {}

  /** Nothing entered the producer and nothing will be written: safe to say no. */
  record Refused(@Nullable String reason) implements Append {}

  /** It entered the producer and no acknowledgement came: it may be there or not. */
  record Unknown(@Nullable String reason) implements Append {}
}
