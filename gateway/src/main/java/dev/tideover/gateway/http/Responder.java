package dev.tideover.gateway.http;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.exchange.Answer;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import io.vertx.core.Future;
import io.vertx.core.MultiMap;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** From answers to HTTP: the one place that knows which answer has which status and fields. */
final class Responder {

  static final String STATUS_PATH = GatewayConfig.RESERVED_PATH + "/requests/";

  private static final Logger LOG = LoggerFactory.getLogger(Responder.class);
  private static final Duration USUAL_RETRY = Duration.ofSeconds(2);
  private static final String OUTCOME = "Tideover-Outcome";

  /** What a gateway-made body says. */
  private record Problem(
      int status, String code, String title, String detail, boolean retryable, String outcome) {}

  /** Writes the answer; the future is done when the response has been handed to the connection. */
  static Future<Void> write(Answer answer, HttpServerRequest request) {
    HttpServerResponse response = request.response();
    if (answer instanceof Answer.Replied replied) {
      if (replied.replayed()) {
        response.putHeader("Idempotency-Replayed", "true");
      }
      return reply(replied.reply(), request);
    } else if (answer instanceof Answer.Mismatch mismatch) {
      return mismatch(request, mismatch.id(), mismatch.decided());
    } else if (answer instanceof Answer.InProgress inProgress) {
      return refused(
          request,
          inProgress.id(),
          Answer.Reason.IN_PROGRESS,
          "It was sent before under the same Idempotency-Key and has no answer yet; this one was"
              + " not stored. Send it again later to get that answer.",
          "not-accepted",
          null);
    } else if (answer instanceof Answer.Unreadable unreadable) {
      return problem(request, unreadable.id(), illegalReply());
    } else if (answer instanceof Answer.Accepted accepted) {
      return accepted(accepted, request);
    } else if (answer instanceof Answer.Unknown unknown) {
      locate(response, unknown.token());
      return problem(
          request,
          unknown.id(),
          new Problem(
              504,
              "unknown",
              "The outcome is not known",
              "The request was handed to Kafka and not acknowledged in time: it may run or not. Ask"
                  + " at Location, or send it again"
                  + (unknown.keyed()
                      ? " with the same Idempotency-Key: it does not run twice."
                      : ", which without an Idempotency-Key is right only if doing it twice does no"
                          + " harm."),
              unknown.keyed(),
              "unknown"));
    } else if (answer instanceof Answer.Pending pending) {
      return pending(request, pending);
    } else if (answer instanceof Answer.Cancelled cancelled) {
      return cancelled(request, cancelled.id());
    } else if (answer instanceof Answer.TooLate late) {
      return problem(request, late.id(), tooLate(late.outcome()));
    } else if (answer instanceof Answer.ReplyMissing missing) {
      return refused(
          request, missing.id(), missing.reason(), missing.detail(), outcome(missing), null);
    } else if (answer instanceof Answer.Rejected rejected) {
      return rejected(rejected, request);
    }
    return Future.succeededFuture();
  }

  private static Future<Void> reply(ReplyEnvelope reply, HttpServerRequest request) {
    return switch (reply.outcome()) {
      case COMPLETED -> completed(reply, request);
      case DEAD ->
          problem(
              request,
              reply.id(),
              new Problem(
                  502,
                  "dead",
                  "The service could not handle the request",
                  "All attempts failed; the request is kept in the dead-letter topic.",
                  false,
                  "dead"));
      case EXPIRED ->
          problem(
              request,
              reply.id(),
              expired(
                  reply.attempts() == 0
                      ? "It was not handled within its wait, and will not run."
                      : "An attempt failed, and its wait was over before the next; it will not run"
                          + " again."));
      case CANCELLED ->
          problem(
              request,
              reply.id(),
              new Problem(
                  410,
                  "cancelled",
                  "The request was cancelled",
                  "Its client has cancelled it before its service knew it to be begun; it will not run.",
                  false,
                  "cancelled"));
      case DUPLICATE ->
          problem(
              request,
              reply.id(),
              new Problem(
                  409,
                  "duplicate",
                  "The request was handled before",
                  "The service knows its id; the first reply stands and can't be found.",
                  false,
                  "completed"));
      case MISMATCH -> mismatch(request, reply.id(), true);
    };
  }

