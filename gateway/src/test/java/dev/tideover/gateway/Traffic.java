package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Clients that send one request after the other, each with a body that no other has, and write down
 * what they were told.
 */
final class Traffic {

  /**
   * What became of one request; status 0 where the connection broke.
   *
   * @param at when it was sent, by {@code System.nanoTime()}
   * @param code of the problem document; empty where the answer is none
   * @param retryAfter empty where there is none
   */
  record Sent(
      String body,
      int status,
      String outcome,
      Duration took,
      long at,
      String code,
      String retryAfter) {

    boolean isBetween(long from, long to) {
      return at - from >= 0 && at - to < 0;
    }
  }

  private static final AtomicInteger NAMES = new AtomicInteger();

  private final String name = "traffic-" + NAMES.incrementAndGet();
  private final int port;
  private final String path;
  private final int padding;
  private final Queue<Sent> sent = new ConcurrentLinkedQueue<>();
  private final AtomicInteger number = new AtomicInteger();
  private final List<Thread> clients = new ArrayList<>();
  private volatile boolean stopping;

  private Traffic(int port, String path, int padding) {
    this.port = port;
    this.path = path;
    this.padding = padding;
  }

  /**
   * Starts sending.
   *
   * @param padding bytes that each body has besides its number
   */
  static Traffic start(int port, String path, int clients, int padding) {
    Traffic traffic = new Traffic(port, path, padding);
    for (int i = 0; i < clients; i++) {
      Thread client = new Thread(traffic::client, "client-" + i);
      traffic.clients.add(client);
      client.start();
    }
    return traffic;
  }

  private void client() {
    while (!stopping) {
      try (RawHttp http = new RawHttp(port)) {
        while (!stopping) {
          send(http);
        }
      } catch (IOException e) {
        // Written down by send; or no connection could be made, which is the same.
        sent.add(new Sent("", 0, e.toString(), Duration.ZERO, System.nanoTime(), "", ""));
        return;
      }
    }
  }

  private void send(RawHttp http) throws IOException {
    String body = name + " " + number.incrementAndGet();
    long start = System.nanoTime();
    RawHttp.Response response =
        http.exchange("POST", path, (body + " ".repeat(padding)).getBytes(UTF_8));
    Duration took = Duration.ofNanos(System.nanoTime() - start);
    boolean problem =
        response.all("Content-Type").stream()
            .anyMatch(type -> type.startsWith("application/problem+json"));
    sent.add(
        new Sent(
            body,
            response.status(),
            response.outcome(),
            took,
            start,
            problem ? response.json().path("code").asText() : "",
            String.join(",", response.all("Retry-After"))));
  }

  int count(int... statuses) {
    int count = 0;
    for (Sent each : sent) {
      for (int status : statuses) {
        count += each.status() == status ? 1 : 0;
      }
    }
    return count;
  }

  /** How many of those that were sent since then got this status. */
  int countSince(long nanoTime, int... statuses) {
    int count = 0;
    for (Sent each : sent) {
      for (int status : statuses) {
        count += each.at() - nanoTime >= 0 && each.status() == status ? 1 : 0;
      }
    }
    return count;
  }

  /** Ends the clients after the request that each is at. */
  List<Sent> stop() throws InterruptedException {
    stopping = true;
    for (Thread client : clients) {
      client.join(TimeUnit.SECONDS.toMillis(30));
      if (client.isAlive()) {
        throw new AssertionError(client.getName() + " got no answer within 30 s");
      }
    }
    return List.copyOf(sent);
  }
}
