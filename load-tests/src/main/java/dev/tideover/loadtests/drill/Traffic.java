package dev.tideover.loadtests.drill;

import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Clients that send at a steady rate, whatever becomes of the requests before: a request is due at
 * its time of the schedule, and its wait counts from then. None is sent twice by them. One in
 * {@link #ONE_ASYNC_IN} doesn't want to wait; who is told 202 asks at the {@code Location} until
 * the reply is there.
 *
 * <p>There are so many keys that each has a request every 3 s, and never two within 2 s of each
 * other: that time, and nothing else, decides which is first where they are accepted, since each
 * request that waits has a connection of its own.
 *
 * <p>All state is owned by one event loop, unless said otherwise; the methods that are not private
 * are safe for any thread.
 */
final class Traffic implements AutoCloseable {

  private static final int SECONDS_BETWEEN = 3;
  private static final long LEAST_GAP_NANOS = TimeUnit.SECONDS.toNanos(2);
  private static final int ONE_ASYNC_IN = 200;
  private static final int MOST_OPEN = 16_000;
  private static final Duration ANSWER_BOUND = Duration.ofSeconds(40);
  private static final double RAMP_SECONDS = 4;
  private static final Duration WARM_UP = Duration.ofSeconds(6);
  private static final Duration CLOSE_BOUND = Duration.ofSeconds(5);
  private static final long SHORTEST_PAUSE_MILLIS = 200;
  private static final long LONGEST_PAUSE_MILLIS = 10_000;
  private static final int LONGEST_DETAIL = 200;
  private static final int KINDS_OF_PROBLEMS = 12;
  private static final long NOT_YET = Long.MIN_VALUE;

  /**
   * All of it, at its end.
   *
   * @param timedFrom the first request, in the order of sending, whose time counts
   * @param peak most requests that were without their reply at one moment
   * @param latestMillis how late a request was sent at most
   * @param problems what clients got that is no success, a line each with how often
   */
  record Result(
      List<Sent> requests, int timedFrom, int peak, long latestMillis, List<String> problems) {}

  /** A request on its way. */
  private static final class Order {
    final int key;
    final int seq;
    final long dueNanos;
    boolean promised;
    boolean told202;
    boolean ended;
    int status;
    Sent.@Nullable Reply reply;
    long waitMicros;

    Order(int key, int seq, long dueNanos) {
      this.key = key;
      this.seq = seq;
      this.dueNanos = dueNanos;
    }

    Sent toSent() {
      return new Sent("k" + key, seq, promised, told202, status, reply, waitMicros);
    }
  }

  private record Problem(int count, String first) {}

  private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
  private final Context loop = vertx.getOrCreateContext();
  private final HttpClient http;
  private final int port;
  private final int rate;
  private final String run;
  private final Random random;

  /** When each key's latest request was written to its connection, or {@link #NOT_YET}. */
  private final long[] writtenNanos;

  private final List<Order> orders = new ArrayList<>();
  private final Map<String, Problem> problems = new LinkedHashMap<>();
  private long startNanos;
  private long timer = -1;
  private int open;
  private int peak;
  private long latestMillis;

  /** From any thread; as many as there are instances. */
  private final Map<String, CompletableFuture<Long>> firstReplies = new ConcurrentHashMap<>();

  /** Guards what follows. */
  private final Object progress = new Object();

  private int sent;
  private boolean ending;
  private int unended;
  private int timedFrom;

  /**
   * Clients that don't send yet.
   *
   * @param port of what they send to, on this machine
   * @param rate requests a second
   * @param run goes with each request and comes back in its reply
   * @param seed of who doesn't want to wait and who asks when
   */
  Traffic(int port, int rate, String run, long seed) {
    this.port = port;
    this.rate = rate;
    this.run = run;
    this.random = new Random(seed);
    this.writtenNanos = new long[Math.max(1, rate * SECONDS_BETWEEN)];
    // A waiting request holds its connection, so the pool must never be what requests wait for.
    this.http =
        vertx.createHttpClient(
            new HttpClientOptions().setConnectTimeout(10_000).setKeepAliveTimeout(30),
            new PoolOptions().setHttp1MaxSize(MOST_OPEN));
  }

  private void start() {
    loop.runOnContext(
        ignored -> {
          startNanos = System.nanoTime();
          timer = vertx.setPeriodic(1, id -> sendWhatIsDue());
        });
  }

  /** How many requests have been sent. */
  int sent() {
    synchronized (progress) {
      return sent;
    }
  }

  /**
   * Begins to send, and waits until everything has been warm for a while: what it takes to get
   * there is no part of a release, and isn't timed.
   */
  void warmUp() throws InterruptedException {
    start();
    awaitSent(WARM_UP);
    synchronized (progress) {
      long until = System.nanoTime() + WARM_UP.toNanos();
      while (unended > rate / 4 && System.nanoTime() < until) {
        progress.wait(100);
      }
      timedFrom = sent;
    }
  }

  /** Waits until requests have been sent for so much longer, at most twice as long. */
  void awaitSent(Duration more) throws InterruptedException {
    int goal = sent() + (int) (rate * more.toMillis() / 1_000);
    long until = System.nanoTime() + 2 * more.toNanos();
    synchronized (progress) {
      while (sent < goal && System.nanoTime() < until) {
        progress.wait(100);
      }
    }
  }

  /** When the first reply of this instance came, in epoch milliseconds; null if not in time. */
  @Nullable Long firstReplyBy(String by, Duration bound) throws InterruptedException {
    try {
      return firstReply(by).get(bound.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      return null;
    } catch (ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }

  private CompletableFuture<Long> firstReply(String by) {
    return firstReplies.computeIfAbsent(by, any -> new CompletableFuture<>());
  }

  /** Sends no more, and tells of all when each has its final answer or the time is over. */
  Result finish(Duration bound) throws InterruptedException {
    int from;
    synchronized (progress) {
      ending = true;
      from = timedFrom;
      long until = System.nanoTime() + bound.toNanos();
      while (unended > 0 && System.nanoTime() < until) {
        progress.wait(100);
      }
    }
    CompletableFuture<Result> result = new CompletableFuture<>();
    loop.runOnContext(
        ignored -> {
          vertx.cancelTimer(timer);
          result.complete(
              new Result(
                  orders.stream().map(Order::toSent).toList(),
                  from,
                  peak,
                  latestMillis,
                  problems.entrySet().stream()
                      .map(
                          each ->
                              each.getValue().count()
                                  + " times "
                                  + each.getKey()
                                  + ", first "
                                  + each.getValue().first())
                      .toList()));
        });
    return result.orTimeout(CLOSE_BOUND.toMillis(), TimeUnit.MILLISECONDS).join();
  }

  private void sendWhatIsDue() {
    synchronized (progress) {
      if (ending) {
        return;
      }
    }
    while (dueNanos(orders.size()) <= System.nanoTime()) {
      int n = orders.size();
      int key = n % writtenNanos.length;
      int seq = n / writtenNanos.length + 1;
      if (seq > 1 && !isGapOver(writtenNanos[key])) {
        break; // Those behind it are just as early: the keys take turns.
      }
      send(new Order(key, seq, dueNanos(n)));
    }
  }

  /** The rate rises from nothing in the first seconds: what is cold would only queue. */
  private long dueNanos(int n) {
    double ramped = rate * RAMP_SECONDS / 2;
    double seconds =
        n < ramped ? Math.sqrt(2 * RAMP_SECONDS * n / rate) : RAMP_SECONDS / 2 + n / (double) rate;
    return startNanos + (long) (seconds * 1e9);
  }

  private static boolean isGapOver(long written) {
    return written != NOT_YET && System.nanoTime() - written >= LEAST_GAP_NANOS;
  }

  private void send(Order order) {
    orders.add(order);
    open++;
    peak = Math.max(peak, open);
    latestMillis =
        Math.max(latestMillis, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - order.dueNanos));
    synchronized (progress) {
      sent++;
      unended++;
      progress.notifyAll();
    }
    if (open > MOST_OPEN) {
      end(order, "that its client had no connection left for", "more than " + MOST_OPEN);
      return;
    }
    String body = "k" + order.key + " " + order.seq + " " + run;
    boolean async = random.nextInt(ONE_ASYNC_IN) == 0;
    writtenNanos[order.key] = NOT_YET;
    http.request(request(HttpMethod.POST, "/orders/k" + order.key))
        // Opening the connection took its time, so the gap begins only here.
        .onComplete(opened -> writtenNanos[order.key] = System.nanoTime())
        .compose(
            request -> {
              request.putHeader("content-type", "text/plain");
              if (async) {
                request.putHeader("prefer", "respond-async");
              }
              return request.send(Buffer.buffer(body));
            })
        .compose(Traffic::read)
        .onSuccess(answer -> answered(order, answer, null))
        .onFailure(failure -> end(order, "no answer", String.valueOf(failure)));
  }

  /** A response with its body read. */
  private record Answer(HttpClientResponse head, Buffer body) {}

  private RequestOptions request(HttpMethod method, String uri) {
    return new RequestOptions()
        .setMethod(method)
        .setHost("127.0.0.1")
        .setPort(port)
        .setURI(uri)
        // No byte for so long resets the request: every request ends.
        .setIdleTimeout(ANSWER_BOUND.toMillis());
  }

  private static Future<Answer> read(HttpClientResponse response) {
    return response.body().map(body -> new Answer(response, body));
  }

  /**
   * Takes an answer.
   *
   * @param asked where it was asked for; null for the request's own. The service itself answers no
   *     202, so that is the gateway's: not yet
   */
  private void answered(Order order, Answer answer, @Nullable String asked) {
    String outcome = answer.head().getHeader("tideover-outcome");
    int status = answer.head().statusCode();
    order.promised |= "completed".equals(outcome) || "accepted".equals(outcome);
    String told = answer.head().getHeader("location");
    String location = told == null ? asked : told;
    // To ask is safe, so where the answer is "not now", a client asks again.
    boolean notNow =
        asked != null && status == 503 && answer.head().getHeader("retry-after") != null;
    if (location != null && (status == 202 || notNow)) {
      order.told202 = true;
      ask(order, location, answer.head());
      return;
    }
    order.status = status;
    if (status < 200 || status >= 300) {
      end(order, "status " + status, (outcome == null ? "" : outcome + " ") + answer.body());
      return;
    }
    order.promised = true;
    Sent.Reply reply = Sent.Reply.parse(answer.body().toString());
    order.reply = reply;
    if (reply != null) {
      firstReply(reply.by()).complete(System.currentTimeMillis());
    }
    end(order, null, "");
  }

  /**
   * Asks later; the older the request, the later, so that many that wait don't become a load of
   * their own.
   */
  private void ask(Order order, String location, HttpClientResponse accepted) {
    long age = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - order.dueNanos);
    long pause = Math.max(SHORTEST_PAUSE_MILLIS, Math.max(age / 4, retryAfterMillis(accepted)));
    pause = Math.min(pause, LONGEST_PAUSE_MILLIS);
    vertx.setTimer(
        pause - random.nextInt((int) pause / 4),
        id ->
            http.request(request(HttpMethod.GET, location))
                .compose(request -> request.send())
                .compose(Traffic::read)
                .onSuccess(answer -> answered(order, answer, location))
                .onFailure(failure -> end(order, "no answer at a Location", failure.toString())));
  }

  private static long retryAfterMillis(HttpClientResponse response) {
    String seconds = response.getHeader("retry-after");
    try {
      return seconds == null ? 0 : TimeUnit.SECONDS.toMillis(Long.parseLong(seconds));
    } catch (NumberFormatException e) {
      return LONGEST_PAUSE_MILLIS;
    }
  }

  private void end(Order order, @Nullable String problem, String detail) {
    if (order.ended) {
      return;
    }
    order.ended = true;
    order.waitMicros = TimeUnit.NANOSECONDS.toMicros(System.nanoTime() - order.dueNanos);
    open--;
    if (problem != null && (problems.size() < KINDS_OF_PROBLEMS || problems.containsKey(problem))) {
      problems.merge(
          problem,
          new Problem(1, "k" + order.key + "-" + order.seq + ": " + shortened(detail)),
          (known, another) -> new Problem(known.count() + 1, known.first()));
    }
    synchronized (progress) {
      unended--;
      progress.notifyAll();
    }
  }

  private static String shortened(String detail) {
    String line = detail.strip().replaceAll("\\s+", " ");
    return line.length() <= LONGEST_DETAIL ? line : line.substring(0, LONGEST_DETAIL) + "...";
  }

  @Override
  public void close() {
    synchronized (progress) {
      ending = true;
    }
    try {
      vertx
          .close()
          .toCompletionStage()
          .toCompletableFuture()
          .get(CLOSE_BOUND.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException | TimeoutException e) {
      System.err.println("The clients did not end cleanly: " + e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
