package dev.tideover.loadtests.once;

import dev.tideover.loadtests.once.History.Answer;
import dev.tideover.loadtests.once.History.Kind;
import dev.tideover.loadtests.once.History.Sent;
import dev.tideover.loadtests.once.History.Unanswered;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Clients that begin at fixed times, whatever becomes of those before, and do what {@link Plan}
 * says. Each sends its request again under the same key, to another gateway and after a random
 * pause, for as long as it has no final answer: its connection broke, 503, 504, or a 202 whose
 * reply didn't come in time.
 */
final class Clients implements AutoCloseable {

  private static final Duration ANSWER_BOUND = Duration.ofSeconds(14);
  private static final long LATER_BOUND = TimeUnit.SECONDS.toNanos(8);
  private static final int LONGEST_PAUSE_MILLIS = 4_000;
  private static final int MAX_OPEN = 20_000;
  private static final int SWEPT_AT_ONCE = 64;

  /** Under way at once; beyond it they wait here, or a busy machine would only open connections. */
  private static final int MAX_UNDER_WAY = 600;

  private static final int LONGEST_TRAIL = 1_500;

  private final List<URI> gateways;
  private final int perSecond;
  private final long seed;
  private final boolean inbox;
  private final String run = Long.toHexString(System.nanoTime());
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
  private final HttpClient http =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(Duration.ofSeconds(10))
          .build();
  private final Thread beginner = new Thread(this::begin, "clients");
  private volatile boolean stopping;

  /** Of the plans that have begun. */
  private final AtomicLong begun = new AtomicLong();

  private final AtomicLong latestMillis = new AtomicLong();

  private final Set<Client> open = ConcurrentHashMap.newKeySet();
  private final Queue<Sent> sent = new ConcurrentLinkedQueue<>();
  private final Queue<Answer> answers = new ConcurrentLinkedQueue<>();
  private final Queue<Client> content = new ConcurrentLinkedQueue<>();
  private final Map<String, AtomicLong> counts = new ConcurrentHashMap<>();

  /** Guarded by itself, as is the number of those that are under way; one for each open client. */
  private final Deque<Runnable> held = new ArrayDeque<>();

  private int underWay;

  Clients(List<URI> gateways, int perSecond, long seed, boolean inbox) {
    this.inbox = inbox;
    this.gateways = List.copyOf(gateways);
    this.perSecond = perSecond;
    this.seed = seed;
  }

  void start() {
    beginner.start();
  }

