package dev.tideover.sdk.internal;

import dev.tideover.sdk.Ordering;
import dev.tideover.sdk.internal.Mailbox.Message;
import dev.tideover.sdk.internal.core.CommitSnapshot;
import dev.tideover.sdk.internal.core.Core;
import dev.tideover.sdk.internal.core.Work;
import dev.tideover.wire.RequestCodec;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.WireFormatException;
import java.util.Collection;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The way of a request, and the owner thread's loop: it brings events to the {@link Core}, which
 * decides. All of it runs on the owner thread, {@link #runOnce} over and over.
 */
final class PollLoop {

  private static final Logger log = LoggerFactory.getLogger(PollLoop.class);

  /** What a request costs in memory beyond its bytes, roughly; counts against the window. */
  private static final int OVERHEAD_BYTES = 1_024;

  private static final long COMMIT_BUDGET = TimeUnit.SECONDS.toNanos(5);

  /** How much of that may go into waiting for the ledger. */
  private static final long LEDGER_BUDGET = TimeUnit.SECONDS.toNanos(3);

  private static final long REVOKE_BUDGET = TimeUnit.SECONDS.toNanos(5);

  /** The longest poll while all is quiet, while something is out, and while a window is full. */
  private static final long QUIET_POLL = TimeUnit.SECONDS.toNanos(1);

  private static final long BUSY_POLL = TimeUnit.MILLISECONDS.toNanos(500);
  private static final long FULL_POLL = TimeUnit.MILLISECONDS.toNanos(20);
  private static final int WAKE_AT_WHEN_FULL = 200;
  private static final int WAKE_AT = 1_000;

  /** With {@link Ordering#PARTITION}, the key of all. */
  private static final String ONE_LANE = "";

  private final Settings settings;
  private final GroupMember member;
  private final Core<Delivery> core;
  private final Mailbox mailbox;
  private final Events events;
  private final Reporter reporter;
  private final LongSupplier nanoTime;
  private final BooleanSupplier stopping;
  private final Runnable onPartitions;

  private boolean draining;

  /**
   * A loop that hasn't begun.
   *
   * @param stopping whether {@link #runOnce} should return soon; any thread may change it, and
   *     wakes the mailbox then
   * @param onPartitions told, on the owner thread, when what it holds has changed
   */
  PollLoop(
      Settings settings,
      GroupMember member,
      Core<Delivery> core,
      Mailbox mailbox,
      Events events,
      Reporter reporter,
      LongSupplier nanoTime,
      BooleanSupplier stopping,
      Runnable onPartitions) {
    this.settings = settings;
    this.member = member;
    this.core = core;
    this.mailbox = mailbox;
    this.events = events;
    this.reporter = reporter;
    this.nanoTime = nanoTime;
    this.stopping = stopping;
    this.onPartitions = onPartitions;
  }

  /**
   * Joins the group.
   *
   * @param releaseName asked when another member has this instance's name
   */
  void join(GroupMember.NameRelease releaseName) {
    member.join(new Rebalance(), releaseName, this::nowhere);
  }

  /**
   * One turn: the way of a request from top to bottom. Between the second and the third line a
   * worker has it: it handles the request, sends the reply, and reports once Kafka has acknowledged
   * that ({@link Handling}).
   */
  void runOnce() throws InterruptedException {
    receive(poll()); // decode, into its lane
    start(); //         whose turn it is: to a worker
    settle(); //        reply acknowledged: mark done, next of its lane
    flow(); //          a full window pauses its partition, never the polling
    commit(); //        up to the first that hasn't ended
  }

  private long now() {
    return nanoTime.getAsLong();
  }

  private ConsumerRecords<byte[], byte[]> poll() throws InterruptedException {
    // Say what is waited for, say that it is polled, look; so no wake-up is lost: see Mailbox.
    core.beforePoll();
    boolean mayWait =
        mailbox.enterPoll()
            && !core.permits().ownerIsWaitedFor()
            && (draining || !stopping.getAsBoolean());
    try {
      return member.poll(mayWait ? longestPoll() : 0);
    } finally {
      mailbox.leavePoll();
    }
  }

  private long longestPoll() {
    long wait = draining || core.anyFull() ? FULL_POLL : core.isQuiet() ? QUIET_POLL : BUSY_POLL;
    return Math.min(wait, core.untilNextStart(now()));
  }

  private void receive(ConsumerRecords<byte[], byte[]> records) {
    for (TopicPartition partition : records.partitions()) {
      for (ConsumerRecord<byte[], byte[]> record : records.records(partition)) {
        receive(partition, record);
      }
    }
  }

  private void receive(TopicPartition partition, ConsumerRecord<byte[], byte[]> record) {
    if (!core.takes(partition)) {
      return;
    }
    Delivery delivery;
    try {
      delivery = decode(record);
    } catch (WireFormatException unknownVersion) {
      core.stop(
          partition,
          "offset "
              + record.offset()
              + ": "
              + unknownVersion.getMessage()
              + ". Nothing is skipped and nothing is lost, but its requests wait until this service"
              + " runs an SDK that knows the version");
      return;
    }
    int bytes =
        OVERHEAD_BYTES
            + Math.max(0, record.serializedKeySize())
            + Math.max(0, record.serializedValueSize());
    core.received(
        partition,
        record.offset(),
        laneOf(delivery),
        bytes,
        delivery,
        delivery.isBuried() ? Work.Step.BURY : Work.Step.HANDLE);
  }

  private @Nullable String laneOf(Delivery delivery) {
    return switch (settings.ordering()) {
      case PARTITION -> ONE_LANE;
      case NONE -> null;
      case KEY -> delivery.envelope == null ? null : delivery.envelope.orderingKey();
    };
  }

  /**
   * What has to be done for a record; one that can't be handled is to be buried.
   *
   * @throws WireFormatException for a record of an unknown version: whatever is done for it could
   *     be wrong
   */
  private Delivery decode(ConsumerRecord<byte[], byte[]> record) throws WireFormatException {
    Delivery delivery;
    try {
      RequestEnvelope envelope = RequestCodec.decode(record);
      delivery = new Delivery(record, envelope);
      String replyTopic = envelope.replyTo().topic();
      if (settings.mayReplyTo(replyTopic)) {
        return delivery;
      }
      delivery.bury(
          "reply-address",
          "its reply-to topic "
              + replyTopic
              + " may not be written to by this service; if a gateway of yours uses it, name it in"
              + " replyTopics(...)");
    } catch (WireFormatException unreadable) {
      if (unreadable.kind() == WireFormatException.Kind.UNKNOWN_VERSION) {
        throw unreadable;
      }
      delivery = new Delivery(record, null);
      delivery.bury("malformed", String.valueOf(unreadable.getMessage()));
    }
    log.error(
        "Record {} of {}-{} can't be handled and goes to {}: {}: {}",
        record.offset(),
        record.topic(),
        record.partition(),
        settings.deadTopic(),
        delivery.death().reason(),
        delivery.death().error());
    return delivery;
  }

  private void start() {
    core.start(now());
  }

  private void settle() {
    Message message = mailbox.poll();
    if (message == null) {
      return;
    }
    long now = now();
    for (; message != null; message = mailbox.poll()) {
      message.tell(core, now);
    }
    core.start(now);
  }

  private void flow() {
    core.flow();
    mailbox.wakeAt(draining ? 1 : core.anyFull() ? WAKE_AT_WHEN_FULL : WAKE_AT);
  }

  private void commit() {
    long now = now();
    core.commit(now);
    reporter.report(core, now);
  }

  /**
   * Commits and waits for it, at most some seconds; what fails is handled again by the next owner.
   *
   * @param mayPoll whether to poll the group out of a rebalance that it is in. Each try is with a
   *     new snapshot, since such a poll can take partitions away, and an offset of a partition that
   *     others have by now must not be committed
   */
  private void commitAndWait(boolean mayPoll) throws InterruptedException {
    long begin = now();
    long deadline = begin + COMMIT_BUDGET;
    while (true) {
      CommitSnapshot snapshot = core.prepareCommit(now());
      awaitLedger(snapshot, begin + LEDGER_BUDGET);
      snapshot = core.prepared(snapshot);
      if (snapshot.isEmpty()) {
        return;
      }
      switch (member.commitAndWait(snapshot, deadline)) {
        case DONE -> {
          core.committed(snapshot, true, now());
          return;
        }
        case FAILED -> {
          return;
        }
        case REBALANCING -> {
          if (!mayPoll || now() - deadline >= 0) {
            GroupMember.commitFailed("the group is rebalancing");
            return;
          }
          receive(poll());
        }
      }
    }
  }

  /** Waits for the batches of finished ids that the snapshot needs, and hears what else is told. */
  private void awaitLedger(CommitSnapshot snapshot, long deadline) throws InterruptedException {
    while (!core.isWritten(snapshot, now()) && now() - deadline < 0) {
      Message message = mailbox.poll(FULL_POLL); // one that has failed is tried again in between
      if (message != null) {
        message.tell(core, now());
      }
    }
  }

  /** Gives up what is out of these partitions: it is stale, and handled again elsewhere. */
  private void giveUp(Collection<TopicPartition> partitions, boolean lost) {
    int stale = core.revoke(partitions, now());
    if (stale > 0) {
      log.warn(
          "{} requests under way in {} are given up; whoever has the partitions next handles them"
              + " again",
          stale,
          partitions);
    }
    if (!partitions.isEmpty()) {
      Set<Integer> numbers = Doing.numbers(partitions);
      events.tell(listener -> listener.revoked(numbers, lost));
    }
    onPartitions.run();
  }

  /** The log doesn't have what is to be read next. */
  private void nowhere(Collection<TopicPartition> partitions) {
    for (TopicPartition partition : partitions) {
      if (core.takes(partition)) {
        core.stop(
            partition,
            "the log doesn't have the request that comes next: it has been deleted before it was"
                + " read (topic.retention is too short for such an outage, or somebody has deleted"
                + " records), or the topic was deleted and created anew. Restart this instance:"
                + " the log then says which of them it is, and how to go on");
      }
    }
  }

  /**
   * Starts nothing more but what a commit of the finished needs, waits for what is out, commits.
   * Goes on polling meanwhile, so that the group doesn't take this member for dead.
   *
   * @param budget how long to wait for what is out, in nanoseconds
   */
  void drain(long budget) throws InterruptedException {
    draining = true;
    core.drain();
    member.pauseAll();
    flow();
    long deadline = now() + budget;
    while (!core.drained(core.partitions()) && now() - deadline < 0) {
      start();
      receive(poll());
      settle();
      commit();
    }
    commitAndWait(true);
  }

  /**
   * Gives up what is left and leaves the group.
   *
   * @param stay see {@link GroupMember#leave}
   */
  void leave(boolean stay) {
    giveUp(core.partitions(), false);
    member.leave(stay);
  }

  /** Called by the consumer within its poll and close, on the owner thread. */
  private final class Rebalance implements ConsumerRebalanceListener {

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      core.assigned(partitions, now());
      onPartitions.run();
    }

    /** Ours still: finish what runs, for a while; commit; only then forget. */
    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      mailbox.leavePoll();
      core.close(partitions);
      long deadline = now() + REVOKE_BUDGET;
      try {
        while (!core.drained(partitions) && now() - deadline < 0) {
          start();
          long now = now();
          long wait = Math.min(deadline - now, core.untilNextStart(now));
          // A permit comes back without a message, often just behind its request's: look for it.
          Message message = mailbox.poll(core.anyReady() ? Math.min(wait, FULL_POLL) : wait);
          if (message != null) {
            message.tell(core, now());
          }
        }
        commitAndWait(false);
      } catch (InterruptedException stop) {
        Thread.currentThread().interrupt();
      }
      giveUp(partitions, false);
      if (!draining) {
        // Back in a poll whose wait was chosen before: what the other partitions have to do now,
        // or reported meanwhile, mustn't wait for its end.
        mailbox.enterPoll();
        mailbox.wake();
      }
    }

    /** Ours no longer: another instance may have them, so nothing is committed. */
    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
      log.warn(
          "Lost {}: Kafka heard nothing of this instance for too long. Others have these"
              + " partitions now; what wasn't committed is handled again.",
          partitions);
      giveUp(partitions, true);
    }
  }
}
