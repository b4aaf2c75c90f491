package dev.tideover.demo;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * Many customers who place orders at a steady rate, whatever becomes of the orders before:
 * open-loop traffic, as the public is. A request is due at its time of the schedule, and its wait
 * counts from then, so that a client that falls behind makes the figures worse and not better.
 *
 * <p>There are so many customers that each places an order every {@link #SECONDS_BETWEEN} seconds.
 * A customer's requests wait on connections of their own, and nothing but the time between them
 * decides which is first at the gateway. So that time is never made shorter than {@link
 * #LEAST_GAP}, not even to catch up after a moment in which this process was not scheduled: longer
 * than a connection takes whose first packet is lost (1 s), and than a busy machine leaves one
 * thread waiting.
 *
 * <p>All state is owned by the one event loop of the given Vert.x; the public methods may be called
 * from any thread.
 */
final class TrafficClient implements AutoCloseable {
  /** Connections held at once, below the usual limit of open files. */
  static final int MOST_WAITING = 16_000;

  /** The least time between two requests of a customer. */
  static final Duration LEAST_GAP = Duration.ofSeconds(2);

  /** The usual time between two requests of a customer. */
  static final int SECONDS_BETWEEN = 3;

  private static final long NOT_YET = Long.MIN_VALUE;
  private static final long TICK_MILLIS = 1;
  private static final long CLOSE_SECONDS = 5;
  private static final long SHORTEST_POLL_MILLIS = 200;
  private static final long LONGEST_POLL_MILLIS = 2_000;
  private static final Duration LONGEST_RECORDED_WAIT = Duration.ofMinutes(10);
  private static final ObjectMapper JSON =
      new ObjectMapper().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

  /** The spread of some waits, in microseconds; zeros where there were none. */
  record Waits(long p50, long p99, long max) {
    static Waits of(Histogram histogram) {
      return new Waits(
          histogram.getValueAtPercentile(50),
          histogram.getValueAtPercentile(99),
          histogram.getMaxValue());
    }
  }

  /**
   * The traffic at one moment.
   *
   * @param waiting sent and not finally answered
   * @param latestVersion the version of the service that answered last; null before the first
   * @param waits of the requests answered since the snapshot before
   */
  record Snapshot(
      int sent, int answered, int waiting, @Nullable String latestVersion, Waits waits) {}

  /**
   * All of the traffic, once it has ended.
   *
   * @param requests every request sent, in the order of their sending
   * @param heldPeak most requests that waited at one moment
   * @param waits of all requests answered
   * @param firstAnswerAtMillis by version, when its first answer came, in epoch milliseconds
   */
  record Result(
      List<ClientRecord> requests,
      int heldPeak,
      Waits waits,
      Map<String, Long> firstAnswerAtMillis) {}

  /** A request on its way. */
  private static final class Order {
    final int customer;
    final int seq;
    final long dueNanos;
    boolean promised;
    boolean answeredWith202;
    boolean ended;
    ClientRecord.@Nullable Answer answer;

    Order(int customer, int seq, long dueNanos) {
      this.customer = customer;
      this.seq = seq;
      this.dueNanos = dueNanos;
    }

    String customerName() {
      return "c" + customer;
    }
  }

  private final Vertx vertx;
  private final Context loop;
  private final HttpClient http;
  private final int port;
  private final double rate;

  /** When each customer's latest request was written to its connection, or {@link #NOT_YET}. */
  private final long[] latestWrittenNanos;

  private final Duration answerWithin;

  private final List<Order> orders = new ArrayList<>();
  private final Map<String, Long> firstAnswerAtMillis = new TreeMap<>();
  private final Histogram allWaits = new Histogram(LONGEST_RECORDED_WAIT.toNanos() / 1000, 3);
  private final Histogram recentWaits = new Histogram(LONGEST_RECORDED_WAIT.toNanos() / 1000, 3);
  private final Promise<Void> drained = Promise.promise();
  private long startNanos;
  private long timer = -1;
  private boolean ending;
  private int answered;
  private int waiting;
  private int heldPeak;
  private @Nullable String latestVersion;

  /**
   * Makes a client that is not yet sending.
   *
   * @param vertx a Vert.x with one event loop
   * @param port the gateway's port on this machine
   * @param rate requests a second
   * @param answerWithin after this a request without an answer has failed; longer than the
   *     gateway's wait
   */
  TrafficClient(Vertx vertx, int port, double rate, Duration answerWithin) {
    this.vertx = vertx;
    this.loop = vertx.getOrCreateContext();
    this.port = port;
    this.rate = rate;
    this.latestWrittenNanos = new long[Math.max(1, (int) Math.ceil(rate * SECONDS_BETWEEN))];
    this.answerWithin = answerWithin;
    // A waiting request holds its connection, so the pool must never be what requests wait for.
    this.http =
        vertx.createHttpClient(
            new HttpClientOptions().setConnectTimeout(10_000).setKeepAliveTimeout(30),
            new PoolOptions().setHttp1MaxSize(MOST_WAITING));
  }

  /** Begins to send. */
  void start() {
    loop.runOnContext(
        ignored -> {
          startNanos = System.nanoTime();
          timer = vertx.setPeriodic(TICK_MILLIS, id -> sendWhatIsDue());
        });
  }

  /** The traffic now. Each snapshot's waits begin where the one before ended. */
  CompletableFuture<Snapshot> snapshot() {
    var result = new CompletableFuture<Snapshot>();
    loop.runOnContext(
        ignored -> {
          result.complete(
              new Snapshot(orders.size(), answered, waiting, latestVersion, Waits.of(recentWaits)));
          recentWaits.reset();
        });
    return result;
  }

  /** Sends no more; the result is there when each request has its answer, or its time is over. */
  CompletableFuture<Result> finish() {
    var result = new CompletableFuture<Result>();
    loop.runOnContext(
        ignored -> {
          ending = true;
          vertx.cancelTimer(timer);
          drained
              .future()
              .onComplete(
                  done ->
                      result.complete(
                          new Result(
                              orders.stream().map(TrafficClient::toRecord).toList(),
                              heldPeak,
                              Waits.of(allWaits),
                              Map.copyOf(firstAnswerAtMillis))));
          endIfDrained();
        });
    return result;
  }

  /** Sends no more and follows no more; what is under way is left to itself. */
  @Override
  public void close() {
    var closed = new CompletableFuture<Void>();
    loop.runOnContext(
        ignored -> {
          ending = true;
          vertx.cancelTimer(timer);
          closed.complete(null);
        });
    // Waited for, so that nothing is sent by a client that its owner has closed already.
    closed.completeOnTimeout(null, CLOSE_SECONDS, TimeUnit.SECONDS).join();
  }

  private void sendWhatIsDue() {
    long due = (long) ((System.nanoTime() - startNanos) / 1e9 * rate);
    while (orders.size() < due) {
      int n = orders.size();
      int customer = n % latestWrittenNanos.length;
      int seq = n / latestWrittenNanos.length + 1;
      if (seq > 1 && !isGapOver(latestWrittenNanos[customer])) {
        return; // Those behind it are just as early: the customers take turns.
      }
      send(new Order(customer, seq, startNanos + (long) (n / rate * 1e9)));
    }
  }

  private static boolean isGapOver(long writtenNanos) {
    return writtenNanos != NOT_YET && System.nanoTime() - writtenNanos >= LEAST_GAP.toNanos();
  }

  private void send(Order order) {
    orders.add(order);
    waiting++;
    heldPeak = Math.max(heldPeak, waiting);
    if (waiting > MOST_WAITING) {
      end(order, null);
      return;
    }
    String body =
        "{\"seq\":" + order.seq + ",\"item\":\"tide table\",\"quantity\":" + order.seq % 5 + "}";
    latestWrittenNanos[order.customer] = NOT_YET;
    http.request(request(HttpMethod.POST, "/orders/" + order.customerName()))
        // Opening the connection took its time, so the gap begins only here.
        .onComplete(opened -> latestWrittenNanos[order.customer] = System.nanoTime())
        .compose(
            request ->
                request.putHeader("content-type", "application/json").send(Buffer.buffer(body)))
        .compose(TrafficClient::read)
        .onSuccess(answer -> onAnswer(order, answer))
        .onFailure(failure -> end(order, null));
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
        .setIdleTimeout(answerWithin.toMillis());
  }

  private static Future<Answer> read(HttpClientResponse response) {
    return response.body().map(body -> new Answer(response, body));
  }

  private void onAnswer(Order order, Answer answer) {
    String outcome = answer.head().getHeader("tideover-outcome");
    order.promised |= "completed".equals(outcome) || "accepted".equals(outcome);
    boolean fromService = "service".equals(answer.head().getHeader("tideover-source"));
    String location = answer.head().getHeader("location");
    if (answer.head().statusCode() == 202 && !fromService && location != null) {
      order.answeredWith202 = true;
      ask(order, location, answer.head());
      return;
    }
    OrderReply reply = fromService ? parse(answer.body()) : null;
    if (reply != null) {
      latestVersion = reply.version();
      firstAnswerAtMillis.putIfAbsent(reply.version(), System.currentTimeMillis());
    }
    end(order, new ClientRecord.Answer(answer.head().statusCode(), fromService, reply));
  }

  /** Follows a 202 to its answer, as long as a client would wait for it. */
  private void ask(Order order, String location, HttpClientResponse accepted) {
    if (System.nanoTime() - order.dueNanos > 2 * answerWithin.toNanos()) {
      end(order, null);
      return;
    }
    vertx.setTimer(
        retryAfterMillis(accepted),
        id ->
            http.request(request(HttpMethod.GET, location))
                .compose(request -> request.send())
                .compose(TrafficClient::read)
                .onSuccess(answer -> onAnswer(order, answer))
                .onFailure(failure -> end(order, null)));
  }

  private void end(Order order, ClientRecord.@Nullable Answer answer) {
    if (order.ended) {
      return;
    }
    order.ended = true;
    order.answer = answer;
    waiting--;
    if (answer != null) {
      answered++;
      long micros =
          Math.min(
              TimeUnit.NANOSECONDS.toMicros(System.nanoTime() - order.dueNanos),
              allWaits.getHighestTrackableValue());
      allWaits.recordValue(micros);
      recentWaits.recordValue(micros);
    }
    endIfDrained();
  }

  private void endIfDrained() {
    if (ending && waiting == 0) {
      drained.tryComplete();
    }
  }

  private static long retryAfterMillis(HttpClientResponse response) {
    String seconds = response.getHeader("retry-after");
    try {
      long millis = seconds == null ? 0 : TimeUnit.SECONDS.toMillis(Long.parseLong(seconds));
      return Math.max(SHORTEST_POLL_MILLIS, Math.min(millis, LONGEST_POLL_MILLIS));
    } catch (NumberFormatException e) {
      return LONGEST_POLL_MILLIS;
    }
  }

  /** The service's document, or null where the body is something else. */
  private static @Nullable OrderReply parse(Buffer body) {
    try {
      JsonNode json = JSON.readTree(body.getBytes());
      return json.path("order").isTextual()
              && json.path("customer").isTextual()
              && json.path("seq").isInt()
              && json.path("version").isTextual()
          ? JSON.treeToValue(json, OrderReply.class)
          : null;
    } catch (IOException e) {
      return null; // no JSON
    }
  }

  private static ClientRecord toRecord(Order order) {
    return new ClientRecord(
        order.customerName(), order.seq, order.promised, order.answeredWith202, order.answer);
  }
}
