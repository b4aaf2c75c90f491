package dev.tideover.sdk.internal;

import dev.tideover.sdk.DeadLetter;
import dev.tideover.sdk.Hold;
import dev.tideover.sdk.Inbox;
import dev.tideover.sdk.InboxException;
import dev.tideover.sdk.MalformedBodyException;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Reply;
import dev.tideover.sdk.Request;
import dev.tideover.sdk.Retry;
import dev.tideover.sdk.internal.core.Activity;
import dev.tideover.sdk.internal.core.Core;
import dev.tideover.sdk.internal.core.Fault;
import dev.tideover.sdk.internal.core.FinishedIds;
import dev.tideover.sdk.internal.core.LedgerEntry;
import dev.tideover.sdk.internal.core.Permits;
import dev.tideover.sdk.internal.core.Work;
import dev.tideover.wire.DeadLetterCodec;
import dev.tideover.wire.InstanceReport;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a worker does with a request that is out: handle it, send what came of it, and tell the
 * owner when Kafka has acknowledged. Stateless but for its collaborators; any thread.
 *
 * <p>However a task ends, it gives back its permit and its request comes back once.
 */
final class Handling {

  private static final Logger log = LoggerFactory.getLogger(Handling.class);

  /** Set while a thread runs a handler; by it {@code close()} knows not to wait for itself. */
  private final ThreadLocal<Boolean> inHandler = new ThreadLocal<>();

  private static final long SEND_BACKOFF_MILLIS = 100;
  private static final long MAX_SEND_BACKOFF_MILLIS = 10_000;

  /**
   * A new partition is known after {@link ClientProperties#PRODUCER_METADATA_AGE} at the latest.
   */
  private static final long LOOKUP_PAUSE = TimeUnit.SECONDS.toNanos(2);

  private static final int LOOKUPS = 30;
  private static final long NOT_YET_PAUSE = TimeUnit.MILLISECONDS.toNanos(2);
  private static final int MAX_NOT_YET_SHIFT = 7;
  private static final long REJECTED_PAUSE = TimeUnit.MILLISECONDS.toNanos(100);

  private final Settings settings;
  private final InboxGuard inbox;
  private final Mailbox mailbox;
  private final Workers workers;
  private final ReplySender sender;
  private final Meters meters;
  private final Events events;
  private final InstantSource clock;
  private final LongSupplier nanoTime;
  private final Faults faults;
  private final FailureReport report;
  private final Consumer<Throwable> onFatal;
  private final Occasionally maySaySendFailed = new Occasionally(Duration.ofSeconds(10));
  private final Occasionally maySayInfrastructure = new Occasionally(Duration.ofSeconds(10));
  private final Occasionally maySayRejected = new Occasionally(Duration.ofSeconds(10));

  /**
   * Whether this instance is tried out; see {@link Core#trial}. The owner sets it before it tells
   * the core, and looks at none of it.
   */
  volatile boolean onTrial;

  /** How often a handler has come to an end, whatever that was. */
  final LongAdder handled = new LongAdder();

  /** How often that was not with a reply of a status below 500. */
  final LongAdder errors = new LongAdder();

  /** How many requests have become dead letters. */
  final LongAdder dead = new LongAdder();

  Handling(
      Settings settings,
      InboxGuard inbox,
      Mailbox mailbox,
      Workers workers,
      ReplySender sender,
      Meters meters,
      Events events,
      InstantSource clock,
      LongSupplier nanoTime,
      Consumer<Throwable> onFatal) {
    this.settings = settings;
    this.inbox = inbox;
    this.mailbox = mailbox;
    this.workers = workers;
    this.sender = sender;
    this.meters = meters;
    this.events = events;
    this.clock = clock;
    this.nanoTime = nanoTime;
    this.faults = new Faults(settings.infrastructureFault());
    this.report = new FailureReport(settings, events);
    this.onFatal = onFatal;
  }

  /** Whether the calling thread is in a handler of this consumer. */
  boolean isInHandler() {
    return inHandler.get() != null;
  }

  /** What this instance has done since it began, and does now, for its report. Any thread. */
  InstanceReport.Counts counts(Activity now) {
    return new InstanceReport.Counts(
        handled.sum(),
        errors.sum(),
        dead.sum(),
        now.parked(),
        now.running(),
        TimeUnit.NANOSECONDS.toMillis(now.oldestRunningNanos()));
  }

