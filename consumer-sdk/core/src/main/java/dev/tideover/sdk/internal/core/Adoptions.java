package dev.tideover.sdk.internal.core;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;

/**
 * Partitions that the group has given and that no request is started of yet: first they have to be
 * found out about, then Kafka has to know that somebody has them. And those that must not be read.
 * Part of {@link Core}, with the same owner.
 */
final class Adoptions<W> {

  private final Policy policy;
  private final Effects<W> effects;
  private final Cancellations<W> cancellations;

  /** Not found out about yet. Each adoption has its number. */
  private final Map<TopicPartition, Long> unknown = new HashMap<>();

  /** Found out about, and not marked as held yet. */
  private final Map<TopicPartition, Assignment<W>> unmarked = new LinkedHashMap<>();

  private final Set<TopicPartition> refused = new HashSet<>();

  private long adoptions;

  Adoptions(Policy policy, Effects<W> effects, Cancellations<W> cancellations) {
    this.policy = policy;
    this.effects = effects;
    this.cancellations = cancellations;
  }

  void begin(Collection<TopicPartition> partitions) {
    for (TopicPartition partition : partitions) {
      unknown.put(partition, ++adoptions);
      effects.adopt(partition, adoptions);
    }
  }

  void found(TopicPartition partition, long number, Adoption found) {
    if (!Objects.equals(unknown.get(partition), number)) {
      return; // taken away meanwhile
    }
    Inheritance inheritance = Inheritance.of(found, policy.incarnation());
    String refusal = inheritance.refusal();
    if (refusal != null) {
      refuse(partition, number, refusal);
      return;
    }
    unknown.remove(partition);
    if (policy.ledger() && !inheritance.crashed()) {
      closeStarts(partition, found);
    }
    effects.seek(partition, inheritance.offset());
    Assignment<W> assignment =
        new Assignment<>(
            partition, inheritance, new FinishedPart(found.finished(), found.batches()));
    unmarked.put(partition, assignment);
    cancellations.adopted(assignment, found);
  }

  /** A client wants a request not to begin; of no consequence if its partition isn't here. */
  void cancel(TopicPartition partition, LedgerEntry.Cancelled wish) {
    Assignment<W> assignment = unmarked.get(partition);
    if (assignment != null) {
      cancellations.heard(assignment, wish);
    } else if (unknown.containsKey(partition)) {
      cancellations.heardEarly(partition, wish);
    }
  }

  /**
   * The starts that the ledger knows of have come to an orderly end, as the note says. From now on
   * the note will say something else, so the ledger has to.
   */
  private void closeStarts(TopicPartition partition, Adoption found) {
    for (LedgerEntry entry : found.ledger()) {
      if (entry instanceof LedgerEntry.Attempts known && known.start() != LedgerEntry.Start.NONE) {
        effects.note(
            partition,
            new LedgerEntry.Attempts(
                known.offset(),
                known.id(),
                known.attempts(),
                known.crashes(),
                LedgerEntry.Start.NONE,
                policy.incarnation()));
      }
    }
  }

  void refuse(TopicPartition partition, long number, String diagnosis) {
    if (unknown.remove(partition, number)) {
      refused.add(partition);
      effects.stopped(partition, diagnosis);
    }
  }

  /**
   * These are about to be given up. They aren't marked any more: it would look as if their owner
   * had crashed.
   */
  void close(Collection<TopicPartition> partitions) {
    for (TopicPartition partition : partitions) {
      if (unknown.remove(partition) != null) {
        effects.abandonAdoption(partition);
      }
      Assignment<W> assignment = unmarked.get(partition);
      if (assignment != null) {
        assignment.close(false);
      }
    }
  }

  /** All of them are. */
  void close() {
    close(List.copyOf(unknown.keySet()));
    close(List.copyOf(unmarked.keySet()));
  }

  /** Whether there are some that a commit has to mark. */
  boolean anyUnmarked() {
    for (Assignment<W> assignment : unmarked.values()) {
      if (assignment.isOpen()) {
        return true;
      }
    }
    return false;
  }

  void addTo(CommitSnapshot snapshot) {
    for (Assignment<W> assignment : unmarked.values()) {
      if (assignment.isOpen()) {
        snapshot.add(assignment.entry());
      }
    }
  }

  /** Those that are marked by now, and may be worked on. */
  List<Assignment<W>> marked() {
    List<Assignment<W>> marked = new ArrayList<>();
    for (Assignment<W> assignment : unmarked.values()) {
      if (assignment.isMarked()) {
        marked.add(assignment);
      }
    }
    marked.forEach(assignment -> unmarked.remove(assignment.partition));
    return marked;
  }

  void forget(Collection<TopicPartition> partitions) {
    cancellations.forget(partitions);
    for (TopicPartition partition : partitions) {
      if (unknown.remove(partition) != null) {
        effects.abandonAdoption(partition);
      }
      Assignment<W> assignment = unmarked.remove(partition);
      if (assignment != null) {
        assignment.live = false;
      }
      refused.remove(partition);
    }
  }

  Collection<TopicPartition> refused() {
    return refused;
  }
}
