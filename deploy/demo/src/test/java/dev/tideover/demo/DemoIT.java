package dev.tideover.demo;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The command as a user runs it: a process with its own children, real Kafka, real signals. */
@Tag("long")
@Timeout(180)
class DemoIT {
  @TempDir Path directory;

  private final StringBuffer output = new StringBuffer();
  private Process demo;

  @AfterEach
  void killWhatIsLeft() {
    if (demo != null) {
      demo.descendants().forEach(ProcessHandle::destroyForcibly);
      demo.destroyForcibly();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "--kill"})
  void noRequestIsLostInAReleaseAndNothingIsLeftBehind(String kill) throws Exception {
    Path report = directory.resolve("report.json");
    // A release in the middle, long enough for two requests of each customer to wait for v2.
    start(
        Stream.of(
                "--rate=40",
                "--duration=9s",
                "--release-at=5s",
                "--downtime=1s",
                "--port=0",
                "--report=" + report,
                kill)
            .filter(option -> !option.isEmpty())
            .toArray(String[]::new));
    demo.waitFor();

    assertThat(demo.exitValue()).as(output::toString).isZero();
    JsonNode json = new ObjectMapper().readTree(report.toFile());
    assertThat(json.get("sent").asInt()).isGreaterThan(200);
    assertThat(json.get("answered").asInt()).isEqualTo(json.get("sent").asInt());
    assertThat(json.get("failed").asInt()).isZero();
    assertThat(json.get("lost").asInt()).isZero();
    assertThat(json.get("outOfOrder").asInt()).isZero();
    assertThat(json.get("wrongReply").asInt()).isZero();
    assertThat(json.get("heldPeak").asInt()).isGreaterThan(20);
    assertThat(json.get("longestHoldMs").asInt()).isGreaterThan(900);
    assertThat(json.get("firstReplyAfterReadyMs").isNumber()).isTrue();
    assertThat(json.get("answeredBy").get("v1").asInt()).isPositive();
    assertThat(json.get("answeredBy").get("v2").asInt()).isPositive();
    if (kill.isEmpty()) {
      assertThat(json.get("duplicated").asInt()).isZero();
    }
    try (Stream<Path> left = Files.list(directory.resolve("tmp"))) {
      assertThat(left.filter(path -> path.getFileName().toString().startsWith("tideover-")))
          .isEmpty();
    }
  }

  @Test
  void controlCEndsEveryProcess() throws Exception {
    start("--port=0", "--rate=20", "--duration=4s", "--release-at=1s", "--downtime=0s", "--keep");
    awaitOutput("Everything stays up until Ctrl-C");
    assertThat(output).contains("curl -i -d").contains("/metrics");
    List<ProcessHandle> children = demo.descendants().toList();
    assertThat(children).as("Kafka, gateway, v2").hasSize(3);

    signal("-INT");

    assertThat(demo.waitFor()).isEqualTo(130);
    assertThat(children).noneMatch(ProcessHandle::isAlive);
  }

  @Test
  void aKilledDemoLeavesNoProcessBehindNotEvenInItsStart() throws Exception {
    start("--port=0");
    awaitOutput("Starting Kafka");
    List<ProcessHandle> children = awaitChildren(2);

    signal("-KILL");

    for (ProcessHandle child : children) {
      child.onExit().get(30, TimeUnit.SECONDS);
    }
    assertThat(children).noneMatch(ProcessHandle::isAlive);
  }

  @Test
  void aTakenPortIsToldBeforeAnythingIsStarted() throws Exception {
    try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      start("--port=" + other.getLocalPort());
      demo.waitFor();

      assertThat(demo.exitValue()).isEqualTo(1);
      assertThat(output)
          .contains("Port " + other.getLocalPort() + " can't be used")
          .contains("--port 8090")
          .doesNotContain("Starting")
          .doesNotContain("\tat ");
    }
  }

  @Test
  void aProcessThatDiesIsToldWithTheEndOfItsLogAndEndsTheDemo() throws Exception {
    start("--port=0", "--duration=60s");
    awaitOutput("requests a second to");
    List<ProcessHandle> children = demo.descendants().toList();
    assertThat(children).hasSize(3);

    children.get(1).destroyForcibly();

    assertThat(demo.waitFor()).isEqualTo(1);
    assertThat(output)
        .containsPattern("The (Kafka broker|gateway|orders v1) ended unexpectedly")
        .contains("with exit code 137. The end of its log")
        .doesNotContain("\tat ");
    assertThat(children).noneMatch(ProcessHandle::isAlive);
  }

  @Test
  void theEmbeddedBrokerIsFoundByTheGatewaysCommand() throws Exception {
    int kafka;
    int http;
    int admin;
    try (var a = new ServerSocket(0);
        var b = new ServerSocket(0);
        var c = new ServerSocket(0)) {
      kafka = a.getLocalPort();
      http = b.getLocalPort();
      admin = c.getLocalPort();
    }
    Path config = directory.resolve("tideover.yaml");
    Files.writeString(
        config, GatewayConfigFile.text("127.0.0.1:" + kafka, http, admin, Duration.ofSeconds(30)));
    run("dev.tideover.gateway.cli.GatewayCommand", "serve", "--embedded", "--config=" + config);
    awaitOutput("Tideover is ready");

    try (var client = new Socket("127.0.0.1", kafka)) {
      assertThat(client.isConnected()).isTrue();
    }
    signal("-TERM");
    assertThat(demo.waitFor(30, TimeUnit.SECONDS)).isTrue();
  }

  private void start(String... options) throws Exception {
    run(DemoCommand.class.getName(), options);
  }

  private void run(String mainClass, String... arguments) throws Exception {
    Path temporary = Files.createDirectory(directory.resolve("tmp"));
    var command =
        Stream.concat(
                Stream.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-XX:TieredStopAtLevel=1",
                    "-Djava.io.tmpdir=" + temporary,
                    "-cp",
                    System.getProperty("java.class.path"),
                    mainClass),
                Stream.of(arguments))
            .toList();
    demo = new ProcessBuilder(command).redirectErrorStream(true).start();
    var reader =
        new Thread(
            () ->
                demo.inputReader()
                    .lines()
                    .forEach(
                        line -> {
                          synchronized (output) {
                            output.append(line).append('\n');
                            output.notifyAll();
                          }
                        }));
    reader.setDaemon(true);
    reader.start();
    demo.onExit()
        .thenRun(
            () -> {
              synchronized (output) {
                output.notifyAll();
              }
            });
  }

  private void awaitOutput(String text) throws InterruptedException {
    synchronized (output) {
      while (output.indexOf(text) < 0) {
        assertThat(demo.isAlive()).as(output::toString).isTrue();
        output.wait(60_000);
      }
    }
  }

  /** A moment after "Starting ..." the children are there; each one's start is soon after. */
  private List<ProcessHandle> awaitChildren(int number) {
    return CompletableFuture.supplyAsync(
            () -> {
              List<ProcessHandle> children = demo.descendants().toList();
              while (children.size() < number && demo.isAlive()) {
                Thread.onSpinWait();
                children = demo.descendants().toList();
              }
              return children;
            })
        .orTimeout(30, TimeUnit.SECONDS)
        .join();
  }

  private void signal(String signal) throws Exception {
    // The shell's own kill: slim systems have no other.
    Process kill = new ProcessBuilder("sh", "-c", "kill " + signal + " " + demo.pid()).start();
    assertThat(kill.waitFor()).isZero();
  }
}