  /** Owner: gives a request to a worker. */
  void begin(Work<Delivery> work) {
    Permits.Permit permit = work.permit();
    try {
      workers.execute(() -> run(work, permit));
    } catch (RejectedExecutionException rejected) {
      if (permit != null) {
        permit.giveBack();
      }
      mailbox.again(work, REJECTED_PAUSE);
      if (maySayRejected.now()) {
        log.warn(
            "The executor given to the builder takes no further task; requests are offered to it"
                + " again until it does. If it was shut down, close the consumer before it.",
            rejected);
      }
    }
  }

  private void run(Work<Delivery> work, Permits.@Nullable Permit permit) {
    try {
      if (!work.tryStart()) {
        mailbox.givenBack(work);
        return;
      }
      Delivery delivery = work.payload();
      switch (work.step()) {
        case HANDLE -> {
          handle(work, delivery);
          inbox.tidy();
        }
        case RECORD -> record(work);
        case BURY -> bury(work, delivery);
        case CANCEL -> cancel(work, delivery);
        case REPEAT -> repeat(work, delivery);
        case REPLY -> reply(work, delivery);
      }
    } catch (Throwable defect) {
      // Nothing in this class throws by intention; without this, its key would wait for ever.
      onFatal.accept(defect);
    } finally {
      if (permit != null && permit.giveBack()) {
        mailbox.wake();
      }
    }
  }

  private void handle(Work<Delivery> work, Delivery delivery) {
    RequestEnvelope request = delivery.envelope();
    Instant deadline = request.deadline();
    if (deadline != null && !clock.instant().isBefore(deadline)) {
      endUnhandled(work, delivery, ReplyOutcome.EXPIRED);
      return;
    }
    if (!replyPartitionExists(work, delivery)) {
      return;
    }
    if (!delivery.enterHandler()) {
      mailbox.givenBack(work);
      return;
    }
    IncomingRequest incoming = incoming(work, delivery);
    Outcome outcome = null;
    Throwable failure = null;
    delivery.tookMicros = ReplyEnvelope.NONE;
    meters.starts(work.attempts(), request.acceptedAt(), clock);
    inHandler.set(true);
    work.enterHandler(nanoTime.getAsLong());
    try {
      outcome = inbox.handle(delivery, incoming, work.alone(), this::call);
    } catch (Throwable any) {
      failure = any;
    } finally {
      inHandler.remove();
    }
    long nanos = work.leaveHandler(nanoTime.getAsLong());
    delivery.tookMicros = TimeUnit.NANOSECONDS.toMicros(nanos);
    boolean stillOurs = delivery.leaveHandler();
    handled.increment();
    if (failure instanceof VirtualMachineError && !(failure instanceof StackOverflowError)) {
      // Out of memory, or worse: what this JVM would conclude now can't be trusted.
      onFatal.accept(failure);
    } else if (!stillOurs) {
      inbox.failed(delivery, incoming, null, failure);
      mailbox.givenBack(work);
    } else if (outcome instanceof Reply reply) {
      meters.handled(Meters.Outcome.REPLY, nanos);
      conclude(work, delivery, reply);
    } else if (failure instanceof InboxGuard.Settled settled) {
      settle(work, delivery, settled.standing());
    } else {
      fail(work, delivery, incoming, outcome, failure, nanos);
    }
  }

  private Outcome call(Request request) throws Exception {
    Outcome outcome;
    try {
      outcome = settings.handler().handle(request);
    } catch (MalformedBodyException clientsFault) {
      return Problems.malformedBody(request.id(), clientsFault);
    }
    if (settings.inbox() != null
        && request.onTrial()
        && outcome instanceof Reply reply
        && isError(reply)) {
      // In the inbox it would stand for good, and the version that is gone back to would send it.
      throw new FailedOnTrial(reply.status());
    }
    return outcome;
  }

  /** In the place of a reply that isn't to be stored. */
  private static final class FailedOnTrial extends Exception {
    private static final long serialVersionUID = 1;

    FailedOnTrial(int status) {
      super("the reply has status " + status, null, false, false);
    }
  }

