package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import io.vertx.core.VertxOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client gets when the reply comes in time, late, or never, and where it can ask. */
@KafkaTest
class WaitsIT {

  private static final byte[] NOTHING = new byte[0];

  private static TestGateway gateway;
  private static RawService service;

  @BeforeAll
  static void start(TestKafka kafka) {
    gateway =
        TestGateway.start(
            kafka.bootstrapServers(),
            "path: /**, wait: 300ms",
            "path: /long/**, wait: 20s",
            "path: /timeout/**, wait: 300ms, late: timeout",
            "path: /accepted/**, wait: 300ms, late: accepted");
    service = RawService.start(kafka.bootstrapServers(), gateway.service, TestGateway.PARTITIONS);
  }

  @AfterAll
  static void stop() {
    service.close();
    gateway.close();
  }

  @Test
  @HttpRule(
      value = "A 202 describes the state and names a place to ask",
      source = "RFC 9110 section 15.3.3")
  @HttpRule(
      value = "After the wait the same request goes on, and its reply is at Location",
      source = "Tideover")
  void aLateReplyIsAt202sLocation() throws Exception {
    long start = System.nanoTime();

    RawHttp.Response accepted = gateway.send("POST", "/late", "x".getBytes(UTF_8));

    assertThat(elapsed(start)).isBetween(Duration.ofMillis(300), Duration.ofMillis(2_300));
    assertThat(accepted.status()).isEqualTo(202);
    assertThat(accepted.outcome()).isEqualTo("accepted");
    assertThat(accepted.field("Tideover-Source")).isEqualTo("gateway");
    assertThat(accepted.field("Retry-After")).matches("\\d+");
    String location = accepted.field("Location");
    assertThat(location).matches("/\\.tideover/requests/[A-Za-z0-9_-]+");
    assertThat(accepted.json().get("state").asText()).isEqualTo("pending");
    assertThat(accepted.json().get("requestId").asText()).isEqualTo(accepted.field("Tideover-Id"));

    RawHttp.Response pending = gateway.send("GET", location, NOTHING);
    assertThat(pending.status()).isEqualTo(202);
    assertThat(pending.json().get("state").asText()).isEqualTo("pending");
    assertThat(pending.field("Cache-Control")).isEqualTo("no-store");
    assertThat(pending.field("Tideover-Id")).isEqualTo(accepted.field("Tideover-Id"));

    RawService.Request request = service.awaitRequest("/late");
    assertThat(request.id()).isEqualTo(accepted.field("Tideover-Id"));
    assertThat(request.header("tideover-deadline")).isNull();
    request.reply(201, "done".getBytes(UTF_8), "x-a", "1", "x-a", "2");

    RawHttp.Response done = awaitReply(location);
    assertThat(done.status()).isEqualTo(201);
    assertThat(done.text()).isEqualTo("done");
    assertThat(done.all("X-A")).containsExactly("1", "2");
    assertThat(done.outcome()).isEqualTo("completed");
    assertThat(done.field("Tideover-Source")).isEqualTo("service");
    assertThat(done.field("Tideover-Id")).isEqualTo(accepted.field("Tideover-Id"));
    assertThat(RawHttp.exchange(gateway.port(), "HEAD", location, NOTHING).field("Content-Length"))
        .isEqualTo("4");
  }

  @Test
  void aReplyInTimeCanBeAskedForAgain() throws Exception {
    service.on("/long/in-time", request -> request.reply(200, "reply".getBytes(UTF_8)));
    RawHttp.Response async =
        gateway.send("POST", "/long/in-time", NOTHING, "Prefer: respond-async");

    assertThat(awaitReply(async.field("Location")).text()).isEqualTo("reply");
    assertThat(awaitReply("http://test" + async.field("Location") + "?x=1").text())
        .isEqualTo("reply");
  }

  @Test
  @HttpRule(
      value = "No timely reply is a 504 where the route wants that",
      source = "RFC 9110 section 15.6.5")
  void lateTimeoutIsA504WithTheSamePlaceToAsk() throws Exception {
    RawHttp.Response late = gateway.send("POST", "/timeout/x", NOTHING);

    assertThat(late.status()).isEqualTo(504);
    assertThat(late.problem()).isEqualTo("late");
    assertThat(late.outcome()).isEqualTo("accepted");
    service.awaitRequest("/timeout/x").reply(200, "done".getBytes(UTF_8));
    assertThat(awaitReply(late.field("Location")).text()).isEqualTo("done");
  }

