package dev.tideover.loadtests.rolling;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.random.RandomGenerator;
import org.HdrHistogram.ConcurrentHistogram;
import org.jspecify.annotations.Nullable;

/**
 * Sends POSTs at fixed times, whatever becomes of those before, and judges each answer: the
 * service's own, which must be the request's body, or 202 with a place where that is found later.
 * Latencies count from when a request was due. Nothing is sent twice.
 */
final class OpenLoop implements AutoCloseable {

  /** How a request is sent, and so what is to be expected of its answer. */
  private enum Kind {
    /** Answered at once. */
    FAST(0, null),
    /** Waits for its reply for a while. */
    SLOW(1_500, null),
    /** Wants to wait for less than the reply takes: 202. */
    LATE(2_500, "wait=1"),
    /** Does not wait at all: 202. */
    ASYNC(0, "respond-async");

    private final int workMillis;
    private final @Nullable String prefer;

    Kind(int workMillis, @Nullable String prefer) {
      this.workMillis = workMillis;
      this.prefer = prefer;
    }

    /** Few work long: what is tested is the gateways, not the service's capacity. */
    static Kind of(long number) {
      return switch ((int) (number % 50)) {
        case 0, 10, 20, 30, 40 -> ASYNC;
        case 5 -> LATE;
        case 15 -> SLOW;
        default -> FAST;
      };
    }
  }

  /**
   * What came of all that were sent; {@code problems} are in words, with how often each occurred.
   */
  record Tally(
      long sent,
      long replied,
      long repliedLater,
      long confirmed,
      long failed,
      long lost,
      long wrong,
      long latestSendMillis,
      double p50Millis,
      double p99Millis,
      double maxMillis,
      List<String> problems) {}

  private static final int KEYS = 997;
  private static final int MAX_OPEN = 20_000;
  private static final int MAX_ASKED = 32;
  private static final int KINDS_OF_PROBLEMS = 20;
  private static final Duration ANSWER_BOUND = Duration.ofSeconds(40);
  private static final Duration LATER_BOUND = Duration.ofSeconds(60);
  private static final Duration ASK_AGAIN = Duration.ofMillis(500);

  private final URI base;
  private final int perSecond;
  private final String run = Long.toHexString(RandomGenerator.getDefault().nextLong());
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
  private final HttpClient client =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(Duration.ofSeconds(5))
          .build();
  private final Thread sender = new Thread(this::send, "sender");
  private final ConcurrentHistogram micros =
      new ConcurrentHistogram(TimeUnit.MINUTES.toMicros(5), 3);
  private volatile boolean stopping;

  /** Guarded by this, as all that follow. */
  private long open;

  private long replied;
  private long repliedLater;
  private long confirmed;
  private final Map<Sent, String> addresses = new LinkedHashMap<>();
  private long failed;
  private long lost;
  private long wrong;

  /** From the kind of a problem to how often it occurred and its first case. */
  private final Map<String, Problem> problems = new LinkedHashMap<>();

  private record Problem(int count, String first) {
    Problem again() {
      return new Problem(count + 1, first);
    }
  }

  /** Written by the sender. */
  private final AtomicLong sent = new AtomicLong();

  private final AtomicLong latestSendMillis = new AtomicLong();

  OpenLoop(URI base, int perSecond) {
    this.base = base;
    this.perSecond = perSecond;
  }

  void start() {
    sender.start();
  }

  /** Waits until so many more requests have been answered rightly, for a minute at most. */
  synchronized void awaitMore(long count) throws InterruptedException {
    long goal = replied + repliedLater + count;
    long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
    while (replied + repliedLater < goal && System.nanoTime() < end) {
      wait(100);
    }
  }

