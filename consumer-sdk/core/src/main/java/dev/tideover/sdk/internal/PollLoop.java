package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.Mailbox.Message;
import dev.tideover.sdk.internal.core.CommitSnapshot;
import dev.tideover.sdk.internal.core.Lanes;
import dev.tideover.sdk.internal.core.Work;
import dev.tideover.wire.RequestCodec;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.WireFormatException;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The way of a request, and the owner of all bookkeeping. All of it runs on the owner thread,
 * {@link #runOnce} over and over.
 */
final class PollLoop {

  /** Told on the owner thread. */
  interface Listener {
    /** The group has given or taken partitions, or one has stopped. */
    void onPartitions(Collection<TopicPartition> held, Collection<TopicPartition> stopped);
  }

  private static final Logger log = LoggerFactory.getLogger(PollLoop.class);

  /** What a request costs in memory beyond its bytes, roughly; counts against the window. */
  private static final int OVERHEAD_BYTES = 1_024;

  private static final long COMMIT_INTERVAL = TimeUnit.SECONDS.toNanos(1);
  private static final int COMMIT_COMPLETIONS = 1_000;
  private static final long COMMIT_LOST = TimeUnit.SECONDS.toNanos(30);
  private static final long COMMIT_BUDGET = TimeUnit.SECONDS.toNanos(5);
  private static final long REVOKE_BUDGET = TimeUnit.SECONDS.toNanos(5);

  /** The longest poll while all is quiet, while something is out, and while a window is full. */
  private static final long QUIET_POLL = TimeUnit.SECONDS.toNanos(1);

  private static final long BUSY_POLL = TimeUnit.MILLISECONDS.toNanos(500);
  private static final long FULL_POLL = TimeUnit.MILLISECONDS.toNanos(20);
  private static final int WAKE_AT_WHEN_FULL = 200;

  private final Settings settings;
  private final GroupMember member;
  private final Lanes<Delivery> lanes;
  private final Mailbox mailbox;
  private final Workers workers;
  private final Handling handling;
  private final LongSupplier nanoTime;
  private final BooleanSupplier stopping;
  private final Listener listener;

  private boolean draining;
  private int completions;
  private long lastCommit;
  private boolean commitUnderWay;

  /**
   * A loop that hasn't begun.
   *
   * @param stopping whether {@link #runOnce} should return soon; any thread may change it, and
   *     wakes the mailbox then
   */
  PollLoop(
      Settings settings,
      GroupMember member,
      Lanes<Delivery> lanes,
      Mailbox mailbox,
      Workers workers,
      Handling handling,
      LongSupplier nanoTime,
      BooleanSupplier stopping,
      Listener listener) {
    this.settings = settings;
    this.member = member;
    this.lanes = lanes;
    this.mailbox = mailbox;
    this.workers = workers;
    this.handling = handling;
    this.nanoTime = nanoTime;
    this.stopping = stopping;
    this.listener = listener;
    this.lastCommit = nanoTime.getAsLong();
  }

  /** Joins the group. */
  void join() {
    member.join(new Rebalance());
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

  private ConsumerRecords<byte[], byte[]> poll() throws InterruptedException {
    // Say what is waited for, say that it is polled, look; so no wake-up is lost: see Mailbox.
    workers.hungry(lanes.hasNext());
    boolean mayWait =
        mailbox.enterPoll() && !workers.canFeedHungry() && (draining || !stopping.getAsBoolean());
    try {
      return member.poll(mayWait ? longestPoll() : 0);
    } finally {
      mailbox.leavePoll();
    }
  }

  private long longestPoll() {
    boolean full = draining || lanes.anyFull();
    boolean quiet = lanes.busy() == 0 && completions == 0;
    long wait = full ? FULL_POLL : quiet ? QUIET_POLL : BUSY_POLL;
    return Math.min(wait, lanes.untilNextTick(nanoTime.getAsLong()));
  }

  private void receive(ConsumerRecords<byte[], byte[]> records) {
    for (TopicPartition partition : records.partitions()) {
      for (ConsumerRecord<byte[], byte[]> record : records.records(partition)) {
        receive(partition, record);
      }
    }
  }

  private void receive(TopicPartition partition, ConsumerRecord<byte[], byte[]> record) {
    if (!lanes.takes(partition)) {
      return;
    }
    Delivery delivery;
    try {
      delivery = decode(record);
    } catch (WireFormatException unknownVersion) {
      stop(partition, record.offset(), unknownVersion);
      return;
    }
    int bytes =
        OVERHEAD_BYTES
            + Math.max(0, record.serializedKeySize())
            + Math.max(0, record.serializedValueSize());
    RequestEnvelope envelope = delivery.envelope;
    String key = envelope == null ? null : envelope.orderingKey();
    lanes.receive(partition, record.offset(), key, bytes, delivery);
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

  private void stop(TopicPartition partition, long offset, WireFormatException unknownVersion) {
    log.error(
        "Partition {} stops at offset {}: {}. Nothing is skipped and nothing is lost, but its"
            + " requests wait until this service runs an SDK that knows the version. Other"
            + " partitions go on.",
        partition,
        offset,
        unknownVersion.getMessage());
    lanes.stop(partition);
    member.pause(List.of(partition));
    publish();
  }

  private void start() {
    lanes.tick(nanoTime.getAsLong());
    while (lanes.hasNext() && workers.tryAcquire()) {
      handling.begin(lanes.next());
    }
  }

  private void settle() {
    Message message = mailbox.poll();
    if (message == null) {
      return;
    }
    for (; message != null; message = mailbox.poll()) {
      apply(message);
    }
    start();
  }

  private void apply(Message message) {
    switch (message.kind()) {
      case ENDED -> {
        lanes.end(message.work());
        completions++;
      }
      case AGAIN -> {
        Work<Delivery> work = message.work();
        boolean anew = work.payload().next == Delivery.Step.HANDLE;
        lanes.again(work, nanoTime.getAsLong() + message.delayNanos(), anew);
      }
      case GIVEN_BACK -> lanes.giveBack(message.work());
    }
  }

  private void flow() {
    List<TopicPartition> filled = lanes.filled();
    if (!filled.isEmpty()) {
      member.pause(filled);
    }
    List<TopicPartition> emptied = lanes.emptied();
    if (!emptied.isEmpty() && !draining) {
      member.resume(emptied);
    }
    mailbox.wakeAt(draining ? 1 : lanes.anyFull() ? WAKE_AT_WHEN_FULL : COMMIT_COMPLETIONS);
  }

  private void commit() {
    long sinceLast = nanoTime.getAsLong() - lastCommit;
    boolean due = sinceLast >= COMMIT_INTERVAL || completions >= COMMIT_COMPLETIONS;
    // One at a time: of two under way the older could win and set the offset back.
    if (completions == 0 || !due || commitUnderWay && sinceLast < COMMIT_LOST) {
      return;
    }
    completions = 0;
    lastCommit = nanoTime.getAsLong();
    CommitSnapshot snapshot = lanes.snapshot();
    if (snapshot.isEmpty()) {
      return;
    }
    commitUnderWay = true;
    member.commit(
        snapshot,
        failure -> {
          commitUnderWay = false;
          if (failure == null) {
            lanes.committed(snapshot);
          } else {
            completions++; // so that it is tried again
          }
        });
  }

  /**
   * Commits and waits for it, at most some seconds; what fails is handled again by the next owner.
   *
   * @param mayPoll whether to poll the group out of a rebalance that it is in. Each try is with a
   *     new snapshot, since such a poll can take partitions away, and an offset of a partition that
   *     others have by now must not be committed
   */
  private void commitAndWait(boolean mayPoll) throws InterruptedException {
    long deadline = nanoTime.getAsLong() + COMMIT_BUDGET;
    while (true) {
      CommitSnapshot snapshot = lanes.snapshot();
      if (snapshot.isEmpty()) {
        return;
      }
      switch (member.commitAndWait(snapshot, deadline)) {
        case DONE -> {
          lanes.committed(snapshot);
          return;
        }
        case FAILED -> {
          return;
        }
        case REBALANCING -> {
          if (!mayPoll || nanoTime.getAsLong() - deadline >= 0) {
            GroupMember.commitFailed("the group is rebalancing");
            return;
          }
          receive(poll());
        }
      }
    }
  }

  /** Gives up what is out of these partitions: it is stale, and handled again elsewhere. */
  private void giveUp(Collection<TopicPartition> partitions) {
    List<Work<Delivery>> stale = lanes.revoke(partitions);
    stale.forEach(work -> work.payload().cancel());
    if (!stale.isEmpty()) {
      log.warn(
          "{} requests under way in {} are given up; whoever has the partitions next handles them"
              + " again",
          stale.size(),
          partitions);
    }
    publish();
  }

  private void publish() {
    listener.onPartitions(lanes.partitions(), lanes.stopped());
  }

  /**
   * Starts nothing more but what a commit of the finished needs, waits for what is out, commits.
   * Goes on polling meanwhile, so that the group doesn't take this member for dead.
   *
   * @param budget how long to wait for what is out, in nanoseconds
   */
  void drain(long budget) throws InterruptedException {
    draining = true;
    lanes.close(lanes.partitions());
    member.pauseAll();
    flow();
    long deadline = nanoTime.getAsLong() + budget;
    while (!lanes.drained(lanes.partitions()) && nanoTime.getAsLong() - deadline < 0) {
      start();
      receive(poll());
      settle();
      commit();
    }
    commitAndWait(true);
  }

  /** Gives up what is left and leaves the group. */
  void leave() {
    giveUp(lanes.partitions());
    member.leave();
  }

  /** Called by the consumer within its poll and close, on the owner thread. */
  private final class Rebalance implements ConsumerRebalanceListener {

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      partitions.forEach(lanes::assign);
      if (draining) {
        lanes.close(partitions);
        member.pause(partitions);
      }
      log.info("{} handles the requests of {}", settings.by(), lanes.partitions());
      publish();
    }

    /** Ours still: finish what runs, for a while; commit; only then forget. */
    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      mailbox.leavePoll();
      lanes.close(partitions);
      long deadline = nanoTime.getAsLong() + REVOKE_BUDGET;
      try {
        while (!lanes.drained(partitions) && nanoTime.getAsLong() - deadline < 0) {
          start();
          long now = nanoTime.getAsLong();
          long wait = Math.min(deadline - now, lanes.untilNextTick(now));
          // A permit comes back without a message, often just behind its request's: look for it.
          Message message = mailbox.poll(lanes.hasNext() ? Math.min(wait, FULL_POLL) : wait);
          if (message != null) {
            apply(message);
          }
        }
        commitAndWait(false);
      } catch (InterruptedException stop) {
        Thread.currentThread().interrupt();
      }
      giveUp(partitions);
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
      giveUp(partitions);
    }
  }
}