  private static boolean isError(Reply reply) {
    return reply.status() >= 500;
  }

  /** A start has ended with a reply. */
  private void conclude(Work<Delivery> work, Delivery delivery, Reply reply) {
    if (isError(reply)) {
      errors.increment();
    }
    if (onTrial && isError(reply)) {
      answer(work, delivery, completed(work, delivery, reply));
      mailbox.withheld(work);
    } else {
      complete(work, delivery, reply);
    }
  }

  private IncomingRequest incoming(Work<Delivery> work, Delivery delivery) {
    return new IncomingRequest(delivery.envelope(), delivery.record, work.attempts() + 1, onTrial);
  }

  private void complete(Work<Delivery> work, Delivery delivery, Reply reply) {
    answer(work, delivery, completed(work, delivery, reply));
    reply(work, delivery);
  }

  /** It ends by what the inbox has said about it. */
  private void settle(Work<Delivery> work, Delivery delivery, Inbox.Standing standing) {
    if (standing instanceof Inbox.Standing.Completed completed) {
      complete(work, delivery, completed.reply());
    } else if (standing instanceof Inbox.Standing.Mismatch) {
      work.endsForItselfOnly();
      delivery.repeat(false, FinishedIds.UNKNOWN);
      repeat(work, delivery);
    } else {
      // Superseded: the run that an operator has begun since has the same id, and answers it.
      mailbox.ended(work, Core.NO_REPLY);
    }
  }

  /**
   * It ends without its handler being called; unless it was, as the inbox knows, before a crash.
   */
  private void endUnhandled(Work<Delivery> work, Delivery delivery, ReplyOutcome outcome) {
    Reply known;
    try {
      known = inbox.known(incoming(work, delivery));
    } catch (InboxException trouble) {
      inboxFailed(work, delivery, trouble);
      return;
    }
    if (known != null) {
      complete(work, delivery, known);
      return;
    }
    if (outcome == ReplyOutcome.EXPIRED) {
      meters.expired();
    } else {
      meters.cancelled();
    }
    answer(work, delivery, ended(work, delivery, outcome));
    reply(work, delivery);
  }

  /** What is neither handled nor sent waits until the inbox can be asked again. */
  private void inboxFailed(Work<Delivery> work, Delivery delivery, InboxException trouble) {
    if (maySayInfrastructure.now()) {
      log.warn(
          "How request {} ends can't be known now; the inbox is asked again until it answers",
          delivery.envelope().id(),
          trouble);
    }
    mailbox.again(work, sendPause(delivery));
  }

  /** From what the handler did to what the core makes of it. */
  private void fail(
      Work<Delivery> work,
      Delivery delivery,
      IncomingRequest incoming,
      @Nullable Outcome outcome,
      @Nullable Throwable failure,
      long nanos) {
    String what = FailureReport.describe(outcome, failure);
    long pause = -1;
    Fault fault;
    if (outcome instanceof DeadLetter dead) {
      fault = Fault.REJECTED;
      meters.handled(Meters.Outcome.DEAD, nanos);
      what = dead.reason();
    } else if (outcome instanceof Hold hold) {
      fault = Fault.HOLD;
      meters.handled(Meters.Outcome.HOLD, nanos);
      what = hold.reason();
    } else if (outcome instanceof Retry retry) {
      fault = Fault.MESSAGE;
      meters.handled(Meters.Outcome.RETRY, nanos);
      pause = retry.after().toNanos();
    } else if (work.timedOut() && !InboxGuard.isTrouble(failure)) {
      fault = Fault.MESSAGE;
      meters.handled(Meters.Outcome.TIMEOUT, nanos);
      what = "interrupted, since it ran longer than " + settings.handlerTimeout() + ": " + what;
    } else {
      meters.handled(Meters.Outcome.FAILED, nanos);
      fault = failure == null ? Fault.MESSAGE : faults.of(failure);
    }
    if (incoming.onTrial() && fault == Fault.MESSAGE) {
      fault = Fault.ON_TRIAL;
    }
    boolean uncharged = onTrial || work.closing() && fault == Fault.MESSAGE;
    Fault charged = uncharged && fault != Fault.INFRASTRUCTURE ? null : fault;
    Reply known = inbox.failed(delivery, incoming, charged, failure);
    if (known != null) {
      log.info(
          "A start of request {} has failed after the request was handled ({}); its reply is sent",
          delivery.envelope().id(),
          what);
      conclude(work, delivery, known);
      return;
    }
    if (!work.closing()) {
      errors.increment();
      report.failed(work, delivery, fault, what, failure, onTrial);
    }
    Permits.Permit permit = work.permit();
    if (permit != null) {
      permit.raiseAlarm();
    }
    mailbox.failed(work, fault, pause, what);
  }

