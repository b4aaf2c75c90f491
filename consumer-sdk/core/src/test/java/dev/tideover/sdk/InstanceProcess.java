package dev.tideover.sdk;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * An instance in a process of its own, with a {@link Journal} in a file: it can be closed, killed
 * and made to stand still. It ends with its parent at the latest.
 */
final class InstanceProcess implements AutoCloseable {

  private static final String READY = "READY ";
  private static final String CLOSED = "CLOSED ";

  /** Arguments: service, reply topic, bootstrap servers, protocol, name or "", journal. */
  public static void main(String[] args) throws IOException {
    Journal journal = Journal.writing(Path.of(args[5]));
    ConsumerBuilder builder =
        Tideover.service(args[0])
            .replyTopics(args[1])
            .bootstrapServers(args[2])
            .version(version(ProcessHandle.current().pid()))
            .property("group.protocol", args[3])
            .handler(journal.handler(Fleet.WORK))
            .listener(journal.listener());
    if (!args[4].isEmpty()) {
      builder.instance(args[4]);
    }
    TideoverConsumer consumer = builder.start();
    System.out.println(READY + System.nanoTime());
    if (System.in.read() < 0) {
      Runtime.getRuntime().halt(1);
    }
    consumer.close();
    System.out.println(CLOSED + System.nanoTime());
  }

  private static String version(long pid) {
    return "pid-" + pid;
  }

  private final Process process;
  private final Journal journal;
  private final CompletableFuture<Long> ready = new CompletableFuture<>();
  private final CompletableFuture<Long> closed = new CompletableFuture<>();

  private InstanceProcess(Process process, Journal journal, Path log) {
    this.process = process;
    this.journal = journal;
    Thread reader = new Thread(() -> read(log), "output-of-" + process.pid());
    reader.setDaemon(true);
    reader.start();
  }

  /**
   * Starts one.
   *
   * @param name its name in the group, or null for a random one
   * @param directory for its log and its journal
   */
  static InstanceProcess start(
      TestService service, String protocol, @Nullable String name, Path directory)
      throws IOException {
    Path file = Files.createTempFile(directory, name == null ? "nameless-" : name + "-", ".log");
    Journal journal = Journal.in(Path.of(file + ".journal"));
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                InstanceProcess.class.getName(),
                service.name,
                service.replies,
                service.kafka.bootstrapServers(),
                protocol,
                name == null ? "" : name,
                file + ".journal")
            .redirectErrorStream(true)
            .start();
    return new InstanceProcess(process, journal, file);
  }

  private void read(Path log) {
    try (BufferedReader in =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        Files.writeString(log, line + "\n", StandardOpenOption.APPEND);
        if (line.startsWith(READY)) {
          ready.complete(Long.valueOf(line.substring(READY.length())));
        } else if (line.startsWith(CLOSED)) {
          closed.complete(Long.valueOf(line.substring(CLOSED.length())));
        }
      }
    } catch (IOException ended) {
      // The same as its end.
    } finally {
      ready.completeExceptionally(new IOException("the process ended; see " + log));
      closed.completeExceptionally(new IOException("the process ended; see " + log));
    }
  }

  Journal journal() {
    return journal;
  }

  /** What its replies say that their version is. */
  String version() {
    return version(process.pid());
  }

  /** Waits until its consumer has started, and says when that was. */
  long awaitReady() {
    return ready.orTimeout(60, TimeUnit.SECONDS).join();
  }

  /** Closes its consumer, and returns when that is done. */
  void stop() throws IOException, InterruptedException {
    process.getOutputStream().write('\n');
    process.getOutputStream().flush();
    closed.orTimeout(60, TimeUnit.SECONDS).join();
    awaitEnd();
  }

  void kill() throws InterruptedException {
    process.destroyForcibly();
    awaitEnd();
    journal.died();
  }

  private void awaitEnd() throws InterruptedException {
    if (!process.waitFor(Duration.ofSeconds(20).toSeconds(), TimeUnit.SECONDS)) {
      throw new AssertionError("a process that was ended is still there");
    }
  }

  /** Makes it stand still. */
  void freeze() throws IOException, InterruptedException {
    signal("STOP");
    journal.frozen();
  }

  void thaw() throws IOException, InterruptedException {
    signal("CONT");
  }

  private void signal(String name) throws IOException, InterruptedException {
    Process kill =
        new ProcessBuilder("sh", "-c", "kill -" + name + " \"$0\"", "" + process.pid()).start();
    if (!kill.waitFor(20, TimeUnit.SECONDS) || kill.exitValue() != 0) {
      throw new AssertionError("SIG" + name + " wasn't sent");
    }
  }

  @Override
  public void close() {
    try {
      process.destroyForcibly();
      awaitEnd();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new UncheckedIOException(new IOException(interrupted));
    }
  }

  /** Ends them all, however they are. */
  static void closeAll(List<InstanceProcess> instances) {
    instances.forEach(InstanceProcess::close);
  }
}
