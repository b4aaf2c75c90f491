package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What goes in comes out: of the gateway into Kafka, and of Kafka to the client. */
@KafkaTest
class PassThroughIT {

  private static final byte[] NOTHING = new byte[0];

  private static TestGateway gateway;
  private static RawService service;

  @BeforeAll
  static void start(TestKafka kafka) {
    gateway =
        TestGateway.start(
            kafka.bootstrapServers(),
            "path: /**, wait: 20s",
            "path: /keyed/**, wait: 20s, key: path 2",
            "path: /accounts/**, wait: 20s, key: header X-Account",
            "path: /small/**, wait: 20s, max-body: 10B");
    service = RawService.start(kafka.bootstrapServers(), gateway.service, TestGateway.PARTITIONS);
  }

  @AfterAll
  static void stop() {
    service.close();
    gateway.close();
  }

  @ParameterizedTest
  @HttpRule(
      value = "Every method but CONNECT and TRACE reaches the service as it is",
      source = "RFC 9110 section 9.1")
  @ValueSource(strings = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW", "M-SEARCH"})
  void everyMethodReachesTheService(String method) throws Exception {
    String path = "/method/" + method;
    service.on(path, request -> request.reply(200, request.header(":method").getBytes(UTF_8)));

    RawHttp.Response response = gateway.send(method, path, NOTHING);

    assertThat(response.status()).isEqualTo(200);
    assertThat(response.text()).isEqualTo(method);
    assertThat(response.outcome()).isEqualTo("completed");
    assertThat(response.field("Tideover-Source")).isEqualTo("service");
    assertThat(response.field("Tideover-Id")).isEqualTo(service.awaitRequest(path).id());
  }

  @Test
  @HttpRule(
      value = "A gateway adds itself to Via",
      source = "RFC 9110 section 7.6.3",
      notHeld = "the record has the client's own fields and no others")
  void theRecordIsWhatTheContractSays() throws Exception {
    long before = System.currentTimeMillis();
    service.on("/contract/%C3%A4", request -> request.reply(200, NOTHING));

    RawHttp.Response response =
        gateway.send(
            "PUT",
            "/contract/x/../%c3%a4?q=%2f&&=",
            "body".getBytes(UTF_8),
            "B: 1",
            "a: 2",
            "Content-Type: text/plain; charset=x",
            "B:   3  ",
            "Connection: keep-alive, X-Hop",
            "X-Hop: gone",
            "Keep-Alive: gone",
            "TE: trailers",
            "Tideover-Id: forged",
            "tideover-deadline: 1",
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "Empty:",
            "Idempotency-Key: \"k\"");

    RawService.Request request = service.awaitRequest("/contract/%C3%A4");
    String id = response.field("Tideover-Id");
    String acceptedAt = request.header("tideover-accepted-at");
    int replyPartition =
        BuiltInPartitioner.partitionForKey(id.getBytes(UTF_8), TestGateway.PARTITIONS);
    assertThat(request.lines())
        .containsExactly(
            "tideover-v: 1",
            "tideover-id: " + id,
            "tideover-reply-to: " + gateway.service + ".replies/" + replyPartition,
            "tideover-accepted-at: " + acceptedAt,
            "tideover-idempotent: 1",
            "tideover-fingerprint: "
                + fingerprint(
                    "PUT", "/contract/%C3%A4", "q=%2f&&=", "text/plain; charset=x", "", "body"),
            ":method: PUT",
            ":path: /contract/%C3%A4?q=%2f&&=",
            ":scheme: http",
            ":authority: test",
            "b: 1",
            "a: 2",
            "content-type: text/plain; charset=x",
            "b: 3",
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "empty: ",
            "idempotency-key: \"k\"");
    assertThat(Long.parseLong(acceptedAt)).isBetween(before, System.currentTimeMillis());
    assertThat(request.record.value()).isEqualTo("body".getBytes(UTF_8));
    assertThat(request.record.key()).isEqualTo(id.getBytes(UTF_8));
    assertThat(request.record.partition())
        .isEqualTo(
            BuiltInPartitioner.partitionForKey(request.record.key(), TestGateway.PARTITIONS));
    assertThat(id).matches("[A-Za-z0-9_-]{22}");
  }

  @Test
  void aSafeMethodsRecordHasTheEndOfTheWaitAsItsDeadline() throws Exception {
    service.on("/deadline", request -> request.reply(200, NOTHING));

    gateway.send("GET", "/deadline", NOTHING);

    RawService.Request request = service.awaitRequest("/deadline");
    assertThat(Long.parseLong(request.header("tideover-deadline")))
        .isEqualTo(Long.parseLong(request.header("tideover-accepted-at")) + 20_000);
  }

  @Test
  void theOrderingKeyIsTheRecordsKeyAndPartOfTheFingerprint() throws Exception {
    service.on("/keyed/k%C3%A4y/x", request -> request.reply(200, NOTHING));
    service.on("/accounts", request -> request.reply(200, NOTHING));

    gateway.send("POST", "/keyed/k%c3%a4y/x", NOTHING);
    gateway.send("POST", "/accounts", NOTHING, "X-Account: " + latin1("Zoë 7"));

    RawService.Request byPath = service.awaitRequest("/keyed/k%C3%A4y/x");
    assertThat(byPath.record.key()).isEqualTo("k%C3%A4y".getBytes(UTF_8));
    assertThat(byPath.header("tideover-fingerprint"))
        .isEqualTo(fingerprint("POST", "/keyed/k%C3%A4y/x", "", "", "k%C3%A4y", ""));
    RawService.Request byHeader = service.awaitRequest("/accounts");
    assertThat(byHeader.record.key()).isEqualTo("Zoë 7".getBytes(UTF_8));
    for (RawService.Request request : List.of(byPath, byHeader)) {
      assertThat(request.record.partition())
          .isEqualTo(
              BuiltInPartitioner.partitionForKey(request.record.key(), TestGateway.PARTITIONS));
    }
  }

  @ParameterizedTest
  @HttpRule(value = "A body passes byte for byte both ways", source = "Tideover")
  @ValueSource(ints = {0, 1, 255, 8191, 8192, 65_537, (1 << 20) - 1, 1 << 20})
  void binaryBodiesPassByteForByteBothWays(int size) throws Exception {
    byte[] body = randomBytes(size);
    String path = "/binary/" + size;
    service.on(path, request -> request.reply(200, request.record.value()));

    RawHttp.Response response = gateway.send("POST", path, body);

    assertThat(response.status()).isEqualTo(200);
    assertThat(Arrays.equals(service.awaitRequest(path).record.value(), body)).isTrue();
    assertThat(Arrays.equals(response.body(), body)).isTrue();
  }

  @Test
  void aRepliesBodyMayBeLargerThanARequests() throws Exception {
    byte[] body = randomBytes(6 << 20);
    service.on("/large-reply", request -> request.reply(200, body));

    RawHttp.Response response = gateway.send("GET", "/large-reply", NOTHING);

    assertThat(Arrays.equals(response.body(), body)).isTrue();
  }

  @Test
  @HttpRule(
      value = "A chunked body is read whole and its framing is not passed on",
      source = "RFC 9112 section 7.1")
  void chunkedBodiesArriveWhole() throws Exception {
    service.on("/chunked", request -> request.reply(200, request.record.value()));
    try (RawHttp http = new RawHttp(gateway.port())) {
      http.send(
          "POST /chunked HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
              + "5;ext=1\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n");

      assertThat(http.read().text()).isEqualTo("hello 0123456789");
      assertThat(service.awaitRequest("/chunked").lines())
          .noneMatch(line -> line.startsWith("transfer-encoding") || line.startsWith("trailer"));
      assertThat(http.exchange("GET", "/chunked", NOTHING).status()).isEqualTo(200);
    }
  }

  @Test
  void textOutsideAsciiPassesInFieldsBothWays() throws Exception {
    String value = "Grüße, 日本 𝄞";
    service.on(
        "/utf8", request -> request.reply(200, NOTHING, "x-back", request.header("x-there") + "!"));

    RawHttp.Response response = gateway.send("GET", "/utf8", NOTHING, "X-There: " + latin1(value));

    assertThat(service.awaitRequest("/utf8").header("x-there")).isEqualTo(value);
    assertThat(response.field("X-Back")).isEqualTo(latin1(value + "!"));
  }

  /** RFC 9110 section 6.6.1: who has a clock says when; the service's own word stands. */
  @Test
  @HttpRule(value = "A response has a Date", source = "RFC 9110 section 6.6.1")
  void everyAnswerHasADate() throws Exception {
    service.on("/date/none", request -> request.reply(200, NOTHING));
    String date = "Sun, 06 Nov 1994 08:49:37 GMT";
    service.on("/date/own", request -> request.reply(200, NOTHING, "date", date));

    assertThat(gateway.send("GET", "/date/own", NOTHING).field("Date")).isEqualTo(date);
    for (String target : List.of("/date/none", "/.tideover/x", "/%00")) {
      Instant said =
          Instant.from(
              DateTimeFormatter.RFC_1123_DATE_TIME.parse(
                  gateway.send("GET", target, NOTHING).field("Date")));
      assertThat(said).isBetween(Instant.now().minusSeconds(30), Instant.now().plusSeconds(1));
    }
  }

  @Test
  @HttpRule(value = "Repeated field lines keep their order", source = "RFC 9110 section 5.3")
  void repeatedFieldsOfAReplyStayRepeatedAndInOrder() throws Exception {
    service.on(
        "/repeated",
        request ->
            request.reply(
                200, NOTHING, "set-cookie", "a=1", "x-a", "1", "set-cookie", "b=2", "x-a", "2"));

    RawHttp.Response response = gateway.send("GET", "/repeated", NOTHING);

    assertThat(response.all("Set-Cookie")).containsExactly("a=1", "b=2");
    assertThat(response.all("X-A")).containsExactly("1", "2");
  }

  @Test
  void aReplyCantForgeWhatTheGatewaySays() throws Exception {
    service.on(
        "/forged",
        request ->
            request.reply(
                200,
                "ok".getBytes(UTF_8),
                "connection",
                "x-hop, close",
                "x-hop",
                "gone",
                "transfer-encoding",
                "chunked",
                "content-length",
                "999",
                "keep-alive",
                "timeout=1",
                "upgrade",
                "h2c",
                "tideover-source",
                "gateway",
                "tideover-wrong",
                "x"));
    try (RawHttp http = new RawHttp(gateway.port())) {
      RawHttp.Response response = http.exchange("GET", "/forged", NOTHING);

      assertThat(response.text()).isEqualTo("ok");
      assertThat(response.field("Tideover-Source")).isEqualTo("service");
      for (String gone :
          List.of("x-hop", "transfer-encoding", "keep-alive", "upgrade", "tideover-wrong")) {
        assertThat(response.field(gone)).as(gone).isNull();
      }
      assertThat(http.exchange("GET", "/forged", NOTHING).text()).isEqualTo("ok");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "HEAD, 200",
    "GET, 204",
    "POST, 205",
    "GET, 304",
    "HEAD, 404",
    "HEAD, 204",
    "HEAD, 304"
  })
  void responsesWithoutABodyLeaveTheConnectionInStep(String method, int status) throws Exception {
    String path = "/nobody/" + method + status;
    byte[] body = status == 200 || status == 404 ? new byte[123] : NOTHING;
    service.on(path, request -> request.reply(status, body, "etag", "\"x\""));
    service.on("/nobody/after", request -> request.reply(200, "after".getBytes(UTF_8)));
    try (RawHttp http = new RawHttp(gateway.port())) {
      http.request(method, path, NOTHING);
      RawHttp.Response response = method.equals("HEAD") ? http.readHead() : http.read();

      assertThat(response.status()).isEqualTo(status);
      assertThat(response.field("ETag")).isEqualTo("\"x\"");
      assertThat(response.field("Transfer-Encoding")).isNull();
      assertThat(response.field("Content-Length"))
          .isEqualTo(
              status == 204 || status == 304 ? null : status == 205 ? "0" : Integer.toString(123));
      assertThat(http.exchange("GET", "/nobody/after", NOTHING).text()).isEqualTo("after");
    }
  }

  @Test
  @HttpRule(
      value = "HEAD and 304 may have the length that GET would have",
      source = "RFC 9110 section 8.6")
  void theLengthThatAServiceGivesForHeadAndNotModifiedIsKept() throws Exception {
    service.on("/length", request -> request.reply(200, NOTHING, "content-length", "4711"));
    service.on("/length/304", request -> request.reply(304, NOTHING, "content-length", "4711"));

    assertThat(gateway.send("HEAD", "/length", NOTHING).field("Content-Length")).isEqualTo("4711");
    assertThat(gateway.send("GET", "/length/304", NOTHING).field("Content-Length"))
        .isEqualTo("4711");
  }

  @ParameterizedTest
  @ValueSource(strings = {"abc", "-1", "1, 2", "", "99999999999999999999"})
  void aLengthThatIsNoneIsNotPassedOn(String length) throws Exception {
    String path = "/bad-length/" + HexFormat.of().formatHex(length.getBytes(UTF_8));
    service.on(path, request -> request.reply(200, NOTHING, "content-length", length));
    try (RawHttp http = new RawHttp(gateway.port())) {
      RawHttp.Response response = http.exchange("HEAD", path, NOTHING);

      assertThat(response.field("Content-Length")).matches("\\d{1,18}");
    }
  }

  @ParameterizedTest
  @HttpRule(value = "A service's own 4xx and 5xx are its answer, passed on", source = "Tideover")
  @ValueSource(ints = {200, 201, 299, 301, 400, 404, 422, 429, 499, 500, 503, 504, 599})
  void theServicesOwnStatusIsItsAnswer(int status) throws Exception {
    String path = "/status/" + status;
    service.on(path, request -> request.reply(status, "mine".getBytes(UTF_8), "retry-after", "9"));

    RawHttp.Response response = gateway.send("POST", path, NOTHING);

    assertThat(response.status()).isEqualTo(status);
    assertThat(response.text()).isEqualTo("mine");
    assertThat(response.outcome()).isEqualTo("completed");
    assertThat(response.field("Tideover-Source")).isEqualTo("service");
    assertThat(response.field("Retry-After")).isEqualTo("9");
  }

  @ParameterizedTest
  @CsvSource({
    "dead, 502, dead, dead",
    "expired, 504, expired, accepted",
    "cancelled, 410, cancelled, cancelled",
    "mismatch, 422, idempotency-mismatch, not-accepted",
    // Of an original that isn't there any more.
    "duplicate, 410, reply-expired, accepted",
  })
  void requestsThatEndWithoutAResponseAreExplained(
      String ending, int status, String code, String outcome) throws Exception {
    String path = "/ending/" + ending;
    service.on(path, request -> request.end(ending));

    RawHttp.Response response = gateway.send("POST", path, NOTHING);

    assertThat(response.status()).isEqualTo(status);
    assertThat(response.problem()).isEqualTo(code);
    assertThat(response.outcome()).isEqualTo(outcome);
    assertThat(response.field("Tideover-Source")).isEqualTo("gateway");
    assertThat(response.json().get("requestId").asText()).isEqualTo(response.field("Tideover-Id"));
    assertThat(response.json().fieldNames())
        .toIterable()
        .contains("type", "title", "status", "detail", "code", "requestId", "retryable");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "status 0",
        "status 99",
        "status 100",
        "status 101",
        "status 199",
        "status 600",
        "status 999",
        "status abc",
        "status",
        "204 with body",
        "205 with body",
        "crlf",
        "nul",
        "bad name",
        "two statuses",
        "no outcome",
        "version 2",
        "not utf-8"
      })
  void aReplyThatIsNoResponseIsSaidToBeNone(String kind) throws Exception {
    String path = "/illegal/" + kind.replace(' ', '-');
    service.on(path, request -> service.send(illegalReply(request, kind)));
    service.on("/illegal/after", request -> request.reply(200, "after".getBytes(UTF_8)));
    try (RawHttp http = new RawHttp(gateway.port())) {
      RawHttp.Response response = http.exchange("POST", path, NOTHING);

      assertThat(response.status()).isEqualTo(502);
      assertThat(response.problem()).isEqualTo("illegal-reply");
      assertThat(response.outcome()).isEqualTo("completed");
      assertThat(response.lines()).noneMatch(line -> line.contains("evil"));
      assertThat(http.exchange("GET", "/illegal/after", NOTHING).text()).isEqualTo("after");
    }
  }

