package dev.tideover.sdk;

import dev.tideover.sdk.jdbc.JdbcInbox;
import dev.tideover.sdk.jdbc.TestPostgres;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.PreparedStatement;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.postgresql.ds.PGSimpleDataSource;

/**
 * An instance with an inbox in a process of its own. Its handler inserts the request's content into
 * {@code effects}; what it does besides is the content's first word. It ends with its parent at the
 * latest.
 */
final class InboxProcess implements AutoCloseable {

  private static final CountDownLatch goOn = new CountDownLatch(1);

  private final Process process;
  private final Path output;

  private InboxProcess(Process process, Path output) {
    this.process = process;
    this.output = output;
  }

  static InboxProcess start(
      TestService service, TestPostgres postgres, String instance, Path directory)
      throws IOException {
    Path output = Files.createTempFile(directory, instance, ".log");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                InboxProcess.class.getName(),
                service.name,
                service.replies,
                service.kafka.bootstrapServers(),
                instance,
                postgres.dataSource().getURL())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    return new InboxProcess(process, output);
  }

  public static void main(String[] args) throws IOException {
    PGSimpleDataSource dataSource = new PGSimpleDataSource();
    dataSource.setURL(args[4]);
    dataSource.setUser("postgres"); // which the URL leaves out
    JdbcInbox inbox = JdbcInbox.builder(dataSource).build();
    TideoverConsumer consumer =
        Tideover.service(args[0])
            .version("v1")
            .replyTopics(args[1])
            .bootstrapServers(args[2])
            .instance(args[3])
            .inbox(inbox)
            .handler(request -> handle(inbox, request, args[3]))
            .start();
    if (System.in.read() >= 0) {
      goOn.countDown();
    }
    while (System.in.read() >= 0) {
      continue;
    }
    consumer.close();
  }

  private static Outcome handle(JdbcInbox inbox, Request request, String instance)
      throws Exception {
    String word = request.text().split(" ")[0];
    Outcome outcome =
        inbox.transaction(
            request,
            connection -> {
              try (PreparedStatement insert =
                  connection.prepareStatement("INSERT INTO effects VALUES (?, ?)")) {
                insert.setString(1, request.text());
                insert.setString(2, instance);
                insert.execute();
              }
              if (word.equals("crash")) {
                Runtime.getRuntime().halt(1);
              }
              if (word.equals("stall")) {
                say("STALLED");
                stall();
                say("GOES ON");
              }
              return Outcome.reply(201).header("x-by", instance).text("by " + instance);
            });
    if (word.equals("halt")) {
      Runtime.getRuntime().halt(1);
    }
    say("COMMITTED " + ((Reply) outcome).fields().first("x-by"));
    return outcome;
  }

  /** As a handler that pays no heed to interrupts; the connection would, so it doesn't see them. */
  private static void stall() {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (System.nanoTime() < deadline) {
      try {
        if (goOn.await(100, TimeUnit.MILLISECONDS)) {
          return;
        }
      } catch (InterruptedException unheeded) {
        Thread.interrupted();
      }
    }
  }

  private static void say(String line) {
    byte[] bytes = (line + System.lineSeparator()).getBytes(StandardCharsets.UTF_8);
    System.out.write(bytes, 0, bytes.length);
    System.out.flush();
  }

  void awaitSaid(String line) {
    TestService.await().until(() -> Files.readString(output).contains(line + "\n"));
  }

  /** Lets what stalls go on. */
  void goOn() throws IOException {
    process.getOutputStream().write('\n');
    process.getOutputStream().flush();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  void awaitEnd() throws InterruptedException {
    if (!process.waitFor(Duration.ofSeconds(30).toSeconds(), TimeUnit.SECONDS)) {
      throw new AssertionError("the process was to end, and is still there");
    }
  }

  void freeze() throws IOException, InterruptedException {
    signal("STOP");
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
    process.destroyForcibly();
    try {
      awaitEnd();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
