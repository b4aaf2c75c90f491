package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a request's address tells, at the gateway that took it and at another of its cell. */
@KafkaTest
class StatusIT {

  private static final byte[] NOTHING = new byte[0];

  private static TestGateway taker;
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
            "waiting: 50",
            "path: /**, wait: 0s, late: accepted",
            "path: /long/**, wait: 45s");
    taker = TestGateway.of(name, yaml);
    other = Gateway.start(TestGateway.config(yaml));
    service = RawService.start(kafka.bootstrapServers(), name, TestGateway.PARTITIONS);
  }

  @AfterAll
  static void stop() {
    service.close();
    other.close();
    taker.close();
  }

  @Test
  @HttpRule(
      value = "Every gateway of the cell answers at a request's Location",
      source = "Tideover")
  @HttpRule(value = "A 202 has a Retry-After in seconds", source = "RFC 9110 section 10.2.3")
  void everyGatewayOfTheCellAnswersForARequest() throws Exception {
    String location = accepted("/everywhere");

    for (int port : ports()) {
      RawHttp.Response pending = ask(port, location);
      assertThat(pending.status()).isEqualTo(202);
      assertThat(pending.json().get("state").asText()).isEqualTo("pending");
      assertThat(pending.json().get("attempts").asInt()).isZero();
      assertThat(pending.json().get("location").asText()).isEqualTo(location);
      assertThat(Integer.parseInt(pending.field("Retry-After"))).isBetween(1, 30);
      assertThat(pending.outcome()).isEqualTo("accepted");
    }

    service.awaitRequest("/everywhere").reply(201, "done".getBytes(UTF_8), "x-a", "1");
    for (int port : ports()) {
      RawHttp.Response reply = awaitReply(port, location);
      assertThat(reply.status()).isEqualTo(201);
      assertThat(reply.text()).isEqualTo("done");
      assertThat(reply.field("X-A")).isEqualTo("1");
      assertThat(reply.field("Tideover-Source")).isEqualTo("service");
    }
  }

  @Test
  @HttpRule(
      value = "A GET with wait=N at a status address is answered when the reply comes",
      source = "RFC 7240 section 4.3")
  @HttpRule(
      value = "What depends on a preference or on Accept says so in Vary",
      source = "RFC 9110 section 12.5.5")
  void aLongPollGetsTheReplyWhenItComes() throws Exception {
    String location = accepted("/polled");
    List<CompletableFuture<RawHttp.Response>> polls =
        List.of(
            poll(taker.port(), location, "Prefer: wait=20"),
            poll(other.port(), location, "Prefer: wait=20"),
            poll(other.port(), location, "Prefer: respond-async, wait=\"20\""));
    RawService.Request request = service.awaitRequest("/polled");
    // Those whose wait is shorter are told how things stand, the others stay.
    RawHttp.Response early = ask(other.port(), location, "Prefer: wait=1");
    assertThat(early.status()).isEqualTo(202);
    assertThat(early.field("Preference-Applied")).isEqualTo("wait=1");
    assertThat(polls).noneMatch(CompletableFuture::isDone);

    request.reply(200, "at last".getBytes(UTF_8));

    for (CompletableFuture<RawHttp.Response> poll : polls) {
      RawHttp.Response reply = poll.get(15, TimeUnit.SECONDS);
      assertThat(reply.status()).isEqualTo(200);
      assertThat(reply.text()).isEqualTo("at last");
      assertThat(reply.field("Preference-Applied")).isEqualTo("wait=20");
      assertThat(reply.all("Vary")).contains("Accept, Prefer");
    }
  }

  @Test
  @HttpRule(
      value = "Preference-Applied says how long the wait was, where it was capped",
      source = "RFC 7240 section 3")
  void aLongPollWaitsNoLongerThanTheServicesRoutesDo() throws Exception {
    String location = accepted("/capped");
    CompletableFuture<RawHttp.Response> poll =
        poll(taker.port(), location, "Prefer: wait=999999999");
    service.awaitRequest("/capped").reply(200, NOTHING);

    assertThat(poll.get(15, TimeUnit.SECONDS).field("Preference-Applied")).isEqualTo("wait=45");
  }

  @Test
  @HttpRule(
      value = "A GET whose If-None-Match names the entity tag is a 304 with the tag",
      source = "RFC 9110 section 13.1.2")
  @HttpRule(value = "A status is not to be stored", source = "RFC 9111 section 5.2.2.5")
  void pollsCanBeCheap() throws Exception {
    String location = accepted("/cheap");
    RawHttp.Response first = ask(taker.port(), location);
    String tag = first.field("ETag");
    assertThat(tag).startsWith("W/\"pending.0");

    // The position becomes known, and then nothing changes any more, at any gateway.
    String settled =
        await()
            .atMost(Duration.ofSeconds(10))
            .until(
                () -> ask(taker.port(), location).field("ETag"),
                now -> ask(other.port(), location, "If-None-Match: " + now).status() == 304);
    RawHttp.Response unchanged = ask(taker.port(), location, "If-None-Match: \"x\", " + settled);
    assertThat(unchanged.status()).isEqualTo(304);
    assertThat(unchanged.field("Retry-After")).isNotNull();
    assertThat(unchanged.field("Cache-Control")).isEqualTo("no-store");
    assertThat(unchanged.outcome()).isEqualTo("accepted");

    service.awaitRequest("/cheap").reply(200, "done".getBytes(UTF_8));
    RawHttp.Response done =
        await()
            .atMost(Duration.ofSeconds(10))
            .until(
                () -> ask(other.port(), location, "If-None-Match: " + settled),
                response -> response.status() == 200);
    assertThat(done.text()).isEqualTo("done");
    RawHttp.Response known = ask(taker.port(), location, "If-None-Match: " + done.field("ETag"));
    assertThat(known.status()).isEqualTo(304);
    assertThat(known.field("Tideover-Source")).isEqualTo("service");
    assertThat(known.outcome()).isEqualTo("completed");
  }

  @Test
  @HttpRule(value = "The service's own entity tag stands", source = "RFC 9110 section 8.8.3")
  void theServicesOwnEntityTagStandsAndItsCachingDoesNot() throws Exception {
    String location = accepted("/tagged");
    service
        .awaitRequest("/tagged")
        .reply(200, NOTHING, "etag", "\"mine\"", "cache-control", "max-age=60");

    RawHttp.Response reply = awaitReply(other.port(), location);
    assertThat(reply.field("ETag")).isEqualTo("\"mine\"");
    assertThat(reply.field("Cache-Control")).isEqualTo("no-store");
    assertThat(ask(other.port(), location, "If-None-Match: W/\"mine\"").status()).isEqualTo(304);
  }

  @Test
  @HttpRule(
      value = "A condition applies to a successful answer only",
      source = "RFC 9110 section 13.2.1")
  void aServicesFailureIsItsAnswerWhateverTheClientHas() throws Exception {
    String location = accepted("/failed");
    service.awaitRequest("/failed").reply(500, "oops".getBytes(UTF_8));
    awaitReply(taker.port(), location);

    RawHttp.Response reply = ask(taker.port(), location, "If-None-Match: *");
    assertThat(reply.status()).isEqualTo(500);
    assertThat(reply.text()).isEqualTo("oops");
    assertThat(reply.field("ETag")).isNull();
  }

  @Test
  @HttpRule(
      value =
          "An event stream is flushed at once, with a comment first; a 204 ends the reconnecting",
      source = "WHATWG HTML section 9.2.3")
  void aStreamTellsEachStateAndTheEnd() throws Exception {
    String location = accepted("/streamed");
    try (EventReader here = new EventReader(taker.port(), location);
        EventReader there = new EventReader(other.port(), location)) {
      for (EventReader stream : List.of(here, there)) {
        assertThat(stream.status).isEqualTo(200);
        assertThat(stream.field("Content-Type")).isEqualTo("text/event-stream");
        assertThat(stream.field("Cache-Control")).isEqualTo("no-store");
        assertThat(stream.field("X-Accel-Buffering")).isEqualTo("no");
        assertThat(stream.field("Tideover-Source")).isEqualTo("gateway");
        assertThat(stream.field("Tideover-Id")).isNotNull();
        EventReader.Event pending = stream.next();
        assertThat(stream.comments).containsExactly("ok");
        assertThat(pending.name()).isEqualTo("pending");
        assertThat(pending.json().get("state").asText()).isEqualTo("pending");
      }

      service.awaitRequest("/streamed").reply(201, "done".getBytes(UTF_8));

      for (EventReader stream : List.of(here, there)) {
        EventReader.Event end = lastOf(stream);
        assertThat(end.name()).isEqualTo("completed");
        assertThat(end.id()).isEqualTo("end");
        assertThat(end.json().get("status").asInt()).isEqualTo(201);
        assertThat(end.json().get("location").asText()).isEqualTo(location);
      }
    }
    try (EventReader late = new EventReader(other.port(), location)) {
      assertThat(late.next().name()).isEqualTo("completed");
      assertThat(late.next()).isNull();
    }
    // A client that has heard the end is told to stop connecting.
    assertThat(ask(other.port(), location, "Accept: text/event-stream", "Last-Event-ID: end"))
        .satisfies(
            response -> {
              assertThat(response.status()).isEqualTo(204);
              assertThat(response.field("Tideover-Source")).isEqualTo("gateway");
              assertThat(response.field("Tideover-Id")).isNotNull();
            });
  }

  @Test
  @HttpRule(
      value = "Last-Event-ID is honoured, at any gateway",
      source = "WHATWG HTML section 9.2.4")
  void whatAClientKnowsIsNotToldAgain() throws Exception {
    String location = accepted("/again");
    String known;
    try (EventReader first = new EventReader(taker.port(), location)) {
      known = first.next().id();
    }
    String settled =
        await()
            .atMost(Duration.ofSeconds(10))
            .until(
                () -> ask(other.port(), location).field("ETag").replaceAll("W/|\"", ""),
                now ->
                    ask(taker.port(), location, "If-None-Match: \"" + now + "\"").status() == 304);
    assertThat(known).startsWith("pending.0");
    try (EventReader second =
        new EventReader(other.port(), location, "Last-Event-ID: " + settled)) {
      service.awaitRequest("/again").reply(200, NOTHING);
      assertThat(second.next().name()).isEqualTo("completed");
    }
  }

  @Test
  @HttpRule(value = "A comment is sent about every 15 s", source = "WHATWG HTML section 9.2.7")
  void aLongSilenceIsBrokenByComments() throws Exception {
    String location = accepted("/silent");
    try (EventReader stream = new EventReader(taker.port(), location)) {
      CompletableFuture<EventReader.Event> end =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return lastOf(stream);
                } catch (Exception e) {
                  throw new IllegalStateException(e);
                }
              });
      // A read that lasts 20 s would end the stream.
      await().atMost(Duration.ofSeconds(19)).until(() -> stream.comments.contains(""));
      service.awaitRequest("/silent").reply(200, NOTHING);
      assertThat(end.get(15, TimeUnit.SECONDS).name()).isEqualTo("completed");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"dead", "expired"})
  void aStreamEndsAlsoForRequestsThatEndWithoutAReply(String outcome) throws Exception {
    String location = accepted("/ending/" + outcome);
    try (EventReader stream = new EventReader(taker.port(), location)) {
      assertThat(stream.next().name()).isEqualTo("pending");
      service.awaitRequest("/ending/" + outcome).end(outcome);
      assertThat(lastOf(stream).name()).isEqualTo(outcome);
    }
  }

  @Test
  void whatExpiredBehindAFailedAttemptIsSaidToHaveRun() throws Exception {
    String location = accepted("/expired/again");
    service.awaitRequest("/expired/again").end("expired");
    RawHttp.Response expired =
        await()
            .atMost(Duration.ofSeconds(20))
            .until(
                () -> RawHttp.exchange(taker.port(), "GET", location, new byte[0]),
                response -> response.status() != 202);
    assertThat(expired.problem()).isEqualTo("expired");
    assertThat(expired.json().get("detail").asText()).startsWith("An attempt failed");
  }

  @ParameterizedTest
  @HttpRule(
      value = "Accept decides between the document and the stream; q=0 refuses",
      source = "RFC 9110 section 12.5.1")
  @ValueSource(strings = {"*/*", "application/json", "text/event-stream;q=0", "text/*"})
  void onlyWhoNamesItGetsAStream(String accept) throws Exception {
    String location = accepted("/no-stream");

    RawHttp.Response response = ask(taker.port(), location, "Accept: " + accept);

    assertThat(response.status()).isEqualTo(202);
    assertThat(response.field("Content-Type")).isEqualTo("application/json");
  }

  @Test
  void aClientThatLeavesItsPollOrStreamMakesRoom(TestKafka kafka) throws Exception {
    try (TestGateway small =
        TestGateway.start(
            kafka.bootstrapServers(),
            "",
            "waiting: 1",
            new io.vertx.core.VertxOptions(),
            "path: /**, wait: 0s")) {
      String location = small.send("POST", "/room", NOTHING).field("Location");
      for (int i = 0; i < 5; i++) {
        try (EventReader stream = new EventReader(small.port(), location)) {
          assertThat(stream.next().name()).isEqualTo("pending");
          // There is no place for a second one that stays.
          RawHttp.Response second = ask(small.port(), location, "Prefer: wait=20");
          assertThat(second.status()).isEqualTo(202);
          assertThat(second.field("Preference-Applied")).isEqualTo("wait=0");
          assertThat(ask(small.port(), location, "Accept: text/event-stream").status())
              .isEqualTo(202);
        }
        await()
            .atMost(Duration.ofSeconds(10))
            .until(
                () -> {
                  try (EventReader next = new EventReader(small.port(), location)) {
                    return next.status == 200;
                  }
                });
        await()
            .atMost(Duration.ofSeconds(10))
            .until(
                () ->
                    "wait=1"
                        .equals(
                            ask(small.port(), location, "Prefer: wait=1")
                                .field("Preference-Applied")));
      }
    }
  }

  @Test
  @HttpRule(value = "DELETE cancels what has not been begun", source = "RFC 9110 section 9.3.5")
  void deleteCancelsWhatTheServiceHasNotBegun() throws Exception {
    String location = accepted("/cancelled");
    RawService.Request request = service.awaitRequest("/cancelled");

    CompletableFuture<RawHttp.Response> delete =
        CompletableFuture.supplyAsync(
            () -> send(other.port(), "DELETE", location, "Prefer: wait=15"));
    request.end("cancelled");

    RawHttp.Response cancelled = delete.get(15, TimeUnit.SECONDS);
    assertThat(cancelled.status()).isEqualTo(200);
    assertThat(cancelled.json().get("state").asText()).isEqualTo("cancelled");
    assertThat(cancelled.outcome()).isEqualTo("cancelled");
    for (int port : ports()) {
      RawHttp.Response gone = awaitReply(port, location);
      assertThat(gone.status()).isEqualTo(410);
      assertThat(gone.problem()).isEqualTo("cancelled");
      assertThat(send(port, "DELETE", location).status()).isEqualTo(200);
    }
  }

  @Test
  @HttpRule(
      value = "A DELETE that isn't carried out yet is a 202",
      source = "RFC 9110 section 9.3.5")
  void deleteIsOnlyAWishWhileNobodyAnswersForTheService() throws Exception {
    String location = accepted("/wished");

    long start = System.nanoTime();
    RawHttp.Response wished = send(taker.port(), "DELETE", location);

    assertThat(System.nanoTime() - start).isLessThan(Duration.ofSeconds(6).toNanos());
    assertThat(wished.status()).isEqualTo(202);
    assertThat(wished.json().get("cancelRequested").asBoolean()).isTrue();
    assertThat(wished.outcome()).isEqualTo("accepted");
  }

  @Test
  @HttpRule(value = "A DELETE of what has ended is a 409", source = "RFC 9110 section 15.5.10")
  void deleteOfWhatHasEndedIsAConflict() throws Exception {
    String location = accepted("/over");
    service.awaitRequest("/over").reply(200, NOTHING);
    awaitReply(other.port(), location);

    RawHttp.Response conflict = send(other.port(), "DELETE", location);

    assertThat(conflict.status()).isEqualTo(409);
    assertThat(conflict.problem()).isEqualTo("already-ended");
    assertThat(conflict.outcome()).isEqualTo("completed");
  }

  @Test
  void deleteOfWhatHasExpiredDoesNotSayThatItRan() throws Exception {
    String location = accepted("/expired");
    service.awaitRequest("/expired").end("expired");
    awaitReply(other.port(), location);

    RawHttp.Response conflict = send(other.port(), "DELETE", location);

    assertThat(conflict.status()).isEqualTo(409);
    assertThat(conflict.problem()).isEqualTo("already-ended");
    assertThat(conflict.outcome()).isEqualTo("accepted");
  }

  @Test
  void nobodyCancelsOrStreamsWhatIsNotThere() throws Exception {
    String unknown = "/.tideover/requests/" + "A".repeat(72);
    assertThat(send(taker.port(), "DELETE", unknown).status()).isEqualTo(404);
    assertThat(ask(taker.port(), unknown, "Accept: text/event-stream").status()).isEqualTo(404);
    assertThat(ask(taker.port(), unknown, "Prefer: wait=20").status()).isEqualTo(404);
  }

  private static String accepted(String path) throws Exception {
    RawHttp.Response response = taker.send("POST", path, NOTHING);
    assertThat(response.status()).isEqualTo(202);
    return response.field("Location");
  }

  private static int[] ports() {
    return new int[] {taker.port(), other.port()};
  }

  private static RawHttp.Response ask(int port, String location, String... fields) {
    return send(port, "GET", location, fields);
  }

  private static RawHttp.Response send(int port, String method, String location, String... fields) {
    try {
      return RawHttp.exchange(port, method, location, NOTHING, fields);
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private static CompletableFuture<RawHttp.Response> poll(
      int port, String location, String... fields) {
    return CompletableFuture.supplyAsync(
        () -> ask(port, location, fields),
        task -> {
          Thread thread = new Thread(task);
          thread.setDaemon(true);
          thread.start();
        });
  }

  private static EventReader.Event lastOf(EventReader stream) throws Exception {
    EventReader.Event last = null;
    for (EventReader.Event event = stream.next(); event != null; event = stream.next()) {
      last = event;
    }
    return last;
  }

  private static RawHttp.Response awaitReply(int port, String location) {
    return await()
        .atMost(Duration.ofSeconds(10))
        .until(() -> ask(port, location), found -> found.status() != 202);
  }
}