  private static org.apache.kafka.clients.producer.ProducerRecord<byte[], byte[]> illegalReply(
      RawService.Request request, String kind) {
    String fingerprint = request.header("tideover-fingerprint");
    byte[] body = "x".getBytes(UTF_8);
    if (kind.startsWith("status")) {
      String status = kind.equals("status") ? null : kind.substring(7);
      return request.record("completed", fingerprint, status, body);
    }
    var good = request.record("completed", fingerprint, "200", body);
    switch (kind) {
      case "204 with body":
        return request.record("completed", fingerprint, "204", body);
      case "205 with body":
        return request.record("completed", fingerprint, "205", body);
      case "crlf":
        RawService.add(good, "x", "a\r\nevil: 1");
        return good;
      case "nul":
        RawService.add(good, "evil", "a\0b");
        return good;
      case "bad name":
        RawService.add(good, "evil name", "x");
        return good;
      case "two statuses":
        RawService.add(good, ":status", "201");
        return good;
      case "no outcome":
        good.headers().remove("tideover-outcome");
        return good;
      case "version 2":
        good.headers().remove("tideover-v");
        RawService.add(good, "tideover-v", "2");
        return good;
      case "not utf-8":
        good.headers().add("evil", new byte[] {(byte) 0xff});
        return good;
      default:
        throw new AssertionError(kind);
    }
  }

