package dev.tideover.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tideover.gateway.Gateway;
import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Request;
import dev.tideover.sdk.Tideover;
import dev.tideover.sdk.TideoverConsumer;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two gateways and a service with the SDK: a request that is sent again with its key, to either of
 * them and whatever has ended meanwhile, is handled once and gets the same bytes each time; another
 * request with the key gets 422 and isn't handled.
 */
@Tag("long")
@KafkaTest
@Timeout(180)
class ResendIT {

  private static final HttpClient HTTP =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private static final Pattern READY = Pattern.compile("Ready: clients at port (\\d+)");
  private static final int PARTITIONS = 3;
  private static final int INDEX = 10_000;
  private static final String ORDER = "one book";
  private static final String OTHER = "two books";

  /** What a client sees of an answer. */
  private record Answer(int status, String bytes, boolean replayed) {

    static Answer of(HttpResponse<byte[]> response) {
      return new Answer(
          response.statusCode(),
          HexFormat.of().formatHex(response.body()),
          response.headers().firstValue("Idempotency-Replayed").orElse("").equals("true"));
    }

    Answer again() {
      return new Answer(status, bytes, true);
    }
  }

  private final String service = "resend-" + UUID.randomUUID().toString().substring(0, 8);
  private final String key = UUID.randomUUID().toString();
  private final Queue<String> handled = new ConcurrentLinkedQueue<>();
  private final CountDownLatch began = new CountDownLatch(1);
  private final CompletableFuture<Void> release = new CompletableFuture<>();
  private final Random random = new Random();

  @Test
  void tenAtOnceToTwoGatewaysAreHandledOnce(TestKafka kafka) throws Exception {
    try (Gateway one = gateway(kafka);
        Gateway other = gateway(kafka);
        TideoverConsumer consumer = consumer(kafka, "v1")) {
      ready(consumer);
      List<CompletableFuture<Answer>> answers = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        answers.add(sendLater(one.port(), ORDER));
        answers.add(sendLater(other.port(), ORDER));
      }
      assertThat(began.await(30, TimeUnit.SECONDS)).isTrue();
      // Behind the handler that runs, so that all that follows meets it under way.
      await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> kafka.readAll(service + ".requests").size() >= 2);
      refused(one.port());
      refused(other.port());
      release.complete(null);