  private static Future<Void> mismatch(HttpServerRequest request, RequestId id, boolean decided) {
    String compared = "Method, path, query, Content-Type, ordering key and body have to be alike.";
    return decided
        ? refused(
            request,
            id,
            Answer.Reason.IDEMPOTENCY_MISMATCH,
            "The key was used before for a request that is not the same; this one does not run. "
                + compared,
            "not-accepted",
            null)
        : refused(
            request,
            id,
            Answer.Reason.IDEMPOTENCY_CONFLICT,
            "This one was not stored, since another that is not the same is on its way with the"
                + " key. If this one was sent before, to another gateway, send it again later to"
                + " get its answer. "
                + compared,
            "not-accepted",
            null);
  }

  private static Future<Void> completed(ReplyEnvelope reply, HttpServerRequest request) {
    HttpServerResponse response = request.response();
    int status = reply.status();
    boolean head = request.method().equals(HttpMethod.HEAD);
    boolean noContent = status == 204 || status == 205 || status == 304;
    if (noContent && status != 304 && reply.body().length > 0) {
      return problem(request, reply.id(), illegalReply());
    }
    response.setStatusCode(status);
    MultiMap headers = response.headers();
    FieldRules.copy(reply.fields(), head || status == 304, headers);
    mark(response, "service", "completed", reply.id());
    if (head || noContent) {
      if (status == 205) {
        headers.set("Content-Length", "0");
      } else if (head && !noContent && !headers.contains("content-length")) {
        headers.set("Content-Length", Integer.toString(reply.body().length));
      }
      return response.end();
    }
    return response.end(Buffer.buffer(reply.body()));
  }

  private static Problem illegalReply() {
    return new Problem(
        502,
        "illegal-reply",
        "The service's reply is no HTTP response",
        "The handler ran; its reply can't be passed on. Don't send the request again blindly.",
        false,
        "completed");
  }

  private static Problem expired(String detail) {
    return new Problem(504, "expired", "The request expired", detail, true, "accepted");
  }

  private static Future<Void> accepted(Answer.Accepted accepted, HttpServerRequest request) {
    Answer.Pending pending = accepted.pending();
    if (!accepted.late()) {
      locate(request.response(), pending.token());
      return pending(request, pending);
    }
    locate(request.response(), pending.token());
    Problem late =
        accepted.expired()
            ? expired(
                "No reply came within its wait. A service that has not begun it will skip it; one"
                    + " that has may still finish it.")
            : new Problem(
                504,
                "late",
                "No reply within the wait",
                "The request is stored and will run; ask at Location.",
                false,
                "accepted");
    return problem(request, pending.id(), late);
  }

  /** No reply yet: 202, how things stand, and when to ask again. */
  private static Future<Void> pending(HttpServerRequest request, Answer.Pending pending) {
    HttpServerResponse response = request.response();
    response.setStatusCode(202);
    response.putHeader("Content-Type", "application/json");
    response.putHeader("Retry-After", retryAfter(pending));
    mark(response, "gateway", outcome(pending), pending.id());
    return Documents.end(request, json -> Documents.pending(pending, json));
  }

  static String retryAfter(Answer.Pending pending) {
    return Long.toString(pending.retryAfter().toSeconds());
  }

  /** What {@code Tideover-Outcome} says of it. */
  static String outcome(Answer.Pending pending) {
    return pending.stored() ? "accepted" : "unknown";
  }

  private static String outcome(Answer.ReplyMissing missing) {
    if (missing.reason() == Answer.Reason.NEVER_STORED) {
      return "not-accepted";
    }
    return missing.stored() ? "accepted" : "unknown";
  }

  private static Future<Void> cancelled(HttpServerRequest request, RequestId id) {
    HttpServerResponse response = request.response();
    response.setStatusCode(200);
    response.putHeader("Content-Type", "application/json");
    mark(response, "gateway", "cancelled", id);
    return Documents.end(
        request,
        json -> {
          json.writeStringField("state", "cancelled");
          json.writeStringField("requestId", id.toString());
        });
  }

