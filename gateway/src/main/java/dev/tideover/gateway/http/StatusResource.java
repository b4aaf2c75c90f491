package dev.tideover.gateway.http;

import dev.tideover.gateway.exchange.Answer;
import dev.tideover.gateway.exchange.Exchanges;
import dev.tideover.gateway.exchange.Inquiry;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.http.HttpVersion;
import java.time.Duration;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What stands at a request's status address: GET and HEAD tell what has become of it, at once,
 * within {@code Prefer: wait}, or as a stream of events; DELETE cancels it.
 */
final class StatusResource {

  static final String PATH = Responder.STATUS_PATH;

  private static final Set<String> METHODS = Set.of("GET", "HEAD", "DELETE");

  /** How long a DELETE without a preference waits for word that nothing will run. */
  private static final Duration CANCEL_PATIENCE = Duration.ofSeconds(2);

  private final Exchanges exchanges;
  private final Context context;

  StatusResource(Exchanges exchanges, Context context) {
    this.exchanges = exchanges;
    this.context = context;
  }

  /**
   * Deals with a request.
   *
   * @return what is to be answered; null where a stream has taken over
   */
  Future<@Nullable Answer> handle(HttpServerRequest request, String token) {
    String method = request.method().name();
    if (!METHODS.contains(method)) {
      return Future.succeededFuture(
          Answer.Rejected.method("A status address takes " + METHODS + ".", METHODS));
    }
    HttpServerResponse response = request.response();
    Inquiry inquiry = exchanges.ask(token, context);
    response.closeHandler(gone -> inquiry.abandon());
    response.putHeader("Vary", "Accept, Prefer");
    // At the end, so that it stands instead of what the service said of its own answer.
    response.headersEndHandler(writing -> response.headers().set("Cache-Control", "no-store"));
    Preferences preferences = Preferences.parse(request.headers().getAll("prefer"));
    if (method.equals("DELETE")) {
      Duration patience = preferences.patience() == null ? CANCEL_PATIENCE : preferences.patience();
      return inquiry.cancel(granted(patience, inquiry)).map(answer -> answer);
    }
    if (method.equals("GET") && wantsEvents(request)) {
      return events(request, inquiry);
    }
    Duration patience =
        preferences.patience() == null ? Duration.ZERO : granted(preferences.patience(), inquiry);
    String applied = new Preferences(false, preferences.patience()).applied(patience);
    if (applied != null) {
      response.putHeader("Preference-Applied", applied);
    }
    return inquiry.answer(patience).compose(answer -> unlessKnown(request, answer));
  }

  /**
   * What a conditional GET compares.
   *
   * @param source who made the content
   * @param ofService whether the service has given the tag, so that it comes with its fields
   */
  private record Version(
      RequestId id, String tag, boolean ofService, String source, String outcome) {

    static @Nullable Version of(Answer answer) {
      if (answer instanceof Answer.Pending pending) {
        String tag = "W/\"" + Documents.version(pending) + "\"";
        return new Version(pending.id(), tag, false, "gateway", Responder.outcome(pending));
      }
      // A condition is for a successful answer (RFC 9110 section 13.2.1).
      if (answer instanceof Answer.Replied replied
          && replied.reply().outcome() == ReplyOutcome.COMPLETED
          && replied.reply().status() / 100 == 2) {
        RequestId id = replied.reply().id();
        String own = replied.reply().fields().first("etag");
        // The first reply stands, so there is never another one behind this address.
        String tag = own == null ? "\"" + id + "\"" : own;
        return new Version(id, tag, own != null, "service", "completed");
      }
      return null;
    }
  }

  /** Gives the answer its entity tag, or says 304 to a client that has it already. */
  private static Future<@Nullable Answer> unlessKnown(HttpServerRequest request, Answer answer) {
    HttpServerResponse response = request.response();
    Version version = Version.of(answer);
    if (version == null || response.closed()) {
      return Future.succeededFuture(answer);
    }
    boolean known = EntityTags.matches(request.headers().getAll("if-none-match"), version.tag());
    if (known || !version.ofService()) {
      response.putHeader("ETag", version.tag());
    }
    if (!known) {
      return Future.succeededFuture(answer);
    }
    if (answer instanceof Answer.Pending pending) {
      response.putHeader("Retry-After", Responder.retryAfter(pending));
    }
    response.setStatusCode(304);
    Responder.mark(response, version.source(), version.outcome(), version.id());
    return response.end().map(nothing -> null);
  }

  private static Duration granted(Duration asked, Inquiry inquiry) {
    if (!inquiry.mayWait()) {
      return Duration.ZERO;
    }
    return asked.compareTo(inquiry.longest()) < 0 ? asked : inquiry.longest();
  }

  private Future<@Nullable Answer> events(HttpServerRequest request, Inquiry inquiry) {
    if (EventStream.END.equals(request.getHeader("Last-Event-ID"))) {
      // By the specification of event streams, what makes a client give up connecting again.
      Responder.mark(request.response(), "gateway", inquiry.id());
      return request.response().setStatusCode(204).end().map(nothing -> null);
    }
    if (!inquiry.mayWait()) {
      // No place for one more that stays: it is told how things stand and when to ask again.
      return inquiry.now().map(answer -> answer);
    }
    return new EventStream(request, inquiry, context.owner()).run();
  }

  /** HTTP/1.0 has no way to send a body piece by piece on a connection that stays. */
  private static boolean wantsEvents(HttpServerRequest request) {
    if (request.version() == HttpVersion.HTTP_1_0) {
      return false;
    }
    for (String line : request.headers().getAll("accept")) {
      for (String range : line.split(",", -1)) {
        String[] parts = range.split(";", -1);
        if (parts[0].strip().equalsIgnoreCase(EventStream.TYPE) && !refused(parts)) {
          return true;
        }
      }
    }
    return false;
  }

  /** Whether its weight is zero (RFC 9110 section 12.4.2). */
  private static boolean refused(String[] parts) {
    for (int i = 1; i < parts.length; i++) {
      if (parts[i].strip().toLowerCase(Locale.ROOT).matches("q=0(\\.0{0,3})?")) {
        return true;
      }
    }
    return false;
  }
}
