package dev.tideover.gateway.release;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.Topics;
import dev.tideover.gateway.release.Operations.Result;
import dev.tideover.testkit.BrokerProcess;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.DesiredState.Step;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Kafka goes away in the middle of a release. */
@Tag("long")
@Timeout(240)
class ReleasesOutageIT {

  private static final Duration LIMIT = Duration.ofSeconds(60);

  @Test
  void theSilenceOfAnOutageIsHeldAgainstNobodyAndTheReleaseGoesOnAfterIt() throws Exception {
    try (BrokerProcess broker = BrokerProcess.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      String service = kafka.uniqueName("svc");
      GatewayConfig config =
          ConfigFile.parse(
              """
              kafka: { bootstrap-servers: "%s" }
              services:
                %s: { topic: { partitions: 1 }, routes: [ { path: /** } ] }
              """
                  .formatted(broker.bootstrapServers(), service),
              "test",
              variable -> null);
      Topics.ensure(config);
      try (FakeInstances instances = FakeInstances.start(kafka, config, service);
          Releases releases = Releases.start(config)) {
        instances.add("v1", "a");
        instances.add("v2", "b");
        await().atMost(LIMIT).until(() -> releases.state(service).current());
        ReleaseOrder order =
            new ReleaseOrder(
                "v2",
                null,
                Duration.ofSeconds(20),
                Duration.ofSeconds(20),
                Duration.ofSeconds(12),
                1);
        assertThat(releases.release(service, order).toCompletableFuture().get(20, TimeUnit.SECONDS))
            .isInstanceOf(Result.Accepted.class);
        await().atMost(LIMIT).until(() -> releases.report(service, null).step() == Step.VERIFY);

        broker.freeze();
        await()
            .atMost(LIMIT)
            .until(
                () ->
                    releases.state(service).instances().stream()
                        .allMatch(instance -> instance.silentMillis() > 7_000));
        Releases.ServiceState away = releases.state(service);
        assertThat(away.current()).isFalse();
        assertThat(away.problems().get(0)).startsWith("tideover.control can't be read now");
        assertThat(releases.hold(service, true).toCompletableFuture().get(15, TimeUnit.SECONDS))
            .isInstanceOf(Result.Unavailable.class);
        assertThat(releases.report(service, null).step()).isEqualTo(Step.VERIFY);
        broker.thaw();

        await().atMost(LIMIT).until(() -> releases.report(service, null).step().isEnd());
        ReleaseReport report = releases.report(service, null);
        assertThat(report.result()).as(report.reason()).isEqualTo("done");
        assertThat(releases.state(service).desired().activeVersion()).isEqualTo("v2");
      }
    }
  }
}
