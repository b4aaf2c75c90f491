package dev.tideover.sdk.internal;

import dev.tideover.sdk.ConsumerListener;
import dev.tideover.sdk.internal.core.CommitSnapshot;
import dev.tideover.sdk.internal.core.Core;
import dev.tideover.sdk.internal.core.Effects;
import dev.tideover.sdk.internal.core.FinishedBatch;
import dev.tideover.sdk.internal.core.Identity;
import dev.tideover.sdk.internal.core.LedgerEntry;
import dev.tideover.sdk.internal.core.Work;
import java.time.Duration;
import java.util.Collection;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Does what the {@link Core} wants done. On the owner thread. */
final class Doing implements Effects<Delivery> {

  private static final Logger log = LoggerFactory.getLogger(Doing.class);

  private final Settings settings;
  private final GroupMember member;
  private final Handling handling;
  private final LedgerWriter ledger;
  private final Workers workers;
  private final Adopting adopting;
  private final Meters meters;
  private final Events events;
  private final LongSupplier nanoTime;
  private final Consumer<Core<Delivery>> onPartitions;
  private final Consumer<Throwable> onFatal;
  private final Occasionally maySayParked = new Occasionally(Duration.ofSeconds(10));
  private final Occasionally maySayNotCancelled = new Occasionally(Duration.ofSeconds(10));
  private final Occasionally maySayNotRemembered = new Occasionally(Duration.ofSeconds(10));
  private final Occasionally maySayForgotten = new Occasionally(Duration.ofMinutes(1));
  private @Nullable Core<Delivery> core;

  /** Who finds out about partitions. */
  interface Adopting {
    void adopt(TopicPartition partition, long number);

    void cancel(TopicPartition partition);
  }

  Doing(
      Settings settings,
      GroupMember member,
      Handling handling,
      LedgerWriter ledger,
      Workers workers,
      Adopting adopting,
      Meters meters,
      Events events,
      LongSupplier nanoTime,
      Consumer<Core<Delivery>> onPartitions,
      Consumer<Throwable> onFatal) {
    this.settings = settings;
    this.member = member;
    this.handling = handling;
    this.ledger = ledger;
    this.workers = workers;
    this.adopting = adopting;
    this.meters = meters;
    this.events = events;
    this.nanoTime = nanoTime;
    this.onPartitions = onPartitions;
    this.onFatal = onFatal;
  }

  /** Whom to report to; before anything else. */
  void reportTo(Core<Delivery> core) {
    this.core = core;
  }

  @Override
  public @Nullable String idOf(Delivery delivery) {
    return delivery.envelope == null ? null : delivery.envelope.id().toString();
  }

  @Override
  public @Nullable Identity identityOf(Delivery delivery) {
    return delivery.identity;
  }

  @Override
  public void repeat(Delivery delivery, boolean same, long original) {
    delivery.repeat(same, original);
  }

  @Override
  public void begin(Work<Delivery> work) {
    handling.begin(work);
  }

  @Override
  public void bury(Delivery delivery, String reason, String error) {
    delivery.bury(reason, error);
    // The worker has told of a failure; what the core concludes by itself is told of here.
    if (reason.equals("crash-loop") || reason.equals("parked") && maySayParked.now()) {
      log.warn(
          "Request {} goes to {}: {}: {}", idOf(delivery), settings.deadTopic(), reason, error);
    }
  }

  @Override
  public void interrupt(Work<Delivery> work, boolean stale) {
    if (stale) {
      work.payload().cancel();
    } else {
      log.warn(
          "The handler of request {} has run for {} and is interrupted",
          idOf(work.payload()),
          settings.handlerTimeout());
      work.payload().interrupt();
    }
  }

  @Override
  public void abandon(Work<Delivery> work) {
    log.error(
        "The handler of request {} doesn't end though it was interrupted. Another thread takes the"
            + " place of its own; requests with its ordering key wait until it ends.",
        idOf(work.payload()));
    workers.replaceThread();
  }

