package dev.tideover.gateway.http;

import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One request to the operators' API, in its order: find the operation, read the body, do it on a
 * worker thread, answer. Belongs to the event loop that its request came on.
 */
final class AdminCall {

  private static final Logger LOG = LoggerFactory.getLogger(AdminCall.class);

  static final int MAX_BODY = 64 << 10;
  private static final Duration BODY_LIMIT = Duration.ofSeconds(10);

  /** Longer than any of the operations takes. */
  private static final Duration LIMIT = Duration.ofSeconds(30);

  private final Vertx vertx;
  private final Context context;
  private final HttpServerRequest request;

  AdminCall(Vertx vertx, Context context, HttpServerRequest request) {
    this.vertx = vertx;
    this.context = context;
    this.request = request;
  }

  /** Does it; the future is done when the answer is written, or can't be. */
  Future<Void> run(AdminApi api) {
    return find()
        .compose(match -> read(match).compose(body -> act(api, match, body)))
        .compose(this::answer)
        .recover(failure -> refuse(request, failure));
  }

  private Future<AdminApi.Match> find() {
    return Future.succeededFuture()
        .map(nothing -> AdminApi.match(request.method().name(), request.path()));
  }

  private Future<byte[]> read(AdminApi.Match match) {
    if (!match.operation().hasBody() || !announcesBody(request)) {
      return Future.succeededFuture(new byte[0]);
    }
    Promise<byte[]> read = Promise.promise();
    Buffer received = Buffer.buffer();
    request.handler(
        chunk -> {
          if (received.length() + chunk.length() > MAX_BODY) {
            read.tryFail(tooLarge());
          } else {
            received.appendBuffer(chunk);
          }
        });
    request.exceptionHandler(read::tryFail);
    request.endHandler(
        end -> {
          if (received.length() > 0 && !isJson(request.getHeader("Content-Type"))) {
            read.tryFail(
                new AdminProblem(
                    415,
                    "not-json",
                    "The body is not JSON",
                    "Send it as JSON, with \"Content-Type: application/json\"."));
          } else {
            read.tryComplete(received.getBytes());
          }
        });
    long timer = vertx.setTimer(BODY_LIMIT.toMillis(), late -> read.tryFail(tooSlow()));
    return read.future().onComplete(done -> vertx.cancelTimer(timer));
  }

  private static AdminProblem tooLarge() {
    return new AdminProblem(
        413, "body-too-large", "The body is too large", "It may have " + MAX_BODY + " bytes.");
  }

  private static AdminProblem tooSlow() {
    return new AdminProblem(
        408,
        "body-too-slow",
        "The body did not come",
        "It was not whole after " + BODY_LIMIT.toSeconds() + " s, so nothing was done. Ask again.");
  }

  private static boolean isJson(@Nullable String type) {
    if (type == null) {
      return false;
    }
    int end = type.indexOf(';');
    String essence = (end < 0 ? type : type.substring(0, end)).strip();
    return essence.toLowerCase(Locale.ROOT).equals("application/json");
  }

  private Future<AdminApi.Reply> act(AdminApi api, AdminApi.Match match, byte[] body) {
    AdminApi.Call call =
        new AdminApi.Call(
            match.service(),
            release(match),
            body,
            String.valueOf(request.remoteAddress().hostAddress()));
    return vertx
        .executeBlocking(() -> api.handle(match.operation(), call), false)
        .compose(stage -> Future.fromCompletionStage(stage, context))
        .timeout(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** The only parameter that there is. */
  private @Nullable String release(AdminApi.Match match) {
    Set<String> names = request.params().names();
    for (String name : names) {
      if (!match.operation().hasId() || !name.equals("id")) {
        throw AdminProblem.badRequest(
            "The query has a parameter that is not known here"
                + (match.operation().hasId() ? "; known is id." : "; there is none."));
      }
    }
    return request.getParam("id");
  }

  private Future<Void> answer(AdminApi.Reply reply) {
    HttpServerResponse response = request.response();
    if (response.closed()) {
      return Future.succeededFuture();
    }
    response
        .setStatusCode(reply.status())
        .putHeader("Content-Type", "application/json")
        .putHeader("Cache-Control", "no-store");
    if (reply.location() != null) {
      response.putHeader("Location", reply.location());
    }
    return Documents.end(request, reply.body());
  }

  /** Answers with the problem; where a part of the body is still to come, the connection ends. */
  static Future<Void> refuse(HttpServerRequest request, Throwable failure) {
    HttpServerResponse response = request.response();
    if (response.closed() || response.ended()) {
      return Future.succeededFuture();
    }
    boolean whole = request.isEnded() || !announcesBody(request);
    if (!whole) {
      response.putHeader("Connection", "close");
    }
    return problem(failure)
        .write(request)
        .onComplete(
            written -> {
              if (!whole) {
                request.connection().close();
              }
            });
  }

  private static AdminProblem problem(Throwable failure) {
    Throwable cause =
        failure instanceof CompletionException && failure.getCause() != null
            ? failure.getCause()
            : failure;
    if (cause instanceof AdminProblem problem) {
      return problem;
    }
    if (cause instanceof TimeoutException) {
      return AdminProblem.unavailable(
          "outcome-unknown",
          "It isn't known whether it is done",
          "It was not done within " + LIMIT.toSeconds() + " s. Ask how the service stands.");
    }
    LOG.error("BUG: the operators' API failed; its client gets a 500", cause);
    return new AdminProblem(
        500,
        "gateway-fault",
        "The gateway failed",
        "What was asked for may be done or not; the gateway's log says why. Ask how the service"
            + " stands.");
  }

  /** Without these fields a request of HTTP/1.1 has no body (RFC 9112 section 6.3). */
  private static boolean announcesBody(HttpServerRequest request) {
    return request.headers().contains("content-length")
        || request.headers().contains("transfer-encoding");
  }
}
