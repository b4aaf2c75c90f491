package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Each client gets the reply to its own request, and no other. */
@KafkaTest
class ReplyIdentityIT {

  private static TestGateway gateway;
  private static RawService service;

  @BeforeAll
  static void start(TestKafka kafka) {
    gateway = TestGateway.start(kafka.bootstrapServers(), "path: /**, wait: 60s");
    service = RawService.start(kafka.bootstrapServers(), gateway.service, TestGateway.PARTITIONS);
  }

  @AfterAll
  static void stop() {
    service.close();
    gateway.close();
  }

  @Test
  void twoThousandClientsAtOnceEachGetTheirOwnReplyWhateverTheOrder() throws Exception {
    int clients = 2_000;
    int batch = 500;
    Random random = new Random(42);
    List<RawService.Request> held = new ArrayList<>();
    int[] seen = {0};
    service.on(
        "/shuffled",
        request -> {
          held.add(request);
          seen[0]++;
          if (held.size() == batch || seen[0] == clients) {
            Collections.shuffle(held, random);
            for (RawService.Request each : held) {
              each.reply(200, each.record.value(), "x-for", each.id());
            }
            held.clear();
          }
        });
    HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    List<CompletableFuture<HttpResponse<String>>> responses = new ArrayList<>();
    for (int i = 0; i < clients; i++) {
      responses.add(
          http.sendAsync(
              HttpRequest.newBuilder(gateway.uri("/shuffled"))
                  .POST(HttpRequest.BodyPublishers.ofString("client " + i))
                  .build(),
              HttpResponse.BodyHandlers.ofString()));
    }
    CompletableFuture.allOf(responses.toArray(CompletableFuture<?>[]::new))
        .get(60, TimeUnit.SECONDS);

    for (int i = 0; i < clients; i++) {
      HttpResponse<String> response = responses.get(i).get();
      assertThat(response.statusCode()).isEqualTo(200);
      assertThat(response.body()).isEqualTo("client " + i);
      assertThat(response.headers().firstValue("x-for"))
          .isEqualTo(response.headers().firstValue("tideover-id"));
    }
  }

  @Test
  void aReplyToAnotherRequestUnderTheSameIdIsIgnored() throws Exception {
    service.on(
        "/forged",
        request -> {
          service.send(
              request.record("completed", "0".repeat(32), "200", "forged".getBytes(UTF_8)));
          request.reply(200, "true".getBytes(UTF_8));
        });

    RawHttp.Response response = gateway.send("POST", "/forged", new byte[0]);

    assertThat(response.text()).isEqualTo("true");
  }

  @Test
  void aSecondReplyReachesNobody() throws Exception {
    service.on(
        "/twice",
        request -> {
          request.reply(200, "first".getBytes(UTF_8));
          request.reply(200, "second".getBytes(UTF_8));
        });
    service.on("/other", request -> request.reply(200, "other".getBytes(UTF_8)));
    try (RawHttp http = new RawHttp(gateway.port())) {
      for (int i = 0; i < 20; i++) {
        assertThat(http.exchange("POST", "/twice", new byte[0]).text()).isEqualTo("first");
        assertThat(http.exchange("POST", "/other", new byte[0]).text()).isEqualTo("other");
      }
    }
  }
}
