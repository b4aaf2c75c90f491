package dev.tideover.sdk;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/**
 * A service in a process of its own, which a test may kill. What its handler does with a request is
 * the first word of the request's content; it writes down each call before that.
 */
final class ScriptedProcess implements AutoCloseable {

  /** So many requests are under way when {@link #isCrowded} is true. */
  static final int CROWD = 64;

  private static final String CALL = "CALL ";
  private static final String CROWDED = "CROWDED";

  private static final AtomicInteger inCrowd = new AtomicInteger();
  private static String thisLife = "";
  private static final CountDownLatch never = new CountDownLatch(1);

  private final Process process;
  private final Path output;

  private ScriptedProcess(Process process, Path output) {
    this.process = process;
    this.output = output;
  }

  /**
   * Starts it, as the instance {@code orders-1} and with the settings of {@link
   * TestService#builder}.
   *
   * @param directory where its output goes
   */
  static ScriptedProcess start(TestService service, Path directory, OnExhausted onExhausted)
      throws IOException {
    return start(service, directory, onExhausted, 0);
  }

  /**
   * The same.
   *
   * @param life the handler never ends for {@code crowd} and this number
   */
  static ScriptedProcess start(
      TestService service, Path directory, OnExhausted onExhausted, int life) throws IOException {
    Path output = Files.createTempFile(directory, "service", ".log");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path"),
                ScriptedProcess.class.getName(),
                service.name,
                service.replies,
                service.kafka.bootstrapServers(),
                onExhausted.name(),
                Integer.toString(life))
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    return new ScriptedProcess(process, output);
  }

  public static void main(String[] args) throws IOException {
    thisLife = args[4];
    TideoverConsumer consumer =
        Tideover.service(args[0])
            .version("v1")
            .replyTopics(args[1])
            .bootstrapServers(args[2])
            .onExhausted(OnExhausted.valueOf(args[3]))
            .instance("orders-1")
            .concurrency(10 * CROWD) // a tenth of it may run from the start
            .property("session.timeout.ms", "30000")
            .backoff(new Backoff(Duration.ofMillis(20), Duration.ofMillis(50)))
            .handler(ScriptedProcess::handle)
            .start();
    // Ends with its parent at the latest.
    while (System.in.read() >= 0) {
      continue;
    }
    consumer.close();
  }

  private static Outcome handle(Request request) throws InterruptedException {
    String word = request.text().split(" ")[0];
    say(CALL + request.text() + " #" + request.attempt());
    switch (word) {
      case "ok" -> {}
      case "fail", "fail-a" -> throw new IllegalStateException("as it was told to");
      case "fail-twice" -> {
        return Outcome.retry(request.attempt() < 2 ? Duration.ZERO : Duration.ofHours(1));
      }
      case "halt" -> Runtime.getRuntime().halt(1);
      case "hang" -> never.await();
      case "crowd" -> crowd(request.text().split(" ")[1]);
      default -> throw new AssertionError("no such word: " + word);
    }
    return Outcome.reply(204);
  }

  /** What was appended in this life of the service stays under way until the process is killed. */
  private static void crowd(String life) throws InterruptedException {
    if (life.equals(thisLife)) {
      if (inCrowd.incrementAndGet() == CROWD) {
        say(CROWDED);
      }
      never.await();
    }
  }

  /** One write, so that lines of several threads, and of a process that is killed, are whole. */
  private static void say(String line) {
    byte[] bytes =
        (line + System.lineSeparator()).getBytes(java.nio.charset.StandardCharsets.UTF_8);
    System.out.write(bytes, 0, bytes.length);
    System.out.flush();
  }

  /** The calls of its handler so far, as {@code content #attempt}. */
  List<String> calls() throws IOException {
    try (Stream<String> lines = Files.lines(output)) {
      return lines
          .filter(line -> line.startsWith(CALL))
          .map(line -> line.substring(CALL.length()))
          .toList();
    }
  }

  /** Whether as many handlers run as may. */
  boolean isCrowded() throws IOException {
    try (Stream<String> lines = Files.lines(output)) {
      return lines.anyMatch(CROWDED::equals);
    }
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** By SIGKILL. Returns when it is dead. */
  void kill() throws InterruptedException {
    process.destroyForcibly();
    if (!process.waitFor(20, TimeUnit.SECONDS)) {
      throw new AssertionError("a killed process is still there");
    }
  }

  @Override
  public void close() {
    try {
      kill();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