  @Test
  void lateTimeoutIsNotForThoseWhoWantToAskLater() throws Exception {
    for (String method : List.of("POST", "GET")) {
      RawHttp.Response async =
          gateway.send(method, "/timeout/async", NOTHING, "Prefer: respond-async");

      assertThat(async.status()).isEqualTo(202);
      assertThat(async.field("Preference-Applied")).isEqualTo("respond-async");
      assertThat(async.field("Location")).isNotNull();
    }
  }

  @ParameterizedTest
  @HttpRule(value = "A safe method's request expires with its wait", source = "Tideover")
  @ValueSource(strings = {"GET", "OPTIONS", "HEAD"})
  void aSafeMethodExpiresWithItsWait(String method) throws Exception {
    RawHttp.Response expired = gateway.send(method, "/expiring/" + method, NOTHING);

    assertThat(expired.status()).isEqualTo(504);
    assertThat(expired.outcome()).isEqualTo("accepted");
    assertThat(expired.field("Location")).isNotNull();
    if (!method.equals("HEAD")) {
      assertThat(expired.problem()).isEqualTo("expired");
      // A service may be at work on it: only the service can say that it never ran.
      assertThat(expired.json().get("detail").asText()).doesNotContain("did not run");
    }
    RawService.Request request = service.awaitRequest("/expiring/" + method);
    assertThat(request.header("tideover-deadline"))
        .isEqualTo(Long.toString(Long.parseLong(request.header("tideover-accepted-at")) + 300));
  }

  @Test
  void aSafeMethodDoesNotExpireWhereItsLateAnswerIsWanted() throws Exception {
    RawHttp.Response byRoute = gateway.send("GET", "/accepted/x", NOTHING);
    RawHttp.Response byClient =
        gateway.send("GET", "/long/async", NOTHING, "Prefer: respond-async");

    assertThat(List.of(byRoute.status(), byClient.status())).containsOnly(202);
    assertThat(service.awaitRequest("/accepted/x").header("tideover-deadline")).isNull();
    assertThat(service.awaitRequest("/long/async").header("tideover-deadline")).isNull();
    assertThat(byClient.field("Preference-Applied")).isEqualTo("respond-async");
  }

  @Test
  @HttpRule(value = "respond-async allows a 202 at once", source = "RFC 7240 section 4.1")
  @HttpRule(
      value = "wait=N bounds the wait; with respond-async the answer is a 202 after it",
      source = "RFC 7240 section 4.3")
  @HttpRule(
      value = "Preference-Applied says which preferences were honoured, and how long the wait was",
      source = "RFC 7240 section 3")
  void preferencesShortenTheWait() throws Exception {
    long start = System.nanoTime();
    RawHttp.Response async = gateway.send("POST", "/long/1", NOTHING, "Prefer: respond-async");
    assertThat(async.status()).isEqualTo(202);
    assertThat(elapsed(start)).isLessThan(Duration.ofMillis(1_900));

    start = System.nanoTime();
    RawHttp.Response waited = gateway.send("POST", "/long/2", NOTHING, "Prefer: wait=1");
    assertThat(waited.status()).isEqualTo(202);
    assertThat(waited.field("Preference-Applied")).isEqualTo("wait=1");
    assertThat(elapsed(start)).isBetween(Duration.ofSeconds(1), Duration.ofSeconds(3));

    start = System.nanoTime();
    RawHttp.Response both =
        gateway.send("POST", "/long/3", NOTHING, "Prefer: respond-async", "Prefer: wait=1");
    assertThat(both.status()).isEqualTo(202);
    assertThat(elapsed(start)).isBetween(Duration.ofSeconds(1), Duration.ofSeconds(3));

    start = System.nanoTime();
    RawHttp.Response longer = gateway.send("POST", "/longer", NOTHING, "Prefer: wait=10");
    assertThat(longer.field("Preference-Applied")).isEqualTo("wait=0");
    assertThat(longer.status()).isEqualTo(202);
    assertThat(elapsed(start)).isLessThan(Duration.ofMillis(2_300));
  }

