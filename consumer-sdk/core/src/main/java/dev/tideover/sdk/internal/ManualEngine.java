package dev.tideover.sdk.internal;

import dev.tideover.sdk.HeadOfLine;
import dev.tideover.sdk.internal.core.Adoption;
import dev.tideover.sdk.internal.core.CommitNoteCodec;
import dev.tideover.sdk.internal.core.FinishedBatch;
import dev.tideover.sdk.internal.core.FinishedBatches;
import dev.tideover.sdk.internal.core.FinishedIds;
import dev.tideover.sdk.internal.core.LedgerEntry;
import dev.tideover.wire.WireHeaders;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.MockConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.MockProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;

/**
 * The engine on the caller's thread and clock, with Kafka's own mock clients: what {@code
 * dev.tideover.sdk.testing} is made of. It has one partition. Not safe for several threads.
 */
public final class ManualEngine implements AutoCloseable {

  private static final String DEFAULT_REPLY_TOPIC = "tideover.replies";

  /** More turns than any test needs: one that never comes to rest is a mistake to be told of. */
  private static final int MOST_TURNS = 100_000;

  private final Settings settings;
  private final InstantSource clock;
  private final TopicPartition partition;
  private final String replyTopic;
  private final MockConsumer<byte[], byte[]> consumer = new MockConsumer<>("none");
  private final MockProducer<byte[], byte[]> producer;
  private final List<ConsumerRecord<byte[], byte[]>> appended = new ArrayList<>();
  private final List<LedgerEntry> wishes = new ArrayList<>();
  private final Mailbox mailbox = new Mailbox(() -> {});
  private final Meters meters;
  private final Events events;
  private final ReplySender sender;
  private final Assembly parts;
  private int tasks;
  private @Nullable Throwable fatal;

  /** Has the partition from the start. */
  public ManualEngine(Settings told, InstantSource clock) {
    this.settings = told.withExecutor(this::execute);
    this.clock = clock;
    this.partition = new TopicPartition(settings.requestTopic(), 0);
    this.replyTopic =
        settings.replyTopics().isEmpty() ? DEFAULT_REPLY_TOPIC : settings.replyTopics().get(0);
    this.producer =
        new MockProducer<>(
            cluster(), true, null, new ByteArraySerializer(), new ByteArraySerializer());
    this.meters = new Meters(settings.meters(), settings.service(), settings.version());
    this.events = new Events(settings.listener(), "tideover-manual-events", Duration.ofSeconds(2));
    GroupMember member =
        new GroupMember(settings, () -> consumer, this::nanos, new CountDownLatch(1));
    this.sender = new ReplySender(Map.of(), config -> producer);
    sender.prepare(List.of(replyTopic), settings.deadTopic());
    this.parts =
        new Assembly(
            settings,
            UUID.randomUUID().toString(),
            member,
            new Workers(settings),
            sender,
            LedgerWriter.on(this::execute, settings, sender, mailbox),
            mailbox,
            new Adopting(),
            true,
            meters,
            events,
            clock,
            this::nanos,
            Guide.alone(() -> true, failure -> fatal = failure)); // true: never wait
    parts.loop.join(() -> false);
    take();
  }

  private Cluster cluster() {
    Node node = new Node(1, "localhost", 9092);
    List<PartitionInfo> infos = new ArrayList<>();
    for (String topic : List.of(replyTopic, settings.deadTopic(), ServiceTopics.ledger(settings))) {
      infos.add(new PartitionInfo(topic, 0, node, new Node[] {node}, new Node[] {node}));
    }
    return new Cluster("manual", List.of(node), infos, Set.of(), Set.of());
  }

  private long nanos() {
    return TimeUnit.MILLISECONDS.toNanos(clock.instant().toEpochMilli());
  }

  private void execute(Runnable task) {
    tasks++;
    task.run();
  }

  /** Where replies go. */
  public String replyTopic() {
    return replyTopic;
  }

  /** Where requests come from. */
  public TopicPartition partition() {
    return partition;
  }

  /** Appends a record to the partition. */
  public void append(ProducerRecord<byte[], byte[]> record) {
    ConsumerRecord<byte[], byte[]> stored = stored(record, appended.size());
    appended.add(stored);
    consumer.updateEndOffsets(Map.of(partition, (long) appended.size()));
    consumer.addRecord(stored);
  }

  private ConsumerRecord<byte[], byte[]> stored(ProducerRecord<byte[], byte[]> record, long at) {
    return new ConsumerRecord<>(
        partition.topic(),
        partition.partition(),
        at,
        clock.instant().toEpochMilli(),
        TimestampType.CREATE_TIME,
        record.key() == null ? -1 : record.key().length,
        record.value() == null ? -1 : record.value().length,
        record.key(),
        record.value(),
        record.headers(),
        java.util.Optional.empty());
  }

  /**
   * A client wants the request with this id not to begin.
   *
   * @return false if there is none
   */
  public boolean cancel(String id) {
    for (ConsumerRecord<byte[], byte[]> record : appended) {
      if (id.equals(LedgerCodec.find(record.headers(), WireHeaders.ID))) {
        wishes.add(new LedgerEntry.Cancelled(record.offset(), id, false));
        mailbox.cancel(partition, record.offset(), id);
        return true;
      }
    }
    return false;
  }

