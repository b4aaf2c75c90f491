package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.core.CommitNoteCodec;
import dev.tideover.sdk.internal.core.CommitSnapshot;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.InvalidOffsetException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.UnreleasedInstanceIdException;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Owns the Kafka consumer: this instance as a member of the service's group. All methods but {@link
 * #wakeup} are for the owner thread only.
 */
final class GroupMember {

  private static final Logger log = LoggerFactory.getLogger(GroupMember.class);

  private static final Duration LEAVE_TIMEOUT = Duration.ofSeconds(5);
  private static final long FIRST_BACKOFF = 100;
  private static final long MAX_BACKOFF = 1_000;

  private final Settings settings;
  private final Supplier<org.apache.kafka.clients.consumer.Consumer<byte[], byte[]>> factory;

  /** Written by the owner thread. */
  private volatile org.apache.kafka.clients.consumer.Consumer<byte[], byte[]> consumer;

  private @Nullable ConsumerRebalanceListener listener;
  private NameRelease releaseName = () -> false;
  private final LongSupplier nanoTime;
  private final CountDownLatch stop;
  private Consumer<Collection<TopicPartition>> onNowhere = partitions -> {};
  private final Occasionally maySayPollFailed = new Occasionally(Duration.ofSeconds(10));
  private final Occasionally maySayCommitFailed = new Occasionally(Duration.ofSeconds(10));
  private long backoff = FIRST_BACKOFF;
  private int allPartitions = 1;

  /** Frees this instance's name in the group, if who had it has crashed. */
  @FunctionalInterface
  interface NameRelease {
    boolean release() throws InterruptedException;
  }

  /**
   * A member that hasn't joined yet.
   *
   * @param stop ends every pause
   */
  GroupMember(
      Settings settings,
      Supplier<org.apache.kafka.clients.consumer.Consumer<byte[], byte[]>> factory,
      LongSupplier nanoTime,
      CountDownLatch stop) {
    this.settings = settings;
    this.factory = factory;
    this.consumer = factory.get();
    this.nanoTime = nanoTime;
    this.stop = stop;
  }

  /**
   * A member with a Kafka consumer of its own.
   *
   * @throws IllegalArgumentException if the client doesn't take its settings
   */
  static GroupMember create(Settings settings, LongSupplier nanoTime, CountDownLatch stop) {
    Map<String, Object> config = ClientProperties.consumer(settings);
    return new GroupMember(
        settings, () -> ClientProperties.client(() -> new KafkaConsumer<>(config)), nanoTime, stop);
  }

  /** Makes a poll return. Any thread. */
  void wakeup() {
    consumer.wakeup();
  }

  /**
   * Joins the group; the listener is called within {@link #poll} and {@link #leave}.
   *
   * @param releaseName asked when the name is taken; may take its time
   * @param onNowhere told of partitions whose log doesn't have the offset that is to be read next.
   *     They stand at the beginning of the log then, paused or not
   */
  void join(
      ConsumerRebalanceListener listener,
      NameRelease releaseName,
      Consumer<Collection<TopicPartition>> onNowhere) {
    this.listener = listener;
    this.releaseName = releaseName;
    this.onNowhere = onNowhere;
    consumer.subscribe(List.of(settings.requestTopic()), listener);
  }

  /**
   * Connects, and learns what a join has to know, so that the join needn't. To be called before it,
   * now and then. Where Kafka doesn't answer, that only takes time later.
   */
  void warmUp(Duration timeout) {
    try {
      List<PartitionInfo> known = consumer.partitionsFor(settings.requestTopic(), timeout);
      allPartitions = Math.max(1, known.size());
      // Asks the group's coordinator, and so finds out who that is.
      consumer.committed(Set.of(new TopicPartition(settings.requestTopic(), 0)), timeout);
    } catch (WakeupException meantForPoll) {
      log.trace("A late wake-up met the warming up");
    } catch (KafkaException notYet) {
      log.debug("The consumer isn't connected yet, which only takes time later", notYet);
    }
  }

  /** How many partitions the request topic has, as far as is known without asking; at least 1. */
  int allPartitions() {
    try {
      List<PartitionInfo> known = consumer.partitionsFor(settings.requestTopic(), Duration.ZERO);
      if (known != null && !known.isEmpty()) {
        allPartitions = known.size();
      }
    } catch (KafkaException unknown) {
      log.debug("It isn't known how many partitions there are now", unknown);
    }
    return allPartitions;
  }

  /** The generation of the group that this is a member of; 0 or less before it is one. */
  int generation() {
    return consumer.groupMetadata().generationId();
  }

  /** A member that was refused doesn't try again. */
  private void reopen() {
    consumer.close(CloseOptions.timeout(Duration.ZERO));
    consumer = factory.get();
    consumer.subscribe(List.of(settings.requestTopic()), Objects.requireNonNull(listener));
  }

