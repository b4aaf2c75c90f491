package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.HttpFields;
import java.io.IOException;
import java.util.Arrays;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Requests that nobody honest sends, byte for byte. Each ends with an answer that says so, or none,
 * and a closed connection; what stands behind it on the connection is never taken for a request.
 */
@KafkaTest
class HostileInputIT {

  private static final byte[] NOTHING = new byte[0];
  private static final String SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n";

  private static TestGateway gateway;
  private static RawService service;

  @BeforeAll
  static void start(TestKafka kafka) {
    gateway =
        TestGateway.start(
            kafka.bootstrapServers(),
            "path: /**, wait: 10s, max-body: 100KiB",
            "path: /only, methods: [PUT, GET], wait: 10s");
    service = RawService.start(kafka.bootstrapServers(), gateway.service, TestGateway.PARTITIONS);
    service.on("/ok", request -> request.reply(200, request.record.value()));
    service.on("/smuggled", request -> request.reply(200, "smuggled".getBytes(UTF_8)));
  }

  @AfterAll
  static void stop(TestKafka kafka) {
    service.close();
    gateway.close();
    // Whatever a test sent behind its request has reached nobody.
    assertThat(kafka.readAll(gateway.requests()))
        .extracting(record -> new String(record.headers().lastHeader(":path").value(), UTF_8))
        .contains("/ok")
        .doesNotContain("/smuggled");
  }

  /**
   * S-1 to S-6, S-8 of the threat list: the head, with \r\n as written, then a smuggled request.
   */
  @ParameterizedTest
  @ValueSource(
      strings = {
        // both framings
        "POST /ok HTTP/1.1|Host: t|Content-Length: 5|Transfer-Encoding: chunked||0||",
        // lengths
        "POST /ok HTTP/1.1|Host: t|Content-Length: 5|Content-Length: 6||hello",
        "POST /ok HTTP/1.1|Host: t|Content-Length: +5||hello",
        "POST /ok HTTP/1.1|Host: t|Content-Length: -5||hello",
        "POST /ok HTTP/1.1|Host: t|Content-Length: 0x5||hello",
        "POST /ok HTTP/1.1|Host: t|Content-Length: 5,6||hello",
        "POST /ok HTTP/1.1|Host: t|Content-Length: 99999999999999999999||hello",
        "POST /ok HTTP/1.1|Host: t|Content-Length: five||hello",
        "POST /ok HTTP/1.1|Host: t|Content-Length:||hello",
        // transfer codings
        "POST /ok HTTP/1.1|Host: t|Transfer-Encoding: xchunked||0||",
        "POST /ok HTTP/1.1|Host: t|Transfer-Encoding: chunked, identity||0||",
        "POST /ok HTTP/1.1|Host: t|Transfer-Encoding: gzip||0||",
        "POST /ok HTTP/1.0|Host: t|Transfer-Encoding: chunked||0||",
        // chunks
        "POST /ok HTTP/1.1|Host: t|Transfer-Encoding: chunked||FFFFFFFFFFFFFFFF5|hello|0||",
        "POST /ok HTTP/1.1|Host: t|Transfer-Encoding: chunked||100000004|hello|0||",
        "POST /ok HTTP/1.1|Host: t|Transfer-Encoding: chunked||0x5|hello|0||",
        "POST /ok HTTP/1.1|Host: t|Transfer-Encoding: chunked||-5|hello|0||",
        "POST /ok HTTP/1.1|Host: t|Transfer-Encoding: chunked||zz|hello|0||",
        "POST /ok HTTP/1.1|Host: t|Transfer-Encoding: chunked||3|hello|0||",
        // field names and lines
        "POST /ok HTTP/1.1|Host: t|Content-Length : 5||hello",
        "GET /ok HTTP/1.1|Host: t|X Y: x||",
        "GET /ok HTTP/1.1|Host: t|X\0: x||",
        "GET /ok HTTP/1.1|Host: t|X: a\0b||",
        "GET /ok HTTP/1.1|Host: t|no colon||",
        "GET /ok HTTP/1.1|Host: t|X: a\rb||",
        // request lines
        "GET|Host: t||",
        "GET /ok|Host: t||",
        "GET  /ok x HTTP/1.1|Host: t||",
        "GET /ok JUNK|Host: t||",
        "G\0ET /ok HTTP/1.1|Host: t||",
        "\0\u0001\u0002\u0003|||",
        "\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00fc\u0003\u0003||",
      })
  void whatIsNotHttpEndsTheConnection(String head) throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      http.send(head.replace("|", "\r\n") + SMUGGLED);

