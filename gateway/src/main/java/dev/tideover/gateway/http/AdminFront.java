package dev.tideover.gateway.http;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.release.Operations;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where operators and probes connect. Health answers have the form of
 * draft-inadarei-api-health-check-06 and are for anybody; the operators' API is for those whom
 * {@link AdminGuard} lets in. Its mutable state belongs to its event loop, but for what {@link
 * #serve} sets.
 */
public final class AdminFront extends VerticleBase {

  private static final Logger LOG = LoggerFactory.getLogger(AdminFront.class);

  /** A bound for the work that waits for a thread; operators are few. */
  private static final int MAX_CALLS = 64;

  private static final long SAY_AGAIN_NANOS = TimeUnit.MINUTES.toNanos(1);

  private final GatewayConfig.Admin config;
  private final List<HealthCheck> readiness;
  private final AdminGuard guard;
  private volatile @Nullable AdminApi api;
  private int calls;
  private long saidAt = System.nanoTime() - SAY_AGAIN_NANOS;
  private @Nullable HttpServer server;

  /**
   * A front that is yet to be deployed.
   *
   * @param readiness asked for each probe; may grow meanwhile, so it must be safe for that
   */
  public AdminFront(GatewayConfig.Admin config, List<HealthCheck> readiness) {
    this.config = config;
    this.readiness = readiness;
    guard = new AdminGuard(config);
  }

  /**
   * From now on the operators' API answers; before, it says that the gateway starts. Any thread.
   *
   * @param load what waits for a service; null where that isn't known. Must not wait for anything
   */
  public void serve(Operations operations, Function<String, @Nullable ServiceLoad> load) {
    api = new AdminApi(operations, load);
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
    try {
      String path = request.path();
      if (path == null) {
        throw AdminProblem.noSuchPath("The request has no path.");
      }
      switch (path) {
        // That this event loop answers is all: a restart helps against nothing that it can't see.
        case "/health/live" -> {
          readOnly(request);
          write(request, "pass", List.of());
        }
        case "/health/ready" -> {
          readOnly(request);
          ready(request);
        }
        default -> {
          if (!path.equals("/api") && !path.startsWith("/api/")) {
            throw AdminProblem.noSuchPath(
                "There are /health/live, /health/ready and /api/services.");
          }
          call(request);
        }
      }
    } catch (RuntimeException e) {
      var unused = AdminCall.refuse(request, e);
    }
  }

  private static void readOnly(HttpServerRequest request) {
    String method = request.method().name();
    if (!method.equals("GET") && !method.equals("HEAD")) {
      throw AdminProblem.method(method, "GET, HEAD");
    }
  }

  private void call(HttpServerRequest request) {
    try {
      guard.check(request);
    } catch (AdminProblem e) {
      long now = System.nanoTime();
      if (now - saidAt >= SAY_AGAIN_NANOS) {
        saidAt = now;
        LOG.warn(
            "Refused {} the operators' API, and perhaps others since: {}",
            request.remoteAddress().hostAddress(),
            e.getMessage());
      }
      throw e;
    }
    AdminApi api = this.api;
    if (api == null) {
      throw AdminProblem.unavailable(
          "starting",
          "The gateway starts",
          "This gateway has not reached Kafka yet, so nothing was done. Ask again, or ask another"
              + " gateway.");
    }
    if (calls >= MAX_CALLS) {
      throw AdminProblem.unavailable(
          "busy",
          "Too many at once",
          "This gateway answers " + calls + " operators now, so nothing was done. Ask again.");
    }
    calls++;
    var unused = new AdminCall(vertx, context, request).run(api).onComplete(done -> calls--);
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
    request
        .response()
        .setStatusCode(status.equals("fail") ? 503 : 200)
        .putHeader("Content-Type", "application/health+json")
        .putHeader("Cache-Control", "no-store");
    var unused = Documents.end(request, json -> body(json, status, checks));
  }

  private static void body(JsonGenerator json, String status, List<Result> checks)
      throws IOException {
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
  }
}
