package dev.tideover.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command as users see it: a process, its output and its exit code. */
class BrokerCommandTest {

  @TempDir Path directory;
  private final List<Process> processes = new ArrayList<>();

  @AfterEach
  void killWhatIsLeft() {
    processes.forEach(Process::destroyForcibly);
  }

  @Test
  void saysThatItIsReadyAndEndsCleanlyOnSigterm() throws Exception {
    Path data = directory.resolve("data");
    Process broker = broker("--port=0", "--data=" + data);
    String line = firstLine(broker);
    assertThat(line)
        .matches("Kafka is ready at localhost:\\d+ \\(data in .*\\)")
        .contains(data.toString());

    broker.destroy();

    assertThat(exitCode(broker)).isZero();
    assertThat(stderr()).isEmpty();
    assertThat(data.resolve(".kafka_cleanshutdown")).exists();
  }

  @Test
  void saysThatTemporaryDataIsRemovedAndRemovesIt() throws Exception {
    Process broker = broker("--port=0");
    String line = firstLine(broker);
    assertThat(line).endsWith(", removed at the end)");
    Path data = Path.of(line.replaceAll(".*data in (.*), removed.*", "$1"));
    assertThat(data).isDirectory();

    broker.destroy();

    assertThat(exitCode(broker)).isZero();
    assertThat(data).doesNotExist();
  }

  @Test
  void takenPortIsOneLineAndExitCodeOne() throws Exception {
    try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      Process broker = broker("--port=" + other.getLocalPort());

      assertThat(exitCode(broker)).isOne();
      assertThat(stderr())
          .singleElement()
          .asString()
          .contains("port " + other.getLocalPort())
          .contains("choose another port");
    }
  }

  @Test
  void wrongOptionIsOneLineAndExitCodeOne() throws Exception {
    for (String option : List.of("--prot=1", "--port=x", "--port=70000")) {
      Process broker = broker(option);

      assertThat(exitCode(broker)).as(option).isOne();
      assertThat(stderr()).as(option).hasSize(1);
    }
  }

  @Test
  void endsWhenTheProcessThatHoldsItsStandardInputIsGone() throws Exception {
    Process broker = broker("--port=0", "--until-stdin-closes");
    firstLine(broker);

    broker.getOutputStream().close();

    assertThat(exitCode(broker)).isZero();
  }

  private Process broker(String... options) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                BrokerCommand.class.getName()));
    command.addAll(List.of(options));
    Process process =
        new ProcessBuilder(command).redirectError(directory.resolve("stderr").toFile()).start();
    processes.add(process);
    return process;
  }

  private static String firstLine(Process process) throws Exception {
    CompletableFuture<String> line =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return String.valueOf(
                    new BufferedReader(
                            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))
                        .readLine());
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
    return line.get(60, TimeUnit.SECONDS);
  }

  private static int exitCode(Process process) throws InterruptedException {
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("ends").isTrue();
    return process.exitValue();
  }

  private List<String> stderr() throws IOException {
    return Files.readAllLines(directory.resolve("stderr"));
  }
}
