package dev.tideover.gateway.release;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.Topics;
import dev.tideover.gateway.release.Operations.Result;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.DesiredState.Step;
import dev.tideover.wire.InstanceReport.Counts;
import java.time.Duration;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Gateways drive releases on a real broker; the instances are made up. */
@Tag("long")
@KafkaTest
@Timeout(120)
class ReleasesIT {

  private static final Duration LIMIT = Duration.ofSeconds(30);

  private TestKafka kafka;
  private String service;
  private GatewayConfig config;
  private FakeInstances instances;
  private Releases releases;

  @BeforeEach
  void start(TestKafka kafka) throws Exception {
    this.kafka = kafka;
    service = kafka.uniqueName("svc");
    config =
        ConfigFile.parse(
            """
            kafka: { bootstrap-servers: "%s" }
            services:
              %s: { topic: { partitions: 1 }, routes: [ { path: /** } ] }
            """
                .formatted(kafka.bootstrapServers(), service),
            "test",
            variable -> null);
    Topics.ensure(config);
    instances = FakeInstances.start(kafka, config, service);
    releases = Releases.start(config);
  }

  @AfterEach
  void close() {
    instances.close();
    releases.close();
  }

  private static ReleaseOrder order(Duration verify) {
    return new ReleaseOrder("v2", null, Duration.ofSeconds(20), Duration.ofSeconds(20), verify, 1);
  }