  @Override
  public void reclaim(Work<Delivery> work) {
    workers.threadIsBack();
  }

  @Override
  public void giveUp(String reason) {
    onFatal.accept(new IllegalStateException(reason));
  }

  @Override
  public void note(TopicPartition partition, LedgerEntry entry) {
    ledger.note(LedgerCodec.encode(entry, ServiceTopics.ledger(settings), partition.partition()));
  }

  @Override
  public void forget(TopicPartition partition, String ledgerKey) {
    ledger.note(
        LedgerCodec.tombstone(ledgerKey, ServiceTopics.ledger(settings), partition.partition()));
  }

  @Override
  public void remember(TopicPartition partition, FinishedBatch batch) {
    ledger.write(partition, batch);
  }

  @Override
  public void notRemembered(TopicPartition partition, String why) {
    if (maySayNotRemembered.now()) {
      log.error(
          "What has finished with an idempotency key in {} can't be written to {}: {}. Requests go"
              + " on, and it is tried again; but if the partition moves before that, one that a"
              + " client sends again is handled again. See that the topic is there and that this"
              + " service may write to it.",
          partition,
          ServiceTopics.ledger(settings),
          why);
    }
  }

  @Override
  public void forgotten(TopicPartition partition, int ids) {
    meters.forgotten(ids);
    if (maySayForgotten.now()) {
      log.warn(
          "More requests with an idempotency key have finished within the idempotency window than"
              + " a quarter of the heap can remember: the oldest {} of {} are forgotten, and if"
              + " a client sends one of these again it is handled again. Give the JVM more heap,"
              + " make idempotencyWindow(...) shorter, or run more instances.",
          ids,
          partition);
    }
  }

  @Override
  public void notCancelled(TopicPartition partition) {
    if (maySayNotCancelled.now()) {
      log.warn(
          "More requests of {} are cancelled than can be kept in mind: some of them are handled all"
              + " the same",
          partition);
    }
  }

  @Override
  public void adopt(TopicPartition partition, long number) {
    adopting.adopt(partition, number);
  }

  @Override
  public void abandonAdoption(TopicPartition partition) {
    adopting.cancel(partition);
  }

  @Override
  public void seek(TopicPartition partition, long offset) {
    member.seek(partition, offset);
  }

  @Override
  public void pause(Collection<TopicPartition> partitions) {
    member.pause(partitions);
  }

  @Override
  public void resume(Collection<TopicPartition> partitions) {
    member.resume(partitions);
  }

  @Override
  public void commit(CommitSnapshot snapshot) {
    Core<Delivery> owner = Objects.requireNonNull(core);
    member.commit(
        snapshot, failure -> owner.committed(snapshot, failure == null, nanoTime.getAsLong()));
  }

  @Override
  public void opened(Collection<TopicPartition> partitions) {
    log.info("{} handles the requests of {}", settings.by(), partitions);
    Set<Integer> numbers = numbers(partitions);
    events.tell(listener -> listener.assigned(numbers));
    onPartitions.accept(Objects.requireNonNull(core));
  }

  @Override
  public void stopped(TopicPartition partition, String diagnosis) {
    log.error("{} stops: {}. Other partitions go on.", partition, diagnosis);
    events.tell(listener -> listener.partitionStopped(partition.partition(), diagnosis));
    onPartitions.accept(Objects.requireNonNull(core));
  }

  @Override
  public void held(String reason) {
    log.error(
        "{} holds its requests: {}. None of them is lost or uses an attempt; one is tried now and"
            + " then, and when that succeeds all go on.",
        settings.by(),
        reason);
    events.tell(listener -> listener.held(reason));
  }

  @Override
  public void resumed() {
    log.info("{} goes on handling its requests", settings.by());
    events.tell(ConsumerListener::resumed);
  }

  static Set<Integer> numbers(Collection<TopicPartition> partitions) {
    return partitions.stream()
        .map(TopicPartition::partition)
        .collect(Collectors.toUnmodifiableSet());
  }
}
