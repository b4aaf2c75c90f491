package dev.tideover.demo;

import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Request;
import dev.tideover.sdk.Tideover;
import dev.tideover.sdk.TideoverConsumer;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;

/**
 * A service that answers every request with 200 and the request's own body: what the SDK costs when
 * the handler costs nothing. The benchmark runs it as a process.
 */
public final class EchoService {

  private static final Duration ASSIGNMENT_BOUND = Duration.ofSeconds(30);

  /**
   * Takes the bootstrap servers and the service's name, prints {@code STARTED} when requests can
   * come, and runs until it is told to end (SIGTERM), which it does with a drain.
   */
  public static void main(String[] args) throws InterruptedException {
    if (args.length != 2) {
      System.err.println("Usage: EchoService BOOTSTRAP-SERVERS SERVICE");
      System.exit(2);
    }
    TideoverConsumer consumer =
        Tideover.service(args[1]).bootstrapServers(args[0]).handler(EchoService::echo).start();
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

  private static Outcome echo(Request request) {
    String type = request.header("content-type").orElse("application/octet-stream");
    return Outcome.reply(200).body(type, request.body());
  }

  private EchoService() {}
}
