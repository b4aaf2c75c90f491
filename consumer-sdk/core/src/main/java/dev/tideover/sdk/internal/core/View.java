package dev.tideover.sdk.internal.core;

import java.util.List;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * How things stand, to be shown.
 *
 * @param inFlight tasks that may call the handler and are with the workers
 * @param limit how many handlers may run
 * @param waiting lanes whose first request could start, but for the limit or a hold
 * @param held whether nothing starts, but probes where the breaker is what holds
 * @param finished ids of finished requests that are remembered
 * @param partitions those whose requests are handled
 */
public record View<W>(
    int inFlight,
    int limit,
    int waiting,
    boolean held,
    long finished,
    List<Partition<W>> partitions) {

  /**
   * A partition.
   *
   * @param fill how full its window is; at 1 its reading pauses
   * @param unfinished requests that were received and haven't ended
   * @param offset of the oldest of them
   * @param attempts of that one, failed
   * @param oldest that one; null for none
   */
  public record Partition<W>(
      TopicPartition partition,
      double fill,
      int unfinished,
      long offset,
      int attempts,
      @Nullable W oldest) {}
}
