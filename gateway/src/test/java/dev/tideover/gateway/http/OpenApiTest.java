package dev.tideover.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.release.Operations.Result;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport;
import io.vertx.core.Vertx;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Holds docs/openapi.yaml against the server. */
class OpenApiTest {

  private static final String TOKEN = "the-token-of-the-operators";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Vertx vertx = Vertx.vertx();
  private final HttpClient client = HttpClient.newHttpClient();
  private final FakeOperations operations = new FakeOperations();
  private final List<HealthCheck> checks = new ArrayList<>();
  private final TreeSet<String> seen = new TreeSet<>();
  private OpenApi document;
  private AdminFront front;

  @BeforeEach
  void start() throws Exception {
    document = OpenApi.read();
    checks.add(HealthCheck.required("kafka", () -> null));
    front = deploy();
    front.serve(operations, service -> new ServiceLoad(1, Duration.ofMillis(7), 0));
  }

  private AdminFront deploy() throws Exception {
    AdminFront deployed = new AdminFront(new GatewayConfig.Admin("127.0.0.1", 0, TOKEN), checks);
    vertx
        .deployVerticle(deployed)
        .toCompletionStage()
        .toCompletableFuture()
        .get(20, TimeUnit.SECONDS);
    return deployed;
  }

  @AfterEach
  void stop() throws Exception {
    vertx.close().toCompletionStage().toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  @Test
  void itHasWhatIsServedAndNothingElse() {
    List<String> served = new ArrayList<>(AdminApi.operations());
    served.addAll(List.of("GET /health/live", "GET /health/ready"));

    assertThat(document.operations()).containsExactlyInAnyOrderElementsOf(served);
  }

  @Test
  void eachAnswerIsADocumentedOne() throws Exception {
    hold("GET", "/health/live", "", 200);
    hold("GET", "/health/ready", "", 200);
    checks.add(HealthCheck.required("broken", () -> "on purpose"));
    hold("GET", "/health/ready", "", 503);

    // Before anything is wanted, then with all of it.
    hold("GET", "/api/services", "", 200);
    hold("GET", "/api/services/{name}", "", 200);
    hold("GET", "/api/services/{name}/release", "", 404);
    hold("DELETE", "/api/services/{name}/release", "", 409);
    operations.instance("v1", "orders-1", InstanceReport.State.DRAINED);
    hold("POST", "/api/services/{name}/hold", "", 200);
    hold("POST", "/api/services/{name}/resume", "{}", 200);
    hold("PUT", "/api/services/{name}/rate", "{\"perSecond\":5}", 200);
    hold("POST", "/api/services/{name}/release", "{\"to\":\"v2\",\"verify\":\"1500ms\"}", 202);
    for (Step step : Step.values()) {
      operations.step("orders", step, step.isEnd() ? "why" : "");
      hold("GET", "/api/services/{name}/release", "", 200);
      hold("GET", "/api/services/{name}", "", 200);
    }
    hold("POST", "/api/services/{name}/release", "{\"to\":\"v2\"}", 202);
    hold("DELETE", "/api/services/{name}/release", "", 202);
    hold("POST", "/api/services/{name}/release", "{\"anyVersion\":true}", 200);
    hold("GET", "/api/services", "", 200);

    for (String operation : AdminApi.operations()) {
      String[] parts = operation.split(" ");
      boolean takesBody = parts[0].startsWith("P");
      hold(parts[0], parts[1] + "?what=1", takesBody ? "[]" : "", 400);
      if (parts[1].contains("{name}")) {
        String body = parts[1].endsWith("rate") ? "{\"perSecond\":1}" : "{\"to\":\"v2\"}";
        boolean bare = parts[1].endsWith("hold") || parts[1].endsWith("resume");
        hold(parts[0], parts[1].replace("{name}", "other"), takesBody && !bare ? body : "", 404);
      }
    }
    operations.instead = new Result.Unavailable("Kafka doesn't answer");
    hold("POST", "/api/services/{name}/hold", "", 503);
    assertThat(seen).as("operations that were tried").containsAll(document.operations());
  }

  @Test
  void whatItSaysOfBodiesIsWhatIsTaken() throws Exception {
    assertThat(properties("PUT", "/api/services/{name}/rate")).containsExactly("perSecond");
    assertThat(properties("POST", "/api/services/{name}/hold")).isEmpty();
    for (String name : properties("POST", "/api/services/{name}/release")) {
      // A known member of a wrong type is refused by its name; an unknown one as not known.
      HttpResponse<String> refused =
          send("POST", "/api/services/orders/release", "{\"to\":\"v2\",\"" + name + "\":[]}");
      assertThat(refused.statusCode()).isEqualTo(400);
      assertThat(refused.body()).doesNotContain("not known here");
    }
  }

  @Test
  void theCheckOfSchemasCanFail() throws Exception {
    JsonNode problem =
        JSON.readTree(
            "{\"type\":1,\"title\":\"t\",\"status\":400,\"detail\":\"d\",\"code\":\"c\",\"x\":1}");

    assertThat(document.problems("GET", "/api/services", 400, "application/problem+json", problem))
        .hasSize(3);
    assertThat(document.problems("GET", "/api/services", 418, "application/json", problem))
        .hasSize(1);
  }

  private List<String> properties(String method, String path) {
    List<String> names = new ArrayList<>();
    document
        .requestSchema(method, path)
        .path("properties")
        .fieldNames()
        .forEachRemaining(names::add);
    return names;
  }

  private void hold(String method, String template, String body, int status) throws Exception {
    int query = template.indexOf('?');
    String path = query < 0 ? template : template.substring(0, query);
    String documented = path.replace("/other", "/{name}");
    HttpResponse<String> response = send(method, template.replace("{name}", "orders"), body);
    assertThat(response.statusCode())
        .as("%s %s: %s", method, template, response.body())
        .isEqualTo(status);
    assertThat(
            document.problems(
                method,
                documented,
                status,
                response.headers().firstValue("content-type").orElse(""),
                JSON.readTree(response.body())))
        .as("%s %s: %s", method, template, response.body())
        .isEmpty();
    seen.add(method + " " + documented);
  }

  private HttpResponse<String> send(String method, String path, String body) throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + front.port() + path))
            .timeout(Duration.ofSeconds(10))
            .header("Authorization", "Bearer " + TOKEN)
            .method(
                method,
                body.isEmpty()
                    ? HttpRequest.BodyPublishers.noBody()
                    : HttpRequest.BodyPublishers.ofString(body));
    if (!body.isEmpty()) {
      request.header("Content-Type", "application/json");
    }
    return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }
}
