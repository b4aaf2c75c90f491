package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.Adopter.Result;
import dev.tideover.sdk.internal.LedgerPart.Content;
import dev.tideover.sdk.internal.LedgerPart.Span;
import dev.tideover.sdk.internal.core.Adoption;
import dev.tideover.sdk.internal.core.CommitNoteCodec;
import dev.tideover.sdk.internal.core.FinishedIds;
import dev.tideover.sdk.internal.core.LedgerEntry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.function.BiConsumer;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the {@link Adopter} asks Kafka about partitions, by an admin client and a {@link
 * LedgerReader}, which it owns. For the adopter's thread.
 */
final class PartitionInquiry implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(PartitionInquiry.class);

  /** So often a ledger that isn't there is looked for again: a broker may only be behind. */
  private static final int LEDGER_TRIES = 5;

  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);

  private final Settings settings;
  private final boolean hasLedger;
  private final String ledgerTopic;
  private final Duration window;
  private final Supplier<Set<String>> alive;
  private final BiConsumer<Uuid, Uuid> onTopicChanged;
  private final Admin admin;
  private final LedgerReader reader;

  private @Nullable Uuid lastTopicId;
  private int ledgerMissing;
  private boolean saidNoTopicId;
  private boolean saidNoLedger;

  /** See {@link Adopter#start}. */
  PartitionInquiry(
      Settings settings,
      boolean ledger,
      Duration window,
      LongSupplier epochMillis,
      Supplier<Set<String>> alive,
      BiConsumer<Uuid, Uuid> onTopicChanged) {
    this.settings = settings;
    this.hasLedger = ledger;
    this.ledgerTopic = ServiceTopics.ledger(settings);
    this.window = window;
    this.alive = alive;
    this.onTopicChanged = onTopicChanged;
    Map<String, Object> config = ClientProperties.admin(settings, "adopter");
    this.admin = ClientProperties.client(() -> Admin.create(config));
    try {
      this.reader =
          new LedgerReader(
              settings, window, epochMillis, FinishedIds.most(Runtime.getRuntime().maxMemory()));
    } catch (RuntimeException refused) {
      admin.close(CLOSE_TIMEOUT);
      throw refused;
    }
  }

  /**
   * Finds out about partitions of the request topic and hands each over as soon as it is known. All
   * questions are asked before the first answer is waited for.
   *
   * @param wanted is asked again and again whether a partition is still of interest
   * @throws ExecutionException or a KafkaException if Kafka doesn't answer; what was handed over
   *     stands
   */
  void ask(
      Collection<TopicPartition> partitions,
      Predicate<TopicPartition> wanted,
      BiConsumer<TopicPartition, Result> known)
      throws InterruptedException, ExecutionException {
    KafkaFuture<Map<TopicPartition, OffsetAndMetadata>> committed = askCommitted(partitions);
    Offsets requests = new Offsets(partitions);
    Map<String, KafkaFuture<TopicDescription>> topics = askTopics();
    Offsets ledger = new Offsets(ledgerOf(partitions));

    Uuid topicId = topicId(topics);
    int ledgerPartitions = ledgerPartitions(topics);
    Map<TopicPartition, Span> spans = new HashMap<>();
    Map<TopicPartition, Adoption> waiting = new HashMap<>();
    ExecutionException failure = null;
    for (TopicPartition partition : partitions) {
      try {
        OffsetAndMetadata offset = committed.get().get(partition);
        Adoption found =
            new Adoption(
                topicId,
                offset == null ? Adoption.NONE : offset.offset(),
                offset == null ? null : CommitNoteCodec.decode(offset.metadata(), offset.offset()),
                requests.begin(partition),
                requests.end(partition),
                List.of(),
                Set.of(),
                window.toMillis());
        TopicPartition entries = ledgerOf(partition);
        boolean remembered =
            partition.partition() < ledgerPartitions && ledger.begin(entries) < ledger.end(entries);
        if (remembered) {
          long committedTo = found.committed();
          spans.put(entries, new Span(ledger.begin(entries), ledger.end(entries), committedTo));
          waiting.put(partition, found);
        } else {
          known.accept(partition, new Result.Found(found));
        }
      } catch (ExecutionException failed) {
        // Its leader may be away; the others have theirs.
        failure = failed;
      }
    }
    if (!spans.isEmpty()) {
      readLedger(spans, waiting, wanted, known);
    }
    if (failure != null) {
      throw failure;
    }
  }

  private void readLedger(
      Map<TopicPartition, Span> spans,
      Map<TopicPartition, Adoption> waiting,
      Predicate<TopicPartition> wanted,
      BiConsumer<TopicPartition, Result> known) {
    try {
      reader.read(
          spans,
          ledger -> wanted.test(requestsOf(ledger)),
          (ledger, content) -> {
            Adoption found = waiting.remove(requestsOf(ledger));
            if (found != null) {
              known.accept(requestsOf(ledger), result(found, ledger, content));
            }
          });
    } catch (AuthorizationException refused) {
      withoutLedger(refused);
      waiting.forEach((partition, found) -> known.accept(partition, new Result.Found(found)));
    }
  }

  private Result result(Adoption found, TopicPartition ledger, @Nullable Content content) {
    if (content == null) {
      return new Result.Failed(
          "partition "
              + ledger.partition()
              + " of "
              + ledger.topic()
              + " remembers more than "
              + LedgerReader.MAX_ENTRIES
              + " requests that have failed and aren't finished. Look why they fail; to begin"
              + " again without what it remembers of them and of parked keys, stop the service,"
              + " delete that topic, and start it again");
    }
    return new Result.Found(
        new Adoption(
            found.topicId(),
            found.committed(),
            found.note(),
            found.begin(),
            found.end(),
            content.entries(),
            anyOpenStart(content.entries()) ? alive.get() : Set.of(),
            content.finished(),
            content.batches()));
  }

  /** Otherwise nobody asks who is alive, and to find that out can take most of a second. */
  private static boolean anyOpenStart(List<LedgerEntry> entries) {
    return entries.stream()
        .anyMatch(
            entry ->
                entry instanceof LedgerEntry.Attempts attempts
                    && attempts.start() != LedgerEntry.Start.NONE);
  }

  /**
   * Asks everything once for all partitions: connects, finds the coordinator, loads the code.
   *
   * @throws ExecutionException or a KafkaException if Kafka doesn't answer
   */
  void warmUp() throws InterruptedException, ExecutionException {
    Map<String, KafkaFuture<TopicDescription>> topics = askTopics();
    KafkaFuture<TopicDescription> requests = topics.get(settings.requestTopic());
    int count = requests == null ? 0 : requests.get().partitions().size();
    List<TopicPartition> partitions = new ArrayList<>();
    for (int partition = 0; partition < count; partition++) {
      partitions.add(new TopicPartition(settings.requestTopic(), partition));
    }
    ask(partitions, partition -> false, (partition, found) -> {});
    if (ledgerPartitions(topics) >= count) {
      Offsets ledger = new Offsets(ledgerOf(partitions));
      Map<TopicPartition, Long> ends = new HashMap<>();
      for (TopicPartition partition : ledgerOf(partitions)) {
        ends.put(partition, ledger.end(partition));
      }
      reader.warmUp(ends);
    }
  }

  /** The bounds of some partitions, asked for and not yet answered. */
  private final class Offsets {
    private final ListOffsetsResult begins;
    private final ListOffsetsResult ends;

    Offsets(Collection<TopicPartition> partitions) {
      begins = ask(partitions, OffsetSpec.earliest());
      ends = ask(partitions, OffsetSpec.latest());
    }

    private ListOffsetsResult ask(Collection<TopicPartition> partitions, OffsetSpec which) {
      Map<TopicPartition, OffsetSpec> question = new HashMap<>();
      partitions.forEach(partition -> question.put(partition, which));
      return admin.listOffsets(question);
    }

    long begin(TopicPartition partition) throws InterruptedException, ExecutionException {
      return begins.partitionResult(partition).get().offset();
    }

    long end(TopicPartition partition) throws InterruptedException, ExecutionException {
      return ends.partitionResult(partition).get().offset();
    }
  }

  private KafkaFuture<Map<TopicPartition, OffsetAndMetadata>> askCommitted(
      Collection<TopicPartition> partitions) {
    String group = settings.service();
    return admin
        .listConsumerGroupOffsets(
            Map.of(group, new ListConsumerGroupOffsetsSpec().topicPartitions(partitions)))
        .partitionsToOffsetAndMetadata(group);
  }

  private Map<String, KafkaFuture<TopicDescription>> askTopics() {
    return admin
        .describeTopics(
            hasLedger
                ? List.of(settings.requestTopic(), ledgerTopic)
                : List.of(settings.requestTopic()))
        .topicNameValues();
  }

  private TopicPartition ledgerOf(TopicPartition partition) {
    return new TopicPartition(ledgerTopic, partition.partition());
  }

  private List<TopicPartition> ledgerOf(Collection<TopicPartition> partitions) {
    return hasLedger ? partitions.stream().map(this::ledgerOf).toList() : List.of();
  }

  private TopicPartition requestsOf(TopicPartition ledger) {
    return new TopicPartition(settings.requestTopic(), ledger.partition());
  }

  /**
   * The request topic's id; zero where this service may not know it. Tells if it isn't the one that
   * it was.
   *
   * @throws ExecutionException if Kafka doesn't answer
   */
  Uuid topicId() throws InterruptedException, ExecutionException {
    return topicId(admin.describeTopics(List.of(settings.requestTopic())).topicNameValues());
  }

  private Uuid topicId(Map<String, KafkaFuture<TopicDescription>> topics)
      throws InterruptedException, ExecutionException {
    KafkaFuture<TopicDescription> topic = topics.get(settings.requestTopic());
    try {
      Uuid now = topic == null ? Uuid.ZERO_UUID : topic.get().topicId();
      Uuid before = lastTopicId;
      if (!now.equals(Uuid.ZERO_UUID)) {
        lastTopicId = now;
        if (before != null && !before.equals(now)) {
          onTopicChanged.accept(before, now);
        }
      }
      return now;
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof AuthorizationException) {
        if (!saidNoTopicId) {
          saidNoTopicId = true;
          log.warn(
              "Kafka doesn't let this service describe {}: {}. If the topic is deleted and made"
                  + " anew that can't be noticed. Allow it to describe the topic.",
              settings.requestTopic(),
              failed.getCause().getMessage());
        }
        return Uuid.ZERO_UUID;
      }
      throw failed;
    }
  }

  /** How many partitions the ledger has; none where it can't be used. */
  private int ledgerPartitions(Map<String, KafkaFuture<TopicDescription>> topics)
      throws InterruptedException, ExecutionException {
    KafkaFuture<TopicDescription> topic = topics.get(ledgerTopic);
    if (topic == null) {
      return 0;
    }
    try {
      int partitions = topic.get().partitions().size();
      ledgerMissing = 0;
      return partitions;
    } catch (ExecutionException failed) {
      Throwable cause = failed.getCause();
      if (cause instanceof AuthorizationException
          || cause instanceof UnknownTopicOrPartitionException && ++ledgerMissing > LEDGER_TRIES) {
        withoutLedger(cause);
        return 0;
      }
      throw failed;
    }
  }

  private void withoutLedger(Throwable reason) {
    if (!saidNoLedger) {
      saidNoLedger = true;
      log.warn(
          "{} can't be read: {}. What it remembers of requests that have failed, or crashed their"
              + " instance, is unknown here: their attempts begin at 1. See that the topic is"
              + " there and that this service may read it.",
          ledgerTopic,
          reason.getMessage());
    }
  }

  @Override
  public void close() {
    admin.close(CLOSE_TIMEOUT);
    reader.close();
  }
}
