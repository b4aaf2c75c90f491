package dev.tideover.demo;

import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Request;
import dev.tideover.sdk.Tideover;
import dev.tideover.sdk.TideoverConsumer;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A service that answers every request with 200 and the request's own body: what the SDK costs when
 * the handler costs nothing. The benchmark runs it as a process.
 */
public final class EchoService {

  /** Those that are slow must not make the others wait. */
  private static final int SLOW_CONCURRENCY = 256;

  private static final Duration ASSIGNMENT_BOUND = Duration.ofSeconds(30);

  /**
   * Takes the bootstrap servers, the service's name and perhaps {@code slow}, prints {@code
   * STARTED} when requests can come, and runs until it is told to end (SIGTERM), which it does with
   * a drain.
   */
  public static void main(String[] args) throws InterruptedException {
    boolean slow = args.length == 3 && args[2].equals("slow");
    if (args.length != 2 && !slow) {
      System.err.println("Usage: EchoService BOOTSTRAP-SERVERS SERVICE [slow]");
      System.exit(2);
    }
    TideoverConsumer consumer =
        Tideover.service(args[1])
            .bootstrapServers(args[0])
            .concurrency(slow ? SLOW_CONCURRENCY : 64)
            .handler(slow ? EchoService::slowEcho : EchoService::echo)
            .start();
    Runtime.getRuntime().addShutdownHook(new Thread(consumer::close, "drain"));
    if (!consumer.awaitAssignment(ASSIGNMENT_BOUND)) {
      System.err.println(
          "No partition of "
              + args[1]
              + ".requests was assigned within "
              + ASSIGNMENT_BOUND.toSeconds()
              + " s: nothing would be answered. Does another instance hold them all?");
      System.exit(1);
    }
    System.out.println("STARTED");
    new CountDownLatch(1).await();
  }

  /** Works for as many milliseconds as the request says in {@code work-millis}, 10 s at most. */
  private static Outcome slowEcho(Request request) {
    long millis = request.header("work-millis").map(Long::parseLong).orElse(0L);
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Math.min(millis, 10_000));
    for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
      LockSupport.parkNanos(request, left);
    }
    return echo(request);
  }

  private static Outcome echo(Request request) {
    String type = request.header("content-type").orElse("application/octet-stream");
    return Outcome.reply(200).body(type, request.body());
  }

  private EchoService() {}
}
