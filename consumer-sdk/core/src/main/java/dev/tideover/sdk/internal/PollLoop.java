package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.Mailbox.Message;
import dev.tideover.sdk.internal.core.CommitSnapshot;
import dev.tideover.sdk.internal.core.Core;
import java.util.Collection;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The way of a request, and the owner thread's loop: it brings events to the {@link Core}, which
 * decides. All of it runs on the owner thread, {@link #runOnce} over and over.
 */
final class PollLoop {

  private static final Logger log = LoggerFactory.getLogger(PollLoop.class);

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

  private final GroupMember member;
  private final Core<Delivery> core;
  private final Intake intake;
  private final Mailbox mailbox;
  private final Events events;
  private final Reporter reporter;
  private final Steering steering;
  private final LongSupplier nanoTime;
  private final Guide guide;

  private boolean draining;

  /**
   * A loop that hasn't begun.
   *
   * @param guide whoever changes what it says wakes the mailbox then, so that a poll ends
   */
  PollLoop(
      Settings settings,
      GroupMember member,
      Core<Delivery> core,
      Mailbox mailbox,
      Events events,
      Reporter reporter,
      Steering steering,
      LongSupplier nanoTime,
      Guide guide) {
    this.member = member;
    this.core = core;
    this.intake = new Intake(settings, core);
    this.mailbox = mailbox;
    this.events = events;
    this.reporter = reporter;
    this.steering = steering;
    this.nanoTime = nanoTime;
    this.guide = guide;
  }

  /**
   * Joins the group.
   *
   * @param releaseName asked when another member has this instance's name
   */
  void join(GroupMember.NameRelease releaseName) {
    steering.follow(now());
    member.join(new Rebalance(), releaseName, this::nowhere);
  }

  /**
   * One turn: the way of a request from top to bottom. Between the second and the third line a
   * worker has it: it handles the request, sends the reply, and reports once Kafka has acknowledged
   * that ({@link Handling}).
   */
  void runOnce() throws InterruptedException {
    intake.receive(poll()); // decode, into its lane
    start(); //                whose turn it is: to a worker
    settle(); //               reply acknowledged: mark done, next of its lane
    flow(); //                 a full window pauses its partition, never the polling
    commit(); //               up to the first that hasn't ended
    steering.tell(now());
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
            && (draining || !guide.stopping() && !steering.isBehind());
    try {
      return member.poll(mayWait ? longestPoll() : 0);
    } finally {
      mailbox.leavePoll();
    }
  }

  private long longestPoll() {
    boolean hurry = draining || steering.isEnding() || core.anyFull();
    long wait = hurry ? FULL_POLL : core.isQuiet() ? QUIET_POLL : BUSY_POLL;
    return Math.min(wait, core.untilNextStart(now()));
  }

  private void start() {
    long now = now();
    steering.follow(now);
    core.start(now);
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
    mailbox.wakeAt(
        draining || steering.isHeld() ? 1 : core.anyFull() ? WAKE_AT_WHEN_FULL : WAKE_AT);
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
          intake.receive(poll());
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
    guide.partitionsChanged(core);
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
      intake.receive(poll());
      settle();
      commit();
      steering.look(now());
    }
    commitAndWait(true);
  }

  /** Stays a member for a moment more, once {@link #drain} has ended. */
  void idle() throws InterruptedException {
    intake.receive(poll());
    settle();
    steering.look(now());
  }

  /** Gives up what is left; whoever has the partitions next handles it again. */
  void giveUp() {
    giveUp(core.partitions(), false);
  }

  /**
   * Gives up what is left and leaves the group.
   *
   * @param stay see {@link GroupMember#leave}
   */
  void leave(boolean stay) {
    giveUp();
    member.leave(stay);
  }

  /** Called by the consumer within its poll and close, on the owner thread. */
  private final class Rebalance implements ConsumerRebalanceListener {

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      core.assigned(partitions, now());
      guide.partitionsChanged(core);
    }

    /** Ours still: finish what runs, for a while; commit; only then forget. */
    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      mailbox.leavePoll();
      core.close(partitions);
      long deadline = steering.soonest(now() + REVOKE_BUDGET);
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
