package dev.tideover.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.http.AdminFront;
import dev.tideover.gateway.http.FakeOperations;
import dev.tideover.gateway.http.ServiceLoad;
import dev.tideover.gateway.release.Operations.Result;
import dev.tideover.gateway.release.ReleaseOrder;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The operators' API over real sockets, with what is behind it by hand. */
class AdminApiTest {

  private static final String JSON = "Content-Type: application/json";
  private static final String TOKEN = "the-token-of-the-operators";

  private final Vertx vertx = Vertx.vertx();
  private final FakeOperations operations = new FakeOperations();
  private int port;

  @BeforeEach
  void start() throws Exception {
    AdminFront front = deploy("127.0.0.1", null);
    front.serve(
        operations,
        service ->
            service.equals("orders") ? new ServiceLoad(12, Duration.ofMillis(3_200), 40.25) : null);
    port = front.port();
  }

  @AfterEach
  void stop() throws Exception {
    vertx.close().toCompletionStage().toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  private AdminFront deploy(String host, String token) throws Exception {
    AdminFront front = new AdminFront(new GatewayConfig.Admin(host, 0, token), List.of());
    vertx.deployVerticle(front).toCompletionStage().toCompletableFuture().get(20, TimeUnit.SECONDS);
    return front;
  }

  @Test
  void tellsHowAServiceStands() throws Exception {
    operations.instance("v1", "orders-1", InstanceReport.State.ACTIVE);
    operations.hold("orders", true);
    operations.rate("orders", 50);

    JsonNode orders = get("/api/services/orders").json();

    assertThat(orders.get("held").asBoolean()).isTrue();
    assertThat(orders.get("starting").asBoolean()).isFalse();
    assertThat(orders.get("ratePerSecond").asInt()).isEqualTo(50);
    assertThat(orders.get("epoch").asInt()).isEqualTo(3);
    assertThat(orders.get("by").asText()).isEqualTo("gateway-1");
    assertThat(orders.at("/instances/0/version").asText()).isEqualTo("v1");
    assertThat(orders.at("/instances/0/state").asText()).isEqualTo("active");
    assertThat(orders.at("/instances/0/silentMs").asInt()).isEqualTo(420);
    assertThat(orders.at("/backlog/waiting").asInt()).isEqualTo(12);
    assertThat(orders.at("/backlog/oldestMs").asInt()).isEqualTo(3_200);
    assertThat(orders.at("/backlog/donePerSecond").asDouble()).isEqualTo(40.3);
    assertThat(get("/api/services").json().at("/services/1/name").asText()).isEqualTo("stock");
    assertThat(get("/api/services").json().at("/services/1/backlog").isNull()).isTrue();
  }

  @Test
  void holdsAndResumes() throws Exception {
    RawHttp.Response held = send("POST", "/api/services/orders/hold", "");
    assertThat(held.status()).isEqualTo(200);
    assertThat(held.json().get("held").asBoolean()).isTrue();

    RawHttp.Response resumed = send("POST", "/api/services/orders/resume", "{}", JSON);
    assertThat(resumed.json().get("held").asBoolean()).isFalse();
    assertThat(operations.asked).containsExactly("hold orders", "resume orders");
  }

  @Test
  void setsAndLiftsTheRate() throws Exception {
    assertThat(put("{\"perSecond\": 100}").json().get("ratePerSecond").asInt()).isEqualTo(100);
    assertThat(put("{\"perSecond\": null}").json().get("ratePerSecond").isNull()).isTrue();
    assertThat(operations.asked).containsExactly("rate orders 100", "rate orders 0");
  }

  @Test
  void beginsAReleaseAndSaysWhereItsReportIs() throws Exception {
    RawHttp.Response begun =
        send(
            "POST",
            "/api/services/orders/release",
            "{\"to\":\"v2\",\"from\":\"v1\",\"prepare\":\"2m\",\"maxHold\":\"45s\",\"verify\":\"1500ms\",\"instances\":3}",
            JSON + "; charset=utf-8");

    assertThat(begun.status()).isEqualTo(202);
    assertThat(begun.json().at("/release/step").asText()).isEqualTo("prepare");
    assertThat(begun.json().at("/release/verify").asText()).isEqualTo("1500ms");
    assertThat(operations.order)
        .isEqualTo(
            new ReleaseOrder(
                "v2",
                "v1",
                Duration.ofMinutes(2),
                Duration.ofSeconds(45),
                Duration.ofMillis(1_500),
                3));
    RawHttp.Response report = get(begun.field("Location"));
    assertThat(report.json().get("result").asText()).isEqualTo("running");
    assertThat(report.json().at("/before/p50Ms").asDouble()).isEqualTo(12.5);
    assertThat(report.json().at("/after/p50Ms").isNull()).isTrue();
  }

  @Test
  void whatIsNotSaidOfAReleaseIsAsDocumented() throws Exception {
    send("POST", "/api/services/orders/release", "{\"to\":\"v2\"}", JSON);

    assertThat(operations.order)
        .isEqualTo(
            new ReleaseOrder(
                "v2",
                null,
                Duration.ofSeconds(60),
                Duration.ofSeconds(60),
                Duration.ofSeconds(30),
                1));
  }

  @Test
  void rollsBackAndLetsEveryVersionWork() throws Exception {
    assertThat(send("DELETE", "/api/services/orders/release", "").problem())
        .isEqualTo("no-release");
    send("POST", "/api/services/orders/release", "{\"to\":\"v2\"}", JSON);
    operations.step("orders", Step.ACTIVATE, "");

    RawHttp.Response back = send("DELETE", "/api/services/orders/release", "");
    assertThat(back.status()).isEqualTo(202);
    assertThat(back.json().at("/release/step").asText()).isEqualTo("roll-back");

    RawHttp.Response any =
        send("POST", "/api/services/orders/release", "{\"anyVersion\":true}", JSON);
    assertThat(any.status()).isEqualTo(200);
    assertThat(any.json().get("activeVersion").isNull()).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"to\":\"v2\",\"verfy\":\"3s\"} | \"verfy\" is not known here; known are to, from",
        "{\"to\":\"v2\",\"verify\":30} | verify: found 30, expected a string such as",
        "{\"to\":\"v2\",\"verify\":\"30\"} | verify: found \"30\", expected a string such as",
        "{\"to\":\"v2\",\"verify\":\"2h\"} | verify: found PT2H, expected 0 s to 1 h",
        "{\"to\":\"v2\",\"instances\":1.5} | instances: found 1.5, expected a whole number",
        "{\"to\":\"v2\",\"instances\":0} | instances: found 0, expected 1 to 1,000",
        "{\"to\":2} | to: found 2, expected a string",
        "{\"to\":\"v 2\"} | to: found v 2",
        "{\"to\":\"v2\",\"from\":\"v2\"} | which is also from",
        "{\"to\":\"v2\",\"to\":\"v3\"} | Duplicate",
        "{\"to\":\"v2\"} {} | not JSON",
        "{\"to\":\"v2\" | not JSON",
        "[1] | not a JSON object",
        "{} | to: missing",
        "{\"anyVersion\":\"yes\"} | anyVersion: found \"yes\", expected true or false",
        "{\"anyVersion\":true,\"to\":\"v2\"} | to: says how to release one version",
      })
  void aBodyThatCantBeMeantIsRefusedWithTheMembersName(String body, String detail)
      throws Exception {
    RawHttp.Response refused = send("POST", "/api/services/orders/release", body, JSON);

    assertThat(refused.status()).isEqualTo(400);
    assertThat(refused.problem()).isEqualTo("bad-request");
    assertThat(refused.json().get("detail").asText()).contains(detail);
    assertThat(operations.asked).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{\"perSecond\":0}",
        "{\"perSecond\":-1}",
        "{\"perSecond\":1000001}",
        "{\"perSecond\":\"5\"}",
        "{\"perSecond\":99999999999}"
      })
  void aRateThatCantBeIsRefused(String body) throws Exception {
    RawHttp.Response refused = put(body);

    assertThat(refused.status()).isEqualTo(400);
    assertThat(refused.json().get("detail").asText()).startsWith("perSecond:");
    assertThat(operations.asked).isEmpty();
  }

