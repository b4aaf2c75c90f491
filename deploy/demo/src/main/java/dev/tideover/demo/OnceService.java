package dev.tideover.demo;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.tideover.sdk.ConsumerBuilder;
import dev.tideover.sdk.InboxException;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Reply;
import dev.tideover.sdk.Request;
import dev.tideover.sdk.Tideover;
import dev.tideover.sdk.TideoverConsumer;
import dev.tideover.sdk.jdbc.JdbcInbox;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The service of {@code load-tests/once}: each call of its handler has a name of its own, which it
 * writes into a journal before anything else, and answers with. A request's body is {@code KEY
 * VARIANT MILLIS-BEFORE MILLIS-AFTER NUMBER}; the milliseconds are how long it works before and
 * after its effect.
 */
public final class OnceService {

  private static final Duration START_BOUND = Duration.ofSeconds(60);
  private static final Duration CONNECT_BOUND = Duration.ofSeconds(2);
  private static final int CONNECTIONS = 20;
  private static final long PAUSE_MILLIS = 200;

  private final String life;
  private final FileChannel journal;
  private final @Nullable JdbcInbox inbox;
  private final AtomicLong calls = new AtomicLong();

  private OnceService(String life, FileChannel journal, @Nullable JdbcInbox inbox) {
    this.life = life;
    this.journal = journal;
    this.inbox = inbox;
  }

  /**
   * Takes the bootstrap servers, the service's name, the instance's, that of this life of it, and
   * the journal's file; prints {@code STARTED} when requests can come, and ends with a drain when
   * it is told to (SIGTERM).
   */
  public static void main(String[] args) throws IOException, InterruptedException {
    FileChannel journal =
        FileChannel.open(
            Path.of(args[4]), StandardOpenOption.CREATE_NEW, StandardOpenOption.APPEND);
    JdbcInbox inbox = args.length == 6 ? inbox(args[5]) : null;
    OnceService service = new OnceService(args[3], journal, inbox);
    ConsumerBuilder builder =
        Tideover.service(args[1])
            .instance(args[2])
            .version(args[3])
            .bootstrapServers(args[0])
            .startTimeout(START_BOUND)
            .handler(service::handle);
    if (inbox != null) {
      builder.inbox(inbox);
    }
    TideoverConsumer consumer = builder.start();
    Runtime.getRuntime().addShutdownHook(new Thread(consumer::close, "drain"));
    if (!consumer.awaitAssignment(START_BOUND)) {
      System.err.println("No partition was assigned within " + START_BOUND.toSeconds() + " s.");
      System.exit(1);
    }
    System.out.println("STARTED");
    new CountDownLatch(1).await();
  }

  private Outcome handle(Request request) throws Exception {
    String body = request.text();
    String[] words = body.split(" ", -1);
    String call = life + "/" + calls.incrementAndGet();
    write("began", words[0] + " " + call + " " + request.partition() + " " + request.offset());
    work(Long.parseLong(words[2]));
    Reply reply =
        Outcome.reply(201)
            .header("once-call", call)
            .body("text/plain", (call + " " + body).getBytes(StandardCharsets.UTF_8));
    Outcome outcome =
        inbox == null
            ? reply
            : inbox.transaction(
                request, connection -> insert(connection, words[0], body, call, reply));
    write("done", call);
    work(Long.parseLong(words[3]));
    write("ended", call);
    return outcome;
  }

  private static Outcome insert(
      Connection connection, String key, String body, String call, Reply reply)
      throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("INSERT INTO effects (key, body, call) VALUES (?, ?, ?)")) {
      statement.setString(1, key);
      statement.setString(2, body);
      statement.setString(3, call);
      statement.executeUpdate();
    }
    return reply;
  }

  /** The database may be away just now, so this tries for a while. */
  private static JdbcInbox inbox(String url) {
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(url);
    config.setMaximumPoolSize(CONNECTIONS);
    config.setConnectionTimeout(CONNECT_BOUND.toMillis());
    config.setValidationTimeout(CONNECT_BOUND.toMillis() / 2);
    config.setInitializationFailTimeout(-1);
    JdbcInbox inbox = JdbcInbox.builder(new HikariDataSource(config)).build();
    long until = System.nanoTime() + START_BOUND.toNanos();
    while (true) {
      try {
        inbox.createSchema();
        return inbox;
      } catch (InboxException away) {
        if (System.nanoTime() > until) {
          throw away;
        }
        work(PAUSE_MILLIS);
      }
    }
  }

  /** One write for a line, so that a kill leaves whole ones; the file outlives the process. */
  private void write(String what, String detail) throws IOException {
    String line = what + " " + System.currentTimeMillis() + " " + detail + "\n";
    journal.write(ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8)));
  }

  private static void work(long millis) {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
  }
}
