package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What two gateways of a cell make of idempotency keys, with a service that keeps the contract. */
@KafkaTest
class IdempotencyIT {

  private static final String DRAFT = "draft-ietf-httpapi-idempotency-key-header-07";

  private static final byte[] BODY = "the body".getBytes(UTF_8);

  private static TestGateway one;
  private static Gateway other;
  private static RawService service;

  @BeforeAll
  static void start(TestKafka kafka) {
    String name = TestGateway.uniqueService();
    String yaml =
        TestGateway.yaml(
            kafka.bootstrapServers(),
            name,
            "",
            "",
            "path: /**, wait: 20s",
            "path: /another/**, wait: 20s",
            "path: /required, wait: 20s, idempotency: required",
            "path: /reject, wait: 20s, concurrent: reject",
            "path: /off, wait: 20s, idempotency: off",
            "path: /tenants, wait: 20s, caller: header X-Tenant");
    one = TestGateway.of(name, yaml);
    other = Gateway.start(TestGateway.config(yaml));
    service = RawService.start(kafka.bootstrapServers(), name, TestGateway.PARTITIONS);
  }

  @AfterAll
  static void stop() {
    service.close();
    other.close();
    one.close();
  }

  @Test
  @HttpRule(
      value = "The same request under a key that is in flight joins the original",
      source = "Tideover")
  void tenAtOnceAreStoredOnceAndGetTheSameAnswer() throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/ten");
    List<CompletableFuture<RawHttp.Response>> answers = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      answers.add(post(one.port(), "/ten", "\"ten\""));
    }
    RawService.Request request = take(requests);
    assertThat(request.header("tideover-idempotent")).isEqualTo("1");
    // All have come in: each one's head is read before the next poll of the service is over.
    await().atMost(Duration.ofSeconds(10)).until(() -> one.gateway.waiting() == 10);
    request.reply(201, "once".getBytes(UTF_8), "x-a", "1");

    for (CompletableFuture<RawHttp.Response> coming : answers) {
      RawHttp.Response answer = coming.get(20, TimeUnit.SECONDS);
      assertThat(answer.status()).isEqualTo(201);
      assertThat(answer.text()).isEqualTo("once");
      assertThat(answer.field("X-A")).isEqualTo("1");
      assertThat(answer.field("Tideover-Id")).isEqualTo(request.id());
    }
    assertThat(requests).as("stored again").isEmpty();
  }

  @Test
  @HttpRule(
      value = "A request whose original has been answered gets that answer, at every gateway",
      source = DRAFT + " section 2.6")
  @HttpRule(value = "A replayed answer has Idempotency-Replayed: true", source = "Tideover")
  void whatHasBeenAnsweredIsReplayedByEveryGateway() throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/answered");
    CompletableFuture<RawHttp.Response> first = post(one.port(), "/answered", "\"answered\"");
    take(requests).reply(402, "no money".getBytes(UTF_8), "x-a", "1");
    assertThat(first.get(20, TimeUnit.SECONDS).field("Idempotency-Replayed")).isNull();

    for (int port : new int[] {one.port(), other.port(), one.port()}) {
      RawHttp.Response again = post(port, "/answered", "\"answered\"").get(20, TimeUnit.SECONDS);
      assertThat(again.status()).isEqualTo(402);
      assertThat(again.text()).isEqualTo("no money");
      assertThat(again.field("X-A")).isEqualTo("1");
      assertThat(again.field("Idempotency-Replayed")).isEqualTo("true");
      assertThat(again.outcome()).isEqualTo("completed");
    }
    assertThat(requests).as("stored again").isEmpty();
  }

  @Test
  void whatAnotherGatewayHasInFlightIsStoredAgainAndItsServiceSaysThatItIsADuplicate()
      throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/both");
    CompletableFuture<RawHttp.Response> first = post(one.port(), "/both", "\"both\"");
    RawService.Request original = take(requests);
    CompletableFuture<RawHttp.Response> resend = post(other.port(), "/both", "\"both\"");
    RawService.Request again = take(requests);
    assertThat(again.id()).isEqualTo(original.id());
    assertThat(again.record.partition()).isEqualTo(original.record.partition());

    long offset = original.replyAndWait(201, "once".getBytes(UTF_8));
    again.duplicateOf(offset);

    for (CompletableFuture<RawHttp.Response> coming : List.of(first, resend)) {
      assertThat(coming.get(20, TimeUnit.SECONDS).status()).isEqualTo(201);
      assertThat(coming.get(20, TimeUnit.SECONDS).text()).isEqualTo("once");
    }
  }

  /** The other gateway hears nothing of the original but what the service says of its resend. */
  @Test
  void theReplyToADuplicateIsTheOriginalsWhereverThatStands() throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/late");
    RawHttp.Response accepted =
        post(one.port(), "/late", "\"late\"", "Prefer: respond-async").get(20, TimeUnit.SECONDS);
    assertThat(accepted.status()).isEqualTo(202);
    RawService.Request original = take(requests);
    CompletableFuture<RawHttp.Response> resend = post(other.port(), "/late", "\"late\"");
    RawService.Request again = take(requests);
    // Not as a completed reply: under another key, so that only the pointer leads to it.
    long offset = original.replyAndWait(200, "found".getBytes(UTF_8));
    assertThat(resend.get(20, TimeUnit.SECONDS).text()).isEqualTo("found");

    again.duplicateOf(offset);
    RawHttp.Response asked =
        RawHttp.exchange(other.port(), "GET", accepted.field("Location"), new byte[0]);
    assertThat(asked.text()).isEqualTo("found");
  }

  @Test
  @HttpRule(
      value = "Another request under a key is a 422: in flight, answered, and found by the service",
      source = DRAFT + " section 2.7")
  void anotherRequestUnderTheKeyIsRefusedInAllThreePlaces() throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/mismatch");
    CompletableFuture<RawHttp.Response> first = post(one.port(), "/mismatch", "\"m\"");
    RawService.Request original = take(requests);

    isMismatch(send(one.port(), "/mismatch", "\"m\"", "other".getBytes(UTF_8)));
    CompletableFuture<RawHttp.Response> elsewhere =
        CompletableFuture.supplyAsync(
            () -> send(other.port(), "/mismatch", "\"m\"", "other".getBytes(UTF_8)));
    take(requests).end("mismatch");
    isMismatch(elsewhere.get(20, TimeUnit.SECONDS));
    assertThat(first).as("another's mismatch is not its answer").isNotDone();

    original.reply(200, BODY);
    assertThat(first.get(20, TimeUnit.SECONDS).status()).isEqualTo(200);
    for (int port : new int[] {one.port(), other.port()}) {
      isMismatch(send(port, "/mismatch", "\"m\"", "other".getBytes(UTF_8)));
      isMismatch(exchange(port, "PUT", "/mismatch", "\"m\"", BODY));
      isMismatch(exchange(port, "POST", "/mismatch?a=b", "\"m\"", BODY));
    }
    assertThat(requests).isEmpty();
  }

  /** Its address may not show the answer of the request that had the key first. */
  @Test
  void theAddressOfAMismatchSaysSo() throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/address");
    CompletableFuture<RawHttp.Response> first = post(one.port(), "/address", "\"a\"");
    RawService.Request original = take(requests);
    RawHttp.Response accepted =
        exchange(
            other.port(),
            "POST",
            "/address",
            "\"a\"",
            "other".getBytes(UTF_8),
            "Prefer: respond-async");
    assertThat(accepted.status()).isEqualTo(202);
    take(requests).end("mismatch");
    original.reply(200, BODY);
    first.get(20, TimeUnit.SECONDS);

    for (int port : new int[] {one.port(), other.port()}) {
      await()
          .atMost(Duration.ofSeconds(10))
          .untilAsserted(
              () ->
                  isMismatch(
                      RawHttp.exchange(port, "GET", accepted.field("Location"), new byte[0])));
    }
  }

  @Test
  @HttpRule(
      value = "Where a route wants it, a request whose original is in flight is a 409",
      source = DRAFT + " section 2.7")
  void aRouteMayRejectWhatIsInFlight() throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/reject");
    CompletableFuture<RawHttp.Response> first = post(one.port(), "/reject", "\"r\"");
    RawService.Request original = take(requests);

    RawHttp.Response refused = post(one.port(), "/reject", "\"r\"").get(20, TimeUnit.SECONDS);

    assertThat(refused.status()).isEqualTo(409);
    assertThat(refused.json().get("code").asText()).isEqualTo("in-progress");
    assertThat(refused.outcome()).isEqualTo("not-accepted");
    assertThat(Integer.parseInt(refused.field("Retry-After"))).isPositive();
    original.reply(200, BODY);
    first.get(20, TimeUnit.SECONDS);
    RawHttp.Response replayed = post(one.port(), "/reject", "\"r\"").get(20, TimeUnit.SECONDS);
    assertThat(replayed.status()).isEqualTo(200);
  }

  @Test
  @HttpRule(
      value = "A request without a key where one is required is a 400",
      source = DRAFT + " section 2.7")
  void aRouteMayRequireAKey() throws Exception {
    RawHttp.Response missing = one.send("POST", "/required", BODY);

    assertThat(missing.status()).isEqualTo(400);
    assertThat(missing.json().get("code").asText()).isEqualTo("idempotency-key-missing");
    assertThat(missing.outcome()).isEqualTo("not-accepted");
  }

  @ParameterizedTest
  @ValueSource(strings = {"\"\"", "", "\"a", "a b", "\"a\", \"b\""})
  @HttpRule(value = "A key that can't be read is a 400", source = DRAFT + " section 2.1")
  void aKeyThatCanNotBeReadIsRefused(String key) throws Exception {
    RawHttp.Response refused = send(one.port(), "/malformed", key, BODY);

    assertThat(refused.status()).isEqualTo(400);
    assertThat(refused.json().get("code").asText()).isEqualTo("bad-idempotency-key");
    assertThat(refused.outcome()).isEqualTo("not-accepted");
  }

  @Test
  void aRouteMayIgnoreKeys() throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/off");
    CompletableFuture<RawHttp.Response> first = post(one.port(), "/off", "not a legal \"key");
    RawService.Request stored = take(requests);
    CompletableFuture<RawHttp.Response> second = post(one.port(), "/off", "not a legal \"key");
    RawService.Request again = take(requests);

    assertThat(again.id()).isNotEqualTo(stored.id());
    assertThat(stored.header("tideover-idempotent")).isNull();
    assertThat(stored.header("idempotency-key")).isEqualTo("not a legal \"key");
    stored.reply(200, BODY);
    again.reply(200, BODY);
    first.get(20, TimeUnit.SECONDS);
    second.get(20, TimeUnit.SECONDS);
  }

  @Test
  @HttpRule(value = "A key without quotes is the same key", source = "Tideover")
  void quotesAreNoPartOfTheKey() throws Exception {
    answered("/quotes", "8e03978e-40d5-43dd-bc93-6894a57f9324");

    RawHttp.Response again =
        send(one.port(), "/quotes", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", BODY);

    assertThat(again.field("Idempotency-Replayed")).isEqualTo("true");
  }

  @Test
  @HttpRule(
      value = "A key is one caller's: other credentials make another request of it",
      source = DRAFT + " section 5")
  void aKeyIsTheCallersAndTheRoutes() throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/mine");
    List<String> ids = new ArrayList<>();
    for (String caller : List.of("Bearer a", "Bearer b")) {
      CompletableFuture<RawHttp.Response> answer =
          post(one.port(), "/mine", "\"mine\"", "Authorization: " + caller);
      RawService.Request request = take(requests);
      ids.add(request.id());
      request.reply(200, caller.getBytes(UTF_8));
      assertThat(answer.get(20, TimeUnit.SECONDS).text()).isEqualTo(caller);
    }
    assertThat(ids).doesNotHaveDuplicates();

    BlockingQueue<RawService.Request> elsewhere = requests("/another/mine");
    CompletableFuture<RawHttp.Response> answer =
        post(one.port(), "/another/mine", "\"mine\"", "Authorization: Bearer a");
    RawService.Request request = take(elsewhere);
    assertThat(ids).doesNotContain(request.id());
    request.reply(200, BODY);
    answer.get(20, TimeUnit.SECONDS);
  }

  @Test
  void aRouteSaysWhatTellsItsCallersApart() throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/tenants");
    CompletableFuture<RawHttp.Response> first =
        post(one.port(), "/tenants", "\"t\"", "X-Tenant: a", "Authorization: Bearer old");
    take(requests).reply(200, BODY);
    first.get(20, TimeUnit.SECONDS);

    RawHttp.Response renewed =
        post(one.port(), "/tenants", "\"t\"", "X-Tenant: a", "Authorization: Bearer new")
            .get(20, TimeUnit.SECONDS);
    assertThat(renewed.field("Idempotency-Replayed")).isEqualTo("true");

    CompletableFuture<RawHttp.Response> otherTenant =
        post(one.port(), "/tenants", "\"t\"", "X-Tenant: b", "Authorization: Bearer old");
    take(requests).reply(200, "b's".getBytes(UTF_8));
    assertThat(otherTenant.get(20, TimeUnit.SECONDS).text()).isEqualTo("b's");
  }

  /** The client whose connection broke: what it has sent goes on, and it finds it again. */
  @Test
  void whoLeavesAndComesAgainJoinsItsOwnRequest() throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/left");
    try (RawHttp gone = new RawHttp(one.port())) {
      gone.request("POST", "/left", BODY, "Idempotency-Key: \"left\"");
      await().atMost(Duration.ofSeconds(10)).until(() -> !requests.isEmpty());
    }
    RawService.Request request = take(requests);
    await().atMost(Duration.ofSeconds(10)).until(() -> one.gateway.waiting() == 0);
    CompletableFuture<RawHttp.Response> again = post(one.port(), "/left", "\"left\"");
    await().atMost(Duration.ofSeconds(10)).until(() -> one.gateway.waiting() == 1);

    request.reply(200, "still there".getBytes(UTF_8));

    assertThat(again.get(20, TimeUnit.SECONDS).text()).isEqualTo("still there");
    assertThat(requests).as("stored again").isEmpty();
  }

  @Test
  @HttpRule(value = "A failure is replayed as a failure", source = DRAFT + " section 2.6")
  void aFailureIsReplayed() throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/dead");
    CompletableFuture<RawHttp.Response> first = post(one.port(), "/dead", "\"dead\"");
    take(requests).end("dead");
    assertThat(first.get(20, TimeUnit.SECONDS).status()).isEqualTo(502);

    RawHttp.Response again = post(other.port(), "/dead", "\"dead\"").get(20, TimeUnit.SECONDS);

    assertThat(again.status()).as(again.text()).isEqualTo(502);
    assertThat(again.json().get("code").asText()).isEqualTo("dead");
    assertThat(again.field("Idempotency-Replayed")).isEqualTo("true");
  }

  @Test
  @HttpRule(
      value = "Once an operator has had a failed request handled again, that answer is replayed",
      source = "Tideover")
  void theAnswerToAReplayStandsInsteadOfTheFailure() throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/mended");
    CompletableFuture<RawHttp.Response> first = post(one.port(), "/mended", "\"mended\"");
    RawService.Request request = take(requests);
    request.end("dead");
    assertThat(first.get(20, TimeUnit.SECONDS).status()).isEqualTo(502);

    var reply = request.record("completed", request.header("tideover-fingerprint"), "201", BODY);
    RawService.add(reply, "tideover-replay", "1");
    service.sendAndWait(reply);

    for (int port : new int[] {one.port(), other.port()}) {
      await()
          .atMost(Duration.ofSeconds(10))
          .untilAsserted(
              () -> {
                RawHttp.Response again = send(port, "/mended", "\"mended\"", BODY);
                assertThat(again.status()).isEqualTo(201);
                assertThat(again.field("Idempotency-Replayed")).isEqualTo("true");
              });
    }
  }

  /** Somebody may come again for its answer, so it is not dropped at the end of the wait. */
  @Test
  void aSafeRequestWithAKeyDoesNotExpire() throws Exception {
    BlockingQueue<RawService.Request> requests = requests("/safe");
    CompletableFuture<RawHttp.Response> answer =
        CompletableFuture.supplyAsync(
            () -> exchange(one.port(), "GET", "/safe", "\"safe\"", new byte[0]));
    RawService.Request request = take(requests);
    assertThat(request.header("tideover-deadline")).isNull();
    request.reply(200, BODY);
    answer.get(20, TimeUnit.SECONDS);
  }

  private static void isMismatch(RawHttp.Response answer) throws Exception {
    assertThat(answer.status()).isEqualTo(422);
    assertThat(answer.json().get("code").asText()).isEqualTo("idempotency-mismatch");
    assertThat(answer.outcome()).isEqualTo("not-accepted");
  }

  private static void answered(String path, String key) throws Exception {
    BlockingQueue<RawService.Request> requests = requests(path);
    CompletableFuture<RawHttp.Response> first = post(one.port(), path, key);
    take(requests).reply(200, BODY);
    assertThat(first.get(20, TimeUnit.SECONDS).status()).isEqualTo(200);
  }

  /** All that comes for a path from now on. */
  private static BlockingQueue<RawService.Request> requests(String path) {
    BlockingQueue<RawService.Request> requests = new LinkedBlockingQueue<>();
    service.on(path, requests::add);
    return requests;
  }

  private static RawService.Request take(BlockingQueue<RawService.Request> requests)
      throws InterruptedException {
    RawService.Request request = requests.poll(20, TimeUnit.SECONDS);
    assertThat(request).as("a request record").isNotNull();
    return request;
  }

  private static CompletableFuture<RawHttp.Response> post(
      int port, String path, String key, String... lines) {
    return CompletableFuture.supplyAsync(() -> exchange(port, "POST", path, key, BODY, lines));
  }

  private static RawHttp.Response send(int port, String path, String key, byte[] body) {
    return exchange(port, "POST", path, key, body);
  }

  private static RawHttp.Response exchange(
      int port, String method, String path, String key, byte[] body, String... lines) {
    String[] all = new String[lines.length + 1];
    System.arraycopy(lines, 0, all, 1, lines.length);
    all[0] = "Idempotency-Key: " + key;
    try {
      return RawHttp.exchange(port, method, path, body, all);
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
