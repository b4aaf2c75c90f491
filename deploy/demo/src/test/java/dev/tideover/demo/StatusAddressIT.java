package dev.tideover.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tideover.gateway.Gateway;
import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Request;
import dev.tideover.sdk.Tideover;
import dev.tideover.sdk.TideoverConsumer;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Gateways and a service with the SDK together: what a request's address tells and does. */
@KafkaTest
@Timeout(120)
class StatusAddressIT {

  private static final HttpClient HTTP =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  private final String service = "status-" + UUID.randomUUID().toString().substring(0, 8);
  private final List<String> handled = new CopyOnWriteArrayList<>();
  private final CountDownLatch began = new CountDownLatch(1);
  private final CompletableFuture<Void> release = new CompletableFuture<>();

  @Test
  void whatWaitsBehindASlowRequestIsCancelledAtOnceAndTheOthersRun(TestKafka kafka)
      throws Exception {
    try (Gateway taker = gateway(kafka);
        Gateway other = gateway(kafka);
        TideoverConsumer consumer = consumer(kafka)) {
      assertThat(consumer.awaitAssignment(Duration.ofSeconds(30))).isTrue();
      String slow = accepted(taker, "slow");
      assertThat(began.await(20, TimeUnit.SECONDS)).isTrue();
      String unwanted = accepted(taker, "unwanted");
      String wanted = accepted(taker, "wanted");

      HttpResponse<String> cancelled = send(other, "DELETE", unwanted, "wait=20");
      assertThat(cancelled.statusCode()).as(cancelled.body()).isEqualTo(200);
      assertThat(json(cancelled).get("state").asText()).isEqualTo("cancelled");
      HttpResponse<String> begun = send(other, "DELETE", slow, "wait=1");
      assertThat(begun.statusCode()).as("it has begun").isEqualTo(202);

      release.complete(null);
      assertThat(send(other, "GET", slow, "wait=20").body()).isEqualTo("slow");
      assertThat(send(other, "GET", wanted, "wait=20").body()).isEqualTo("wanted");
      assertThat(send(taker, "GET", unwanted, "wait=20").statusCode()).isEqualTo(410);
      assertThat(handled).containsExactly("slow", "wanted");
    }
  }

  @Test
  void whatIsCancelledWhileTheServiceIsAwayDoesNotRunWhenItComes(TestKafka kafka) throws Exception {
    release.complete(null);
    try (Gateway gateway = gateway(kafka)) {
      String unwanted = accepted(gateway, "unwanted");
      String wanted = accepted(gateway, "wanted");
      HttpResponse<String> wish = send(gateway, "DELETE", unwanted, "wait=1");
      assertThat(wish.statusCode()).isEqualTo(202);
      assertThat(json(wish).get("cancelRequested").asBoolean()).isTrue();

      try (TideoverConsumer consumer = consumer(kafka)) {
        assertThat(consumer.awaitAssignment(Duration.ofSeconds(30))).isTrue();
        assertThat(send(gateway, "GET", wanted, "wait=20").body()).isEqualTo("wanted");
        assertThat(send(gateway, "GET", unwanted, "wait=20").statusCode()).isEqualTo(410);
        assertThat(handled).containsExactly("wanted");
      }
    }
  }

  @Test
  void howOftenARequestHasFailedAndHowManyAreBeforeItIsToldByAnyGateway(TestKafka kafka)
      throws Exception {
    try (Gateway taker = gateway(kafka);
        Gateway other = gateway(kafka);
        TideoverConsumer consumer = consumer(kafka)) {
      assertThat(consumer.awaitAssignment(Duration.ofSeconds(30))).isTrue();
      String failing = accepted(taker, "failing");
      String behind = accepted(taker, "behind");

      JsonNode told =
          await()
              .atMost(Duration.ofSeconds(30))
              .until(
                  () -> json(send(other, "GET", failing, "wait=0")),
                  document -> document.get("attempts").asInt() >= 2);
      assertThat(told.get("state").asText()).isEqualTo("pending");
      assertThat(told.get("position").asInt()).isZero();
      JsonNode next = json(send(other, "GET", behind, "wait=0"));
      assertThat(next.get("attempts").asInt()).isZero();
      assertThat(next.get("position").asInt()).isOne();

      release.complete(null);
      assertThat(send(taker, "GET", failing, "wait=25").body()).isEqualTo("failing");
      assertThat(send(other, "GET", behind, "wait=25").body()).isEqualTo("behind");
    }
  }

  private Gateway gateway(TestKafka kafka) {
    return Gateway.start(
        ConfigFile.parse(
            """
            kafka: { bootstrap-servers: "%s" }
            http: { host: 127.0.0.1, port: 0 }
            admin: { host: 127.0.0.1, port: 0 }
            secret: the secret of this test
            shutdown: { delay: 0s, wait: 0s }
            replies: { topic: %s.replies, partitions: 3 }
            services:
              %s:
                topic: { partitions: 3 }
                routes: [ { path: "/**", key: path 1 } ]
            """
                .formatted(kafka.bootstrapServers(), service, service),
            "test",
            name -> null));
  }

  private TideoverConsumer consumer(TestKafka kafka) {
    return Tideover.service(service)
        .bootstrapServers(kafka.bootstrapServers())
        .handler(this::handle)
        .start();
  }

  private Outcome handle(Request request) {
    String body = new String(request.body(), java.nio.charset.StandardCharsets.UTF_8);
    handled.add(body);
    began.countDown();
    if (body.equals("slow")) {
      release.join();
    }
    if (body.equals("failing") && !release.isDone()) {
      throw new IllegalStateException("not yet");
    }
    return Outcome.reply(200).body("text/plain", request.body());
  }

  private static String accepted(Gateway gateway, String body) throws Exception {
    HttpResponse<String> response =
        HTTP.send(
            HttpRequest.newBuilder(uri(gateway, "/customer"))
                .header("Prefer", "respond-async")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    assertThat(response.statusCode()).isEqualTo(202);
    return response.headers().firstValue("Location").orElseThrow();
  }

  private static HttpResponse<String> send(
      Gateway gateway, String method, String location, String prefer) throws Exception {
    return HTTP.send(
        HttpRequest.newBuilder(uri(gateway, location))
            .header("Prefer", prefer)
            .method(method, HttpRequest.BodyPublishers.noBody())
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private static URI uri(Gateway gateway, String target) {
    return URI.create("http://127.0.0.1:" + gateway.port() + target);
  }

  private static JsonNode json(HttpResponse<String> response) throws Exception {
    return new ObjectMapper().readTree(response.body());
  }
}
