package dev.tideover.sdk;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** A service in a process of its own: {@code service replyTopic bootstrapServers protocol}. */
final class ServiceProcess {

  public static void main(String[] args) throws IOException {
    String pid = Long.toString(ProcessHandle.current().pid());
    TideoverConsumer consumer =
        Tideover.service(args[0])
            .replyTopics(args[1])
            .bootstrapServers(args[2])
            .property("group.protocol", "classic")
            .property("session.timeout.ms", "30000")
            .instance("orders-1")
            .handler(request -> Outcome.reply(200).text(pid))
            .start();
    // Ends with its parent at the latest.
    while (System.in.read() >= 0) {
      continue;
    }
    consumer.close();
  }

  static Process start(TestService service, Path log) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-cp",
            System.getProperty("java.class.path"),
            ServiceProcess.class.getName(),
            service.name,
            service.replies,
            service.kafka.bootstrapServers())
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
        .start();
  }

  static void kill(Process process) throws InterruptedException {
    process.destroyForcibly();
    if (!process.waitFor(
        Duration.ofSeconds(20).toSeconds(), java.util.concurrent.TimeUnit.SECONDS)) {
      throw new AssertionError("a killed process is still there");
    }
  }

  private ServiceProcess() {}
}
