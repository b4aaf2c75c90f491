package dev.tideover.gateway.exchange;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ReplyStore;
import dev.tideover.wire.Cancellation;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import io.vertx.core.Context;
import io.vertx.core.Future;
import java.time.Duration;
import java.time.Instant;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One question at a status address: what has become of the request? Any gateway of the cell can
 * answer it, since the address names the request and its place, and every gateway reads all
 * replies. Lives on the event loop of its connection, which alone touches its fields.
 */
public final class Inquiry {

  private static final Logger LOG = LoggerFactory.getLogger(Inquiry.class);

  /** After this nothing of a request that was handed to Kafka is still on its way there. */
  private static final Duration SETTLED = Duration.ofMinutes(10);

  private static final Duration SEARCH_LIMIT = Duration.ofSeconds(2);

  /** How long a cancellation may take to be stored when its client's wait is over. */
  private static final Duration WRITE_GRACE = Duration.ofMillis(1_500);

  private static final long MAX_RETRY_SECONDS = 30;

  private final Exchanges shared;
  private final String text;
  private final @Nullable StatusToken token;
  private final Context context;
  private boolean abandoned;
  private @Nullable Waiter waiter;

  Inquiry(Exchanges shared, String text, Context context) {
    this.shared = shared;
    this.text = text;
    this.token = shared.signer.read(text);
    this.context = context;
  }

  /** The request that is asked for; null where the address names none. */
  public @Nullable RequestId id() {
    return token == null ? null : token.id();
  }

  /** Whether one more client may wait for this request's service, beside those that do. */
  public boolean mayWait() {
    return !shared.isStopping() && waiting().get() < Routing.waitingLimit(service());
  }

  /** How long a client that wants to wait is kept: no shorter than any route of the service has. */
  public Duration longest() {
    return Routing.longestWait(service());
  }

  /**
   * The answer, now or when the request ends within the wait. Never fails.
   *
   * @param patience zero or less for an answer at once
   */
  public Future<Answer> answer(Duration patience) {
    if (patience.compareTo(Duration.ZERO) <= 0 || token == null || !mayWait()) {
      return now();
    }
    // Waits before it looks: a reply comes to the one or is seen by the other.
    Future<Answer> end = end(patience);
    return now()
        .compose(
            answer -> {
              if (answer instanceof Answer.Pending) {
                return end;
              }
              abandon();
              return Future.succeededFuture(answer);
            });
  }

  /** What is known now. A request that has ended anywhere in the cell before is never pending. */
  public Future<Answer> now() {
    StatusToken asked = token;
    if (asked == null) {
      return Future.succeededFuture(
          new Answer.Rejected(
              Answer.Reason.NO_SUCH_REQUEST, "This gateway's cell never gave out that address."));
    }
    return Future.fromCompletionStage(shared.replies.find(asked.id(), asked.acceptedAt()), context)
        .compose(found -> found(asked, found))
        .recover(
            failure -> {
              LOG.error("BUG: a status question failed; its client gets a 503", failure);
              return Future.succeededFuture(unavailable(asked, "The gateway's log says more."));
            });
  }

  /**
   * How it ends, whenever that is within the time; after that, what is known then. To be called
   * once, and before {@link #now}, so that no end is missed between them.
   */
  public Future<Answer> end(Duration patience) {
    StatusToken asked = token;
    if (asked == null || abandoned) {
      return now();
    }
    Waiter waiting =
        new Waiter(asked, shared.nanoTime.getAsLong() + patience.toNanos(), waiting(), context);
    waiter = waiting;
    shared.waiters.add(waiting);
    return waiting
        .ended()
        .compose(
            ending ->
                ending instanceof Waiter.Ending.With with
                    ? Future.succeededFuture(with.answer())
                    : now());
  }

  /** The client has left, or knows enough. */
  public void abandon() {
    abandoned = true;
    if (waiter != null) {
      shared.waiters.end(waiter, new Waiter.Ending.With(new Answer.Abandoned(waiter.id)));
    }
  }