  /** What the ledger has about cancelled requests: what clients want, and what came of it. */
  private List<LedgerEntry> cancelled() {
    Map<String, LedgerEntry> entries = new LinkedHashMap<>();
    wishes.forEach(wish -> entries.put(wish.key(), wish));
    for (ConsumerRecord<byte[], byte[]> record : sentTo(ServiceTopics.ledger(settings))) {
      if (record.value() == null) {
        entries.remove(LedgerCodec.key(record));
      } else if (LedgerCodec.decode(record) instanceof LedgerEntry.Cancelled decision) {
        entries.put(decision.key(), decision);
      }
    }
    return List.copyOf(entries.values());
  }

  /** What the ledger has about requests with an idempotency key. */
  private record Finished(FinishedIds ids, FinishedBatches batches) {}

  private Finished finished() {
    long window = settings.idempotencyWindow().toMillis();
    Finished finished = new Finished(new FinishedIds(window), new FinishedBatches(window));
    for (ConsumerRecord<byte[], byte[]> record : sentTo(ServiceTopics.ledger(settings))) {
      FinishedCodec.Name name =
          FinishedCodec.isBatch(record.key()) ? FinishedCodec.name(record.key()) : null;
      if (name != null && record.value() == null) {
        finished.batches.remove(name.writer(), name.number());
      } else if (name != null) {
        FinishedBatch batch = Objects.requireNonNull(FinishedCodec.decode(name, record.value()));
        finished.batches.add(batch.writer(), batch.number(), batch.finishedAt());
        finished.ids.addAll(batch, clock.millis());
      }
    }
    return finished;
  }

  /**
   * Turns until there is nothing more to do at this time.
   *
   * @throws IllegalStateException if that doesn't come, or the engine has broken down
   */
  public void turn() {
    int quiet = 0;
    for (int turns = 0; quiet < 2; turns++) {
      if (turns == MOST_TURNS) {
        throw new IllegalStateException(
            "the engine doesn't come to rest after "
                + MOST_TURNS
                + " turns: are there retries"
                + " without a pause?");
      }
      quiet = turnOnce() ? 0 : quiet + 1;
    }
  }

  /** Whether something has happened. */
  private boolean turnOnce() {
    int before = tasks;
    long position = consumer.position(partition);
    try {
      parts.loop.runOnce();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", interrupted);
    }
    if (fatal != null) {
      throw new IllegalStateException("the consumer would be FAILED now", fatal);
    }
    return tasks > before || consumer.position(partition) > position || !mailbox.isEmpty();
  }

  /** What was sent to a topic so far. */
  public List<ConsumerRecord<byte[], byte[]>> sentTo(String topic) {
    List<ConsumerRecord<byte[], byte[]>> sent = new ArrayList<>();
    for (ProducerRecord<byte[], byte[]> record : producer.history()) {
      if (record.topic().equals(topic)) {
        sent.add(stored(record, sent.size()));
      }
    }
    return sent;
  }

  /** What was sent to the dead-letter topic so far. */
  public List<ConsumerRecord<byte[], byte[]>> dead() {
    return sentTo(settings.deadTopic());
  }

  /** The offset that is committed. */
  public long committed() {
    OffsetAndMetadata committed = consumer.committed(Set.of(partition)).get(partition);
    return committed == null ? 0 : committed.offset();
  }

  /** See {@link dev.tideover.sdk.TideoverConsumer#headOfLine}. */
  public List<HeadOfLine> headOfLine() {
    return meters.headOfLine();
  }

  /** Loses the partition without notice, and gets it again: what wasn't committed comes again. */
  public void loseAndRegain() {
    long from = committed();
    consumer.losePartitions(List.of(partition));
    take();
    for (ConsumerRecord<byte[], byte[]> record : appended) {
      if (record.offset() >= from) {
        consumer.addRecord(record);
      }
    }
  }

  private void take() {
    consumer.updateBeginningOffsets(Map.of(partition, 0L));
    consumer.updateEndOffsets(Map.of(partition, (long) appended.size()));
    consumer.rebalance(List.of(partition));
    consumer.seek(partition, committed());
    turn();
  }

  /** Drains, commits and leaves. */
  @Override
  public void close() {
    try {
      parts.loop.drain(0);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    } finally {
      parts.loop.leave(false);
      sender.close();
      meters.close();
      events.close();
    }
  }

  /** There is nothing to be found out but what is committed, cancelled, and finished. */
  private final class Adopting implements Doing.Adopting {
    @Override
    public void adopt(TopicPartition adopted, long number) {
      Finished finished = finished();
      OffsetAndMetadata known = consumer.committed(Set.of(adopted)).get(adopted);
      mailbox.adopted(
          adopted,
          number,
          new Adoption(
              Uuid.ZERO_UUID,
              known == null ? Adoption.NONE : known.offset(),
              known == null ? null : CommitNoteCodec.decode(known.metadata(), known.offset()),
              0,
              appended.size(),
              cancelled(),
              Set.of(),
              finished.ids(),
              finished.batches()));
    }

    @Override
    public void cancel(TopicPartition adopted) {}
  }
}
