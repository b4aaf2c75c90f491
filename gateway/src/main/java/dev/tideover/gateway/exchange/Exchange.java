package dev.tideover.gateway.exchange;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.Append;
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

  /** Only now, when the body is there: a limit that counts those who wait must not be stale. */
  private void settleWait(Route route) {
    // A durable request needs no connection: answer 202 rather than turn it away. Then somebody may
    // ask for its answer, so it must not expire.
    boolean crowded = shared.waitingOf(route.service()).get() >= route.waitingLimit();
    wait = crowded ? Duration.ZERO : patience(route);
    boolean waits = !inbound.respondAsync() && !crowded;
    expires = waits && route.expires(inbound.method());
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
    return inbound
        .body(route.maxBody())
        .map(
            body -> {
              settleWait(route);
              Stored stored = new Stored(route, envelope(authority, fields, key, body));
              // All is in the record now, and the wait may be long.
              target = NO_TARGET;
              inbound.release();
              return stored;
            });
  }

  private RequestEnvelope envelope(
      String authority, HttpFields fields, @Nullable String key, byte[] body) {
    RequestId id = RequestId.random();
    Instant now = shared.clock.instant();
    return new RequestEnvelope(
        id,
        shared.replyAddress(id),
        now,
        expires ? now.plus(wait) : null,
        false,
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
    waiter =
        new Waiter(
            request.id(),
            request.fingerprint(),
            shared.nanoTime.getAsLong() + wait.toNanos(),
            shared.waitingOf(stored.route().service()),
            context);
    shared.waiters.add(waiter);
    return Future.succeededFuture(stored);
  }

  private Future<Stored> append(Stored stored) {
    Waiter waiting = Objects.requireNonNull(waiter);
    Route route = stored.route();
    shared.log.append(
        stored.request(), route.topic(), route.partitions(), result -> appended(waiting, result));
    return Future.succeededFuture(stored);
  }

  /** On the producer's thread, or within the call where the producer refused. */
  private void appended(Waiter waiting, Append result) {
    if (result instanceof Append.Acknowledged acknowledged) {
      waiting.offset = acknowledged.offset();
      // After the write above: either this sees that the client was told "unknown", or that one's
      // event loop sees the offset; see await.
      if (waiting.toldUnknown) {
        shared.latePlaces.put(waiting.id, acknowledged.offset());
      } else if (shared.nanoTime.getAsLong() - waiting.deadline >= 0) {
        shared.waiters.end(waiting, new Waiter.Ending.TimeIsUp(false));
      }
    } else if (result instanceof Append.Refused refused) {
      shared.problems.add(refused);
      shared.waiters.end(
          waiting,
          new Waiter.Ending.With(
              new Answer.Rejected(
                  Answer.Reason.UNAVAILABLE,
                  "Nothing of the request was stored; it is safe to send it again.",
                  Set.of(),
                  refused.retryAfter())));
    } else if (result instanceof Append.Unknown unknown) {
      shared.problems.add(unknown);
      shared.waiters.end(waiting, new Waiter.Ending.TimeIsUp(false));
    }
  }

  private Future<Answer> await(Stored stored) {
    // Keep what the late answers need, not the request: its body may be large and the wait long.
    Instant acceptedAt = stored.request().acceptedAt();
    Route route = stored.route();
    int partition = Partitions.of(stored.request().recordKey(), route.partitions());
    boolean mayExpire = expires;
    boolean mayTimeOut = timesOut;
    Waiter waiting = Objects.requireNonNull(waiter);
    return waiting
        .ended()
        .map(
            ending -> {
              if (ending instanceof Waiter.Ending.With with) {
                return with.answer();
              }
              boolean early = ((Waiter.Ending.TimeIsUp) ending).early();
              return late(
                  waiting, acceptedAt, route, partition, mayTimeOut && !early, mayExpire && !early);
            });
  }

  /** No reply came. */
  private Answer late(
      Waiter waiting,
      Instant acceptedAt,
      Route route,
      int partition,
      boolean timedOut,
      boolean expired) {
    // Before the read below: see appended.
    waiting.toldUnknown = waiting.offset == Waiter.NOWHERE;
    StatusToken place =
        new StatusToken(
            waiting.id, acceptedAt, StatusToken.hash(route.service()), partition, waiting.offset);
    String token = shared.signer.write(place);
    return place.offset() == Waiter.NOWHERE
        ? new Answer.Unknown(waiting.id, token)
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

  /** A request with its route, once it is complete. */
  private record Stored(Route route, RequestEnvelope request) {}
}