  @Test
  @HttpRule(
      value = "A reply that is there earlier is not kept until the wait ends",
      source = "RFC 7240 section 4.3")
  void aPreferredWaitDoesNotKeepAReplyThatIsThereEarlier() throws Exception {
    service.on("/long/early", request -> request.reply(200, NOTHING));
    long start = System.nanoTime();

    assertThat(gateway.send("POST", "/long/early", NOTHING, "Prefer: wait=15").status())
        .isEqualTo(200);

    assertThat(elapsed(start)).isLessThan(Duration.ofSeconds(10));
  }

  @Test
  @HttpRule(
      value =
          "At the limit of waiting clients a request is stored and answered 202 at once, not 503",
      source = "Tideover")
  void beyondTheLimitOfWaitingClientsRequestsAreStoredAndAnsweredAtOnce(TestKafka kafka)
      throws Exception {
    try (TestGateway small = small(kafka, 2);
        RawService behind =
            RawService.start(kafka.bootstrapServers(), small.service, TestGateway.PARTITIONS);
        RawHttp first = new RawHttp(small.port());
        RawHttp second = new RawHttp(small.port())) {
      first.request("POST", "/first", NOTHING);
      second.request("POST", "/second", NOTHING);
      behind.awaitRequest("/first");
      behind.awaitRequest("/second");

      long start = System.nanoTime();
      assertThat(small.send("POST", "/third", NOTHING).status()).isEqualTo(202);
      RawHttp.Response get = small.send("GET", "/fourth", NOTHING);
      assertThat(elapsed(start)).isLessThan(Duration.ofSeconds(4));
      assertThat(get.status()).isEqualTo(202);
      assertThat(small.send("POST", "/timeout/fifth", NOTHING).status()).isEqualTo(202);
      assertThat(behind.awaitRequest("/fourth").header("tideover-deadline")).isNull();

      behind.awaitRequest("/first").reply(200, "1".getBytes(UTF_8));
      behind.awaitRequest("/second").reply(200, "2".getBytes(UTF_8));
      assertThat(first.read().text()).isEqualTo("1");
      assertThat(second.read().text()).isEqualTo("2");
    }
  }