  private void send() {
    long start = System.nanoTime();
    while (!stopping) {
      long number = sent.get();
      long due = start + TimeUnit.SECONDS.toNanos(number) / perSecond;
      for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
        LockSupport.parkNanos(this, left);
      }
      long behind = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - due);
      latestSendMillis.accumulateAndGet(behind, Math::max);
      sent.incrementAndGet();
      send(new Sent(number, "rolling-" + run + "-" + number, due, false));
    }
  }

  /**
   * A request.
   *
   * @param due when it was to be sent, in {@code System.nanoTime()}
   * @param known whether its reply has been seen, so that it is asked for only once more
   */
  private record Sent(long number, String body, long due, boolean known) {}

  private void send(Sent request) {
    if (!opened()) {
      end(request, "this client can't keep up", "more than " + MAX_OPEN + " are open", 0);
      return;
    }
    Kind kind = Kind.of(request.number());
    HttpRequest.Builder http =
        HttpRequest.newBuilder(base.resolve("/orders/key-" + request.number() % KEYS))
            .timeout(ANSWER_BOUND)
            .header("content-type", "text/plain")
            .header("work-millis", Integer.toString(kind.workMillis))
            .POST(HttpRequest.BodyPublishers.ofString(request.body()));
    if (kind.prefer != null) {
      http.header("prefer", kind.prefer);
    }
    var unused =
        client
            .sendAsync(http.build(), HttpResponse.BodyHandlers.ofString())
            .handle(
                (response, failure) -> {
                  micros.recordValue(
                      Math.max(
                          0, TimeUnit.NANOSECONDS.toMicros(System.nanoTime() - request.due())));
                  answered(request, response, failure);
                  return null;
                });
  }

  private void answered(
      Sent request, @Nullable HttpResponse<String> response, @Nullable Throwable failure) {
    if (response == null) {
      end(request, "no answer", String.valueOf(failure), 0);
      return;
    }
    String location = response.headers().firstValue("location").orElse(null);
    if (response.statusCode() == 202 && location != null) {
      ask(request, location, System.nanoTime() + LATER_BOUND.toNanos());
    } else {
      judge(request, response, null);
    }
  }

  /** Asks at the status address, now and then, until the reply is there. */
  private void ask(Sent request, String location, long until) {
    var unused =
        timer.schedule(
            () -> askNow(request, location, until), ASK_AGAIN.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void askNow(Sent request, String location, long until) {
    HttpRequest question =
        HttpRequest.newBuilder(base.resolve(location)).timeout(ANSWER_BOUND).build();
    var unused =
        client
            .sendAsync(question, HttpResponse.BodyHandlers.ofString())
            .handle(
                (response, failure) -> {
                  if (response == null) {
                    end(request, "no answer at a status address", failure + " " + location, 0);
                  } else if (!later(response)) {
                    judge(request, response, location);
                  } else if (System.nanoTime() < until) {
                    ask(request, location, until);
                  } else {
                    end(request, "no reply in time at a status address", location, -1);
                  }
                  return null;
                });
  }

  /** Whether a status address tells to ask again. */
  private static boolean later(HttpResponse<String> response) {
    return response.statusCode() == 202
        || response.statusCode() == 503 && response.headers().firstValue("retry-after").isPresent();
  }

  private void judge(Sent request, HttpResponse<String> response, @Nullable String address) {
    boolean ofService =
        response.headers().firstValue("tideover-source").filter("service"::equals).isPresent();
    if (response.statusCode() != 200 || !ofService) {
      String where = address != null ? " at a status address" : "";
      end(request, response.statusCode() + where, response.headers().map() + response.body(), 0);
    } else if (!response.body().equals(request.body())) {
      end(request, "another's answer", response.body(), 1);
    } else {
      done(request, address);
    }
  }

  private synchronized boolean opened() {
    open++;
    return open <= MAX_OPEN;
  }

  private synchronized void done(Sent request, @Nullable String address) {
    open--;
    if (request.known()) {
      confirmed++;
    } else if (address != null) {
      repliedLater++;
      addresses.put(request, address);
    } else {
      replied++;
    }
    notifyAll();
  }

  /**
   * Ends a request that went wrong.
   *
   * @param kind of problem
   * @param how negative where an accepted request was lost, positive where the answer was wrong
   */
  private synchronized void end(Sent request, String kind, String detail, int how) {
    open--;
    if (how < 0) {
      lost++;
    } else if (how > 0) {
      wrong++;
    } else {
      failed++;
    }
    if (problems.size() < KINDS_OF_PROBLEMS || problems.containsKey(kind)) {
      Problem one = new Problem(1, request.body() + ": " + detail);
      problems.merge(kind, one, (known, another) -> known.again());
    }
    notifyAll();
  }

  /**
   * Sends no more, waits until every request has come to its end, asks once more at every status
   * address, where the gateways that gave them out have been restarted since, and tells.
   */
  Tally stop() throws InterruptedException {
    stopping = true;
    sender.join(TimeUnit.SECONDS.toMillis(10));
    awaitNoneOpen();
    long until = System.nanoTime() + LATER_BOUND.toNanos();
    for (Map.Entry<Sent, String> each : addresses().entrySet()) {
      awaitOpenBelow(MAX_ASKED);
      Sent known = each.getKey();
      boolean unused = opened();
      askNow(new Sent(known.number(), known.body(), known.due(), true), each.getValue(), until);
    }
    awaitNoneOpen();
    synchronized (this) {
      lost += open;
      return new Tally(
          sent.get(),
          replied,
          repliedLater,
          confirmed,
          failed,
          lost,
          wrong,
          latestSendMillis.get(),
          micros.getValueAtPercentile(50) / 1e3,
          micros.getValueAtPercentile(99) / 1e3,
          micros.getMaxValue() / 1e3,
          problems.entrySet().stream()
              .map(
                  each ->
                      each.getValue().count()
                          + " times: "
                          + each.getKey()
                          + ", first "
                          + each.getValue().first())
              .toList());
    }
  }

  private synchronized Map<Sent, String> addresses() {
    return Map.copyOf(addresses);
  }

  private void awaitNoneOpen() throws InterruptedException {
    awaitOpenBelow(1);
  }

  private synchronized void awaitOpenBelow(long limit) throws InterruptedException {
    long end = System.nanoTime() + ANSWER_BOUND.plus(LATER_BOUND).toNanos();
    while (open >= limit && System.nanoTime() < end) {
      wait(100);
    }
  }

  @Override
  public void close() throws IOException {
    stopping = true;
    timer.shutdownNow();
  }
}
