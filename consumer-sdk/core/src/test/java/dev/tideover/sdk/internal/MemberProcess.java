package dev.tideover.sdk.internal;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;

/**
 * A member of the group that sends heartbeats, in a process of its own that can be killed: {@code
 * member bootstrapServers service instance protocol}.
 */
final class MemberProcess implements AutoCloseable {

  private final Process process;

  private MemberProcess(Process process) {
    this.process = process;
  }

  public static void main(String[] args) throws IOException {
    Settings settings =
        TestSettings.of(
            args[0],
            args[1],
            args[2],
            args[3].equals("classic")
                ? Map.of("session.timeout.ms", "30000")
                : Map.of("group.protocol", args[3]),
            Duration.ofSeconds(15));
    KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(ClientProperties.producer(settings));
    Members.listen(
            settings,
            "run-of-process-" + ProcessHandle.current().pid(),
            producer::send,
            cancellation -> {},
            () -> false)
        .speak();
    Map<String, Object> config = new HashMap<>(ClientProperties.consumer(settings));
    config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config);
    consumer.subscribe(List.of(settings.requestTopic()));
    Thread polling =
        new Thread(
            () -> {
              while (true) {
                consumer.poll(Duration.ofMillis(100));
              }
            });
    polling.setDaemon(true);
    polling.start();
    // Ends with its parent at the latest, and without a word.
    while (System.in.read() >= 0) {
      continue;
    }
    Runtime.getRuntime().halt(0);
  }

  static MemberProcess start(
      String bootstrapServers, String service, String instance, String protocol, Path log)
      throws IOException {
    return new MemberProcess(
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path"),
                MemberProcess.class.getName(),
                bootstrapServers,
                service,
                instance,
                protocol)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
            .start());
  }

  void signal(String name) throws IOException, InterruptedException {
    Process kill =
        new ProcessBuilder("sh", "-c", "kill -" + name + " \"$0\"", Long.toString(process.pid()))
            .start();
    if (!kill.waitFor(20, TimeUnit.SECONDS) || kill.exitValue() != 0) {
      throw new AssertionError("SIG" + name + " wasn't sent");
    }
  }

  void kill() {
    try {
      if (!process.destroyForcibly().waitFor(20, TimeUnit.SECONDS)) {
        throw new AssertionError("a killed process is still there");
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new AssertionError(interrupted);
    }
  }

  @Override
  public void close() {
    kill();
  }
}