  /** Appends what is out of the ordinary about a request, before it goes on. */
  private void record(Work<Delivery> work) {
    LedgerEntry entry = work.entry();
    int partition = work.partition().partition();
    boolean sent =
        sender.trySend(
            work.erases()
                ? LedgerCodec.tombstone(entry.key(), ServiceTopics.ledger(settings), partition)
                : LedgerCodec.encode(entry, ServiceTopics.ledger(settings), partition),
            partition,
            (offset, failure) -> {
              if (failure == null) {
                mailbox.recorded(work);
              } else {
                sendFailed(work, work.payload(), failure);
              }
            });
    if (!sent) {
      mailbox.again(work, NOT_YET_PAUSE);
    }
  }

  /** It has been recorded that it never begins; its client may know now. */
  private void cancel(Work<Delivery> work, Delivery delivery) {
    if (replyPartitionExists(work, delivery)) {
      endUnhandled(work, delivery, ReplyOutcome.CANCELLED);
    }
  }

  /** It has finished before: its client is told so, or that this isn't the same request. */
  private void repeat(Work<Delivery> work, Delivery delivery) {
    if (replyPartitionExists(work, delivery)) {
      ReplyEnvelope reply = delivery.repetition(settings.by());
      meters.repeated(reply.outcome());
      answer(work, delivery, reply);
      reply(work, delivery);
    }
  }

  private static void answer(Work<Delivery> work, Delivery delivery, ReplyEnvelope reply) {
    delivery.answer(reply.withTiming(delivery.timing()));
    work.step(Work.Step.REPLY);
  }

  private void bury(Work<Delivery> work, Delivery delivery, String reason, String error) {
    delivery.bury(reason, error);
    work.step(Work.Step.BURY);
    bury(work, delivery);
  }

  /**
   * Before it is decided by what it ends: a reply that nobody could get would be found out about
   * too late.
   */
  private boolean replyPartitionExists(Work<Delivery> work, Delivery delivery) {
    RequestEnvelope request = delivery.envelope();
    boolean exists;
    try {
      exists = sender.hasPartition(request.replyTo().topic(), request.replyTo().partition());
    } catch (RuntimeException unknown) {
      sendFailed(work, delivery, unknown);
      return false;
    }
    if (exists) {
      return true;
    }
    if (++delivery.failedLookups < LOOKUPS || onTrial) {
      mailbox.again(work, LOOKUP_PAUSE);
    } else {
      bury(work, delivery, "reply-address", "there is no partition " + request.replyTo());
    }
    return false;
  }

  /**
   * Here as in {@link #reply}, a producer's callback never sends what comes next: it could wait for
   * the very thread that it is on. The owner gives the work out again.
   */
  private void bury(Work<Delivery> work, Delivery delivery) {
    Delivery.Death death = delivery.death();
    if (delivery.envelope != null && !mayBury(work, delivery, death.reason())) {
      return;
    }
    sender.send(
        DeadLetterCodec.encode(
            delivery.record,
            settings.deadTopic(),
            death.reason(),
            death.error(),
            work.attempts(),
            clock.instant(),
            settings.by()),
        (offset, failure) -> {
          if (failure != null) {
            sendFailed(work, delivery, failure);
            return;
          }
          String id = delivery.envelope == null ? "" : delivery.envelope.id().toString();
          dead.increment();
          meters.deadLetter(death.reason());
          events.tell(listener -> listener.deadLetter(id, death.reason()));
          if (delivery.envelope == null || death.reason().equals("reply-address")) {
            mailbox.ended(work, Core.NO_REPLY);
          } else {
            answer(work, delivery, ended(work, delivery, ReplyOutcome.DEAD));
            mailbox.again(work, 0);
          }
        });
  }

