package dev.tideover.gateway.http;

import dev.tideover.gateway.exchange.Answer;
import dev.tideover.gateway.exchange.Inbound;
import dev.tideover.gateway.exchange.RejectedException;
import dev.tideover.wire.HttpFields;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpVersion;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A request of Vert.x as the exchange takes it. Lives on the connection's event loop. */
final class InboundRequest implements Inbound {

  private static final byte[] NO_BODY = new byte[0];

  private final HttpServerRequest request;
  private final Preferences preferences;
  private final BodyDeadlines deadlines;

  /** Null before and after the reading: its result, the body, must not stay for the whole wait. */
  private @Nullable Promise<byte[]> reading;

  private @Nullable Buffer received;

  InboundRequest(HttpServerRequest request, BodyDeadlines deadlines) {
    this.request = request;
    this.deadlines = deadlines;
    this.preferences = Preferences.parse(request.headers().getAll("prefer"));
  }

  @Override
  public String method() {
    return request.method().name();
  }

  @Override
  public String target() {
    return originForm(request.uri());
  }

  /** Path and query; the absolute form (RFC 9112 section 3.2.2) is cut down to them. */
  static String originForm(String uri) {
    int authority = authorityStart(uri);
    if (authority < 0) {
      return uri;
    }
    String rest = uri.substring(authorityEnd(uri, authority));
    return rest.startsWith("/") ? rest : "/" + rest;
  }

  /** Where the authority of an absolute form begins; negative for any other form. */
  private static int authorityStart(String uri) {
    int colon = uri.indexOf("://");
    return uri.startsWith("/") || colon <= 0 ? -1 : colon + 3;
  }

  private static int authorityEnd(String uri, int start) {
    int end = start;
    while (end < uri.length() && "/?#".indexOf(uri.charAt(end)) < 0) {
      end++;
    }
    return end;
  }

  @Override
  public String scheme() {
    return request.isSSL() ? "https" : "http";
  }

  /** One host that has one reading; RFC 9112 section 3.2 wants a 400 for anything else. */
  @Override
  public String authority() {
    List<String> hosts = request.headers().getAll("host");
    if (hosts.size() > 1 || hosts.isEmpty() && request.version() == HttpVersion.HTTP_1_1) {
      throw badHost("A request of HTTP/1.1 has one Host field.");
    }
    String host = hosts.isEmpty() ? "" : hosts.get(0);
    for (int i = 0; i < host.length(); i++) {
      char c = host.charAt(i);
      if (c <= ' ' || c >= 0x7F || "@/\\?#\"<>^`{|}".indexOf(c) >= 0) {
        throw badHost("The Host field is not a host and perhaps a port.");
      }
    }
    String uri = request.uri();
    int start = authorityStart(uri);
    if (start >= 0 && !uri.substring(start, authorityEnd(uri, start)).equalsIgnoreCase(host)) {
      throw badHost("The request target names another host than the Host field does.");
    }
    return host;
  }

  private static RejectedException badHost(String detail) {
    return new RejectedException(Answer.Reason.BAD_FIELD, detail);
  }

  @Override
  public HttpFields fields() {
    return FieldRules.endToEnd(request.headers());
  }

  @Override
  public @Nullable String idempotencyKey() {
    return IdempotencyKeys.parse(request.headers().getAll("idempotency-key"));
  }

  @Override
  public @Nullable Duration preferredWait() {
    return preferences.patience();
  }

  @Override
  public boolean respondAsync() {
    return preferences.respondAsync();
  }

  Preferences preferences() {
    return preferences;
  }

  @Override
  public Future<byte[]> body(long limit) {
    if (!expectationMet()) {
      return refused(Answer.Reason.EXPECTATION_FAILED, "Only 100-continue can be met.");
    }
    String length = request.getHeader("content-length");
    if (length != null && longer(length, limit)) {
      return refused(Answer.Reason.BODY_TOO_LARGE, tooLarge(limit));
    }
    if (expectsContinue()) {
      request.response().writeContinue();
    }
    Promise<byte[]> body = Promise.promise();
    reading = body;
    request.handler(chunk -> receive(chunk, limit));
    request.endHandler(
        nothing -> {
          Promise<byte[]> complete = endReading();
          if (complete != null) {
            complete.complete(bytes());
          }
        });
    request.exceptionHandler(failure -> fail(Answer.Reason.MALFORMED, "Cut short."));
    deadlines.watch(this);
    return body.future();
  }

  @Override
  public void release() {
    request.headers().clear();
  }

  /** The body has not come in time. */
  void tooSlow() {
    fail(
        Answer.Reason.BODY_TIMEOUT,
        "It took longer than " + BodyDeadlines.LIMIT.toSeconds() + " s.");
  }

  /** The gateway can't wait for the rest. */
  void stopping() {
    fail(
        Answer.Reason.STOPPING,
        "The body was not complete, so nothing was stored; send the request again, to another"
            + " gateway.");
  }

  private void fail(Answer.Reason reason, String detail) {
    Promise<byte[]> failed = endReading();
    if (failed != null) {
      received = null;
      request.handler(chunk -> {});
      failed.fail(new RejectedException(reason, detail));
    }
  }

  /** The promise to keep now; null where the reading has ended before. */
  private @Nullable Promise<byte[]> endReading() {
    Promise<byte[]> promise = reading;
    reading = null;
    deadlines.forget(this);
    return promise;
  }

  private void receive(Buffer chunk, long limit) {
    int before = received == null ? 0 : received.length();
    if (before + (long) chunk.length() > limit) {
      fail(Answer.Reason.BODY_TOO_LARGE, tooLarge(limit));
    } else if (received == null) {
      received = chunk.copy();
    } else {
      received.appendBuffer(chunk);
    }
  }

  private byte[] bytes() {
    byte[] bytes = received == null ? NO_BODY : received.getBytes();
    received = null;
    return bytes;
  }

  private boolean expectationMet() {
    String expect = request.getHeader("expect");
    return expect == null || expect.equalsIgnoreCase("100-continue");
  }

  /** Who speaks HTTP/1.0 would take the 100 for the answer (RFC 9110 section 10.1.1). */
  private boolean expectsContinue() {
    return request.version() != HttpVersion.HTTP_1_0 && request.headers().contains("expect");
  }

  /** Netty has checked that a length is a number; one of 19 digits or more is larger anyway. */
  private static boolean longer(String length, long limit) {
    return length.length() > 18 || Long.parseLong(length) > limit;
  }

  private static String tooLarge(long limit) {
    return "The route takes at most " + limit + " bytes.";
  }

  private static Future<byte[]> refused(Answer.Reason reason, String detail) {
    return Future.failedFuture(new RejectedException(reason, detail));
  }
}