  /**
   * What has come, or nothing after at most the wait. An outage of Kafka isn't an error: it is
   * logged and tried again, here with a pause.
   *
   * @throws KafkaException for what no further try can mend
   */
  ConsumerRecords<byte[], byte[]> poll(long waitNanos) throws InterruptedException {
    try {
      ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofNanos(waitNanos));
      backoff = FIRST_BACKOFF;
      return records;
    } catch (WakeupException toldTo) {
      return ConsumerRecords.empty();
    } catch (InvalidOffsetException nowhere) {
      // The core decides where to begin; until it has, these are paused, and any place will do.
      consumer.seekToBeginning(nowhere.partitions());
      onNowhere.accept(nowhere.partitions());
      return ConsumerRecords.empty();
    } catch (RetriableException | AuthenticationException | AuthorizationException failure) {
      if (maySayPollFailed.now()) {
        log.error(
            "Can't read {}: {}. Requests stay in Kafka, nothing is lost; it is tried again for as"
                + " long as this runs.",
            settings.requestTopic(),
            failure.toString());
      }
      backoff = stop.await(backoff, TimeUnit.MILLISECONDS) ? 0 : Math.min(2 * backoff, MAX_BACKOFF);
      return ConsumerRecords.empty();
    } catch (FencedInstanceIdException takenOver) {
      throw new IllegalStateException(
          "another process has joined the group \""
              + settings.service()
              + "\" as instance \""
              + settings.instance()
              + "\" and has taken over. Two that run at the same time need different names; after"
              + " a restart the older one has to end.",
          takenOver);
    } catch (UnreleasedInstanceIdException taken) {
      // KIP-848 lets the older one stay, dead or alive; the classic protocol lets the newer one in.
      if (releaseName.release()) {
        log.info("The name {} is free again, and is taken", settings.instance());
        reopen();
        return ConsumerRecords.empty();
      }
      throw new IllegalStateException(
          "the group \""
              + settings.service()
              + "\" has a member with the name of this instance, \""
              + settings.instance()
              + "\", which is alive, or isn't noticed to have crashed. Two that run at the same time"
              + " need different names. If that process has crashed, Kafka forgets it after the"
              + " broker's session timeout (45 s by default): start this one again then, or use"
              + " group.protocol=classic, where a successor takes over at once.",
          taken);
    }
  }

  void pause(Collection<TopicPartition> partitions) {
    consumer.pause(partitions);
  }

  void pauseAll() {
    consumer.pause(consumer.assignment());
  }

  void resume(Collection<TopicPartition> partitions) {
    consumer.resume(partitions);
  }

  void seek(TopicPartition partition, long offset) {
    consumer.seek(partition, offset);
  }

  /** Begins a commit; the callback gets null or the failure, within a later {@link #poll}. */
  void commit(CommitSnapshot snapshot, Consumer<@Nullable Exception> callback) {
    consumer.commitAsync(
        offsets(snapshot),
        (offsets, failure) -> {
          if (failure instanceof RebalanceInProgressException) {
            log.debug("The group is rebalancing, the commit is made after it");
          } else if (failure != null && maySayCommitFailed.now()) {
            commitFailed(failure.toString());
          }
          callback.accept(failure);
        });
  }

  /** How a commit went. */
  enum CommitResult {
    /** Kafka has it. */
    DONE,
    /** Not now: the group is between two generations. Polling ends that. */
    REBALANCING,
    /** Not at all. */
    FAILED
  }

  /** Commits and waits for it, at most until the deadline. */
  CommitResult commitAndWait(CommitSnapshot snapshot, long deadline) {
    while (true) {
      try {
        long left = Math.max(0, deadline - nanoTime.getAsLong());
        consumer.commitSync(offsets(snapshot), Duration.ofNanos(left));
        return CommitResult.DONE;
      } catch (WakeupException meantForPoll) {
        // Came too late for the poll it was meant for, so it is spent here. The owner looks into
        // its mailbox before it polls again, so nothing is missed.
        log.trace("A late wake-up met a commit, which is repeated");
      } catch (RebalanceInProgressException notNow) {
        return CommitResult.REBALANCING;
      } catch (KafkaException failure) {
        commitFailed(failure.toString());
        return CommitResult.FAILED;
      }
    }
  }

  static void commitFailed(String reason) {
    log.warn(
        "Offsets weren't committed: {}. Nothing is lost; requests that were handled since the last"
            + " commit are handled again if their partition moves before the next one.",
        reason);
  }

  private static Map<TopicPartition, OffsetAndMetadata> offsets(CommitSnapshot snapshot) {
    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
    for (CommitSnapshot.Entry entry : snapshot.entries()) {
      String note = CommitNoteCodec.encode(entry.note(), entry.offset());
      offsets.put(entry.partition(), new OffsetAndMetadata(entry.offset(), note));
    }
    return offsets;
  }

  /**
   * Closes, and leaves the group, also as a static member, so that others go on at once.
   *
   * @param stay not to leave it, so that a successor under the same name goes on at once; the group
   *     forgets this member after the session timeout
   */
  void leave(boolean stay) {
    GroupMembershipOperation operation =
        stay ? GroupMembershipOperation.REMAIN_IN_GROUP : GroupMembershipOperation.LEAVE_GROUP;
    for (int tries = 2; tries > 0; tries--) {
      try {
        consumer.close(CloseOptions.groupMembershipOperation(operation).withTimeout(LEAVE_TIMEOUT));
        return;
      } catch (WakeupException meantForPoll) {
        log.trace("A late wake-up met the close, which is repeated");
      } catch (KafkaException failure) {
        log.warn(
            "The consumer didn't leave its group cleanly: {}. Its partitions go on after the"
                + " session timeout.",
            failure.toString());
        return;
      }
    }
  }
}
