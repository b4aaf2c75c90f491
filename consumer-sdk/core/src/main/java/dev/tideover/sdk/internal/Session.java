package dev.tideover.sdk.internal;

import dev.tideover.sdk.internal.core.Core;
import dev.tideover.wire.Cancellation;
import dev.tideover.wire.InstanceReport.Counts;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One membership in the group, with all that it needs, from the opening of its clients to the
 * leaving. An instance that stands by has one that is ready and hasn't joined; one that comes back
 * gets a new one, with a new incarnation, since what it knew of partitions means nothing any more.
 *
 * <p>For the owner thread, but for what says otherwise.
 */
final class Session implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(Session.class);

  private static final Duration RELEASE_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration HEAR_TIMEOUT = Duration.ofSeconds(2);
  private static final Duration WARM_UP_TIMEOUT = Duration.ofSeconds(2);
  private static final Duration WORKERS_TIMEOUT = Duration.ofSeconds(2);

  /**
   * How long one that is no longer active waits for the other version to join. More than the
   * broker's {@code group.initial.rebalance.delay.ms} would be in vain: that is what it saves.
   */
  private static final long LONGEST_LINGER = TimeUnit.SECONDS.toNanos(3);

  private final Settings settings;
  private final GroupMember member;
  private final Mailbox mailbox;
  private final @Nullable Members members;
  private final Assembly parts;
  private final String incarnation = UUID.randomUUID().toString();
  private final CountDownLatch stop;
  private final Occasionally maySayNotCancelled = new Occasionally(Duration.ofSeconds(10));

  /** What is to be closed, the last opened first. */
  private final Deque<Closing> opened = new ArrayDeque<>();

  private volatile boolean joined;

  /** The end of one part. */
  private interface Closing {
    void close() throws InterruptedException;
  }

  /**
   * Opens the clients and begins to use them, outside the group.
   *
   * @param nothingHeld whether this instance has no partition; any thread
   * @param stop ends every pause
   * @throws IllegalArgumentException if Kafka's clients don't take their settings
   */
  Session(
      Settings settings,
      ServiceTopics.Usable topics,
      ReplySender sender,
      Meters meters,
      Events events,
      Guide guide,
      BooleanSupplier nothingHeld,
      CountDownLatch stop) {
    this.settings = settings;
    this.stop = stop;
    try {
      GroupMember group = GroupMember.create(settings, System::nanoTime, stop);
      opened.push(() -> group.leave(false)); // for a second time, mostly, which does nothing
      member = group;
      // Its own: threads whose handlers don't end when they are given up aren't missed later.
      Workers workers = new Workers(settings);
      opened.push(() -> workers.close(WORKERS_TIMEOUT));
      mailbox = new Mailbox(group::wakeup);
      members = topics.members() ? listen(sender, nothingHeld) : null;
      Adopter adopter =
          Adopter.start(
              settings,
              topics.ledger(),
              settings.idempotencyWindow(),
              System::currentTimeMillis,
              this::awaitListening,
              this::alive,
              (was, is) -> mailbox.stopAll(recreated(was, is)));
      opened.push(adopter::close);
      LedgerWriter ledger = LedgerWriter.start(settings, sender, mailbox);
      opened.push(ledger::close);
      parts =
          new Assembly(
              settings,
              incarnation,
              group,
              workers,
              sender,
              ledger,
              mailbox,
              adopting(adopter),
              topics.ledger(),
              meters,
              events,
              InstantSource.system(),
              System::nanoTime,
              guide);
    } catch (RuntimeException | Error refused) {
      close();
      throw refused;
    }
  }

  private Members listen(ReplySender sender, BooleanSupplier nothingHeld) {
    Members heard =
        Members.listen(
            settings,
            incarnation,
            sender::sendHeartbeat,
            this::cancel,
            () -> joined && nothingHeld.getAsBoolean());
    opened.push(heard::close);
    return heard;
  }

  /** On the members' thread. */
  private void cancel(Cancellation cancellation) {
    if (!joined) {
      return; // it is in the ledger, which is read when there is a partition
    }
    TopicPartition partition =
        new TopicPartition(settings.requestTopic(), cancellation.partition());
    boolean told = mailbox.cancel(partition, cancellation.offset(), cancellation.id().toString());
    if (!told && maySayNotCancelled.now()) {
      log.warn(
          "More than {} cancellations wait to be looked at; some of their requests are handled all"
              + " the same",
          Mailbox.MOST_CANCELLATIONS);
    }
  }

  /** On the adopter's thread. What the ledger doesn't say when it is read has to be heard. */
  private void awaitListening() {
    try {
      if (members != null && !members.awaitListening(HEAR_TIMEOUT)) {
        log.debug("A cancellation that comes now may be missed");
      }
    } catch (InterruptedException closing) {
      Thread.currentThread().interrupt();
    }
  }

  /** On the adopter's thread. Who isn't heard yet mustn't be taken for dead. */
  private Set<String> alive() {
    if (members == null) {
      return Set.of();
    }
    try {
      if (!members.awaitHeardAll(HEAR_TIMEOUT)) {
        log.debug("Not all heartbeats are known yet");
      }
    } catch (InterruptedException closing) {
      Thread.currentThread().interrupt();
    }
    return members.alive();
  }

  private Doing.Adopting adopting(Adopter adopter) {
    return new Doing.Adopting() {
      @Override
      public void adopt(TopicPartition partition, long number) {
        adopter.adopt(
            partition,
            result -> {
              if (result instanceof Adopter.Result.Found found) {
                mailbox.adopted(partition, number, found.adoption());
              } else if (result instanceof Adopter.Result.Failed failed) {
                mailbox.notAdopted(partition, number, failed.reason());
              }
            });
      }

      @Override
      public void cancel(TopicPartition partition) {
        adopter.cancel(partition);
      }
    };
  }

  private static String recreated(Uuid was, Uuid is) {
    return "the topic has been deleted and created anew (its id was "
        + was
        + " and is "
        + is
        + "); what this instance knows of it means nothing any more. Restart it: the log then says"
        + " how to go on";
  }

  /** What handles its requests. Any thread. */
  Handling handling() {
    return parts.handling;
  }

  /** How things stand in it. */
  Core<Delivery> core() {
    return parts.core;
  }

  /** What it has done, and does now, with what was done before it. Any thread. */
  Counts counts(Counts before) {
    Counts here = parts.handling.counts(parts.steering.activity());
    return new Counts(
        before.handled() + here.handled(),
        before.errors() + here.errors(),
        before.dead() + here.dead(),
        here.parked(),
        here.running(),
        here.oldestMillis());
  }

  /** Any thread: there is something new, so that a poll has to end. */
  void wake() {
    mailbox.wake();
  }

  /** Outside the group: connects, so that a join needn't. To be called now and then. */
  void keepWarm() {
    member.warmUp(WARM_UP_TIMEOUT);
  }

  /** Joins the group. */
  void join() {
    joined = true;
    if (members != null) {
      members.speak();
    }
    parts.loop.join(() -> members != null && members.releaseName(RELEASE_TIMEOUT));
  }

  /** One turn of the loop, once it has joined. */
  void turn() throws InterruptedException {
    parts.loop.runOnce();
  }

  /**
   * Another version is active: ends what runs, commits, and leaves.
   *
   * @param active the version; null for not known
   */
  void standDown(@Nullable String active) throws InterruptedException {
    try {
      int generation = member.generation();
      long now = System.nanoTime();
      long deadline = parts.steering.soonest(now + settings.drainTimeout().toNanos());
      parts.loop.drain(Math.max(0, deadline - now));
      parts.loop.giveUp();
      if (ClientProperties.isClassic(settings)) {
        linger(generation, active);
      }
    } catch (IllegalStateException taken) {
      if (!(taken.getCause() instanceof FencedInstanceIdException)) {
        throw taken;
      }
      log.info(
          "An instance of the other version has the name {} too, and has taken this one's place",
          settings.instance());
    } finally {
      parts.loop.leave(false);
    }
  }

  /**
   * Stays a member, and does nothing, until the other version has one. A classic group that becomes
   * empty makes its next member wait for the broker's {@code group.initial.rebalance.delay.ms}; one
   * that doesn't makes it wait for the others to join anew, which they learn of at their next
   * heartbeat, and is content if they leave instead. So the best time to leave is when the other
   * one has asked to join, which the group tells; and at the latest when it has joined, since that
   * makes a new generation. (With KIP-848 there is no such delay, and the other one gets partitions
   * only when this one has left.)
   */
  private void linger(int generation, @Nullable String active) throws InterruptedException {
    long deadline = System.nanoTime() + LONGEST_LINGER;
    CompletableFuture<Boolean> asked = null;
    while (stop.getCount() > 0
        && member.generation() == generation
        && System.nanoTime() - deadline < 0) {
      if (asked == null && members != null && active != null) {
        asked = members.inGroup(active);
      } else if (asked != null && asked.isDone()) {
        if (asked.getNow(false)) {
          return;
        }
        asked = null;
      }
      parts.loop.idle();
    }
  }

  /**
   * The instance ends: ends what runs, commits, and leaves, or not.
   *
   * @param budget how long to wait for what runs
   * @param mayStay whether it may keep its place in the group for a successor, if it is the only
   *     one
   */
  void end(Duration budget, BooleanSupplier mayStay) throws InterruptedException {
    boolean stay = false;
    try {
      parts.loop.drain(budget.toNanos());
      stay = mayStay.getAsBoolean() && members != null && isWorthStaying(members);
    } finally {
      if (stay && members != null) {
        members.stay();
      }
      parts.loop.leave(stay);
    }
  }

  /**
   * The only instance, if it has a name, is most likely restarted under it, and has nobody to leave
   * its partitions to. In a classic group its successor takes them at once if the name is still
   * there; in one that is empty it pays the broker's {@code group.initial.rebalance.delay.ms}, 3 s
   * by default. An instance under another name removes this one as one that has fallen silent.
   */
  private boolean isWorthStaying(Members heard) {
    return settings.named()
        && ClientProperties.isClassic(settings)
        && heard.alive().equals(Set.of(incarnation));
  }

  /** Leaves the group, if it hasn't, and ends the threads and clients; some seconds at most. */
  @Override
  public void close() {
    boolean interrupted = false;
    while (!opened.isEmpty()) {
      try {
        opened.pop().close();
      } catch (InterruptedException stop) {
        interrupted = true;
      } catch (RuntimeException broken) {
        log.warn("A part of {} didn't end in good order", settings.by(), broken);
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
