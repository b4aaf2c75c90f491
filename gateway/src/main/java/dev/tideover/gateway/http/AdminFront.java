package dev.tideover.gateway.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.tideover.gateway.config.GatewayConfig;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where operators and probes connect. Health answers have the form of
 * draft-inadarei-api-health-check-06.
 */
public final class AdminFront extends VerticleBase {

  private static final Logger LOG = LoggerFactory.getLogger(AdminFront.class);
  private static final JsonFactory JSON = new JsonFactory();

  private final GatewayConfig.Admin config;
  private final List<HealthCheck> readiness;
  private @Nullable HttpServer server;

  /**
   * A front that is yet to be deployed.
   *
   * @param readiness asked for each probe; may grow meanwhile, so it must be safe for that
   */
  public AdminFront(GatewayConfig.Admin config, List<HealthCheck> readiness) {
    this.config = config;
    this.readiness = readiness;
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
      // That this event loop answers is all: a restart helps against nothing that it can't see.
      case "/health/live" -> write(request, "pass", List.of());
      case "/health/ready" -> ready(request);
      default -> {
        var unused = request.response().setStatusCode(404).end();
      }
    }
  }

  /** What a check found; the problem is null where it passes. */
  private record Result(String name, String status, @Nullable String problem) {}

  private void ready(HttpServerRequest request) {
    List<Result> results = readiness.stream().map(AdminFront::run).toList();
    String status = "pass";
    for (Result result : results) {
      if (result.status().equals("fail") || status.equals("pass")) {
        status = result.status();
      }
    }
    write(request, status, results);
  }

  private static Result run(HealthCheck check) {
    String problem;
    try {
      problem = check.problem().get();
    } catch (RuntimeException e) {
      LOG.error("BUG: the health check {} failed; it counts as a problem", check.name(), e);
      problem = "the check itself failed; the gateway's log says more";
    }
    boolean fail = check.weight() == HealthCheck.Weight.FAIL;
    return new Result(check.name(), problem == null ? "pass" : fail ? "fail" : "warn", problem);
  }

  private static void write(HttpServerRequest request, String status, List<Result> checks) {
    var unused =
        request
            .response()
            .setStatusCode(status.equals("fail") ? 503 : 200)
            .putHeader("Content-Type", "application/health+json")
            .putHeader("Cache-Control", "no-store")
            .end(Buffer.buffer(body(status, checks)));
  }

  private static byte[] body(String status, List<Result> checks) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
    try (JsonGenerator json = JSON.createGenerator(bytes)) {
      json.writeStartObject();
      json.writeStringField("status", status);
      if (!checks.isEmpty()) {
        json.writeObjectFieldStart("checks");
        for (Result check : checks) {
          json.writeArrayFieldStart(check.name());
          json.writeStartObject();
          json.writeStringField("status", check.status());
          if (check.problem() != null) {
            json.writeStringField("output", check.problem());
          }
          json.writeEndObject();
          json.writeEndArray();
        }
        json.writeEndObject();
      }
      json.writeEndObject();
    } catch (IOException impossible) {
      throw new AssertionError("writing to memory failed", impossible);
    }
    return bytes.toByteArray();
  }
}
