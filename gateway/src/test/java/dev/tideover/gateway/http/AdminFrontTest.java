package dev.tideover.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tideover.gateway.config.GatewayConfig;
import io.vertx.core.Vertx;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AdminFrontTest {

  private final AtomicReference<@Nullable String> kafka = new AtomicReference<>();
  private final AtomicReference<@Nullable String> config = new AtomicReference<>();
  private final List<HealthCheck> checks =
      new CopyOnWriteArrayList<>(
          List.of(
              HealthCheck.required("kafka", kafka::get),
              HealthCheck.advisory("config", config::get)));
  private final Vertx vertx = Vertx.vertx();
  private final HttpClient client = HttpClient.newHttpClient();
  private AdminFront front;

  @BeforeEach
  void start() throws Exception {
    front = new AdminFront(new GatewayConfig.Admin("127.0.0.1", 0, null), checks);
    vertx.deployVerticle(front).toCompletionStage().toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  @AfterEach
  void stop() throws Exception {
    vertx.close().toCompletionStage().toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  @Test
  void withoutProblemsItIsReady() throws Exception {
    HttpResponse<String> response = get("/health/ready");

    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("content-type")).hasValue("application/health+json");
    assertThat(response.headers().firstValue("cache-control")).hasValue("no-store");
    assertThat(json(response))
        .isEqualTo(
            json(
                """
                {"status":"pass",
                 "checks":{"kafka":[{"status":"pass"}],"config":[{"status":"pass"}]}}
                """));
  }

  @Test
  void aProblemKeepsRequestsAwayAndIsNamed() throws Exception {
    config.set("half of it is missing");
    kafka.set("no broker has answered for 12 s");

    HttpResponse<String> response = get("/health/ready");

    assertThat(response.statusCode()).isEqualTo(503);
    assertThat(json(response))
        .isEqualTo(
            json(
                """
                {"status":"fail",
                 "checks":{"kafka":[{"status":"fail","output":"no broker has answered for 12 s"}],
                           "config":[{"status":"warn","output":"half of it is missing"}]}}
                """));
    kafka.set(null);
    assertThat(get("/health/ready").statusCode()).isEqualTo(200);
  }

  @Test
  void aWarningKeepsNobodyAway() throws Exception {
    config.set("half of it is missing");

    HttpResponse<String> response = get("/health/ready");

    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(json(response).get("status").asText()).isEqualTo("warn");
  }

  @Test
  void aliveIsWhoAnswersWhateverElseIsWrong() throws Exception {
    kafka.set("no broker has answered for 12 s");

    HttpResponse<String> response = get("/health/live");

    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(json(response)).isEqualTo(json("{\"status\":\"pass\"}"));
  }

  @Test
  void aCheckThatFailsIsAProblem() throws Exception {
    checks.add(
        HealthCheck.required(
            "broken",
            () -> {
              throw new IllegalStateException("on purpose");
            }));

    HttpResponse<String> response = get("/health/ready");

    assertThat(response.statusCode()).isEqualTo(503);
    assertThat(json(response).at("/checks/broken/0/output").asText()).contains("check itself");
  }

  private HttpResponse<String> get(String path) throws Exception {
    return client.send(
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + front.port() + path))
            .timeout(Duration.ofSeconds(10))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private static JsonNode json(HttpResponse<String> response) throws Exception {
    return json(response.body());
  }

  private static JsonNode json(String text) throws Exception {
    return new ObjectMapper().readTree(text);
  }
}
