package dev.tideover.sdk.internal.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.TopicPartition;

/** What may be committed, as it was at one moment: every offset below has ended. */
public final class CommitSnapshot {

  private record Entry(Assignment<?> assignment, long offset) {}

  private final List<Entry> entries = new ArrayList<>();
  private final Map<TopicPartition, Long> offsets = new HashMap<>();

  CommitSnapshot() {}

  void add(Assignment<?> assignment, long offset) {
    entries.add(new Entry(assignment, offset));
    offsets.put(assignment.partition, offset);
  }

  /** Kafka has taken it. What belonged to a partition taken away since is of no consequence. */
  void committed() {
    for (Entry entry : entries) {
      entry.assignment.committed = Math.max(entry.assignment.committed, entry.offset);
    }
  }

  /** By partition, the offset to go on from; only those that moved since the last commit. */
  public Map<TopicPartition, Long> offsets() {
    return Collections.unmodifiableMap(offsets);
  }

  /** Whether there is nothing to commit. */
  public boolean isEmpty() {
    return entries.isEmpty();
  }
}
