package dev.tideover.sdk;

import dev.tideover.sdk.internal.ClientProperties;
import dev.tideover.sdk.internal.Engine;
import dev.tideover.sdk.internal.Engines;
import dev.tideover.sdk.internal.Settings;
import io.micrometer.core.instrument.MeterRegistry;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Sets up a {@link TideoverConsumer}. Needed are {@link #bootstrapServers} and {@link #handler};
 * all else has a default. Each method throws {@link IllegalArgumentException} for a value that
 * can't work. Not safe for use by several threads at once.
 */
public final class ConsumerBuilder {

  private static final Pattern TOPIC_PART = Pattern.compile("[a-zA-Z0-9._-]{1,200}");
  private static final Pattern LABEL = Pattern.compile("[a-zA-Z0-9._~:+-]{1,100}");
  private static final Pattern INSTANCE = Pattern.compile("[a-zA-Z0-9._-]{1,48}");

  static {
    Engines.settingsBy(ConsumerBuilder::settings);
  }

  private final String service;
  private String version = "unversioned";
  private @Nullable String instance;
  private @Nullable String bootstrapServers;
  private final Map<String, String> properties = new HashMap<>();
  private @Nullable RequestHandler handler;
  private int concurrency = 64;
  private int attempts = 5;
  private Backoff backoff = Backoff.DEFAULT;
  private Duration startTimeout = Duration.ofSeconds(15);
  private Duration drainTimeout = Duration.ofSeconds(30);
  private Duration handlerTimeout = Duration.ofSeconds(30);
  private Ordering ordering = Ordering.KEY;
  private OnExhausted onExhausted = OnExhausted.CONTINUE;

  /** Not private, so that a test needn't wait for a minute. */
  Duration idempotencyWindow = Duration.ofHours(1);

  private Predicate<Throwable> infrastructureFault = failure -> false;
  private Set<String> replyTopics = Set.of();
  private @Nullable Inbox inbox;
  private @Nullable Executor executor;
  private @Nullable MeterRegistry meters;
  private @Nullable ConsumerListener listener;
  private boolean started;

  ConsumerBuilder(String service) {
    this.service = matching(TOPIC_PART, "service", service);
  }

  /**
   * The label of what runs here, for example {@code v2}: replies carry it. Default {@code
   * unversioned}.
   *
   * @param version 1 to 100 of {@code a-z A-Z 0-9 . _ ~ : + -}
   */
  public ConsumerBuilder version(String version) {
    this.version = matching(LABEL, "version", version);
    return this;
  }

  /**
   * A name that this instance keeps through restarts and shares with no other that runs at the same
   * time. With it, a process that is started in the place of a crashed one, or of the only one,
   * takes over its partitions at once. Default: a random one, whose partitions others take over a
   * second or two after a crash.
   *
   * @param instance 1 to 48 of {@code a-z A-Z 0-9 . _ -}
   */
  public ConsumerBuilder instance(String instance) {
    this.instance = matching(INSTANCE, "instance", instance);
    return this;
  }

  /** Kafka's addresses, {@code host:port} with commas between. Needed. */
  public ConsumerBuilder bootstrapServers(String bootstrapServers) {
    if (bootstrapServers.isBlank()) {
      throw new IllegalArgumentException("bootstrapServers is empty: expected host:port,...");
    }
    this.bootstrapServers = bootstrapServers;
    return this;
  }

  /**
   * A setting of Kafka's clients, for example {@code security.protocol}. It goes to the consumer,
   * the producer, or both, whoever knows it.
   *
   * @throws IllegalArgumentException for the settings that the engine's guarantees rest on; the
   *     message says which method to use instead, if there is one
   */
  public ConsumerBuilder property(String key, String value) {
    ClientProperties.checkAllowed(key);
    properties.put(key, value);
    return this;
  }

  /** What to do with a request. Needed. */
  public ConsumerBuilder handler(RequestHandler handler) {
    this.handler = handler;
    return this;
  }

  /** How many requests are handled at once, at most; 1 to 10,000, default 64. */
  public ConsumerBuilder concurrency(int concurrency) {
    this.concurrency = within("concurrency", concurrency, 10_000);
    return this;
  }

  /** How often a request is tried before it is a dead letter; 1 to 1,000, default 5. */
  public ConsumerBuilder attempts(int attempts) {
    this.attempts = within("attempts", attempts, 1_000);
    return this;
  }

  /** The pauses between attempts; default {@link Backoff#DEFAULT}. */
  public ConsumerBuilder backoff(Backoff backoff) {
    this.backoff = backoff;
    return this;
  }

  /**
   * How long {@link #start} waits for Kafka and for the service's topics; default 15 s, at most an
   * hour.
   */
  public ConsumerBuilder startTimeout(Duration startTimeout) {
    this.startTimeout = positive("startTimeout", startTimeout);
    return this;
  }

  /**
   * How long {@link TideoverConsumer#close} waits for running handlers; default 30 s, at most an
   * hour. What kills the process (an orchestrator's grace period) has to wait about 15 s longer.
   */
  public ConsumerBuilder drainTimeout(Duration drainTimeout) {
    this.drainTimeout = positive("drainTimeout", drainTimeout);
    return this;
  }

  /**
   * How long a handler may run; default 30 s, at most an hour. One that runs longer is interrupted,
   * which is a failed attempt if it then fails; what it returns counts. One that doesn't end within
   * another 5 s keeps its ordering key, and another thread takes the place of its own; with more
   * than {@link #concurrency} of them the consumer is {@link ConsumerState#FAILED}.
   */
  public ConsumerBuilder handlerTimeout(Duration handlerTimeout) {
    this.handlerTimeout = positive("handlerTimeout", handlerTimeout);
    return this;
  }

  /** Which requests are handled one at a time; default {@link Ordering#KEY}. */
  public ConsumerBuilder ordering(Ordering ordering) {
    this.ordering = ordering;
    return this;
  }

  /** What becomes of the requests behind a dead letter; default {@link OnExhausted#CONTINUE}. */
  public ConsumerBuilder onExhausted(OnExhausted onExhausted) {
    this.onExhausted = onExhausted;
    return this;
  }

  /**
   * How long after its end a request with an Idempotency-Key is known, so that it is answered as
   * before when its client sends it again, and its handler isn't called; 1 minute to 48 hours,
   * default an hour. An id takes 40 bytes of memory, at most a quarter of the heap in sum; beyond
   * that the oldest are forgotten, with a warning. All instances of a service should have the same
   * window. What it does and doesn't promise is in {@code docs/sdk.md}.
   */
  public ConsumerBuilder idempotencyWindow(Duration idempotencyWindow) {
    if (idempotencyWindow.compareTo(Duration.ofMinutes(1)) < 0
        || idempotencyWindow.compareTo(Duration.ofHours(48)) > 0) {
      throw new IllegalArgumentException(
          "idempotencyWindow " + idempotencyWindow + ": expected PT1M to PT48H");
    }
    this.idempotencyWindow = idempotencyWindow;
    return this;
  }

  /**
   * Which exceptions, of those that the engine doesn't know, mean that something the handler needs
   * is away, rather than that the request is at fault. Known are those of {@code java.net} and
   * {@code java.sql} that tell of a connection, of pools, and {@link LinkageError}. They use no
   * attempt; after five in a row the consumer holds, see {@link Outcome#hold}.
   *
   * @param infrastructureFault called with what the handler has thrown, on its thread
   */
  public ConsumerBuilder infrastructureFault(Predicate<Throwable> infrastructureFault) {
    this.infrastructureFault = infrastructureFault;
    return this;
  }

  /**
   * The only reply topics that may be answered. Where a reply goes stands in the request's record,
   * so whoever can write to the request topic can direct replies; with names given here, only to
   * these, and they have to be there at the start. Default: any topic but those that somebody reads
   * as requests or state ({@code *.requests}, {@code *.dead}, {@code *.ledger}, {@code
   * tideover.control}, Kafka's own). A request that names another one isn't handled but becomes a
   * dead letter.
   */
  public ConsumerBuilder replyTopics(String... topics) {
    Set<String> names = new LinkedHashSet<>();
    for (String topic : topics) {
      names.add(matching(TOPIC_PART, "reply topic", topic));
    }
    if (names.isEmpty()) {
      throw new IllegalArgumentException("replyTopics: at least one is needed");
    }
    this.replyTopics = Set.copyOf(names);
    return this;
  }

  /**
   * Where to remember which requests have been handled, so that effects which are committed with
   * that memory happen once; {@code docs/inbox.md} says how. Default none: effects are
   * at-least-once.
   */
  public ConsumerBuilder inbox(Inbox inbox) {
    this.inbox = inbox;
    return this;
  }

  /**
   * Where handlers run. Default: {@link #concurrency} threads of the engine's own, virtual ones
   * where the JVM has them without pinning (Java 24 and later).
   *
   * @param executor must run a task on another thread than the caller's; it stays the caller's own,
   *     {@link TideoverConsumer#close} doesn't shut it down
   */
  public ConsumerBuilder executor(Executor executor) {
    this.executor = executor;
    return this;
  }

  /** Where to measure; default nowhere. The meters are listed in {@code docs/sdk-metrics.md}. */
  public ConsumerBuilder meters(MeterRegistry registry) {
    this.meters = registry;
    return this;
  }

  /** Whom to tell what happens, on a thread of its own; default nobody. */
  public ConsumerBuilder listener(ConsumerListener listener) {
    this.listener = listener;
    return this;
  }

  /**
   * Connects to Kafka, checks that the service's topics are there, joins the group and returns.
   * Requests are handled from then on.
   *
   * <p>Where Kafka can't be reached, or a topic isn't there, within the start timeout, this fails:
   * a wrong address shows at once, and whatever supervises the process can try again. Kafka's
   * outages after the start are ridden out.
   *
   * @throws IllegalStateException if the builder lacks a handler or the address, was started
   *     already, or if Kafka or a topic isn't there; the message says what to do
   * @throws IllegalArgumentException if Kafka's clients refuse a {@link #property}
   */
  public TideoverConsumer start() {
    return Engine.start(settings());
  }

  private Settings settings() {
    if (started) {
      throw new IllegalStateException(
          "start() was called already: a builder starts one consumer. Build another for a second.");
    }
    RequestHandler chosenHandler = handler;
    if (chosenHandler == null) {
      throw new IllegalStateException(
          "no handler: call handler(request -> ...) before start(), it says what to do with a"
              + " request");
    }
    String servers = bootstrapServers;
    if (onExhausted == OnExhausted.PARK_KEY && ordering != Ordering.KEY) {
      throw new IllegalStateException(
          "onExhausted(PARK_KEY) parks an ordering key, so it needs ordering(KEY), not "
              + ordering);
    }
    if (servers == null) {
      throw new IllegalStateException(
          "no bootstrapServers: call bootstrapServers(\"host:port\") before start()");
    }
    started = true;
    String name = instance;
    return new Settings(
        service,
        version,
        name == null ? randomName() : name,
        name != null,
        servers,
        Map.copyOf(properties),
        chosenHandler,
        concurrency,
        attempts,
        backoff,
        startTimeout,
        drainTimeout,
        handlerTimeout,
        ordering,
        onExhausted,
        idempotencyWindow,
        infrastructureFault,
        List.copyOf(replyTopics),
        inbox,
        executor,
        meters,
        listener);
  }

  private static String randomName() {
    byte[] bytes = new byte[4];
    new SecureRandom().nextBytes(bytes);
    return HexFormat.of().formatHex(bytes);
  }

  private static String matching(Pattern pattern, String what, String value) {
    if (!pattern.matcher(value).matches()) {
      throw new IllegalArgumentException(
          what + " \"" + value + "\": expected to match " + pattern.pattern());
    }
    return value;
  }

  private static int within(String what, int value, int max) {
    if (value < 1 || value > max) {
      throw new IllegalArgumentException(what + " " + value + ": expected 1 to " + max);
    }
    return value;
  }

  private static Duration positive(String what, Duration value) {
    if (value.isNegative() || value.isZero() || value.compareTo(Duration.ofHours(1)) > 0) {
      throw new IllegalArgumentException(
          what + " " + value + ": expected more than 0, at most PT1H");
    }
    return value;
  }
}
