package dev.tideover.gateway.http;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.exchange.Answer;
import dev.tideover.gateway.exchange.Exchange;
import dev.tideover.gateway.exchange.Exchanges;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.net.SocketAddress;
import java.time.Duration;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where clients connect: one instance for each event loop. Hands each request to an exchange and
 * writes what that answers.
 */
public final class HttpFront extends VerticleBase {

  private static final Logger LOG = LoggerFactory.getLogger(HttpFront.class);
  private static final int MAX_REQUEST_LINE = 8 << 10;
  private static final int MAX_FIELDS = 16 << 10;

  /** How much of a body that nobody wants is read so that its sender gets to see the answer. */
  private static final long MAX_DISCARDED = 1 << 20;

  private static final Duration DISCARD_LIMIT = Duration.ofSeconds(2);

  /** How long answers that are ready may take to go out. */
  public static final Duration ANSWERS_LIMIT = Duration.ofSeconds(5);

  private final GatewayConfig.Http config;
  private final Exchanges exchanges;
  private final BodyDeadlines deadlines = new BodyDeadlines();
  private final Connections connections = new Connections(System::nanoTime);
  private @Nullable HttpServer server;

  private volatile boolean draining;

  public HttpFront(GatewayConfig.Http config, Exchanges exchanges) {
    this.config = config;
    this.exchanges = exchanges;
  }

  @Override
  public Future<?> start() {
    HttpServerOptions options =
        new HttpServerOptions()
            .setMaxInitialLineLength(MAX_REQUEST_LINE)
            .setMaxHeaderSize(MAX_FIELDS)
            .setHttp2ClearTextEnabled(false)
            .setDecompressionSupported(false)
            // The heap of very many waiting clients: a buffer as large as most field lines, and no
            // handlers for web sockets, which don't go through Kafka. Idle connections are found by
            // a walk over all instead of a timer for each.
            .setDecoderInitialBufferSize(128)
            .setPerFrameWebSocketCompressionSupported(false)
            .setPerMessageWebSocketCompressionSupported(false);
    vertx.setPeriodic(1_000, timer -> deadlines.check());
    vertx.setPeriodic(60_000, timer -> connections.check());
    HttpServer created =
        vertx
            .createHttpServer(options)
            .connectionHandler(connections::opened)
            .invalidRequestHandler(this::refuse)
            .requestHandler(this::handle);
    server = created;
    return created.listen(
        config.port() == 0
            // The same free port for all instances.
            ? SocketAddress.sharedRandomPort(1, config.host())
            : SocketAddress.inetSocketAddress(config.port(), config.host()));
  }

  /** The port it listens on. */
  public int port() {
    return Objects.requireNonNull(server).actualPort();
  }

  /** From now on each answer ends its connection, so that its client goes elsewhere. Any thread. */
  public void drain() {
    draining = true;
  }

  /**
   * Takes no more connections and closes those without an open request; the others are closed when
   * theirs has been answered. Any thread.
   *
   * @param limit after it all are closed, answered or not
   * @return done when no connection is left
   */
  public Future<Void> shutdown(Duration limit) {
    return server == null ? Future.succeededFuture() : server.shutdown(limit);
  }

  /** Refuses the requests whose body is not complete. Any thread. */
  public void endBodies() {
    context.runOnContext(nothing -> deadlines.endAll());
  }

  /** Lets the answers under way go out, for 5 s at most; nothing is left to do after a shutdown. */
  @Override
  public Future<?> stop() {
    return shutdown(ANSWERS_LIMIT);
  }

  private void handle(HttpServerRequest request) {
    if (connections.isEnded(request.connection())) {
      // Pipelined behind an answer that said "close": it must not run (RFC 9112 section 9.6).
      return;
    }
    connections.used(request.connection());
    if (draining) {
      // Here for the answers that don't pass through finish(): streams, 304.
      endAfter(request);
    }
    if (request.method().equals(HttpMethod.CONNECT) || request.method().equals(HttpMethod.TRACE)) {
      finish(
          request,
          Answer.Rejected.method(request.method().name() + " can't be buffered.", Set.of()));
      return;
    }
    String target = InboundRequest.originForm(request.uri());
    if (target.startsWith(Responder.STATUS_PATH)) {
      int query = target.indexOf('?');
      status(
          request,
          target.substring(Responder.STATUS_PATH.length(), query < 0 ? target.length() : query));
    } else {
      exchange(request);
    }
  }

