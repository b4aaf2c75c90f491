package dev.tideover.sdk.internal.core;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.apache.kafka.common.TopicPartition;

/** What may be committed, as it was at one moment: every offset below has ended. */
public final class CommitSnapshot {

  /**
   * One partition of it.
   *
   * @param offset the offset to go on from
   * @param note what goes along with it
   * @param ends how often something had ended in the partition
   */
  public record Entry(Assignment<?> assignment, long offset, CommitNote note, long ends) {

    /** The partition. */
    public TopicPartition partition() {
      return assignment.partition;
    }
  }

  private final List<Entry> entries = new ArrayList<>();

  CommitSnapshot() {}

  void add(Entry entry) {
    entries.add(entry);
  }

  /** Kafka has taken it. What belonged to a partition taken away since is of no consequence. */
  void committed() {
    for (Entry entry : entries) {
      entry.assignment.committed(entry);
    }
  }

  /** Another one, of these entries of it. */
  CommitSnapshot only(Predicate<Entry> which) {
    CommitSnapshot some = new CommitSnapshot();
    entries.stream().filter(which).forEach(some::add);
    return some;
  }

  /** Whether there is something to commit of this partition. */
  boolean has(TopicPartition partition) {
    return entries.stream().anyMatch(entry -> entry.partition().equals(partition));
  }

  /** By partition; only those with news since the last commit. */
  public List<Entry> entries() {
    return List.copyOf(entries);
  }

  /** Whether there is nothing to commit. */
  public boolean isEmpty() {
    return entries.isEmpty();
  }
}
