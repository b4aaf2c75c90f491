package dev.tideover.gateway.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.gateway.exchange.Answer;
import dev.tideover.gateway.exchange.Inquiry;
import dev.tideover.wire.ReplyEnvelope;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of one request, as server-sent events (WHATWG HTML, section 9.2): an event for each
 * change of its state, then one for its end, which closes the stream. Lives on the event loop of
 * its connection, which alone touches its fields.
 *
 * <p>An event's id names the state, not its number, so {@code Last-Event-ID} means the same to
 * every gateway of the cell: the state that the client knows is not told again.
 */
final class EventStream {

  static final String TYPE = "text/event-stream";

  /** The last event's id; who comes back with it has nothing more to hear. */
  static final String END = "end";

  /** After that the client connects again, perhaps to another gateway. */
  private static final Duration LONGEST = Duration.ofMinutes(30);

  private static final Duration TICK = Duration.ofSeconds(1);

  /** Proxies close what is silent for longer, the usual 30 s or more. */
  private static final int KEEP_ALIVE_TICKS = 15;

  private final HttpServerRequest request;
  private final HttpServerResponse response;
  private final Inquiry inquiry;
  private final Vertx vertx;

  /** Of the last state that the client has heard. */
  private @Nullable String lastId;

  private int silentTicks;
  private long timer;
  private boolean asking;

  EventStream(HttpServerRequest request, Inquiry inquiry, Vertx vertx) {
    this.request = request;
    this.response = request.response();
    this.inquiry = inquiry;
    this.vertx = vertx;
    this.lastId = request.getHeader("Last-Event-ID");
  }

  /**
   * Streams, if there is something to stream.
   *
   * @return an answer that there is no stream for, to be given as any other; null where the stream
   *     has taken the response over
   */
  Future<@Nullable Answer> run() {
    Future<Answer> end = inquiry.end(LONGEST);
    return inquiry
        .now()
        .map(
            answer -> {
              if (!(answer instanceof Answer.Pending) && !isEnd(answer)) {
                inquiry.abandon();
                return answer;
              }
              open();
              if (answer instanceof Answer.Pending pending) {
                tell(pending);
                timer = vertx.setPeriodic(TICK.toMillis(), tick -> tick());
                var unused = end.onSuccess(this::finish);
              } else {
                inquiry.abandon();
                finish(answer);
              }
              return null;
            });
  }

  private static boolean isEnd(Answer answer) {
    return answer instanceof Answer.Replied || answer instanceof Answer.Unreadable;
  }

  /** Nothing more will come: the client asks again and is told so with a status of its own. */
  private static boolean isOver(Answer answer) {
    return answer instanceof Answer.Mismatch
        || answer instanceof Answer.ReplyMissing missing && missing.reason().status() != 503;
  }

  private void open() {
    response.setStatusCode(200);
    response.putHeader("Content-Type", TYPE);
    // The outcome is in the events: it changes while they are told.
    Responder.mark(response, "gateway", inquiry.id());
    // Proxies that buffer would keep the events until the end.
    response.putHeader("X-Accel-Buffering", "no");
    response.setChunked(true);
    response.exceptionHandler(gone -> stop());
    response.closeHandler(gone -> stop());
    write(":ok\nretry: 2000\n\n");
  }

  private void tick() {
    if (response.closed()) {
      stop();
      return;
    }
    if (++silentTicks >= KEEP_ALIVE_TICKS) {
      write(":\n\n");
    }
    // A state is told only after the same check that a question gets: another gateway may have
    // said "completed" already. One check at a time.
    if (!asking) {
      asking = true;
      var unused =
          inquiry
              .now()
              .onSuccess(
                  answer -> {
                    asking = false;
                    if (response.ended()) {
                      return;
                    }
                    if (answer instanceof Answer.Pending pending) {
                      tell(pending);
                    } else if (isEnd(answer) || isOver(answer)) {
                      finish(answer);
                    }
                  });
    }
  }

  private void tell(Answer.Pending pending) {
    String id = Documents.version(pending);
    // Nothing is queued for a client that does not read: the next state says it all.
    if (id.equals(lastId) || response.writeQueueFull()) {
      return;
    }
    lastId = id;
    event(Documents.state(pending), id, Documents.bytes(json -> Documents.pending(pending, json)));
  }

  private void finish(Answer answer) {
    stop();
    if (response.closed() || response.ended()) {
      return;
    }
    if (isEnd(answer)) {
      String state =
          answer instanceof Answer.Replied replied ? state(replied.reply()) : "illegal-reply";
      event(
          state,
          END,
          Documents.bytes(
              json -> {
                json.writeStringField("state", state);
                if (answer instanceof Answer.Replied replied) {
                  ReplyEnvelope reply = replied.reply();
                  json.writeStringField("requestId", reply.id().toString());
                  json.writeNumberField("attempts", reply.attempts());
                  if (state.equals("completed")) {
                    json.writeNumberField("status", reply.status());
                  }
                }
                json.writeStringField("location", InboundRequest.originForm(request.uri()));
              }));
    }
    boolean last = "close".equals(response.headers().get("Connection"));
    var unused =
        response
            .end()
            .onSuccess(
                written -> {
                  if (last) {
                    request.connection().close();
                  }
                });
  }

  private static String state(ReplyEnvelope reply) {
    return reply.outcome().name().toLowerCase(Locale.ROOT);
  }

  private void event(String name, String id, byte[] data) {
    write("event: " + name + "\nid: " + id + "\ndata: " + new String(data, UTF_8) + "\n\n");
  }

  private void write(String text) {
    silentTicks = 0;
    var unused = response.write(text);
  }

  /** The client has left, or the end is told. */
  private void stop() {
    vertx.cancelTimer(timer);
    inquiry.abandon();
  }
}