  /**
   * Cancels what hasn't started: a service's instance that has it still queued answers it as
   * cancelled. Never fails.
   *
   * @param patience how long to wait for that; nobody can say when no instance runs
   */
  public Future<Answer> cancel(Duration patience) {
    return now()
        .compose(
            answer -> {
              StatusToken place = token == null ? null : placed(token);
              if (answer instanceof Answer.Replied replied) {
                return Future.succeededFuture(ended(replied.reply()));
              } else if (place == null || !(answer instanceof Answer.Pending)) {
                return Future.succeededFuture(answer);
              }
              return cancel(place, patience);
            });
  }

  private Future<Answer> cancel(StatusToken place, Duration patience) {
    GatewayConfig.Service service = service();
    if (service == null || place.offset() == Flight.NOWHERE) {
      return Future.succeededFuture(
          missing(
              place,
              Answer.Reason.NOT_CANCELLABLE,
              service == null
                  ? "The gateway has no route to its service any more."
                  : "It isn't known whether it was stored; ask again."));
    }
    Future<Answer> end = end(patience);
    Cancellation wanted = new Cancellation(place.partition(), place.offset(), place.id());
    return Future.fromCompletionStage(shared.log.cancel(service, wanted), context)
        // Its two records may each take as long as the producer tries.
        .timeout(patience.plus(WRITE_GRACE).toMillis(), TimeUnit.MILLISECONDS)
        .transform(
            written -> {
              if (written.failed() && !(end.result() instanceof Answer.Replied)) {
                abandon();
                LOG.warn("A cancellation could not be stored: {}", written.cause().getMessage());
                return Future.succeededFuture(
                    missing(
                        place,
                        Answer.Reason.CANCEL_UNAVAILABLE,
                        "Kafka has not confirmed it. It may hold all the same: ask at the request's"
                            + " address, or cancel it again."));
              }
              return end;
            })
        .map(
            answer -> {
              if (answer instanceof Answer.Replied replied) {
                return ended(replied.reply());
              }
              return answer instanceof Answer.Pending pending ? pending.withCancelling() : answer;
            });
  }

  private static Answer ended(ReplyEnvelope reply) {
    return reply.outcome() == ReplyOutcome.CANCELLED
        ? new Answer.Cancelled(reply.id())
        : new Answer.TooLate(reply.id(), reply.outcome());
  }

  private Future<Answer> found(StatusToken asked, ReplyStore.Lookup found) {
    if (found instanceof ReplyStore.Lookup.Found reply) {
      return Future.succeededFuture(
          asked.isAnsweredBy(reply.reply())
              ? new Answer.Replied(reply.reply(), false)
              : new Answer.Mismatch(asked.id(), true));
    } else if (found instanceof ReplyStore.Lookup.Unreadable) {
      return Future.succeededFuture(new Answer.Unreadable(asked.id()));
    } else if (found instanceof ReplyStore.Lookup.Gone) {
      return Future.succeededFuture(
          new Answer.ReplyMissing(
              asked.id(), Answer.Reason.REPLY_EXPIRED, "The reply was there and is gone.", true));
    } else if (found instanceof ReplyStore.Lookup.NotNow notNow) {
      return Future.succeededFuture(unavailable(asked, notNow.reason()));
    }
    boolean mayBeGone = found instanceof ReplyStore.Lookup.NoneLeft;
    StatusToken place = placed(asked);
    return place.offset() == Flight.NOWHERE && !isForgotten(place)
        ? search(place, mayBeGone)
        : Future.succeededFuture(unanswered(place, mayBeGone));
  }

  /**
   * There is no reply.
   *
   * @param mayBeGone whether there may have been one, so that only the backlog can tell a request
   *     that has ended from one that still waits
   */
  private Answer unanswered(StatusToken place, boolean mayBeGone) {
    if (shared.isWaiting(place)) {
      return shared.pending(place, text);
    } else if (isForgotten(place)) {
      return missing(
          place, Answer.Reason.REPLY_EXPIRED, "Request and reply are past their retention.");
    } else if (!mayBeGone) {
      return shared.pending(place, text);
    } else if (shared.isDone(place)) {
      return missing(place, Answer.Reason.REPLY_EXPIRED, "The reply is past its retention.");
    }
    return unavailable(
        place,
        "a reply would be past its retention, and whether the request still waits for its service"
            + " can't be seen.");
  }

