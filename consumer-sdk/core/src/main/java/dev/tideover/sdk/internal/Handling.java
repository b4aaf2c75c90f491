package dev.tideover.sdk.internal;

import dev.tideover.sdk.DeadLetter;
import dev.tideover.sdk.MalformedBodyException;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Reply;
import dev.tideover.sdk.Retry;
import dev.tideover.sdk.internal.core.Work;
import dev.tideover.wire.DeadLetterCodec;
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
import java.util.function.Consumer;
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
  private final Mailbox mailbox;
  private final Workers workers;
  private final ReplySender sender;
  private final InstantSource clock;
  private final Consumer<Throwable> onFatal;
  private final Occasionally maySaySendFailed = new Occasionally(Duration.ofSeconds(10));
  private final Occasionally maySayRejected = new Occasionally(Duration.ofSeconds(10));

  Handling(
      Settings settings,
      Mailbox mailbox,
      Workers workers,
      ReplySender sender,
      InstantSource clock,
      Consumer<Throwable> onFatal) {
    this.settings = settings;
    this.mailbox = mailbox;
    this.workers = workers;
    this.sender = sender;
    this.clock = clock;
    this.onFatal = onFatal;
  }

  /** Whether the calling thread is in a handler of this consumer. */
  boolean isInHandler() {
    return inHandler.get() != null;
  }

  /** Owner: gives a request, for which it has taken a permit, to a worker. */
  void begin(Work<Delivery> work) {
    try {
      workers.execute(() -> run(work));
    } catch (RejectedExecutionException rejected) {
      workers.release();
      mailbox.again(work, REJECTED_PAUSE);
      if (maySayRejected.now()) {
        log.warn(
            "The executor given to the builder takes no further task; requests are offered to it"
                + " again until it does. If it was shut down, close the consumer before it.",
            rejected);
      }
    }
  }

  private void run(Work<Delivery> work) {
    try {
      if (!work.tryStart()) {
        mailbox.givenBack(work);
        return;
      }
      Delivery delivery = work.payload();
      switch (delivery.next) {
        case HANDLE -> handle(work, delivery);
        case BURY -> bury(work, delivery);
        case REPLY -> reply(work, delivery);
      }
    } catch (Throwable defect) {
      // Nothing in this class throws by intention; without this, its key would wait for ever.
      onFatal.accept(defect);
    } finally {
      if (workers.release()) {
        mailbox.wake();
      }
    }
  }

  private void handle(Work<Delivery> work, Delivery delivery) {
    RequestEnvelope request = delivery.envelope();
    Instant deadline = request.deadline();
    if (deadline != null && !clock.instant().isBefore(deadline)) {
      delivery.answer(ended(delivery, ReplyOutcome.EXPIRED));
      reply(work, delivery);
      return;
    }
    if (!replyPartitionExists(work, delivery)) {
      return;
    }
    if (!delivery.enterHandler()) {
      mailbox.givenBack(work);
      return;
    }
    Outcome outcome = null;
    Throwable failure = null;
    inHandler.set(true);
    try {
      outcome =
          settings
              .handler()
              .handle(new IncomingRequest(request, delivery.record, delivery.attempts + 1));
    } catch (MalformedBodyException clientsFault) {
      outcome = Problems.malformedBody(request.id(), clientsFault);
    } catch (Throwable any) {
      failure = any;
    } finally {
      inHandler.remove();
    }
    boolean stillOurs = delivery.leaveHandler();
    if (failure instanceof VirtualMachineError && !(failure instanceof StackOverflowError)) {
      // Out of memory, or worse: what this JVM would conclude now can't be trusted.
      onFatal.accept(failure);
    } else if (!stillOurs) {
      mailbox.givenBack(work);
    } else {
      delivery.attempts++;
      conclude(work, delivery, outcome, failure);
    }
  }

  /** From what the handler did to what is done next. */
  private void conclude(
      Work<Delivery> work,
      Delivery delivery,
      @Nullable Outcome outcome,
      @Nullable Throwable failure) {
    if (outcome instanceof Reply reply) {
      delivery.answer(completed(delivery, reply));
      reply(work, delivery);
    } else if (outcome instanceof DeadLetter dead) {
      delivery.bury("rejected", dead.reason());
      bury(work, delivery);
    } else if (work.closing()) {
      // It failed while the service shuts down or the partition moves: pools and files may be
      // closed already. That is no fault of the request's and costs it no attempt.
      mailbox.givenBack(work);
    } else if (delivery.attempts >= settings.attempts()) {
      log.warn(
          "Request {} failed in all {} attempts; it goes to {} and its client gets a 502",
          delivery.envelope().id(),
          delivery.attempts,
          settings.deadTopic(),
          failure);
      delivery.bury("failed", describe(outcome, failure));
      bury(work, delivery);
    } else {
      Duration pause =
          outcome instanceof Retry retry
              ? retry.after()
              : settings
                  .backoff()
                  .after(delivery.attempts, ThreadLocalRandom.current().nextDouble());
      log.warn(
          "Request {} failed in attempt {} of {}: {}. It is tried again in {} ms; later requests"
              + " with its ordering key wait for it.",
          delivery.envelope().id(),
          delivery.attempts,
          settings.attempts(),
          describe(outcome, failure),
          pause.toMillis());
      log.debug("The failure of request {}", delivery.envelope().id(), failure);
      mailbox.again(work, pause.toNanos());
    }
  }

  private static String describe(@Nullable Outcome outcome, @Nullable Throwable failure) {
    if (failure != null) {
      return failure.toString();
    }
    return outcome == null
        ? "the handler returned null; it has to return an Outcome, for example Outcome.reply(204)"
        : "the handler asked for a retry";
  }

  /** Before the handler runs: a reply that nobody could get would be found out about too late. */
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
    if (++delivery.failedLookups < LOOKUPS) {
      mailbox.again(work, LOOKUP_PAUSE);
    } else {
      delivery.bury("reply-address", "there is no partition " + request.replyTo());
      bury(work, delivery);
    }
    return false;
  }

  /**
   * Here as in {@link #reply}, a producer's callback never sends what comes next: it could wait for
   * the very thread that it is on. The owner gives the work out again.
   */
  private void bury(Work<Delivery> work, Delivery delivery) {
    Delivery.Death death = delivery.death();
    sender.send(
        DeadLetterCodec.encode(
            delivery.record,
            settings.deadTopic(),
            death.reason(),
            death.error(),
            delivery.attempts,
            clock.instant(),
            settings.by()),
        failure -> {
          if (failure != null) {
            sendFailed(work, delivery, failure);
          } else if (delivery.envelope == null || death.reason().equals("reply-address")) {
            mailbox.ended(work);
          } else {
            delivery.answer(ended(delivery, ReplyOutcome.DEAD));
            mailbox.again(work, 0);
          }
        });
  }

  private void reply(Work<Delivery> work, Delivery delivery) {
    ReplyAddress to = delivery.envelope().replyTo();
    boolean sent =
        sender.trySend(
            ReplyCodec.encode(delivery.reply(), to),
            to.partition(),
            failure -> replied(work, delivery, failure));
    if (!sent) {
      // Milliseconds, as a rule. But if Kafka is away, that first one is out for half a minute.
      int shift = Math.min(delivery.waits++, MAX_NOT_YET_SHIFT);
      mailbox.again(work, NOT_YET_PAUSE << shift);
    }
  }

  private void replied(Work<Delivery> work, Delivery delivery, @Nullable Exception failure) {
    if (failure == null) {
      mailbox.ended(work);
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
    delivery.answer(completed(delivery, Problems.replyTooLarge(request.id(), reply.body().length)));
    mailbox.again(work, 0);
  }

  private void sendFailed(Work<Delivery> work, Delivery delivery, Exception failure) {
    int shift = Math.min(delivery.failedSends++, 10);
    long longest = Math.min(MAX_SEND_BACKOFF_MILLIS, SEND_BACKOFF_MILLIS << shift);
    long pause = longest / 2 + ThreadLocalRandom.current().nextLong(longest / 2);
    if (maySaySendFailed.now()) {
      log.warn(
          "Kafka didn't take what request {} of {}/{} ended with: {}. It is sent again until it"
              + " does; until then nothing from this offset on is committed.",
          delivery.record.offset(),
          delivery.record.topic(),
          delivery.record.partition(),
          failure.toString());
    }
    mailbox.again(work, TimeUnit.MILLISECONDS.toNanos(pause));
  }

  private ReplyEnvelope completed(Delivery delivery, Reply reply) {
    return new ReplyEnvelope(
        delivery.envelope().id(),
        delivery.envelope().fingerprint(),
        ReplyOutcome.COMPLETED,
        settings.by(),
        delivery.attempts,
        ReplyEnvelope.NONE,
        reply.status(),
        reply.fields(),
        reply.body());
  }

  private ReplyEnvelope ended(Delivery delivery, ReplyOutcome outcome) {
    return ReplyEnvelope.without(
        delivery.envelope().id(),
        delivery.envelope().fingerprint(),
        outcome,
        settings.by(),
        delivery.attempts);
  }
}