  @Test
  void aHoldTakesNoMembers() throws Exception {
    assertThat(send("POST", "/api/services/orders/hold", "{\"for\":\"1h\"}", JSON).problem())
        .isEqualTo("bad-request");
    assertThat(operations.asked).isEmpty();
  }

  @Test
  void aBodyOfAnotherTypeOrSizeIsRefusedAndNothingIsDone() throws Exception {
    String path = "/api/services/orders/release";
    assertThat(send("POST", path, "{\"to\":\"v2\"}").problem()).isEqualTo("not-json");
    assertThat(send("POST", path, "to=v2", "Content-Type: text/plain").status()).isEqualTo(415);
    RawHttp.Response large = send("POST", path, "{\"to\":\"" + "v".repeat(64 << 10) + "\"}", JSON);
    assertThat(large.status()).isEqualTo(413);
    assertThat(operations.asked).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "GET, /api/services/orders/hold, POST",
    "DELETE, /api/services/orders, 'GET, HEAD'",
    "PATCH, /api/services/orders/release, 'GET, HEAD, POST, DELETE'",
    "OPTIONS, /api/services/orders/rate, PUT",
    "POST, /health/live, 'GET, HEAD'",
    "DELETE, /health/ready, 'GET, HEAD'",
  })
  void anotherMethodIsRefusedWithThoseThatAreAllowed(String method, String path, String allowed)
      throws Exception {
    RawHttp.Response refused = send(method, path, "");

    assertThat(refused.status()).isEqualTo(405);
    assertThat(refused.field("Allow")).isEqualTo(allowed);
    assertThat(refused.problem()).isEqualTo("method-not-allowed");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/api",
        "/api/",
        "/api/services/",
        "/api/services/orders/",
        "/api/services//hold",
        "/api/services/orders/hold/now",
        "/nothing",
      })
  void anotherPathIsNotFound(String path) throws Exception {
    assertThat(get(path).problem()).isEqualTo("no-such-path");
  }

  @Test
  void anUnknownServiceIsRefusedWithThoseThatAreKnown() throws Exception {
    for (String path : List.of("/api/services/ordres", "/api/services/ordres/release")) {
      RawHttp.Response refused = get(path);
      assertThat(refused.problem()).isEqualTo("no-such-service");
      assertThat(refused.json().get("detail").asText())
          .contains("\"ordres\"")
          .contains("orders, stock");
    }
    assertThat(send("POST", "/api/services/ordres/hold", "").problem())
        .isEqualTo("no-such-service");
    assertThat(get("/api/services/%6frders").problem()).isEqualTo("no-such-service");
  }

  @Test
  void anUnknownParameterIsRefused() throws Exception {
    assertThat(get("/api/services?all=1").problem()).isEqualTo("bad-request");
    assertThat(get("/api/services/orders/release?last=1").problem()).isEqualTo("bad-request");
    assertThat(get("/api/services/orders/release?id=none").problem()).isEqualTo("no-release");
  }

  @Test
  void whatCantBeIsAConflictAndWhatIsUnknownIsToBeAskedAgain() throws Exception {
    operations.instead = new Result.Refused("release-running", "Release r1 is under way.");
    RawHttp.Response refused =
        send("POST", "/api/services/orders/release", "{\"to\":\"v2\"}", JSON);
    assertThat(refused.status()).isEqualTo(409);
    assertThat(refused.problem()).isEqualTo("release-running");
    assertThat(refused.json().get("detail").asText()).isEqualTo("Release r1 is under way.");

    operations.instead = new Result.Unavailable("Kafka doesn't answer.");
    RawHttp.Response unknown = send("POST", "/api/services/orders/hold", "");
    assertThat(unknown.status()).isEqualTo(503);
    assertThat(unknown.field("Retry-After")).isEqualTo("1");
    assertThat(unknown.json().get("retryable").asBoolean()).isTrue();
  }

  @Test
  void headIsAGetWithoutItsBody() throws Exception {
    RawHttp.Response head = send("HEAD", "/api/services/orders", "");

    assertThat(head.status()).isEqualTo(200);
    assertThat(head.field("Content-Length"))
        .isEqualTo(get("/api/services/orders").field("Content-Length"));
  }

  @Test
  void onceAConfiguredTokenIsNeededForAllButHealth() throws Exception {
    AdminFront front = deploy("127.0.0.1", TOKEN);
    front.serve(operations, service -> null);
    int guarded = front.port();

    for (String line :
        List.of(
            "X-Nothing: 1",
            "Authorization: Basic " + TOKEN,
            "Authorization: Bearer",
            "Authorization: Bearer " + TOKEN + "x",
            "Authorization: Bearer " + TOKEN.substring(1))) {
      RawHttp.Response refused =
          exchange(guarded, "gateway.example", "POST", "/api/services/orders/hold", "", line);
      assertThat(refused.status()).as(line).isEqualTo(401);
      assertThat(refused.field("WWW-Authenticate")).startsWith("Bearer realm=\"tideover\"");
      assertThat(refused.text()).doesNotContain(TOKEN);
    }
    assertThat(operations.asked).isEmpty();
    assertThat(exchange(guarded, "gateway.example", "GET", "/api/nothing", "").status())
        .isEqualTo(401);
    assertThat(exchange(guarded, "gateway.example", "GET", "/health/live", "").status())
        .isEqualTo(200);
    for (String line :
        List.of("Authorization: Bearer " + TOKEN, "authorization: bearer   " + TOKEN)) {
      assertThat(
              exchange(guarded, "gateway.example", "POST", "/api/services/orders/hold", "", line)
                  .status())
          .isEqualTo(200);
    }
  }

  @Test
  void withoutATokenNobodyMayWhereOthersCouldConnect() throws Exception {
    AdminFront front = deploy("0.0.0.0", null);
    front.serve(operations, service -> null);

    RawHttp.Response refused = exchange(front.port(), "localhost", "GET", "/api/services", "");

    assertThat(refused.status()).isEqualTo(403);
    assertThat(refused.problem()).isEqualTo("no-token-configured");
    assertThat(refused.json().get("detail").asText()).contains("admin.token", "127.0.0.1");
    assertThat(exchange(front.port(), "localhost", "GET", "/health/live", "").status())
        .isEqualTo(200);
  }

  @ParameterizedTest
  @CsvSource({
    "localhost:8081, 200",
    "LOCALHOST, 200",
    "127.0.0.1:1, 200",
    "[::1]:8081, 200",
    "evil.example:8081, 403",
    "127.0.0.1.evil.example, 403",
    "localhost.evil.example, 403",
  })
  void aPageWhoseNameWasMadeToLeadHereGetsNothing(String host, int status) throws Exception {
    assertThat(exchange(port, host, "GET", "/api/services", "").status()).isEqualTo(status);
  }

  @ParameterizedTest
  @ValueSource(strings = {"http://evil.example", "null", "http://127.0.0.1:8081"})
  void aPageCanChangeNothing(String origin) throws Exception {
    for (String call : List.of("POST hold", "PUT rate", "DELETE release", "POST release")) {
      String[] parts = call.split(" ");
      RawHttp.Response refused =
          send(
              parts[0],
              "/api/services/orders/" + parts[1],
              "{\"to\":\"v2\"}",
              JSON,
              "Origin: " + origin);
      assertThat(refused.status()).isEqualTo(403);
      assertThat(refused.problem()).isEqualTo("cross-origin");
    }
    assertThat(operations.asked).isEmpty();
  }

  @Test
  void beforeTheGatewayHasStartedItSaysSo() throws Exception {
    AdminFront front = deploy("127.0.0.1", null);

    RawHttp.Response early = exchange(front.port(), "localhost", "GET", "/api/services", "");

    assertThat(early.status()).isEqualTo(503);
    assertThat(early.problem()).isEqualTo("starting");
    assertThat(early.field("Retry-After")).isEqualTo("1");
  }

  private RawHttp.Response get(String path) throws IOException {
    return exchange(port, "localhost", "GET", path, "");
  }

  private RawHttp.Response put(String body) throws IOException {
    return send("PUT", "/api/services/orders/rate", body, JSON);
  }

  private RawHttp.Response send(String method, String path, String body, String... lines)
      throws IOException {
    return exchange(port, "localhost", method, path, body, lines);
  }

  private static RawHttp.Response exchange(
      int port, String host, String method, String path, String body, String... lines)
      throws IOException {
    StringBuilder text = new StringBuilder(method + " " + path + " HTTP/1.1\r\nHost: " + host);
    for (String line : lines) {
      text.append("\r\n").append(line);
    }
    if (!body.isEmpty()) {
      text.append("\r\nContent-Length: ").append(body.length());
    }
    try (RawHttp connection = new RawHttp(port)) {
      connection.send(text + "\r\n\r\n" + body);
      return method.equals("HEAD") ? connection.readHead() : connection.read();
    }
  }
}