  /** Whether neither the request nor its reply need be there any more. */
  private boolean isForgotten(StatusToken asked) {
    return shared.clock.instant().isAfter(asked.acceptedAt().plus(retention()));
  }

  /** With the place that has become known since the address was given out, if it has. */
  private StatusToken placed(StatusToken asked) {
    return asked.offset() == Flight.NOWHERE ? asked.at(shared.latePlaces.get(asked.id())) : asked;
  }

  /** Nobody saw its acknowledgement: is it in the log? */
  private Future<Answer> search(StatusToken asked, boolean mayBeGone) {
    GatewayConfig.Service service = service();
    if (service == null) {
      return Future.succeededFuture(unanswered(asked, mayBeGone));
    }
    Future<OptionalLong> search =
        Future.fromCompletionStage(
            shared.search.find(
                service.requestTopic(), asked.partition(), asked.id(), asked.acceptedAt()),
            context);
    return search
        .timeout(SEARCH_LIMIT.toMillis(), TimeUnit.MILLISECONDS)
        .map(
            offset -> {
              if (offset.isPresent()) {
                shared.latePlaces.put(asked.id(), offset.getAsLong());
                return unanswered(asked.at(offset.getAsLong()), mayBeGone);
              }
              Instant now = shared.clock.instant();
              if (now.isBefore(asked.acceptedAt().plus(SETTLED))) {
                return shared.pending(asked, text);
              }
              // What is absent is known never to have been there only as long as nothing of its
              // time can have been deleted.
              Duration safe = service.topic().retention().dividedBy(2);
              return now.isBefore(asked.acceptedAt().plus(safe))
                  ? missing(
                      asked,
                      Answer.Reason.NEVER_STORED,
                      asked.fingerprint() == StatusToken.ANY
                          ? "It did not reach Kafka and will not run; it is safe to send it again."
                          : "This try did not reach Kafka; what was sent before under the same"
                              + " Idempotency-Key may have. It is safe to send it again with that"
                              + " key.")
                  : missing(
                      asked,
                      Answer.Reason.REPLY_EXPIRED,
                      "Whether it was ever stored can't be told any more.");
            })
        // In time it can't be told, while another gateway may have found it already. Where this one
        // may not read the topic it may be stored or not, as before.
        .otherwise(
            failure ->
                failure instanceof TimeoutException
                    ? unavailable(asked, "the search for it takes longer than usual.")
                    : unanswered(asked, mayBeGone));
  }

  private Answer missing(StatusToken asked, Answer.Reason reason, String detail) {
    boolean stored = placed(asked).offset() != Flight.NOWHERE;
    return new Answer.ReplyMissing(asked.id(), reason, detail, stored);
  }

  private Answer unavailable(StatusToken asked, String reason) {
    return missing(
        asked, Answer.Reason.REPLY_UNAVAILABLE, "What has become of it isn't known now: " + reason);
  }

  private GatewayConfig.@Nullable Service service() {
    return token == null ? null : shared.routing().service(token.service());
  }

  private AtomicInteger waiting() {
    GatewayConfig.Service service = service();
    return shared.waitingOf(service == null ? null : service.name());
  }

  /** How long after its acceptance a request may still get a reply that can be asked for. */
  private Duration retention() {
    GatewayConfig.Service service = service();
    Routing routing = shared.routing();
    return service == null
        ? routing.retention()
        : service.topic().retention().plus(routing.config().replies().retention());
  }

  /**
   * When to ask again: at the time when it is to be handled, where that can be told, otherwise the
   * later the longer it has waited.
   */
  static Duration retryAfter(@Nullable Duration eta, Duration age) {
    long seconds = eta == null ? age.toSeconds() / 4 : eta.plusMillis(999).toSeconds();
    return Duration.ofSeconds(Math.max(1, Math.min(MAX_RETRY_SECONDS, seconds)));
  }
}