  private static Result get(CompletionStage<Result> result) throws Exception {
    return result.toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  private static DesiredState accepted(CompletionStage<Result> result) throws Exception {
    Result got = get(result);
    assertThat(got).isInstanceOf(Result.Accepted.class);
    return ((Result.Accepted) got).state();
  }

  /** Waits until the gateway follows, so that a command is not refused. */
  private Releases awaitFollowing(Releases gateway) {
    await().atMost(LIMIT).until(() -> gateway.state(service).current());
    return gateway;
  }

  private ReleaseReport awaitEnd(Releases gateway) {
    await()
        .atMost(LIMIT)
        .until(
            () -> {
              ReleaseReport report = gateway.report(service, null);
              return report != null && report.step().isEnd();
            });
    return gateway.report(service, null);
  }

  private void awaitStep(Releases gateway, Step step) {
    await()
        .atMost(LIMIT)
        .until(
            () -> {
              ReleaseReport report = gateway.report(service, null);
              return report != null && report.step() == step;
            });
  }

  @Test
  void whatOperatorsWantOutlivesTheGatewayTheyAsked() throws Exception {
    awaitFollowing(releases);
    assertThat(accepted(releases.hold(service, true)).held()).isTrue();
    assertThat(accepted(releases.rate(service, 50)).rate()).isEqualTo(50);
    assertThat(accepted(releases.rate(service, 50)).epoch()).isEqualTo(2);
    releases.close();

    releases = awaitFollowing(Releases.start(config));

    DesiredState found = releases.state(service).desired();
    assertThat(found.held()).isTrue();
    assertThat(found.rate()).isEqualTo(50);
    assertThat(releases.state(service).problems())
        .anyMatch(problem -> problem.startsWith("An operator holds it since"))
        .anyMatch(problem -> problem.startsWith("No instance is heard"));
    DesiredState resumed = accepted(releases.hold(service, false));
    assertThat(resumed.held()).isFalse();
    assertThat(resumed.rate()).isEqualTo(50);
    assertThat(resumed.epoch()).isEqualTo(3);
  }

  @Test
  void aReleaseGoesThroughItsStepsAndEndsWithTheNewVersion() throws Exception {
    instances.add("v1", "a");
    instances.add("v2", "b");
    awaitFollowing(releases);

    DesiredState begun = accepted(releases.release(service, order(Duration.ofSeconds(1))));
    assertThat(begun.activeVersion()).isEqualTo("v1");
    assertThat(accepted(releases.release(service, order(Duration.ofSeconds(1)))).release().id())
        .isEqualTo(begun.release().id());
    assertThat(get(releases.anyVersion(service))).isInstanceOf(Result.Refused.class);
    ReleaseReport report = awaitEnd(releases);

    System.out.print(ReleaseText.of(report));
    assertThat(report.result()).isEqualTo("done");
    assertThat(report.reason()).isEmpty();
    assertThat(report.whole()).isTrue();
    assertThat(report.steps())
        .extracting(ReleaseReport.StepTime::step)
        .containsExactly(Step.PREPARE, Step.DRAIN, Step.ACTIVATE, Step.VERIFY);
    assertThat(releases.state(service).desired().activeVersion()).isEqualTo("v2");
    assertThat(releases.state(service).problems()).isEmpty();
    assertThat(accepted(releases.release(service, order(Duration.ofSeconds(1)))).release().id())
        .isEqualTo(begun.release().id());
  }

  @Test
  void aVersionThatFailsIsRolledBack() throws Exception {
    instances.add("v1", "a");
    instances.add("v2", "b");
    instances.counts("v1/a", new Counts(1_000, 1, 0, 0, 0, 0));
    awaitFollowing(releases);
    accepted(releases.release(service, order(Duration.ofSeconds(60))));
    awaitStep(releases, Step.VERIFY);

    instances.counts("v2/b", new Counts(210, 37, 0, 5, 0, 0));
    ReleaseReport report = awaitEnd(releases);

    assertThat(report.result()).isEqualTo("rolled-back");
    assertThat(report.reason()).isEqualTo("37 of 210 requests failed at v2, 0.1 % at v1");
    assertThat(releases.state(service).desired().activeVersion()).isEqualTo("v1");
  }

  @Test
  void aVersionThatCrashesIsRolledBack() throws Exception {
    instances.add("v1", "a");
    instances.add("v2", "b");
    awaitFollowing(releases);
    accepted(releases.release(service, order(Duration.ofSeconds(60))));
    awaitStep(releases, Step.VERIFY);

    instances.crash("v2/b");
    ReleaseReport report = awaitEnd(releases);

    assertThat(report.result()).isEqualTo("rolled-back");
    assertThat(report.reason()).startsWith("Instance v2/b crashed");
  }

  @Test
  void anotherGatewayGoesOnWhereOneIsGone() throws Exception {
    instances.add("v1", "a");
    instances.add("v2", "b");
    awaitFollowing(releases);
    try (Releases other = awaitFollowing(Releases.start(config))) {
      accepted(releases.release(service, order(Duration.ofSeconds(2))));
      awaitStep(releases, Step.VERIFY);
      releases.close();

      ReleaseReport report = awaitEnd(other);

      assertThat(report.result()).isEqualTo("done");
      assertThat(report.whole()).isTrue();
      assertThat(other.state(service).desired().activeVersion()).isEqualTo("v2");
    }
  }

  @Test
  void anOperatorCanGoBack() throws Exception {
    instances.add("v1", "a");
    instances.add("v2", "b");
    awaitFollowing(releases);
    assertThat(get(releases.rollBack(service))).isInstanceOf(Result.Refused.class);
    accepted(releases.release(service, order(Duration.ofSeconds(60))));
    awaitStep(releases, Step.VERIFY);
    assertThat(releases.state(service).problems())
        .anyMatch(
            problem ->
                problem.startsWith("A release from v1 to v2 is under way, at the step verify"));

    accepted(releases.rollBack(service));
    ReleaseReport report = awaitEnd(releases);

    assertThat(report.result()).isEqualTo("rolled-back");
    assertThat(report.reason()).isEqualTo("An operator wanted to go back");
    assertThat(accepted(releases.anyVersion(service)).activeVersion()).isNull();
  }

  @Test
  void aReleaseThatNobodyIsReadyForChangesNothing() throws Exception {
    instances.add("v1", "a");
    awaitFollowing(releases);
    ReleaseOrder order =
        new ReleaseOrder(
            "v2", null, Duration.ofSeconds(2), Duration.ofSeconds(5), Duration.ZERO, 1);

    accepted(releases.release(service, order));
    ReleaseReport report = awaitEnd(releases);

    assertThat(report.result()).isEqualTo("abandoned");
    assertThat(report.reason())
        .isEqualTo("After 2 s it still waited for 1 instance of v2 to stand by ready; 0 do");
    assertThat(releases.state(service).desired().activeVersion()).isEqualTo("v1");
  }

  @Test
  void aServiceThatIsNotConfiguredIsUnknown() throws Exception {
    assertThat(get(releases.hold("nobody", true))).isEqualTo(new Result.NoSuchService());
    assertThat(releases.state("nobody")).isNull();
    assertThat(releases.report("nobody", null)).isNull();
  }
}