  @Test
  @HttpRule(
      value = "Pipelined requests are answered in their order",
      source = "RFC 9112 section 9.3.2")
  void oneConnectionCarriesManyRequestsAlsoPipelined() throws Exception {
    service.on("/pipelined", request -> request.reply(200, request.record.value()));
    try (RawHttp http = new RawHttp(gateway.port())) {
      for (int i = 0; i < 20; i++) {
        http.request("POST", "/pipelined", ("body " + i).getBytes(UTF_8));
      }
      for (int i = 0; i < 20; i++) {
        assertThat(http.read().text()).isEqualTo("body " + i);
      }
    }
  }

  @Test
  @HttpRule(
      value = "A gateway-made error is a problem document that names its status",
      source = "RFC 9457 section 3.1")
  @HttpRule(value = "A request that is refused is never stored", source = "Tideover")
  void refusalsSayThatNothingRan() throws Exception {
    RawHttp.Response response = gateway.send("POST", "/small/x", new byte[11]);

    assertThat(response.status()).isEqualTo(413);
    assertThat(response.problem()).isEqualTo("body-too-large");
    assertThat(response.outcome()).isEqualTo("not-accepted");
    assertThat(response.json().get("requestId").asText())
        .hasSize(22)
        .isEqualTo(response.field("Tideover-Id"));
    assertThat(gateway.send("POST", "/keyed/" + "k".repeat(257), NOTHING).problem())
        .isEqualTo("bad-key");
  }

  /** By the contract's page, with nothing of the wire module. */
  private static String fingerprint(String... parts) throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytes);
    for (String part : parts) {
      out.writeInt(part.getBytes(UTF_8).length);
      out.write(part.getBytes(UTF_8));
    }
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes.toByteArray());
    return HexFormat.of().formatHex(digest, 0, 16);
  }

  private static byte[] randomBytes(int size) {
    byte[] bytes = new byte[size];
    new Random(size).nextBytes(bytes);
    return bytes;
  }

  /** The UTF-8 bytes of a text as characters, for {@link RawHttp}. */
  private static String latin1(String text) {
    return new String(text.getBytes(UTF_8), ISO_8859_1);
  }
}