  private static Problem tooLate(ReplyOutcome outcome) {
    String how = outcome.name().toLowerCase(Locale.ROOT);
    return new Problem(
        409,
        "already-ended",
        "The request has ended",
        "It can't be cancelled: it is " + how + ". Ask at its address for more.",
        false,
        switch (outcome) {
          case DEAD -> "dead";
          case EXPIRED -> "accepted";
          case MISMATCH -> "not-accepted";
          case COMPLETED, CANCELLED, DUPLICATE -> "completed";
        });
  }

  private static Future<Void> rejected(Answer.Rejected rejected, HttpServerRequest request) {
    HttpServerResponse response = request.response();
    Answer.Reason reason = rejected.reason();
    if (reason == Answer.Reason.METHOD_NOT_ALLOWED) {
      response.putHeader("Allow", String.join(", ", rejected.allowedMethods()));
    }
    String outcome = reason == Answer.Reason.INTERNAL ? "unknown" : "not-accepted";
    return refused(request, null, reason, rejected.detail(), outcome, rejected.retryAfter());
  }

  private static Future<Void> refused(
      HttpServerRequest request,
      @Nullable RequestId id,
      Answer.Reason reason,
      String detail,
      String outcome,
      @Nullable Duration retryAfter) {
    if (reason.status() == 503
        || reason == Answer.Reason.IN_PROGRESS
        || reason == Answer.Reason.IDEMPOTENCY_CONFLICT) {
      long seconds = spread(retryAfter == null ? USUAL_RETRY : retryAfter);
      request.response().putHeader("Retry-After", Long.toString(seconds));
    }
    return problem(
        request,
        id,
        new Problem(
            reason.status(), reason.code(), reason.title(), detail, reason.retryable(), outcome));
  }

  /** So that those who were turned away together don't come back together. */
  private static long spread(Duration duration) {
    double factor = ThreadLocalRandom.current().nextDouble(0.5, 1.5);
    return Math.max(1, Math.round(duration.toMillis() * factor / 1000));
  }

  private static void locate(HttpServerResponse response, String token) {
    response.putHeader("Location", STATUS_PATH + token);
  }

  static void mark(HttpServerResponse response, String source, String outcome, RequestId id) {
    mark(response, source, id);
    response.putHeader(OUTCOME, outcome);
  }

  /**
   * The same of an answer that tells no outcome.
   *
   * @param id null for none
   */
  static void mark(HttpServerResponse response, String source, @Nullable RequestId id) {
    if (!response.headers().contains("date")) {
      response.putHeader("Date", HttpDate.now());
    }
    response.putHeader("Tideover-Source", source);
    if (id != null) {
      response.putHeader("Tideover-Id", id.toString());
    }
  }

  /** It opens nothing, so it may be guessed: drawing one that can't be takes a lock of the JVM. */
  private static RequestId nameOnly() {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    return new RequestId(random.nextLong(), random.nextLong());
  }

  /**
   * RFC 9457. Also a request that was refused before it had an id gets one here, so that what a
   * client reports can be found in the log.
   */
  private static Future<Void> problem(
      HttpServerRequest request, @Nullable RequestId given, Problem problem) {
    RequestId id = given == null ? nameOnly() : given;
    LOG.debug("{} ends with {} {}: {}", id, problem.status(), problem.code(), problem.detail());
    HttpServerResponse response = request.response();
    response.setStatusCode(problem.status());
    response.putHeader("Content-Type", "application/problem+json");
    mark(response, "gateway", problem.outcome(), id);
    return Documents.end(
        request,
        json -> {
          json.writeStringField("type", "urn:tideover:problem:" + problem.code());
          json.writeStringField("title", problem.title());
          json.writeNumberField("status", problem.status());
          json.writeStringField("detail", problem.detail());
          json.writeStringField("code", problem.code());
          json.writeStringField("requestId", id.toString());
          json.writeBooleanField("retryable", problem.retryable());
        });
  }

  private Responder() {}
}
