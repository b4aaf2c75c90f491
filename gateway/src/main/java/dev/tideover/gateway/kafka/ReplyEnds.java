package dev.tideover.gateway.kafka;

import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * Tells when the feed has passed the end that a partition had after the question. Whatever any
 * gateway has seen before the question lies before that end, so after it this gateway knows no
 * less: a status never goes back, whichever gateway is asked.
 *
 * <p>Kafka is asked for all who have come since the last time in one request, at most every 20 ms,
 * however many come. An end that was asked for before a question came is never used for it: another
 * gateway may have told of a reply behind it. A partition whose answer is still out is not asked
 * for again, so one that has no leader keeps up nobody but those who ask for it. Safe for any
 * thread.
 */
final class ReplyEnds {

  /** Asks Kafka for the ends of partitions, each of which answers for itself, and never blocks. */
  interface Source {
    Map<Integer, ? extends CompletionStage<Long>> ends(List<Integer> partitions);
  }

  static final Duration PACE = Duration.ofMillis(20);

  private final Source source;
  private final ReplyFeed feed;
  private final Duration limit;
  private final ScheduledExecutorService executor;

  /** Guarded by this, as all below: by partition, those who have come since it was asked for. */
  private final Map<Integer, CompletableFuture<Boolean>> next = new HashMap<>();

  private final BitSet out = new BitSet();
  private boolean scheduled;
  private long earliest = System.nanoTime();
  private long requests;

  /**
   * Nothing is asked for yet.
   *
   * @param limit how long anybody waits at most
   * @param executor of one thread; it tells those who wait
   */
  ReplyEnds(Source source, ReplyFeed feed, Duration limit, ScheduledExecutorService executor) {
    this.source = source;
    this.feed = feed;
    this.limit = limit;
    this.executor = executor;
  }

  /** Asks by an admin client, each partition's leader for its partitions. */
  static Source source(Admin admin, String topic, Duration limit) {
    ListOffsetsOptions options = new ListOffsetsOptions().timeoutMs((int) limit.toMillis());
    return partitions -> {
      Map<TopicPartition, OffsetSpec> wanted = new HashMap<>();
      for (int partition : partitions) {
        wanted.put(new TopicPartition(topic, partition), OffsetSpec.latest());
      }
      ListOffsetsResult result = admin.listOffsets(wanted, options);
      Map<Integer, CompletionStage<Long>> ends = new HashMap<>();
      for (TopicPartition partition : wanted.keySet()) {
        ends.put(
            partition.partition(),
            result
                .partitionResult(partition)
                .toCompletionStage()
                .thenApply(ListOffsetsResult.ListOffsetsResultInfo::offset));
      }
      return ends;
    };
  }

  /**
   * True as soon as every reply that the partition had at this call is in the index; false if that
   * is not known in time.
   */
  synchronized CompletableFuture<Boolean> caughtUp(int partition) {
    CompletableFuture<Boolean> answer =
        next.computeIfAbsent(
            partition,
            absent ->
                new CompletableFuture<Boolean>()
                    .completeOnTimeout(false, limit.toMillis(), TimeUnit.MILLISECONDS));
    schedule();
    return answer;
  }

  /** Called under the lock. */
  private void schedule() {
    if (!scheduled && next.keySet().stream().anyMatch(partition -> !out.get(partition))) {
      scheduled = true;
      long delay = Math.max(0, earliest - System.nanoTime());
      var unused = executor.schedule(this::ask, delay, TimeUnit.NANOSECONDS);
    }
  }

  private void ask() {
    Map<Integer, CompletableFuture<Boolean>> asked = new HashMap<>();
    synchronized (this) {
      scheduled = false;
      requests++;
      earliest = System.nanoTime() + PACE.toNanos();
      next.entrySet()
          .removeIf(
              entry -> {
                boolean ask = !out.get(entry.getKey());
                if (ask) {
                  asked.put(entry.getKey(), entry.getValue());
                  out.set(entry.getKey());
                }
                return ask;
              });
    }
    try {
      Map<Integer, ? extends CompletionStage<Long>> ends =
          source.ends(new ArrayList<>(asked.keySet()));
      asked.forEach(
          (partition, answer) -> {
            CompletionStage<Long> end = ends.get(partition);
            if (end == null) {
              answered(partition, answer, null);
            } else {
              var unused =
                  end.whenComplete((offset, failure) -> answered(partition, answer, offset));
            }
          });
    } catch (RuntimeException e) {
      asked.forEach((partition, answer) -> answered(partition, answer, null));
    }
  }

  /** How often Kafka was asked. */
  synchronized long requests() {
    return requests;
  }

  /** On any thread. */
  private void answered(int partition, CompletableFuture<Boolean> answer, @Nullable Long end) {
    synchronized (this) {
      out.clear(partition);
      schedule();
    }
    if (end == null) {
      executor.execute(() -> answer.complete(false));
    } else {
      var unused = feed.passed(partition, end, limit).thenAcceptAsync(answer::complete, executor);
    }
  }
}