      Answer first = answers.get(0).get(30, TimeUnit.SECONDS);
      assertThat(first.status()).isEqualTo(201);
      for (CompletableFuture<Answer> answer : answers) {
        assertThat(answer.get(30, TimeUnit.SECONDS)).isIn(first, first.again());
      }
      assertThat(send(one.port(), ORDER)).isEqualTo(first.again());
      assertThat(send(other.port(), ORDER)).isEqualTo(first.again());
      refused(one.port());
      refused(other.port());
      assertThat(kafka.readAll(service + ".requests"))
          .as("stored once by each gateway, however many were sent to it")
          .hasSizeBetween(2, 4);
    }
    assertThat(handled).containsExactly(ORDER);
  }

  @Test
  void theSecondGatewayAnswersAfterTheFirstWasKilled(TestKafka kafka, @TempDir Path directory)
      throws Exception {
    try (Gateway other = gateway(kafka);
        TideoverConsumer consumer = consumer(kafka, "v1")) {
      ready(consumer);
      ChildProcess killed = process(kafka, directory, "killed-while-it-runs");
      CompletableFuture<Answer> lost = sendLater(port(directory, killed), ORDER);
      assertThat(began.await(30, TimeUnit.SECONDS)).isTrue();
      kill(killed);
      assertThat(lost).failsWithin(Duration.ofSeconds(20));

      CompletableFuture<Answer> resent = sendLater(other.port(), ORDER);
      await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> kafka.readAll(service + ".requests").size() == 2);
      refused(other.port());
      release.complete(null);
      Answer first = resent.get(30, TimeUnit.SECONDS);
      assertThat(first.status()).isEqualTo(201);
      assertThat(send(other.port(), ORDER)).isEqualTo(first.again());

      ChildProcess successor = process(kafka, directory, "killed-when-it-has-answered");
      int port = port(directory, successor);
      assertThat(send(port, ORDER)).isEqualTo(first.again());
      refused(port);
      kill(successor);
      assertThat(send(other.port(), ORDER)).isEqualTo(first.again());
      refused(other.port());
    }
    assertThat(handled).containsExactly(ORDER);
  }

  @Test
  void whatWasAnsweredIsReplayedAfterTheGatewaysHaveRestarted(TestKafka kafka) throws Exception {
    release.complete(null);
    gateway(kafka).close(); // makes the topics, without which no service starts
    try (TideoverConsumer consumer = consumer(kafka, "v1")) {
      ready(consumer);
      Answer first;
      try (Gateway one = gateway(kafka);
          Gateway other = gateway(kafka)) {
        first = send(one.port(), ORDER);
        assertThat(first.status()).isEqualTo(201);
        assertThat(first.replayed()).isFalse();
        for (int i = 0; i < 3; i++) {
          assertThat(send(one.port(), ORDER)).isEqualTo(first.again());
          assertThat(send(other.port(), ORDER)).isEqualTo(first.again());
        }
        refused(one.port());
        refused(other.port());
      }
      try (Gateway one = gateway(kafka);
          Gateway other = gateway(kafka)) {
        // At once, perhaps before they have looked at what was there: then the service knows.
        assertThat(send(one.port(), ORDER)).isEqualTo(first.again());
        refused(other.port());
        assertThat(send(other.port(), ORDER)).isEqualTo(first.again());
        refused(one.port());
      }
    }
    assertThat(handled).containsExactly(ORDER);
  }

  @Test
  void whatWasAnsweredIsReplayedWhileTheServiceIsAway(TestKafka kafka) throws Exception {
    release.complete(null);
    try (Gateway one = gateway(kafka);
        Gateway other = gateway(kafka)) {
      Answer first;
      try (TideoverConsumer consumer = consumer(kafka, "v1")) {
        ready(consumer);
        first = send(one.port(), ORDER);
        assertThat(first.status()).isEqualTo(201);
      }
      assertThat(send(other.port(), ORDER)).isEqualTo(first.again());
      assertThat(send(one.port(), ORDER)).isEqualTo(first.again());
      refused(one.port());
      refused(other.port());
    }
    assertThat(handled).containsExactly(ORDER);
  }

  @Test
  void whatIsSentWhileTheServiceIsAwayIsHandledOnceWhenItComes(TestKafka kafka) throws Exception {
    release.complete(null);
    try (Gateway one = gateway(kafka);
        Gateway other = gateway(kafka)) {
      String address = accepted(one.port(), ORDER);
      String same = accepted(one.port(), ORDER);
      String elsewhere = accepted(other.port(), ORDER);
      refused(one.port());
      refused(other.port());
      String refusedLater;
      try (Gateway third = gateway(kafka)) {
        // It can't know, and the service isn't there to ask.
        refusedLater = accepted(third.port(), OTHER);
      }

      try (TideoverConsumer consumer = consumer(kafka, "v1")) {
        ready(consumer);
        Answer first = get(one.port(), address);
        assertThat(first.status()).isEqualTo(201);
        for (Gateway gateway : List.of(one, other)) {
          for (String each : List.of(address, same, elsewhere)) {
            assertThat(get(gateway.port(), each).bytes()).isEqualTo(first.bytes());
          }
          assertThat(get(gateway.port(), refusedLater).status()).isEqualTo(422);
          assertThat(send(gateway.port(), ORDER)).isEqualTo(first.again());
          refused(gateway.port());
        }
      }
    }
    assertThat(handled).containsExactly(ORDER);
  }

  @Test
  void aNewVersionOfTheServiceKnowsWhatTheOldOneHasHandled(TestKafka kafka) throws Exception {
    release.complete(null);
    Answer first;
    try (Gateway one = gateway(kafka)) {
      try (TideoverConsumer consumer = consumer(kafka, "v1")) {
        ready(consumer);
        first = send(one.port(), ORDER);
        assertThat(first.status()).isEqualTo(201);
      }
      try (TideoverConsumer consumer = consumer(kafka, "v2");
          Gateway other = gateway(kafka)) {
        ready(consumer);
        assertThat(send(other.port(), ORDER)).isEqualTo(first.again());
        refused(other.port());
        assertThat(send(one.port(), ORDER)).isEqualTo(first.again());
        refused(one.port());
      }
    }
    // Only the service's ledger can tell now: the replies are gone, and who has seen them.
    deleteReplies(kafka);
    try (TideoverConsumer consumer = consumer(kafka, "v3");
        Gateway one = gateway(kafka);
        Gateway other = gateway(kafka)) {
      ready(consumer);
      for (Gateway gateway : List.of(one, other)) {
        HttpResponse<byte[]> gone = post(gateway.port(), ORDER, "a").get(40, TimeUnit.SECONDS);
        assertThat(gone.statusCode()).isEqualTo(410);
        assertThat(code(gone)).isEqualTo("reply-expired");
        refused(gateway.port());
      }
    }
    assertThat(handled).containsExactly(ORDER);
  }

  /** The service says where it is. */
  @Test
  void anAnswerThatNoGatewayRemembersIsReplayedAllTheSame(TestKafka kafka) throws Exception {
    release.complete(null);
    Answer first;
    try (Gateway one = gateway(kafka)) {
      try (TideoverConsumer consumer = consumer(kafka, "v1")) {
        ready(consumer);
        first = send(one.port(), ORDER);
        assertThat(first.status()).isEqualTo(201);
      }
    }
    writeReplies(kafka, 3 * INDEX);
    try (Gateway one = gateway(kafka);
        TideoverConsumer consumer = consumer(kafka, "v2")) {
      ready(consumer);
      assertThat(send(one.port(), ORDER)).isEqualTo(first.again());
      assertThat(outcomes(kafka, "duplicate")).isEqualTo(1);
      assertThat(send(one.port(), ORDER)).isEqualTo(first.again());
      assertThat(outcomes(kafka, "duplicate")).as("now it remembers").isEqualTo(1);
      refused(one.port());
      assertThat(outcomes(kafka, "mismatch")).as("and knows by itself").isZero();
    }
    assertThat(handled).containsExactly(ORDER);
  }

  @Test
  void aFailureIsReplayedAsThatFailure(TestKafka kafka) throws Exception {
    release.complete(null);
    try (Gateway one = gateway(kafka);
        Gateway other = gateway(kafka)) {
      try (TideoverConsumer consumer = consumer(kafka, "v1")) {
        ready(consumer);
        Answer first = send(one.port(), "poison");
        assertThat(first.status()).isEqualTo(502);
        assertThat(send(one.port(), "poison")).isEqualTo(first.again());
        assertThat(send(other.port(), "poison")).isEqualTo(first.again());
      }
      try (TideoverConsumer consumer = consumer(kafka, "v2");
          Gateway third = gateway(kafka)) {
        ready(consumer);
        assertThat(send(third.port(), "poison").status()).isEqualTo(502);
        refused(third.port());
      }
    }
    assertThat(handled).containsExactly("poison");
  }

  @Test
  void aKeyIsOfOneCaller(TestKafka kafka) throws Exception {
    release.complete(null);
    try (Gateway one = gateway(kafka);
        Gateway other = gateway(kafka);
        TideoverConsumer consumer = consumer(kafka, "v1")) {
      ready(consumer);
      Answer mine = Answer.of(post(one.port(), ORDER, "a").get(40, TimeUnit.SECONDS));
      Answer anothers = Answer.of(post(other.port(), ORDER, "b").get(40, TimeUnit.SECONDS));

      assertThat(anothers.replayed()).isFalse();
      assertThat(anothers.bytes()).isNotEqualTo(mine.bytes());
      assertThat(Answer.of(post(other.port(), ORDER, "a").get(40, TimeUnit.SECONDS)))
          .isEqualTo(mine.again());
    }
    assertThat(handled).containsExactly(ORDER, ORDER);
  }

  private Outcome handle(Request request) {
    String body = new String(request.body(), UTF_8);
    handled.add(body);
    began.countDown();
    release.orTimeout(60, TimeUnit.SECONDS).join();
    if (body.equals("poison")) {
      return Outcome.deadLetter("it can't be digested");
    }
    byte[] bytes = new byte[200];
    random.nextBytes(bytes);
    return Outcome.reply(201).body("application/octet-stream", bytes);
  }

  private String config(TestKafka kafka) {
    return """
        kafka: { bootstrap-servers: "%s" }
        http: { host: 127.0.0.1, port: 0 }
        admin: { host: 127.0.0.1, port: 0 }
        secret: the secret of this test
        shutdown: { delay: 0s, wait: 0s }
        replies: { topic: %s.replies, partitions: %d, index: %d }
        services:
          %s:
            topic: { partitions: %d }
            routes: [ { path: "/**" } ]
        """
        .formatted(kafka.bootstrapServers(), service, PARTITIONS, INDEX, service, PARTITIONS);
  }

  private Gateway gateway(TestKafka kafka) {
    return Gateway.start(ConfigFile.parse(config(kafka), "test", name -> null));
  }

  private ChildProcess process(TestKafka kafka, Path directory, String name) throws IOException {
    Path config = Files.writeString(directory.resolve(name + ".yaml"), config(kafka));
    return ChildProcess.start(
        new ChildProcess.Program(
            name,
            "dev.tideover.gateway.cli.GatewayCommand",
            List.of(
                "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dlogback.configurationFile=logback.xml"),
            List.of("serve", "--config", config.toString()),
            List.of()),
        directory,
        failure -> {});
  }

  private static int port(Path directory, ChildProcess process) {
    Matcher[] found = new Matcher[1];
    await()
        .atMost(Duration.ofSeconds(60))
        .until(
            () -> {
              Path log = directory.resolve(process.name() + ".log");
              found[0] = READY.matcher(Files.exists(log) ? Files.readString(log) : "");
              return found[0].find();
            });
    return Integer.parseInt(found[0].group(1));
  }

  private static void kill(ChildProcess process) throws Exception {
    process.kill();
    assertThat(process.exitCode().get(20, TimeUnit.SECONDS)).as("SIGKILL").isEqualTo(128 + 9);
  }

  private TideoverConsumer consumer(TestKafka kafka, String version) {
    return Tideover.service(service)
        .version(version)
        .bootstrapServers(kafka.bootstrapServers())
        .handler(this::handle)
        .start();
  }

  private static void ready(TideoverConsumer consumer) throws InterruptedException {
    assertThat(consumer.awaitAssignment(Duration.ofSeconds(30))).isTrue();
  }

  /** Another request with the key. */
  private void refused(int port) throws Exception {
    HttpResponse<byte[]> response = post(port, OTHER, "a").get(40, TimeUnit.SECONDS);
    assertThat(response.statusCode()).isEqualTo(422);
    assertThat(code(response)).isEqualTo("idempotency-mismatch");
  }

  private static String code(HttpResponse<byte[]> response) throws IOException {
    return new ObjectMapper().readTree(response.body()).get("code").asText();
  }

  private Answer send(int port, String body) throws Exception {
    return sendLater(port, body).get(40, TimeUnit.SECONDS);
  }

  private CompletableFuture<Answer> sendLater(int port, String body) {
    return post(port, body, "a").thenApply(Answer::of);
  }

  private CompletableFuture<HttpResponse<byte[]>> post(int port, String body, String caller) {
    return HTTP.sendAsync(
        request(port, body, caller).build(), HttpResponse.BodyHandlers.ofByteArray());
  }

  private HttpRequest.Builder request(int port, String body, String caller) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/orders"))
        .header("Idempotency-Key", '"' + key + '"')
        .header("Authorization", "Bearer " + caller)
        .timeout(Duration.ofSeconds(40))
        .POST(HttpRequest.BodyPublishers.ofString(body));
  }

  /** Sends it and doesn't wait; returns where to ask. */
  private String accepted(int port, String body) throws Exception {
    HttpResponse<byte[]> response =
        HTTP.send(
            request(port, body, "a").header("Prefer", "respond-async").build(),
            HttpResponse.BodyHandlers.ofByteArray());
    assertThat(response.statusCode()).isEqualTo(202);
    return response.headers().firstValue("Location").orElseThrow();
  }

  private static Answer get(int port, String location) throws Exception {
    return Answer.of(
        HTTP.send(
            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + location))
                .header("Prefer", "wait=25")
                .timeout(Duration.ofSeconds(40))
                .build(),
            HttpResponse.BodyHandlers.ofByteArray()));
  }

  /** Answers of other requests, more than a gateway remembers. */
  private void writeReplies(TestKafka kafka, int count) {
    Fingerprint fingerprint = new Fingerprint(1, 2);
    for (int i = 0; i < count; i++) {
      var unused =
          kafka
              .producer()
              .send(
                  ReplyCodec.encode(
                      ReplyEnvelope.without(
                          RequestId.random(), fingerprint, ReplyOutcome.DEAD, "s/v/1", 1),
                      new ReplyAddress(service + ".replies", i % PARTITIONS)));
    }
    kafka.producer().flush();
  }

  private long outcomes(TestKafka kafka, String outcome) {
    return kafka.readAll(service + ".replies").stream()
        .map(record -> record.headers().lastHeader("tideover-outcome").value())
        .filter(value -> new String(value, UTF_8).equals(outcome))
        .count();
  }

  private void deleteReplies(TestKafka kafka) throws Exception {
    Map<TopicPartition, RecordsToDelete> all = new HashMap<>();
    for (int partition = 0; partition < PARTITIONS; partition++) {
      all.put(
          new TopicPartition(service + ".replies", partition), RecordsToDelete.beforeOffset(-1));
    }
    kafka.admin().deleteRecords(all).all().get(30, TimeUnit.SECONDS);
  }
}
