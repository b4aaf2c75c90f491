package dev.tideover.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.testkit.BrokerProcess;
import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Probes are told when Kafka is away, and that it is no reason for a restart. */
@Tag("long")
class ReadinessIT {

  private static final byte[] NOTHING = new byte[0];

  @Test
  void withoutKafkaItIsAliveAndNotReadyUntilKafkaIsBack() throws Exception {
    try (BrokerProcess broker = BrokerProcess.start();
        TestGateway gateway = TestGateway.start(broker.bootstrapServers(), "path: /**, wait: 1s")) {
      int admin = gateway.gateway.adminPort();
      assertThat(ready(admin).status()).isEqualTo(200);

      broker.kill();

      await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> ready(admin).json().at("/checks/kafka/0/status").asText().equals("fail"));
      RawHttp.Response away = ready(admin);
      assertThat(away.status()).isEqualTo(503);
      assertThat(away.json().get("status").asText()).isEqualTo("fail");
      assertThat(away.json().at("/checks/kafka/0/output").asText()).contains("10 s");
      assertThat(RawHttp.exchange(admin, "GET", "/health/live", NOTHING).status()).isEqualTo(200);

      broker.restart();

      await().atMost(Duration.ofSeconds(60)).until(() -> ready(admin).status() == 200);
    }
  }

  private static RawHttp.Response ready(int admin) throws IOException {
    return RawHttp.exchange(admin, "GET", "/health/ready", NOTHING);
  }
}
