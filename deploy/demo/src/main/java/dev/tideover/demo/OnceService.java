package dev.tideover.demo;

import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Request;
import dev.tideover.sdk.Tideover;
import dev.tideover.sdk.TideoverConsumer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * The service of {@code load-tests/once}: each call of its handler has a name of its own, which it
 * writes into a journal before anything else, and answers with. A request's body is {@code KEY
 * VARIANT MILLIS-BEFORE MILLIS-AFTER NUMBER}; the milliseconds are how long it works before and
 * after its effect.
 */
public final class OnceService {

  private static final Duration START_BOUND = Duration.ofSeconds(60);

  private final String life;
  private final FileChannel journal;
  private final AtomicLong calls = new AtomicLong();

  private OnceService(String life, FileChannel journal) {
    this.life = life;
    this.journal = journal;
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
    OnceService service = new OnceService(args[3], journal);
    TideoverConsumer consumer =
        Tideover.service(args[1])
            .instance(args[2])
            .version(args[3])
            .bootstrapServers(args[0])
            .startTimeout(START_BOUND)
            .handler(service::handle)
            .start();
    Runtime.getRuntime().addShutdownHook(new Thread(consumer::close, "drain"));
    if (!consumer.awaitAssignment(START_BOUND)) {
      System.err.println("No partition was assigned within " + START_BOUND.toSeconds() + " s.");
      System.exit(1);
    }
    System.out.println("STARTED");
    new CountDownLatch(1).await();
  }

  private Outcome handle(Request request) throws IOException {
    String body = request.text();
    String[] words = body.split(" ", -1);
    String call = life + "/" + calls.incrementAndGet();
    write("began", words[0] + " " + call + " " + request.partition() + " " + request.offset());
    work(Long.parseLong(words[2]));
    Outcome reply =
        Outcome.reply(201)
            .header("once-call", call)
            .body("text/plain", (call + " " + body).getBytes(StandardCharsets.UTF_8));
    work(Long.parseLong(words[3]));
    write("ended", call);
    return reply;
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
