package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.Tether;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;

/** {@code tideover serve} as a process of its own; it ends with this JVM at the latest. */
final class GatewayProcess implements AutoCloseable {

  private static final Pattern READY =
      Pattern.compile("Ready: clients at port (\\d+), operators at port (\\d+)");
  private static final Pattern STARTING = Pattern.compile("Starting: operators at port (\\d+)");

  private final Process process;
  private final Path err;

  private GatewayProcess(Process process, Path err) {
    this.process = process;
    this.err = err;
  }

  /** Starts one; its log goes beside the configuration. */
  static GatewayProcess start(Path config) throws IOException {
    Path directory = config.toAbsolutePath().getParent();
    Path err = Files.createTempFile(directory, "gateway", ".log");
    List<String> line =
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-Dlogback.configurationFile=logback.xml",
            "-cp",
            System.getProperty("java.class.path"),
            Tether.class.getName(),
            "dev.tideover.gateway.cli.GatewayCommand",
            "serve",
            "--config",
            config.toString());
    return new GatewayProcess(
        new ProcessBuilder(line)
            .redirectError(err.toFile())
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start(),
        err);
  }

  String log() {
    try {
      return Files.readString(err, UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Waits until clients can be served; returns where. */
  int awaitReady() {
    return Integer.parseInt(await(READY).group(1));
  }

  /** Waits until probes are answered; returns where. */
  int awaitStarting() {
    return Integer.parseInt(await(STARTING).group(1));
  }

  Matcher await(Pattern pattern) {
    Matcher[] found = new Matcher[1];
    Awaitility.await()
        .atMost(Duration.ofSeconds(60))
        .pollInterval(Duration.ofMillis(10))
        .until(
            () -> {
              found[0] = pattern.matcher(log());
              boolean there = found[0].find();
              if (!there && !process.isAlive()) {
                throw new AssertionError(
                    "ended with exit code " + process.exitValue() + ": " + log());
              }
              return there;
            });
    return found[0];
  }

  void signal(String name) throws IOException, InterruptedException {
    Process kill =
        new ProcessBuilder("kill", "-s", name, Long.toString(process.pid())).inheritIO().start();
    assertThat(kill.waitFor(10, TimeUnit.SECONDS)).isTrue();
    assertThat(kill.exitValue()).isZero();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Waits for its end. */
  int exitCode(Duration within) throws InterruptedException {
    assertThat(process.waitFor(within.toMillis(), TimeUnit.MILLISECONDS))
        .as("ended within %s; log: %s", within, log())
        .isTrue();
    return process.exitValue();
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