  private void begin() {
    long start = System.nanoTime();
    while (!stopping) {
      long number = begun.get();
      long due = start + TimeUnit.SECONDS.toNanos(number) / perSecond;
      for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
        LockSupport.parkNanos(this, left);
      }
      latestMillis.accumulateAndGet(
          TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - due), Math::max);
      begun.incrementAndGet();
      begin(Plan.of(run, seed, number, inbox));
    }
  }

  private void begin(Plan plan) {
    if (open.size() > MAX_OPEN) {
      count("skipped, too many are open");
      return;
    }
    for (int i = 0; i < plan.parts().size(); i++) {
      Client client = new Client(plan, i);
      open.add(client);
      if (!client.part.follows()) {
        client.later(client.part.delayMillis());
      }
    }
  }

  /** Lets clients begin until then, in {@code System.nanoTime()}. */
  void runUntil(long end) throws InterruptedException {
    TimeUnit.NANOSECONDS.timedJoin(beginner, Math.max(1, end - System.nanoTime()));
    stopping = true;
    beginner.join(TimeUnit.SECONDS.toMillis(10));
  }

  /** Waits until every client has its final answer; for a bounded time. */
  synchronized void settle(Duration bound) throws InterruptedException {
    long until = System.nanoTime() + bound.toNanos();
    while (!open.isEmpty() && System.nanoTime() < until) {
      wait(100);
    }
  }

  /** Sends some of those again that have succeeded: long after, to gateways that are new since. */
  void sweep(int most, Duration bound) throws InterruptedException {
    long until = System.nanoTime() + bound.toNanos();
    List<Client> all = new ArrayList<>(content);
    int step = Math.max(1, all.size() / most);
    for (int i = 0; i < all.size() && System.nanoTime() < until; i += step) {
      Client known = all.get(i);
      Plan.Part part =
          new Plan.Part(known.part.path(), known.part.body(), null, false, 0, i % gateways.size());
      Client again = new Client(new Plan(known.plan.key(), List.of(part)), 0);
      count("swept");
      synchronized (this) {
        while (open.size() >= SWEPT_AT_ONCE && System.nanoTime() < until) {
          wait(100);
        }
      }
      open.add(again);
      again.send();
    }
    settle(Duration.ofNanos(Math.max(0, until - System.nanoTime())));
  }

  List<Sent> sent() {
    return List.copyOf(sent);
  }

  List<Answer> answers() {
    return List.copyOf(answers);
  }

  List<Unanswered> unanswered() {
    return open.stream()
        .map(each -> new Unanswered(each.plan.key(), each.part.body(), each.last))
        .toList();
  }

  /** What happened how often; {@code sent} and {@code resent} are requests. */
  Map<String, Long> counts() {
    Map<String, Long> all = new TreeMap<>();
    counts.forEach((what, count) -> all.put(what, count.get()));
    return all;
  }

  /** How far the beginner was behind its times at most. */
  long latestMillis() {
    return latestMillis.get();
  }

  long begun() {
    return begun.get();
  }

  /** Runs it, now or when another one has left. */
  private void enter(Runnable exchange) {
    synchronized (held) {
      if (underWay == MAX_UNDER_WAY) {
        held.add(exchange);
        return;
      }
      underWay++;
    }
    exchange.run();
  }

  private void leave() {
    Runnable next;
    synchronized (held) {
      next = held.poll();
      if (next == null) {
        underWay--;
      }
    }
    if (next != null) {
      next.run();
    }
  }

  private void count(String what) {
    counts.computeIfAbsent(what, none -> new AtomicLong()).incrementAndGet();
  }

  @Override
  public void close() {
    stopping = true;
    timer.shutdownNow();
  }

  /** One part of a plan; one thing of it is under way at a time. */
  private final class Client {

    final Plan plan;
    final Plan.Part part;
    private final boolean leads;
    private int gateway;
    private int tries;
    volatile String last = "none";

    /** What it has sent and heard, since when; one thing is under way at a time. */
    private final StringBuffer trail = new StringBuffer();

    private long firstSentAt;

    Client(Plan plan, int index) {
      this.plan = plan;
      this.part = plan.parts().get(index);
      this.leads = index == 0;
      this.gateway = part.gateway();
    }

    void later(long millis) {
      if (millis == 0) {
        send();
      } else if (!timer.isShutdown()) {
        var unused = timer.schedule(this::send, millis, TimeUnit.MILLISECONDS);
      }
    }

    void send() {
      if (tries == 0) {
        firstSentAt = System.currentTimeMillis();
        trail.append("from ").append(firstSentAt);
        sent.add(new Sent(plan.key(), part.body(), firstSentAt));
      } else {
        count("resent");
      }
      tries++;
      count("sent");
      HttpRequest.Builder request =
          HttpRequest.newBuilder(gateways.get(gateway).resolve(part.path()))
              .timeout(ANSWER_BOUND)
              .header("authorization", "Bearer of-this-test")
              .header("idempotency-key", "\"" + plan.key() + "\"")
              .header("content-type", "text/plain")
              .POST(HttpRequest.BodyPublishers.ofString(part.body()));
      if (part.prefer() != null) {
        request.header("prefer", part.prefer());
      }
      exchange(request.build(), null, 0);
    }

    private void exchange(HttpRequest request, @Nullable String place, long until) {
      enter(
          () -> {
            var unused =
                http.sendAsync(request, HttpResponse.BodyHandlers.ofString())
                    .handle(
                        (response, failure) -> {
                          leave();
                          answered(response, failure, place, until);
                          return null;
                        });
          });
    }

    /**
     * What an answer means.
     *
     * @param place where it was asked for; null for the answer to the request itself
     * @param until when that place isn't asked any more
     */
    private void answered(
        @Nullable HttpResponse<String> response,
        @Nullable Throwable failure,
        @Nullable String place,
        long until) {
      note(response, failure, place != null);
      if (response == null) {
        last = String.valueOf(failure);
        count("connections lost");
        count("lost by " + reason(failure));
        otherGateway();
        again(place, until);
        return;
      }
      int status = response.statusCode();
      last = status + (place == null ? " " : " at its place ") + response.body();
      boolean ofService = is(response, "tideover-source", "service");
      if (ofService) {
        end(response, Kind.SUCCESS);
      } else if (status == 202) {
        String location = response.headers().firstValue("location").orElse(place);
        count("202");
        askLater(location, place == null ? System.nanoTime() + LATER_BOUND : until);
      } else if (status == 503 || status == 504) {
        count(Integer.toString(status));
        otherGateway();
        again(place, until);
      } else if (status == 404
          && place != null
          && is(response, "tideover-outcome", "not-accepted")) {
        count("never stored");
        resend();
      } else if (status == 422 && response.body().contains("\"retryable\":true")) {
        // Another body under the key is on its way: it isn't known yet which of them was first.
        count("422, not decided");
        resend();
      } else if (status == 422) {
        end(response, Kind.MISMATCH);
      } else if (status == 502 && is(response, "tideover-outcome", "dead")) {
        end(response, Kind.DEAD);
      } else {
        end(response, Kind.OTHER);
      }
    }

    private void note(
        @Nullable HttpResponse<String> response, @Nullable Throwable failure, boolean asked) {
      if (trail.length() > LONGEST_TRAIL) {
        return;
      }
      trail
          .append(", +")
          .append(System.currentTimeMillis() - firstSentAt)
          .append(" ms gateway")
          .append(gateway + 1)
          .append(asked ? " asked: " : ": ")
          .append(
              response == null
                  ? reason(failure)
                  : response.statusCode()
                      + " "
                      + response.headers().firstValue("tideover-outcome").orElse("-")
                      + (is(response, "idempotency-replayed", "true") ? " replayed" : ""));
    }

    private static String reason(@Nullable Throwable failure) {
      Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
      return cause == null ? "nothing" : cause.getClass().getSimpleName();
    }

    private void again(@Nullable String place, long until) {
      if (place == null) {
        resend();
      } else {
        askLater(place, until);
      }
    }

    private void otherGateway() {
      gateway = (gateway + 1) % gateways.size();
    }

    private void resend() {
      later(pause());
    }

    private long pause() {
      int most = Math.min(LONGEST_PAUSE_MILLIS, 150 << Math.min(tries, 5));
      return ThreadLocalRandom.current().nextInt(most / 2, most);
    }

    private void askLater(@Nullable String place, long until) {
      if (place == null || System.nanoTime() > until) {
        count("202 whose reply didn't come in time");
        otherGateway();
        resend();
      } else if (!timer.isShutdown()) {
        var unused =
            timer.schedule(
                () -> ask(place, until),
                ThreadLocalRandom.current().nextInt(50, 300),
                TimeUnit.MILLISECONDS);
      }
    }

    private void ask(String place, long until) {
      count("places asked");
      HttpRequest question =
          HttpRequest.newBuilder(gateways.get(gateway).resolve(place))
              .timeout(ANSWER_BOUND)
              .header("prefer", "wait=4")
              .build();
      exchange(question, place, until);
    }

    private void end(HttpResponse<String> response, Kind kind) {
      boolean replayed = is(response, "idempotency-replayed", "true");
      if (replayed) {
        count("replayed");
      }
      String fields =
          response.headers().firstValue("content-type").orElse("")
              + " "
              + response.headers().firstValue("once-call").orElse("");
      answers.add(
          new Answer(
              plan.key(),
              part.body(),
              System.currentTimeMillis(),
              kind,
              response.statusCode(),
              kind == Kind.SUCCESS ? fields : "",
              response.body(),
              trail.toString()));
      if (kind == Kind.SUCCESS) {
        content.add(this);
      }
      if (leads) {
        follow();
      }
      open.remove(this);
      synchronized (Clients.this) {
        Clients.this.notifyAll();
      }
    }

    private void follow() {
      if (plan.parts().stream().noneMatch(Plan.Part::follows)) {
        return;
      }
      for (Client other : open) {
        if (other.plan.key().equals(plan.key()) && other.part.follows()) {
          other.later(1 + other.part.delayMillis());
        }
      }
    }

    private static boolean is(HttpResponse<String> response, String field, String value) {
      return response.headers().firstValue(field).filter(value::equals).isPresent();
    }
  }
}
