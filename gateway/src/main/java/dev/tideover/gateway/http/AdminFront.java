package dev.tideover.gateway.http;

import dev.tideover.gateway.config.GatewayConfig;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** Where operators and probes connect. */
public final class AdminFront extends VerticleBase {

  private final GatewayConfig.Admin config;
  private final BooleanSupplier ready;
  private @Nullable HttpServer server;

  public AdminFront(GatewayConfig.Admin config, BooleanSupplier ready) {
    this.config = config;
    this.ready = ready;
  }

  @Override
  public Future<?> start() {
    HttpServer created =
        vertx
            .createHttpServer(
                new HttpServerOptions()
                    .setHost(config.host())
                    .setPort(config.port())
                    .setHttp2ClearTextEnabled(false)
                    .setIdleTimeout(60))
            .requestHandler(this::handle);
    server = created;
    return created.listen();
  }

  /** The port it listens on. */
  public int port() {
    return Objects.requireNonNull(server).actualPort();
  }

  private void handle(HttpServerRequest request) {
    switch (request.path()) {
      case "/health/live" -> health(request, true);
      case "/health/ready" -> health(request, ready.getAsBoolean());
      default -> {
        var unused = request.response().setStatusCode(404).end();
      }
    }
  }

  private static void health(HttpServerRequest request, boolean pass) {
    var unused =
        request
            .response()
            .setStatusCode(pass ? 200 : 503)
            .putHeader("Content-Type", "application/health+json")
            .putHeader("Cache-Control", "no-store")
            .end(pass ? "{\"status\":\"pass\"}" : "{\"status\":\"fail\"}");
  }
}
