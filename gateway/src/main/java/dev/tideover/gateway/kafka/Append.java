package dev.tideover.gateway.kafka;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** What became of the attempt to write a request. */
public sealed interface Append {

  /** Acknowledged by all in-sync replicas. */
  record Acknowledged(int partition, long offset) implements Append {}

  /**
   * Nothing entered the producer and nothing will be written: safe to say no.
   *
   * @param retryAfter when to try again: 1 s, or more where Kafka has been away for longer
   */
  record Refused(@Nullable String reason, Duration retryAfter) implements Append {}

  /** It entered the producer and no acknowledgement came: it may be there or not. */
  record Unknown(@Nullable String reason) implements Append {}
}