      RawHttp.Response response = readIfAny(http);
      if (response != null) {
        assertThat(response.status()).isBetween(400, 499);
        assertThat(response.problem()).isNotBlank();
        assertThat(response.outcome()).isEqualTo("not-accepted");
        assertThat(response.field("Connection")).isEqualToIgnoringCase("close");
        assertThat(http.isClosedByServer()).isTrue();
      }
    }
  }

  /** Vert.x answers these itself, in the version that it was asked in. */
  @ParameterizedTest
  @HttpRule(value = "A version that isn't spoken is refused", source = "RFC 9110 section 15.6.6")
  @ValueSource(strings = {"GET /ok HTTP/9.9|Host: t||", "PRI * HTTP/2.0||SM||"})
  void otherVersionsEndTheConnection(String head) throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      http.send(head.replace("|", "\r\n") + SMUGGLED);

      RawHttp.Response response = readIfAny(http);
      if (response != null) {
        assertThat(response.status()).isBetween(400, 599);
        assertThat(http.isClosedByServer()).isTrue();
      }
    }
  }

  private static RawHttp.Response readIfAny(RawHttp http) {
    try {
      return http.read();
    } catch (IOException closed) {
      return null;
    }
  }

  /** These are framed well, so the connection goes on. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET /ok HTTP/1.1||",
        "GET /ok HTTP/1.1|Host: a|Host: b||",
        "GET /ok HTTP/1.1|Host: a|Host: a||",
        "GET /ok HTTP/1.1|Host: a b||",
        "GET /ok HTTP/1.1|Host: a@b||",
        "GET /ok HTTP/1.1|Host: a/b||",
        "GET http://other/ok HTTP/1.1|Host: test||",
        "GET http://test@other/ok HTTP/1.1|Host: test||",
        "GET /ok HTTP/1.1|Host: t|: x||",
      })
  void requestsForNoOneHostAreRefused(String head) throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      http.send(head.replace("|", "\r\n"));

      RawHttp.Response response = http.read();
      assertThat(response.status()).isEqualTo(400);
      assertThat(response.problem()).isEqualTo("bad-field");
      assertThat(http.exchange("POST", "/ok", "next".getBytes(UTF_8)).text()).isEqualTo("next");
    }
  }

  /** CVE-2026-102479: names that a hash of the decoder once took for those it knows. */
  @ParameterizedTest
  @ValueSource(strings = {"Content-Xength", "Content-Lengtz", "Transfer-Encodinx", "Connectiox"})
  void aNameThatOnlyLooksLikeAFramingFieldIsAnUnknownField(String name) throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      http.send(
          "POST /ok HTTP/1.1\r\nHost: test\r\n"
              + name
              + ": 5\r\nContent-Length: 3\r\n\r\nabc"
              + "GET /ok HTTP/1.1\r\nHost: test\r\n"
              + name
              + ": 44\r\n\r\n"
              + "POST /ok HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nlast");

      assertThat(http.read().text()).isEqualTo("abc");
      assertThat(http.read().text()).isEmpty();
      assertThat(http.read().text()).isEqualTo("last");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "Content-Length: 5|Content-Length: 5, hello",
    "Content-Length: 0005, hello",
  })
  void aLengthThatHasOneReadingIsReadOrRefused(String lines, String body) throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      http.send(
          "POST /ok HTTP/1.1\r\nHost: t\r\n" + lines.replace("|", "\r\n") + "\r\n\r\n" + body);

      RawHttp.Response response = http.read();
      if (response.status() == 200) {
        assertThat(response.text()).isEqualTo(body);
        assertThat(http.exchange("GET", "/ok", NOTHING).status()).isEqualTo(200);
      } else {
        assertThat(response.status()).isEqualTo(400);
        assertThat(http.isClosedByServer()).isTrue();
      }
    }
  }

  @Test
  @HttpRule(
      value = "The absolute form of a target is read, and its host is the Host field's",
      source = "RFC 9112 section 3.2.2")
  void theAbsoluteFormIsRead() throws Exception {
    service.on("/absolute", request -> request.reply(200, request.header(":path").getBytes(UTF_8)));
    service.on("/", request -> request.reply(200, request.header(":path").getBytes(UTF_8)));

    assertThat(gateway.send("GET", "http://test/absolute?x=/y", NOTHING).text())
        .isEqualTo("/absolute?x=/y");
    assertThat(gateway.send("GET", "http://test?x=/absolute", NOTHING).text())
        .isEqualTo("/?x=/absolute");
    assertThat(gateway.send("GET", "http://test", NOTHING).text()).isEqualTo("/");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/../x",
        "/a/%2e%2e/%2e%2e/x",
        "/a%2fb",
        "/a%00",
        "/a%5cb",
        "/%c0%af",
        "/a#b",
        "x"
      })
  void targetsWithoutASingleReadingAreRefused(String target) throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      RawHttp.Response response = http.exchange("GET", target, NOTHING);

      assertThat(response.status()).isEqualTo(400);
      assertThat(response.problem()).isEqualTo("bad-target");
      // The request was read to its end, so the connection goes on.
      assertThat(http.exchange("POST", "/ok", "next".getBytes(UTF_8)).text()).isEqualTo("next");
    }
  }

  @Test
  void fieldsThatAreNotUtf8AreRefused() throws Exception {
    RawHttp.Response response = gateway.send("GET", "/ok", NOTHING, "X-Name: \u00e4");

    assertThat(response.status()).isEqualTo(400);
    assertThat(response.problem()).isEqualTo("bad-field");
    assertThat(response.json().get("detail").asText()).contains("x-name").contains("UTF-8");
  }

  @ParameterizedTest
  @HttpRule(value = "CONNECT and TRACE are refused with 405", source = "RFC 9110 section 15.5.6")
  @ValueSource(strings = {"TRACE", "CONNECT"})
  void methodsThatCantBeBufferedAreRefused(String method) throws Exception {
    RawHttp.Response response =
        gateway.send(method, method.equals("CONNECT") ? "t:80" : "/ok", NOTHING);

    assertThat(response.status()).isEqualTo(405);
    assertThat(response.problem()).isEqualTo("method-not-allowed");
    // RFC 9110 section 15.5.6: a 405 has an Allow, if an empty one.
    assertThat(response.field("Allow")).isNotNull();
  }

  /** RFC 9112 section 3.2.4. */
  @Test
  @HttpRule(value = "The asterisk form is for OPTIONS", source = "RFC 9112 section 3.2.4")
  void theAsteriskFormIsForOptionsOnly() throws Exception {
    service.on("*", request -> request.reply(204, NOTHING));

    assertThat(gateway.send("OPTIONS", "*", NOTHING).status()).isEqualTo(204);
    RawHttp.Response response = gateway.send("GET", "*", NOTHING);
    assertThat(response.status()).isEqualTo(400);
    assertThat(response.problem()).isEqualTo("bad-target");
  }

  @Test
  @HttpRule(value = "A 405 has an Allow field", source = "RFC 9110 section 15.5.6")
  void aMethodThatThePathDoesNotTakeIsToldWhichOnesItTakes() throws Exception {
    try (TestGateway narrow =
        TestGateway.start(bootstrapServers, "path: /only, methods: [PUT, GET]")) {
      RawHttp.Response wrongMethod = narrow.send("POST", "/only", NOTHING);
      assertThat(wrongMethod.status()).isEqualTo(405);
      assertThat(wrongMethod.field("Allow").split(", ")).containsExactlyInAnyOrder("GET", "PUT");
      RawHttp.Response wrongPath = narrow.send("POST", "/other", NOTHING);
      assertThat(wrongPath.status()).isEqualTo(404);
      assertThat(wrongPath.problem()).isEqualTo("no-route");
      assertThat(wrongPath.field("Tideover-Source")).isEqualTo("gateway");
    }
  }

  private static String bootstrapServers;

  @BeforeAll
  static void keepServers(TestKafka kafka) {
    bootstrapServers = kafka.bootstrapServers();
  }

  @ParameterizedTest
  @HttpRule(
      value = "A body that is too large is a 413, before anything is stored",
      source = "RFC 9110 section 15.5.14")
  @ValueSource(ints = {(100 << 10) + 1, 1 << 20})
  void aBodyThatIsTooLongByItsLengthGetsItsAnswer(int size) throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      RawHttp.Response response = http.exchange("POST", "/ok", new byte[size]);

      assertThat(response.status()).isEqualTo(413);
      assertThat(response.problem()).isEqualTo("body-too-large");
      assertThat(response.json().get("detail").asText()).contains("102400");
      assertThat(http.isClosedByServer()).isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {200 << 10, 900 << 10})
  void aBodyThatTurnsOutTooLongGetsItsAnswer(int size) throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      http.send(
          "POST /ok HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
              + Integer.toHexString(size)
              + "\r\n"
              + "x".repeat(size)
              + "\r\n0\r\n\r\n");

      RawHttp.Response response = http.read();
      assertThat(response.status()).isEqualTo(413);
      assertThat(response.problem()).isEqualTo("body-too-large");
      assertThat(http.isClosedByServer()).isTrue();
    }
  }

  @Test
  @HttpRule(
      value = "The rest of a refused body is never read as a request",
      source = "RFC 9112 section 11.2")
  void whatFollowsARefusedBodyIsNeverARequest() throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      // The body is 150,000 bytes, and holds what looks like requests.
      http.send(
          "POST /ok HTTP/1.1\r\nHost: t\r\nContent-Length: 150000\r\n\r\n"
              + SMUGGLED.repeat(150_000 / SMUGGLED.length() - 1));

      assertThat(http.read().status()).isEqualTo(413);
      assertThat(http.isClosedByServer()).isTrue();
    }
  }

  @Test
  @HttpRule(
      value = "Who answers before the body has come closes the connection",
      source = "RFC 9112 section 9.6")
  void anEarlyRefusalOfAnUnfinishedBodyClosesTheConnection() throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      http.send("POST /a%2fb HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\npart");

      assertThat(http.read().status()).isEqualTo(400);
      assertThat(http.isClosedByServer()).isTrue();
    }
  }

  @Test
  @HttpRule(
      value = "100-continue is met when the body is wanted; another expectation is a 417",
      source = "RFC 9110 section 10.1.1")
  void expectationsAreMetOrRefused() throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      http.send(
          "POST /ok HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
      assertThat(http.read().status()).isEqualTo(100);
      http.send("hello");
      assertThat(http.read().text()).isEqualTo("hello");

      http.send(
          "POST /ok HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 999999\r\n\r\n");
      assertThat(http.read().status()).isEqualTo(413);
      assertThat(http.isClosedByServer()).isTrue();
    }
    RawHttp.Response unknown = gateway.send("POST", "/ok", NOTHING, "Expect: the-unexpected");
    assertThat(unknown.status()).isEqualTo(417);
    assertThat(unknown.problem()).isEqualTo("expectation-failed");
  }

  /** RFC 9110 section 10.1.1: who speaks HTTP/1.0 would take the 100 for the answer. */
  @Test
  @HttpRule(value = "100-continue in HTTP/1.0 is ignored", source = "RFC 9110 section 10.1.1")
  void anExpectationInHttp10IsIgnored() throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      http.send("POST /ok HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");

      RawHttp.Response response = http.read();
      assertThat(response.status()).isEqualTo(200);
      assertThat(response.text()).isEqualTo("hello");
    }
  }

  /** More lines than a record may have: stored, no service could read it. */
  @Test
  void moreFieldLinesThanARecordHoldsAreRefused() throws Exception {
    String[] most = new String[HttpFields.MAX_LINES];
    Arrays.fill(most, "a: 1");
    assertThat(gateway.send("GET", "/ok", NOTHING, most).status()).isEqualTo(200);
    String[] tooMany = new String[HttpFields.MAX_LINES + 1];
    Arrays.fill(tooMany, "a: 1");

    RawHttp.Response response = gateway.send("GET", "/ok", NOTHING, tooMany);

    assertThat(response.status()).isEqualTo(431);
    assertThat(response.problem()).isEqualTo("fields-too-large");
  }

  @Test
  @HttpRule(
      value = "A request target that is too long is a 414",
      source = "RFC 9110 section 15.5.15")
  void aRequestLineThatIsTooLongIsSaidToBe() throws Exception {
    assertThat(gateway.send("GET", "/ok?" + "x".repeat(7_000), NOTHING).status()).isEqualTo(200);
    try (RawHttp http = new RawHttp(gateway.port())) {
      RawHttp.Response response = http.exchange("GET", "/ok?" + "x".repeat(9_000), NOTHING);

      assertThat(response.status()).isEqualTo(414);
      assertThat(response.problem()).isEqualTo("target-too-long");
      assertThat(http.isClosedByServer()).isTrue();
    }
  }

  @Test
  @HttpRule(value = "A header block that is too large is a 431", source = "RFC 6585 section 5")
  void aHeaderBlockThatIsTooLargeIsSaidToBe() throws Exception {
    assertThat(gateway.send("GET", "/ok", NOTHING, "Cookie: " + "x".repeat(15_000)).status())
        .isEqualTo(200);
    String[] many = new String[400];
    for (int i = 0; i < many.length; i++) {
      many[i] = "X-" + i + ": " + UUID.randomUUID();
    }
    for (String[] lines : new String[][] {{"Cookie: " + "x".repeat(20_000)}, many}) {
      try (RawHttp http = new RawHttp(gateway.port())) {
        RawHttp.Response response = http.exchange("GET", "/ok", NOTHING, lines);

        assertThat(response.status()).isEqualTo(431);
        assertThat(response.problem()).isEqualTo("fields-too-large");
        assertThat(http.isClosedByServer()).isTrue();
      }
    }
  }

  @Test
  @HttpRule(value = "An Upgrade that isn't wanted is ignored", source = "RFC 9110 section 7.8")
  void anUpgradeIsIgnored() throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      for (String upgrade : new String[] {"h2c", "websocket"}) {
        RawHttp.Response response =
            http.exchange(
                "GET",
                "/ok",
                NOTHING,
                "Connection: Upgrade, HTTP2-Settings",
                "Upgrade: " + upgrade,
                "HTTP2-Settings: AAMAAABkAAQAAP__",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version: 13");
        assertThat(response.status()).isEqualTo(200);
      }
      assertThat(http.exchange("POST", "/ok", "next".getBytes(UTF_8)).text()).isEqualTo("next");
    }
  }

  @Test
  @HttpRule(value = "A body of a GET is passed on", source = "RFC 9110 section 9.3.1")
  void aGetMayHaveABody() throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      assertThat(http.exchange("GET", "/ok", "body".getBytes(UTF_8)).text()).isEqualTo("body");
      assertThat(http.exchange("GET", "/.tideover/requests/x", "body".getBytes(UTF_8)).status())
          .isEqualTo(404);
    }
  }

  @Test
  @HttpRule(
      value = "A client of HTTP/1.0 is answered and its connection closed",
      source = "RFC 9112 section 9.3")
  void http10IsAnsweredAndTheConnectionClosed() throws Exception {
    try (RawHttp http = new RawHttp(gateway.port())) {
      http.send("POST /ok HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");

      assertThat(http.read().text()).isEqualTo("hi");
      assertThat(http.isClosedByServer()).isTrue();
    }
  }
}