  /** Whether the inbox lets it; if not, it goes on from there. */
  private boolean mayBury(Work<Delivery> work, Delivery delivery, String reason) {
    Inbox.Standing standing;
    try {
      standing = inbox.bury(delivery, incoming(work, delivery), reason);
    } catch (InboxException trouble) {
      inboxFailed(work, delivery, trouble);
      return false;
    }
    if (standing == null) {
      return true;
    }
    if (standing instanceof Inbox.Standing.Open) {
      mailbox.again(work, sendPause(delivery));
    } else {
      log.info("Request {} isn't a dead letter after all: {}", delivery.envelope().id(), standing);
      work.notDeadAfterAll();
      settle(work, delivery, standing);
    }
    return false;
  }

  private void reply(Work<Delivery> work, Delivery delivery) {
    ReplyAddress to = delivery.envelope().replyTo();
    boolean sent =
        sender.trySend(
            ReplyCodec.encode(delivery.reply(), to),
            to.partition(),
            (offset, failure) -> replied(work, delivery, offset, failure));
    if (!sent) {
      // Milliseconds, as a rule. But if Kafka is away, that first one is out for half a minute.
      int shift = Math.min(delivery.waits++, MAX_NOT_YET_SHIFT);
      mailbox.again(work, NOT_YET_PAUSE << shift);
    }
  }

  private void replied(
      Work<Delivery> work, Delivery delivery, long offset, @Nullable Exception failure) {
    if (failure == null) {
      // What the inbox refuses is another request than the one that its id belongs to: the ledger
      // must not take this one for it.
      boolean refused = delivery.reply().outcome() == ReplyOutcome.MISMATCH;
      mailbox.ended(work, refused ? Core.NO_REPLY : offset);
    } else if (failure instanceof RecordTooLargeException && delivery.reply().body().length > 0) {
      replaceTooLarge(work, delivery);
    } else {
      sendFailed(work, delivery, failure);
    }
  }

  private void replaceTooLarge(Work<Delivery> work, Delivery delivery) {
    ReplyEnvelope reply = delivery.reply();
    RequestEnvelope request = delivery.envelope();
    log.error(
        "The reply to request {} ({} bytes) is larger than topic {} takes; its client gets a 502."
            + " Raise the topic's max.message.bytes, or answer less.",
        request.id(),
        reply.body().length,
        request.replyTo().topic());
    answer(
        work,
        delivery,
        completed(
            work, delivery, Problems.replyTooLarge(request.id().toString(), reply.body().length)));
    if (onTrial) {
      errors.increment();
      mailbox.withheld(work);
    } else {
      mailbox.again(work, 0);
    }
  }

  private void sendFailed(Work<Delivery> work, Delivery delivery, Exception failure) {
    long pause = sendPause(delivery);
    if (maySaySendFailed.now()) {
      log.warn(
          "Kafka didn't take what request {} of {}/{} ended with: {}. It is sent again until it"
              + " does; until then nothing from this offset on is committed.",
          delivery.record.offset(),
          delivery.record.topic(),
          delivery.record.partition(),
          failure.toString());
    }
    mailbox.again(work, pause);
  }

  private static long sendPause(Delivery delivery) {
    int shift = Math.min(delivery.failedSends++, 10);
    long longest = Math.min(MAX_SEND_BACKOFF_MILLIS, SEND_BACKOFF_MILLIS << shift);
    return TimeUnit.MILLISECONDS.toNanos(
        longest / 2 + ThreadLocalRandom.current().nextLong(longest / 2));
  }

  private ReplyEnvelope completed(Work<Delivery> work, Delivery delivery, Reply reply) {
    return new ReplyEnvelope(
        delivery.envelope().id(),
        delivery.envelope().fingerprint(),
        ReplyOutcome.COMPLETED,
        settings.by(),
        work.attempts() + 1,
        ReplyEnvelope.NONE,
        delivery.envelope().replay(),
        reply.status(),
        reply.fields(),
        reply.body());
  }

  private ReplyEnvelope ended(Work<Delivery> work, Delivery delivery, ReplyOutcome outcome) {
    return ReplyEnvelope.without(
            delivery.envelope().id(),
            delivery.envelope().fingerprint(),
            outcome,
            settings.by(),
            work.attempts())
        .withReplay(delivery.envelope().replay());
  }
}
