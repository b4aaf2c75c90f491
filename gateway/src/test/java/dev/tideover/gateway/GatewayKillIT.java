package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A gateway is killed under load: what it has accepted is answered for by another of its cell. */
@Tag("long")
@KafkaTest
class GatewayKillIT {

  private static final int CLIENTS = 8;

  @Test
  void theOtherGatewayHasTheReplyOfEveryRequestThatTheKilledOneAccepted(
      TestKafka kafka, @TempDir Path directory) throws Exception {
    String name = TestGateway.uniqueService();
    String yaml =
        TestGateway.yaml(
            kafka.bootstrapServers(), name, "", "", "path: /**, wait: 200ms, late: accepted");
    Path config = Files.writeString(directory.resolve("gateway.yaml"), yaml);
    Map<String, String> accepted = new ConcurrentHashMap<>();
    ScheduledExecutorService later = Executors.newScheduledThreadPool(1);
    try (Gateway survivor = Gateway.start(TestGateway.config(yaml));
        RawService service =
            RawService.start(kafka.bootstrapServers(), name, TestGateway.PARTITIONS)) {
      Random random = new Random(7);
      service.on(
          "/x",
          request -> {
            // Some at once, some only when the gateway that took it is long dead.
            later.schedule(
                () -> request.reply(200, request.record.value()),
                random.nextInt(4_000),
                TimeUnit.MILLISECONDS);
          });
      for (int kill = 0; kill < 2; kill++) {
        underLoadUntilKilled(config, directory.resolve("out" + kill), "kill" + kill, accepted);
      }
      assertThat(accepted).as("requests that were accepted before a kill").hasSizeGreaterThan(100);

      for (Map.Entry<String, String> each : accepted.entrySet()) {
        RawHttp.Response reply =
            await()
                .atMost(Duration.ofSeconds(30))
                .until(
                    () ->
                        RawHttp.exchange(
                            survivor.port(), "GET", each.getKey(), new byte[0], "Prefer: wait=5"),
                    response -> response.status() != 202);
        assertThat(reply.status()).isEqualTo(200);
        assertThat(reply.text()).isEqualTo(each.getValue());
      }
    } finally {
      later.shutdownNow();
    }
  }

  /** Clients that ask for an answer now or soon, until the gateway is no more. */
  private static void underLoadUntilKilled(
      Path config, Path out, String prefix, Map<String, String> accepted) throws Exception {
    Process gateway =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "-Xmx256m",
                "dev.tideover.gateway.cli.GatewayCommand",
                "serve",
                "--config",
                config.toString())
            .redirectErrorStream(true)
            .redirectOutput(out.toFile())
            .start();
    ExecutorService clients = Executors.newFixedThreadPool(CLIENTS);
    AtomicBoolean dead = new AtomicBoolean();
    AtomicInteger answers = new AtomicInteger();
    try {
      int port = await().atMost(Duration.ofSeconds(40)).until(() -> port(out), found -> found > 0);
      List<java.util.concurrent.Future<?>> all = new ArrayList<>();
      for (int client = 0; client < CLIENTS; client++) {
        String who = prefix + "-" + client + "-";
        all.add(
            clients.submit(
                () -> {
                  try (RawHttp http = new RawHttp(port)) {
                    for (int i = 0; !dead.get(); i++) {
                      String body = who + i;
                      String prefer = i % 3 == 0 ? "Prefer: respond-async" : "Prefer: wait=1";
                      RawHttp.Response response =
                          http.exchange("POST", "/x", body.getBytes(UTF_8), prefer);
                      answers.incrementAndGet();
                      if (response.status() == 202) {
                        accepted.put(response.field("Location"), body);
                      } else {
                        assertThat(response.text()).isEqualTo(body);
                      }
                    }
                  } catch (IOException killed) {
                    assertThat(dead).isTrue();
                  }
                  return null;
                }));
      }
      await().atMost(Duration.ofSeconds(40)).until(() -> answers.get() > 150);
      dead.set(true);
      gateway.destroyForcibly();
      assertThat(gateway.waitFor(10, TimeUnit.SECONDS)).isTrue();
      for (java.util.concurrent.Future<?> each : all) {
        each.get(30, TimeUnit.SECONDS);
      }
    } finally {
      gateway.destroyForcibly();
      clients.shutdownNow();
    }
  }

  /** The port that the process says it has; 0 as long as it hasn't. */
  private static int port(Path out) throws IOException {
    for (String line : Files.readAllLines(out)) {
      int at = line.indexOf("ready: http://localhost:");
      if (at >= 0) {
        return Integer.parseInt(line.substring(at + "ready: http://localhost:".length()).strip());
      }
    }
    return 0;
  }
}