  /** Those whose bodies are on their way are not counted yet; they must be when they arrive. */
  @Test
  void theLimitHoldsForClientsWhoseBodiesArriveSlowly(TestKafka kafka) throws Exception {
    try (TestGateway small = small(kafka, 1);
        RawService behind =
            RawService.start(kafka.bootstrapServers(), small.service, TestGateway.PARTITIONS);
        RawHttp first = new RawHttp(small.port());
        RawHttp second = new RawHttp(small.port())) {
      for (RawHttp http : List.of(first, second)) {
        // The answer to the first part shows that the head was read and the request admitted.
        http.send(
            "POST /slow HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
        assertThat(http.read().status()).isEqualTo(100);
      }
      first.send("x");
      behind.awaitRequest("/slow");

      long start = System.nanoTime();
      second.send("x");
      assertThat(second.read().status()).isEqualTo(202);
      assertThat(elapsed(start)).isLessThan(Duration.ofSeconds(5));

      behind.awaitRequest("/slow").reply(200, "1".getBytes(UTF_8));
      assertThat(first.read().text()).isEqualTo("1");
    }
  }

  /** A wait may be an hour long, and there may be 20,000. */
  @Test
  void whoWaitsKeepsNoBodyInMemory(TestKafka kafka) throws Exception {
    int clients = 48;
    byte[] body = new byte[1 << 20];
    List<RawHttp> connections = new ArrayList<>();
    try (TestGateway idle = TestGateway.start(kafka.bootstrapServers(), "path: /**, wait: 60s")) {
      long before = usedAfterCollection();
      for (int i = 0; i < clients; i++) {
        RawHttp http = new RawHttp(idle.port());
        connections.add(http);
        http.request("POST", "/large", body);
      }
      await().atMost(Duration.ofSeconds(20)).until(() -> stored(kafka, idle) == clients);

      await()
          .atMost(Duration.ofSeconds(20))
          .untilAsserted(
              () ->
                  assertThat(usedAfterCollection() - before)
                      .as("bytes on the heap for %d waiting clients", clients)
                      .isLessThan((long) clients * body.length / 2));
    } finally {
      for (RawHttp http : connections) {
        http.close();
      }
    }
  }

  private static long stored(TestKafka kafka, TestGateway gateway) throws Exception {
    Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
    for (int partition = 0; partition < TestGateway.PARTITIONS; partition++) {
      ends.put(new TopicPartition(gateway.requests(), partition), OffsetSpec.latest());
    }
    return kafka.admin().listOffsets(ends).all().get(20, TimeUnit.SECONDS).values().stream()
        .mapToLong(end -> end.offset())
        .sum();
  }

  private static long usedAfterCollection() {
    System.gc();
    Runtime runtime = Runtime.getRuntime();
    return runtime.totalMemory() - runtime.freeMemory();
  }

  @Test
  void aClientThatLeavesMakesRoomAndItsRequestStays(TestKafka kafka) throws Exception {
    try (TestGateway small = small(kafka, 1);
        RawService behind =
            RawService.start(kafka.bootstrapServers(), small.service, TestGateway.PARTITIONS)) {
      behind.on("/next", request -> request.reply(200, "next".getBytes(UTF_8)));
      try (RawHttp leaving = new RawHttp(small.port())) {
        leaving.request("POST", "/leaving", NOTHING);
        behind.awaitRequest("/leaving");
        assertThat(small.send("POST", "/crowded", NOTHING).status()).isEqualTo(202);
      }

      // One at a time may wait: it gets its reply only once the other's place is free again.
      await()
          .atMost(Duration.ofSeconds(10))
          .until(() -> small.send("POST", "/next", NOTHING).outcome().equals("completed"));

      behind.awaitRequest("/leaving").reply(200, NOTHING);
      assertThat(small.send("POST", "/next", NOTHING).text()).isEqualTo("next");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "x",
        "",
        "x/y",
        "../x",
        "%00",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
      })
  void anAddressThatWasNeverGivenOutIsNotThere(String token) throws Exception {
    RawHttp.Response response = gateway.send("GET", "/.tideover/requests/" + token, NOTHING);

    assertThat(response.status()).isEqualTo(404);
    assertThat(response.problem()).isEqualTo("no-such-request");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/.tideover",
        "/.tideover/",
        "/.tideover/x",
        "/%2etideover/requests/x",
        "/x/../.tideover/requests/x",
        "http://test/.tideover/x"
      })
  void theGatewaysOwnPathsReachNoService(String target) throws Exception {
    RawHttp.Response response = gateway.send("POST", target, NOTHING);

    assertThat(response.status()).isEqualTo(404);
    assertThat(response.outcome()).isEqualTo("not-accepted");
  }

  @Test
  @HttpRule(
      value = "A 405 of a status address has an Allow field",
      source = "RFC 9110 section 15.5.6")
  void aStatusAddressTakesGetHeadAndDeleteOnly() throws Exception {
    RawHttp.Response response = gateway.send("POST", "/.tideover/requests/x", NOTHING);

    assertThat(response.status()).isEqualTo(405);
    assertThat(response.field("Allow").split(", "))
        .containsExactlyInAnyOrder("GET", "HEAD", "DELETE");
  }

  @Test
  @HttpRule(
      value = "Whoever asks, and however often, gets the same first reply",
      source = "Tideover")
  void theFirstReplyStandsWhoeverAsksLater() throws Exception {
    String location = gateway.send("POST", "/twice", NOTHING).field("Location");
    RawService.Request request = service.awaitRequest("/twice");
    request.reply(200, "first".getBytes(UTF_8));
    assertThat(awaitReply(location).text()).isEqualTo("first");

    request.reply(200, "second".getBytes(UTF_8));
    request.end("duplicate");
    // A later request of the same partition has been answered, so the feed has passed the others.
    passTheFeed(request.header("tideover-reply-to"));

    assertThat(awaitReply(location).text()).isEqualTo("first");
  }

  private static void passTheFeed(String replyTo) throws Exception {
    for (int i = 0; i < 200; i++) {
      String path = "/long/pass/" + i;
      service.on(path, request -> request.reply(200, NOTHING));
      gateway.send("POST", path, NOTHING);
      if (service.awaitRequest(path).header("tideover-reply-to").equals(replyTo)) {
        return;
      }
    }
    throw new AssertionError("no request had its reply in " + replyTo);
  }

