package dev.tideover.gateway.exchange;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.config.GatewayConfig.Concurrent;
import dev.tideover.gateway.config.GatewayConfig.Idempotency;
import dev.tideover.gateway.kafka.Append;
import dev.tideover.gateway.kafka.ReplyStore;
import dev.tideover.gateway.route.RequestTarget;
import dev.tideover.gateway.route.Route;
import dev.tideover.gateway.route.Routes;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.Partitions;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import io.vertx.core.Context;
import io.vertx.core.Future;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One HTTP request on its way through the gateway. Lives on the event loop of its connection, which
 * alone touches its fields. Start reading at {@link #run}.
 */
public final class Exchange {

  private static final Logger LOG = LoggerFactory.getLogger(Exchange.class);

  /** A backlog does not become younger within seconds. */
  private static final Duration OLD_BACKLOG_RETRY = Duration.ofSeconds(30);

  /**
   * An answer comes within the wait and 2 s, also where there is no wait; after a look-up that
   * takes longer, as while Kafka is away, its append would come too late for that.
   */
  private static final Duration RECALL_LIMIT = Duration.ofSeconds(1);

  private static final RequestTarget NO_TARGET = new RequestTarget("*", null);

  private final Exchanges shared;
  private final Inbound inbound;
  private final Context context;

  // What the steps find out; each is set by one step and read by later ones.
  private RequestTarget target = NO_TARGET;
  private Duration wait = Duration.ZERO;
  private boolean expires;
  private boolean timesOut;
  private boolean abandoned;
  private @Nullable Waiter waiter;

  Exchange(Exchanges shared, Inbound inbound, Context context) {
    this.shared = shared;
    this.inbound = inbound;
    this.context = context;
  }

  /** The request's whole way. Never fails: the future has an answer, always. */
  public Future<Answer> run() {
    return Future.succeededFuture()
        .compose(begun -> match()) // the most specific route, or 404, 405
        .compose(this::admit) // the gateway takes requests, or 503
        .compose(this::read) // the whole request, or 400, 413
        .compose(this::expectReply) // the waiter stands before anything is sent
        .compose(this::recall) // the same one under way or answered? then that is it, or 409, 422
        .compose(this::append) // in Kafka's hands, or 503
        .compose(this::await) // the reply, or the end of the wait
        .recover(this::refuse); // the one place where a failure becomes an answer
  }

  /** How long the client is kept, once it is admitted; zero before. */
  public Duration granted() {
    return wait;
  }

  /** The client has left. What is stored stays stored; only the wait ends. */
  public void abandon() {
    abandoned = true;
    if (waiter != null) {
      shared.waiters.end(waiter, new Waiter.Ending.With(new Answer.Abandoned(waiter.id)));
    }
  }

  private Future<Route> match() {
    try {
      target = RequestTarget.parse(inbound.target());
    } catch (RequestTarget.IllegalTargetException e) {
      return rejected(Answer.Reason.BAD_TARGET, String.valueOf(e.getMessage()));
    }
    String path = target.path();
    if (path.equals("*") && !inbound.method().equals("OPTIONS")) {
      return rejected(Answer.Reason.BAD_TARGET, "The target \"*\" is for OPTIONS only.");
    }
    if (path.equals(GatewayConfig.RESERVED_PATH)
        || path.startsWith(GatewayConfig.RESERVED_PATH + "/")) {
      return rejected(Answer.Reason.NO_ROUTE, "The gateway has no such resource.");
    }
    Routes.Match match = shared.routing().routes().match(inbound.method(), target);
    if (match instanceof Routes.Match.Found found) {
      return Future.succeededFuture(found.route());
    }
    if (match instanceof Routes.Match.NoMethod noMethod) {
      return Future.failedFuture(
          new RejectedException(
              Answer.Rejected.method(
                  "The path takes " + String.join(", ", noMethod.allowed()) + ".",
                  noMethod.allowed())));
    }
    return rejected(Answer.Reason.NO_ROUTE, "No route of this gateway has such a path.");
  }

  private Future<Route> admit(Route route) {
    if (shared.isStopping()) {
      return rejected(
          Answer.Reason.STOPPING, "The request was not stored; send it again, to another gateway.");
    }
    if (shared.backlog.isTooOld(route.service())) {
      return Future.failedFuture(
          new RejectedException(
              new Answer.Rejected(
                  Answer.Reason.BACKLOG_TOO_OLD,
                  "The service has not handled its requests for so long that more could be lost"
                      + " before it does. The request was not stored; it is safe to send it again.",
                  Set.of(),
                  OLD_BACKLOG_RETRY)));
    }
    return Future.succeededFuture(route);
  }

  /**
   * Only now, when the body is there: a limit that counts those who wait must not be stale.
   *
   * @param keyed whether its client may come again for the same answer
   */
  private void settleWait(Route route, boolean keyed) {
    // A durable request needs no connection: answer 202 rather than turn it away. Then somebody may
    // ask for its answer, so it must not expire.
    boolean crowded = shared.waitingOf(route.service()).get() >= route.waitingLimit();
    wait = crowded ? Duration.ZERO : patience(route);
    boolean waits = !inbound.respondAsync() && !crowded;
    expires = waits && !keyed && route.expires(inbound.method());
    // A 504 is for those who wait in vain: who wants a 202, or can't wait, gets one.
    timesOut = waits && route.late() == GatewayConfig.Late.TIMEOUT;
  }

  /** How long this client is kept: what it asks for, within what the route gives. */
  private Duration patience(Route route) {
    Duration asked = inbound.preferredWait();
    if (asked == null) {
      return inbound.respondAsync() ? Duration.ZERO : route.patience();
    }
    return asked.compareTo(route.patience()) < 0 ? asked : route.patience();
  }

  private Future<Stored> read(Route route) {
    String authority = inbound.authority();
    HttpFields fields = inbound.fields();
    String key = route.orderingKey(target, fields);
    if (key != null && key.length() > Route.MAX_KEY_LENGTH) {
      return rejected(
          Answer.Reason.BAD_KEY,
          "The ordering key is longer than " + Route.MAX_KEY_LENGTH + " characters.");
    }
    String idempotencyKey = idempotencyKey(route);
    return inbound
        .body(route.maxBody())
        .map(
            body -> {
              settleWait(route, idempotencyKey != null);
              RequestId id = id(route, fields, idempotencyKey);
              Stored stored =
                  new Stored(
                      route,
                      envelope(id, idempotencyKey != null, authority, fields, key, body),
                      false);
              // All is in the record now, and the wait may be long.
              target = NO_TARGET;
              inbound.release();
              return stored;
            });
  }

  private @Nullable String idempotencyKey(Route route) {
    String key = route.idempotency() == Idempotency.OFF ? null : inbound.idempotencyKey();
    if (key == null && route.idempotency() == Idempotency.REQUIRED) {
      throw new RejectedException(
          Answer.Reason.IDEMPOTENCY_KEY_MISSING,
          "The route takes requests with an Idempotency-Key only; see"
              + " draft-ietf-httpapi-idempotency-key-header.");
    }
    return key;
  }

  private RequestId id(Route route, HttpFields fields, @Nullable String idempotencyKey) {
    if (idempotencyKey == null) {
      return RequestId.random();
    }
    String field = route.caller().header();
    String caller = field == null ? "" : String.join(",", fields.all(field));
    return shared.keyedIds.of(caller, route.scope(), idempotencyKey);
  }

  private RequestEnvelope envelope(
      RequestId id,
      boolean keyed,
      String authority,
      HttpFields fields,
      @Nullable String key,
      byte[] body) {
    Instant now = shared.clock.instant();
    return new RequestEnvelope(
        id,
        shared.replyAddress(id),
        now,
        expires ? now.plus(wait) : null,
        keyed,
        Fingerprint.of(
            inbound.method(),
            target.path(),
            target.query(),
            fields.first("content-type"),
            key,
            body),
        key,
        inbound.method(),
        target.pathAndQuery(),
        inbound.scheme(),
        authority,
        fields,
        body);
  }

  private Future<Stored> expectReply(Stored stored) {
    if (abandoned) {
      return Future.failedFuture(new RejectedException(new Answer.Abandoned(null)));
    }
    RequestEnvelope request = stored.request();
    Flight flight =
        new Flight(
            request.id(),
            request.fingerprint(),
            request.idempotent(),
            request.acceptedAt(),
            Partitions.of(request.recordKey(), stored.route().partitions()));
    waiter =
        new Waiter(
            flight,
            shared.nanoTime.getAsLong() + wait.toNanos(),
            shared.waitingOf(stored.route().service()),
            context);
    shared.waiters.add(waiter);
    return Future.succeededFuture(stored);
  }

  /**
   * Looks for the same request from before, where its client has given it a key. What isn't seen
   * here, its service recognises: see {@code docs/idempotency.md}.
   */
  private Future<Stored> recall(Stored stored) {
    if (!stored.request().idempotent()) {
      return Future.succeededFuture(stored);
    }
    Waiter waiting = Objects.requireNonNull(waiter);
    Flight mine = Objects.requireNonNull(waiting.flight);
    Flight flight = shared.waiters.join(mine);
    if (!flight.fingerprint.equals(mine.fingerprint)) {
      // Which of them had the key first, perhaps by another gateway, isn't known before its end.
      shared.waiters.end(waiting, new Waiter.Ending.With(new Answer.Mismatch(mine.id, false)));
      return Future.succeededFuture(stored.known());
    } else if (flight != mine) {
      if (stored.route().concurrent() == Concurrent.REJECT) {
        shared.waiters.end(waiting, new Waiter.Ending.With(new Answer.InProgress(mine.id)));
        return Future.succeededFuture(stored.known());
      }
      waiting.flight = flight;
      Waiter.Ending failure = flight.failure;
      if (failure != null) {
        shared.waiters.end(waiting, failure);
      }
    }
    boolean joined = flight != mine;
    // Also one that has joined: the reply may have come just before it waited.
    return settled(shared.replies.recall(mine.id))
        .map(found -> answered(mine, found) || joined ? stored.known() : stored);
  }

  /** Ends the waits under the id if there is a reply, also of those who have joined meanwhile. */
  private boolean answered(Flight flight, ReplyStore.Lookup found) {
    if (found instanceof ReplyStore.Lookup.Found reply) {
      shared.waiters.reply(reply.reply(), true);
      return true;
    } else if (found instanceof ReplyStore.Lookup.Unreadable) {
      shared.waiters.unreadable(flight.id);
      return true;
    }
    // Absent, gone, or not to be read now: its service knows whether it is to run.
    return false;
  }

  /** At once where it is known, as it mostly is: no turn of the event loop for it. */
  private Future<ReplyStore.Lookup> settled(CompletionStage<ReplyStore.Lookup> stage) {
    CompletableFuture<ReplyStore.Lookup> future = stage.toCompletableFuture();
    return future.isDone() && !future.isCompletedExceptionally()
        ? Future.succeededFuture(future.join())
        : Future.fromCompletionStage(stage, context)
            .timeout(RECALL_LIMIT.toMillis(), TimeUnit.MILLISECONDS)
            .otherwise(failure -> new ReplyStore.Lookup.NotNow(String.valueOf(failure)));
  }

  private Future<Stored> append(Stored stored) {
    if (!stored.isKnown()) {
      Flight flight = Objects.requireNonNull(Objects.requireNonNull(waiter).flight);
      Route route = stored.route();
      shared.log.append(
          stored.request(), route.topic(), route.partitions(), result -> appended(flight, result));
    }
    return Future.succeededFuture(stored);
  }

  /** On the producer's thread, or within the call where the producer refused. */
  private void appended(Flight flight, Append result) {
    if (result instanceof Append.Acknowledged acknowledged) {
      flight.offset = acknowledged.offset();
      // After the write above: either this sees that a client was told "unknown", or that one's
      // event loop sees the offset; see late.
      if (flight.toldUnknown) {
        shared.latePlaces.put(flight.id, acknowledged.offset());
      }
      shared.waiters.stored(flight, shared.nanoTime.getAsLong());
    } else if (result instanceof Append.Refused refused) {
      shared.problems.add(refused);
      shared.waiters.failed(
          flight,
          new Waiter.Ending.With(
              new Answer.Rejected(
                  Answer.Reason.UNAVAILABLE,
                  "Nothing of the request was stored; it is safe to send it again.",
                  Set.of(),
                  refused.retryAfter())));
    } else if (result instanceof Append.Unknown unknown) {
      shared.problems.add(unknown);
      shared.waiters.failed(flight, new Waiter.Ending.TimeIsUp(false));
    }
  }

  private Future<Answer> await(Stored stored) {
    // Keep what the late answers need, not the request: its body may be large and the wait long.
    String service = stored.route().service();
    boolean mayExpire = expires;
    boolean mayTimeOut = timesOut;
    Waiter waiting = Objects.requireNonNull(waiter);
    return waiting
        .ended()
        .map(
            ending -> {
              Answer answer;
              if (ending instanceof Waiter.Ending.With with) {
                answer = with.answer();
              } else {
                boolean early = ((Waiter.Ending.TimeIsUp) ending).early();
                Flight flight = Objects.requireNonNull(waiting.flight);
                answer = late(flight, service, mayTimeOut && !early, mayExpire && !early);
              }
              if (isFailure(answer)) {
                shared.failures.accept(service);
              }
              return answer;
            });
  }

  /** Whether its client gets an error of the gateway, 503 or 504. */
  private static boolean isFailure(Answer answer) {
    return answer instanceof Answer.Unknown
        || answer instanceof Answer.Accepted accepted && accepted.late()
        || answer instanceof Answer.Rejected rejected && rejected.reason().status() >= 500;
  }

  /** No reply came. */
  private Answer late(Flight flight, String service, boolean timedOut, boolean expired) {
    if (flight.offset == Flight.NOWHERE) {
      flight.toldUnknown = true;
    }
    // After the write above: see appended.
    StatusToken place = flight.place(service);
    String token = shared.signer.write(place);
    return place.offset() == Flight.NOWHERE
        ? new Answer.Unknown(flight.id, token, flight.keyed)
        : new Answer.Accepted(shared.pending(place, token), timedOut || expired, expired);
  }

  private Future<Answer> refuse(Throwable failure) {
    if (failure instanceof RejectedException rejected) {
      return Future.succeededFuture(rejected.answer());
    }
    LOG.error("BUG: an exchange failed; its client gets a 500", failure);
    if (waiter != null) {
      shared.waiters.end(waiter, new Waiter.Ending.With(new Answer.Abandoned(waiter.id)));
    }
    return Future.succeededFuture(
        new Answer.Rejected(
            Answer.Reason.INTERNAL,
            "The gateway's log says more. The request may have been stored."));
  }

  private static <T> Future<T> rejected(Answer.Reason reason, String detail) {
    return Future.failedFuture(new RejectedException(reason, detail));
  }

  /**
   * A request with its route, once it is complete.
   *
   * @param isKnown whether there is nothing to store: it has its answer, or is on its way already
   */
  private record Stored(Route route, RequestEnvelope request, boolean isKnown) {
    Stored known() {
      return new Stored(route, request, true);
    }
  }
}
