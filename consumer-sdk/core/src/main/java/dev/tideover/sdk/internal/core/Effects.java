package dev.tideover.sdk.internal.core;

import java.util.Collection;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * What the core wants done. Called on the owner thread, within an event; must not block, nor call
 * the core.
 *
 * @param <W> what the caller keeps with a request
 */
public interface Effects<W> {

  /** The request's id; null for a record that can't be read. */
  @Nullable String idOf(W payload);

  /** What makes it the same as another one; null for a request without an idempotency key. */
  @Nullable Identity identityOf(W payload);

  /** Give it to a worker, who does its {@link Work#step} and reports one event. */
  void begin(Work<W> work);

  /** From now on it is to be buried: {@link Work.Step#BURY}, with this reason. */
  void bury(W payload, String reason, String error);

  /**
   * From now on it is to be answered as one that has finished before: {@link Work.Step#REPEAT}.
   *
   * @param same whether it asks for the same as the one before
   * @param original the offset of the reply to that one, if it stands where this one's would;
   *     {@link FinishedIds#UNKNOWN} otherwise
   */
  void repeat(W payload, boolean same, long original);

  /** Interrupt its handler: it has become stale, or has run out of time. */
  void interrupt(Work<W> work, boolean stale);

  /** Its handler doesn't end in spite of that: let another thread take that one's place. */
  void abandon(Work<W> work);

  /** That handler has ended after all, and its thread is free again. */
  void reclaim(Work<W> work);

  /** Too many handlers don't end: this instance is of no use any more. */
  void giveUp(String reason);

  /** Write an entry to the ledger, without a report: nothing waits for it. */
  void note(TopicPartition partition, LedgerEntry entry);

  /** Take an entry out of the ledger, without a report. */
  void forget(TopicPartition partition, String ledgerKey);

  /** Write a batch to the ledger, and report {@link Core#remembered} or its opposite. */
  void remember(TopicPartition partition, FinishedBatch batch);

  /** The ledger can't be had, and commits of this partition go on without it. */
  void notRemembered(TopicPartition partition, String why);

  /** There are too many ids to remember: some of this partition are forgotten, the oldest. */
  void forgotten(TopicPartition partition, int ids);

  /** More is cancelled in this partition than can be kept in mind: something of it will begin. */
  void notCancelled(TopicPartition partition);

  /** Find out about a partition, and report {@link Core#adopted} with this number. */
  void adopt(TopicPartition partition, long number);

  /** The partition is taken away before that: don't. */
  void abandonAdoption(TopicPartition partition);

  /** Read on from here. */
  void seek(TopicPartition partition, long offset);

  void pause(Collection<TopicPartition> partitions);

  void resume(Collection<TopicPartition> partitions);

  /** Begin a commit, and report {@link Core#committed}. */
  void commit(CommitSnapshot snapshot);

  /** From now on the requests of these partitions are handled. */
  void opened(Collection<TopicPartition> partitions);

  /** A partition that is held isn't read, and what a human needs to know about it. */
  void stopped(TopicPartition partition, String diagnosis);

  /** Nothing is started but probes, from now on. */
  void held(String reason);

  /** That is over. */
  void resumed();
}