  @Test
  @HttpRule(value = "Nobody ever gets the reply to another request", source = "Tideover")
  void aStatusAddressNeverGivesAnotherRequestsReply(TestKafka kafka) throws Exception {
    try (TestGateway other = TestGateway.start(kafka.bootstrapServers(), "path: /**, wait: 0s");
        RawService behind =
            RawService.start(kafka.bootstrapServers(), other.service, TestGateway.PARTITIONS)) {
      String replies = other.service + ".replies";
      String location = other.send("POST", "/mine", NOTHING).field("Location");
      RawService.Request mine = behind.awaitRequest("/mine");
      mine.reply(200, "mine".getBytes(UTF_8));
      await()
          .atMost(Duration.ofSeconds(10))
          .until(() -> other.send("GET", location, NOTHING).text().equals("mine"));

      // Somebody deletes the topic and makes it again: another's reply has this one's place now.
      kafka.admin().deleteTopics(List.of(replies)).all().get();
      await()
          .atMost(Duration.ofSeconds(10))
          .ignoreException(org.apache.kafka.common.errors.TopicExistsException.class)
          .until(() -> kafka.createTopic(replies, TestGateway.PARTITIONS) != null);
      ProducerRecord<byte[], byte[]> theirs =
          behind
              .awaitRequest("/mine")
              .record("completed", "0".repeat(32), "200", "theirs".getBytes(UTF_8));
      ProducerRecord<byte[], byte[]> moved =
          new ProducerRecord<>(
              replies,
              theirs.partition(),
              "AAAAAAAAAAAAAAAAAAAAAA".getBytes(UTF_8),
              theirs.value());
      theirs.headers().forEach(header -> moved.headers().add(header));
      moved.headers().remove("tideover-id");
      RawService.add(moved, "tideover-id", "AAAAAAAAAAAAAAAAAAAAAA");
      await()
          .atMost(Duration.ofSeconds(10))
          .ignoreException(UnknownTopicOrPartitionException.class)
          .until(() -> kafka.produce(moved).get(0).offset() == 0);

      await()
          .atMost(Duration.ofSeconds(20))
          .until(
              () -> {
                RawHttp.Response response = other.send("GET", location, NOTHING);
                assertThat(response.text()).doesNotContain("theirs");
                return response.status() == 410;
              });
    }
  }

  /** The record is gone and, as in a quiet service, nothing stands behind it. */
  @Test
  @HttpRule(value = "A reply past its retention is a 410", source = "RFC 9110 section 15.5.11")
  void aReplyPastItsRetentionIsGoneAndWasAccepted(TestKafka kafka) throws Exception {
    RawHttp.Response accepted = gateway.send("POST", "/forgotten", NOTHING);
    String location = accepted.field("Location");
    RawService.Request request = service.awaitRequest("/forgotten");
    request.reply(200, "done".getBytes(UTF_8));
    assertThat(awaitReply(location).text()).isEqualTo("done");
    String[] to = request.header("tideover-reply-to").split("/");
    kafka
        .admin()
        .deleteRecords(
            Map.of(
                new TopicPartition(to[0], Integer.parseInt(to[1])),
                RecordsToDelete.beforeOffset(-1)))
        .all()
        .get(20, TimeUnit.SECONDS);

    // For a moment it may still be told from memory.
    RawHttp.Response gone =
        await()
            .atMost(Duration.ofSeconds(20))
            .until(() -> gateway.send("GET", location, NOTHING), found -> found.status() != 200);

    assertThat(gone.status()).isEqualTo(410);
    assertThat(gone.problem()).isEqualTo("reply-expired");
    // It was stored and it ran: "not-accepted" would invite its client to send it again.
    assertThat(gone.outcome()).isEqualTo("accepted");
    assertThat(gone.field("Tideover-Id")).isEqualTo(accepted.field("Tideover-Id"));
    assertThat(gone.json().get("requestId").asText()).isEqualTo(accepted.field("Tideover-Id"));
  }

  private static TestGateway small(TestKafka kafka, int waiting) {
    return TestGateway.start(
        kafka.bootstrapServers(),
        "",
        "waiting: " + waiting,
        new VertxOptions(),
        "path: /**, wait: 15s",
        "path: /timeout/**, wait: 15s, late: timeout");
  }

  private static RawHttp.Response awaitReply(String location) throws Exception {
    return await()
        .atMost(Duration.ofSeconds(10))
        .until(() -> gateway.send("GET", location, NOTHING), found -> found.status() != 202);
  }

  private static Duration elapsed(long start) {
    return Duration.ofNanos(System.nanoTime() - start);
  }
}
