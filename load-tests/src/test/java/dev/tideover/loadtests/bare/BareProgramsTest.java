package dev.tideover.loadtests.bare;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.loadtests.client.ClosedLoop;
import dev.tideover.loadtests.client.Load;
import dev.tideover.loadtests.client.Measurement;
import dev.tideover.testkit.KafkaBroker;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The bare programs under the benchmark's own client: every answer right, on a real broker. */
@Timeout(120)
class BareProgramsTest {

  private static KafkaBroker broker;
  private static BareService service;
  private static BareGateway gateway;

  @BeforeAll
  static void start() throws Exception {
    broker = KafkaBroker.start();
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()))) {
      admin
          .createTopics(
              List.of(
                  new NewTopic(BareKafka.ACCEPT_TOPIC, BareKafka.PARTITIONS, (short) 1),
                  new NewTopic(BareKafka.REQUEST_TOPIC, BareKafka.PARTITIONS, (short) 1),
                  new NewTopic(BareKafka.REPLY_TOPIC, BareKafka.REPLY_PARTITIONS, (short) 1)))
          .all()
          .get(30, TimeUnit.SECONDS);
    }
    service = BareService.start(broker.bootstrapServers());
    gateway = BareGateway.start(broker.bootstrapServers());
  }

  @AfterAll
  static void stop() {
    gateway.close();
    service.close();
    broker.close();
  }

  @Test
  void everyRoundTripBringsBackItsOwnBody() throws Exception {
    assertClean(run("/round-trip", Load.Mode.ECHO));
  }

  @Test
  void everyAcceptIsAnswered202() throws Exception {
    assertClean(run("/accept", Load.Mode.ACCEPT));
  }

  @Test
  void echoAnswersAtOnce() throws Exception {
    assertClean(run("/echo", Load.Mode.ECHO));
  }

  @Test
  void aWrongStatusIsCountedAsAnError() throws Exception {
    Measurement seen = run("/elsewhere", Load.Mode.ECHO);
    assertThat(seen.answers()).isZero();
    assertThat(seen.errors()).isPositive();
    assertThat(seen.firstError()).isEqualTo("status 404 instead of 200");
  }

  private static Measurement run(String path, Load.Mode mode) throws Exception {
    return ClosedLoop.run(new Load(gateway.port(), path, mode, false, 8, 0, 200));
  }

  private static void assertClean(Measurement seen) {
    assertThat(seen.firstError()).isEmpty();
    assertThat(seen.errors()).isZero();
    // At least one for each connection, however slow the machine: a round waits for its answers.
    assertThat(seen.answers()).isGreaterThanOrEqualTo(8);
  }
}
