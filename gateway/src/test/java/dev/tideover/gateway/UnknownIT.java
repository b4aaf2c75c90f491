package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.testkit.BrokerProcess;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** A request whose outcome nobody knew when its client was answered: its address tells later. */
class UnknownIT {

  private static final byte[] NOTHING = new byte[0];

  @Test
  void aLateAcknowledgementCorrectsTheStatusAtEveryGateway() throws Exception {
    try (BrokerProcess broker = BrokerProcess.start()) {
      String name = TestGateway.uniqueService();
      String yaml =
          TestGateway.yaml(
              broker.bootstrapServers(), name, "", "", "path: /**, wait: 1s, late: accepted");
      try (TestGateway taker = TestGateway.of(name, yaml);
          Gateway other = Gateway.start(TestGateway.config(yaml));
          RawService service =
              RawService.start(broker.bootstrapServers(), name, TestGateway.PARTITIONS)) {
        assertThat(taker.send("POST", "/before", NOTHING).status()).isEqualTo(202);
        broker.freeze();
        RawHttp.Response unknown = taker.send("POST", "/lost", "x".getBytes(UTF_8));
        assertThat(unknown.status()).isEqualTo(504);
        assertThat(unknown.outcome()).isEqualTo("unknown");
        String location = unknown.field("Location");
        // Kafka can't be asked now, and so nothing is claimed.
        RawHttp.Response unavailable = taker.send("GET", location, NOTHING);
        assertThat(unavailable.problem()).isEqualTo("reply-unavailable");
        assertThat(unavailable.outcome()).isEqualTo("unknown");

        broker.thaw();

        service.awaitRequest("/lost");
        for (int port : new int[] {taker.port(), other.port()}) {
          RawHttp.Response pending =
              await()
                  .atMost(Duration.ofSeconds(20))
                  .until(
                      () -> RawHttp.exchange(port, "GET", location, NOTHING),
                      response ->
                          response.status() == 202
                              && response.json().get("state").asText().equals("pending"));
          assertThat(pending.outcome()).isEqualTo("accepted");
          assertThat(pending.field("Tideover-Id")).isEqualTo(unknown.field("Tideover-Id"));
        }
        service.awaitRequest("/lost").reply(200, "found".getBytes(UTF_8));
        for (int port : new int[] {taker.port(), other.port()}) {
          await()
              .atMost(Duration.ofSeconds(20))
              .until(() -> RawHttp.exchange(port, "GET", location, NOTHING).text().equals("found"));
        }
      }
    }
  }
}
