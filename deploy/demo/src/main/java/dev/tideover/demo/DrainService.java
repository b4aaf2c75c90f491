package dev.tideover.demo;

import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Request;
import dev.tideover.sdk.Tideover;
import dev.tideover.sdk.TideoverConsumer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Services that drain their topics, one after another, for the SDK's benchmark. The process takes
 * lines: {@code SERVICE REPLY-TOPIC CONCURRENCY MICROS FAILURES PAUSE-MILLIS} starts a service
 * whose handler blocks for so many microseconds and then echoes, and asks so many times for a retry
 * where the ordering key is {@code failing}; {@code stop} closes it. It answers {@code STARTED} and
 * {@code STOPPED}, and ends with its input.
 */
public final class DrainService {

  private static final String FAILING_KEY = "failing";
  private static final Duration DRAIN = Duration.ofSeconds(5);

  /** Takes the bootstrap servers. */
  public static void main(String[] args) throws IOException {
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      try (TideoverConsumer consumer = start(args[0], List.of(line.split(" ", -1)))) {
        System.out.println("STARTED");
        String next = lines.readLine();
        while (next != null && !next.equals("stop")) {
          next = lines.readLine();
        }
        consumer.failure().ifPresent(failure -> System.out.println("FAILED " + failure));
      }
      System.out.println("STOPPED");
    }
  }

  private static TideoverConsumer start(String bootstrapServers, List<String> words) {
    long nanos = TimeUnit.MICROSECONDS.toNanos(Integer.parseInt(words.get(3)));
    int failures = Integer.parseInt(words.get(4));
    Duration pause = Duration.ofMillis(Integer.parseInt(words.get(5)));
    return Tideover.service(words.get(0))
        .bootstrapServers(bootstrapServers)
        .concurrency(Integer.parseInt(words.get(2)))
        .drainTimeout(DRAIN)
        .handler(request -> handle(request, nanos, failures, pause))
        .start();
  }

  private static Outcome handle(Request request, long nanos, int failures, Duration pause) {
    block(nanos);
    if (request.attempt() <= failures
        && request.orderingKey().filter(FAILING_KEY::equals).isPresent()) {
      return Outcome.retry(pause);
    }
    return Outcome.reply(200).body("application/octet-stream", request.body());
  }

  private static void block(long nanos) {
    long end = System.nanoTime() + nanos;
    for (long left = nanos; left > 0; left = end - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
  }

  private DrainService() {}
}