  private void exchange(HttpServerRequest request) {
    InboundRequest inbound = new InboundRequest(request, deadlines);
    Exchange exchange = exchanges.begin(inbound, context);
    HttpServerResponse response = request.response();
    response.closeHandler(gone -> exchange.abandon());
    var unused =
        exchange
            .run()
            .onSuccess(
                answer -> {
                  if (!response.closed()) {
                    String applied = inbound.preferences().applied(exchange.granted());
                    if (!(answer instanceof Answer.Rejected)) {
                      if (applied != null) {
                        response.putHeader("Preference-Applied", applied);
                      }
                      // Without a preference, or with another, it could be another answer.
                      if (applied != null || !(answer instanceof Answer.Replied)) {
                        response.putHeader("Vary", "Prefer");
                      }
                    }
                    finish(request, answer);
                  }
                });
  }

  private void status(HttpServerRequest request, String token) {
    StatusResource resource = new StatusResource(exchanges, context);
    var unused =
        Future.succeededFuture(token)
            .compose(asked -> resource.handle(request, asked))
            .onSuccess(
                answer -> {
                  if (answer != null) {
                    finish(request, answer);
                  } else {
                    closeAfter(request);
                  }
                })
            .onFailure(
                failure -> {
                  if (!request.response().closed()) {
                    LOG.error(
                        "BUG: a question failed; its client sees a closed connection", failure);
                  }
                  request.connection().close();
                });
  }

  /**
   * For the answers that are written elsewhere: who says "close" must do it (RFC 9112 section 9.6).
   * A stream that goes on does it itself.
   */
  private void closeAfter(HttpServerRequest request) {
    if (request.response().ended() && connections.isEnded(request.connection())) {
      request.connection().close();
    }
  }

  /** What the parser could not make a request of. */
  private void refuse(HttpServerRequest request) {
    Throwable cause = request.decoderResult().cause();
    Answer.Reason reason =
        cause instanceof TooLongHttpLineException
            ? Answer.Reason.TARGET_TOO_LONG
            : cause instanceof TooLongHttpHeaderException
                ? Answer.Reason.FIELDS_TOO_LARGE
                : Answer.Reason.MALFORMED;
    request.response().putHeader("Connection", "close");
    var unused =
        Responder.write(new Answer.Rejected(reason, "The connection is closed."), request)
            .onComplete(written -> request.connection().close());
  }

  /** Writes the answer; then, if a part of the body is still to come, reads a little and closes. */
  private void finish(HttpServerRequest request, Answer answer) {
    if (request.response().closed()) {
      return;
    }
    boolean complete = request.isEnded() || !announcesBody(request);
    boolean last = !complete || draining;
    if (last) {
      endAfter(request);
    }
    Future<Void> written;
    try {
      written = Responder.write(answer, request);
    } catch (RuntimeException e) {
      // No answer would leave the client waiting; a closed connection tells it at once.
      LOG.error("BUG: an answer could not be written; its client sees a closed connection", e);
      request.connection().close();
      return;
    }
    var unused =
        written.onSuccess(
            nothing -> {
              if (!complete) {
                discard(request);
              } else if (last) {
                request.connection().close();
              }
            });
  }

  /** The answer that is written next is this connection's last. */
  private void endAfter(HttpServerRequest request) {
    request.response().putHeader("Connection", "close");
    connections.end(request.connection());
  }

  /** Without these fields a request of HTTP/1.1 has no body (RFC 9112 section 6.3). */
  private static boolean announcesBody(HttpServerRequest request) {
    return request.headers().contains("content-length")
        || request.headers().contains("transfer-encoding");
  }

  private void discard(HttpServerRequest request) {
    if (request.isEnded()) {
      request.connection().close();
      return;
    }
    long timer = vertx.setTimer(DISCARD_LIMIT.toMillis(), late -> request.connection().close());
    long[] discarded = {0};
    request.handler(
        chunk -> {
          discarded[0] += chunk.length();
          if (discarded[0] > MAX_DISCARDED) {
            request.connection().close();
          }
        });
    request.endHandler(
        end -> {
          vertx.cancelTimer(timer);
          request.connection().close();
        });
    request.resume();
  }
}
