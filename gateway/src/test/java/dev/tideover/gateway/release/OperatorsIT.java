package dev.tideover.gateway.release;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tideover.gateway.Gateway;
import dev.tideover.gateway.cli.GatewayCommand;
import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Operators' commands, two real gateways and a real broker; the service's instances are made up.
 */
@KafkaTest
@Timeout(120)
class OperatorsIT {

  private static final String TOKEN = "the-token-of-the-operators";

  /** A command and what it has said. */
  private record Said(int code, String out, String err) {}

  @TempDir private Path directory;
  private Path token;
  private String service;
  private GatewayConfig config;
  private FakeInstances instances;
  private Gateway one;
  private Gateway two;

  @BeforeEach
  void start(TestKafka kafka) throws Exception {
    token = Files.writeString(directory.resolve("token"), TOKEN);
    service = kafka.uniqueName("svc");
    config =
        ConfigFile.parse(
            """
            kafka: { bootstrap-servers: "%s" }
            http: { host: 127.0.0.1, port: 0 }
            admin: { host: 127.0.0.1, port: 0, token: %s }
            secret: the secret of this test
            replies: { topic: %s.replies, partitions: 1, retention: 1h }
            shutdown: { delay: 0s, wait: 0s }
            services:
              %s: { topic: { partitions: 1 }, routes: [ { path: /** } ] }
            """
                .formatted(kafka.bootstrapServers(), TOKEN, service, service),
            "test",
            variable -> null);
    one = Gateway.start(config);
    two = Gateway.start(config);
    instances = FakeInstances.start(kafka, config, service);
    instances.add("v1", "a");
    await().until(() -> status(two).path("instances").size() == 1);
  }

  @AfterEach
  void stop() {
    instances.close();
    one.close();
    two.close();
  }

  @Test
  void whatIsWantedAtOneGatewayStandsAtTheOtherAndOutlivesBoth() throws Exception {
    Said held = say("hold", service, "--wait", "10s", at(one));
    assertThat(held.err()).isEmpty();
    assertThat(held.code()).isZero();
    assertThat(held.out()).contains("is held", "All that had started has ended");
    assertThat(say("rate", service, "50", at(two)).code()).isZero();

    one.close();
    two.close();
    one = Gateway.start(config);
    two = one;

    await().until(() -> status(one).path("ratePerSecond").asInt() == 50);
    assertThat(status(one).path("held").asBoolean()).isTrue();
    await().until(() -> status(one).path("current").asBoolean());
    await().until(() -> say("status", service, at(one)).out().contains("drained"));
    assertThat(say("services", at(one)).out()).containsPattern(service + " +held +any +1 of v1");

    Said resumed = say("resume", service, "--rate", "none", at(one));
    assertThat(resumed.out()).contains("slowly at first, without a limit");
    assertThat(status(one).path("held").asBoolean()).isFalse();
  }

  @Test
  void aReleaseGoesOnAndItsCommandTooWhenTheGatewayThatBeganItIsStopped() throws Exception {
    instances.add("v2", "b");
    await().until(() -> status(one).path("instances").size() == 2);
    Path file = directory.resolve("report.json");
    StringWriter out = new StringWriter();
    CompletableFuture<Integer> release =
        CompletableFuture.supplyAsync(
            () ->
                run(
                    out,
                    new StringWriter(),
                    "release",
                    service,
                    "--to",
                    "v2",
                    "--verify",
                    "4s",
                    "--report",
                    file.toString(),
                    at(one) + "," + url(two)));
    await().atMost(Duration.ofSeconds(30)).until(() -> out.toString().contains("verify"));

    one.close();

    assertThat(release.get(60, TimeUnit.SECONDS)).isZero();
    assertThat(out.toString()).contains("prepare", "drain", "activate", "v2 is active", "DONE in");
    JsonNode report = new ObjectMapper().readTree(file.toFile());
    assertThat(report.path("result").asText()).isEqualTo("done");
    assertThat(report.path("whole").asBoolean()).isTrue();
    assertThat(status(two).path("activeVersion").asText()).isEqualTo("v2");
    assertThat(say("release", service, "--to", "v2", at(two)).code()).isZero();
    Said back = say("release", service, "--roll-back", at(two));
    assertThat(back.code()).isEqualTo(1);
    assertThat(back.err()).contains("to go back to v1, release to it");
  }

  @Test
  void aReleaseThatNobodyIsReadyForFailsItsCommandAndChangesNothing() throws Exception {
    Said said = say("release", service, "--to", "v2", "--prepare", "1s", at(one));

    assertThat(said.code()).isEqualTo(1);
    assertThat(said.out()).contains("v1 stays active", "ABANDONED");
    assertThat(status(two).path("activeVersion").asText()).isEqualTo("v1");
    assertThat(say("release", service, "--any-version", at(two)).code()).isZero();
    await().until(() -> status(one).path("activeVersion").isNull());
  }

  private static String url(Gateway gateway) {
    return "http://127.0.0.1:" + gateway.adminPort();
  }

  private static String at(Gateway gateway) {
    return "--admin=" + url(gateway);
  }

  private JsonNode status(Gateway gateway) throws Exception {
    Said said = say("status", service, "--json", at(gateway));
    return new ObjectMapper().readTree(said.code() == 0 ? said.out() : "{}");
  }

  private Said say(String... line) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code = run(out, err, line);
    return new Said(code, out.toString(), err.toString());
  }

  private int run(StringWriter out, StringWriter err, String... line) {
    String[] all = java.util.Arrays.copyOf(line, line.length + 1);
    all[line.length] = "--token-file=" + token;
    return GatewayCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), all);
  }
}
