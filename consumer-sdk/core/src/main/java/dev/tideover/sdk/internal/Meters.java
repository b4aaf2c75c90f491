package dev.tideover.sdk.internal;

import dev.tideover.sdk.HeadOfLine;
import dev.tideover.wire.ReplyOutcome;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counts and measures into the registry that the user gave; without one every call is a comparison
 * with null. {@link SdkMeter} has the list.
 *
 * <p>Any thread may count and measure. {@link #snapshot} and {@link #close} are the owner's; what
 * it says there is what gauges show, and they are read on whatever thread the registry likes.
 */
final class Meters implements AutoCloseable {

  /** What a run of a handler ended with; a tag in lower case. */
  enum Outcome {
    REPLY,
    RETRY,
    DEAD,
    HOLD,
    /** It threw, or returned null. */
    FAILED,
    TIMEOUT
  }

  /**
   * The state of the engine at one time; immutable.
   *
   * @param remembered ids of finished requests
   * @param eventsDropped since the start
   * @param partitions those that it holds
   */
  record Snapshot(
      int inFlight,
      int limit,
      int lanesWaiting,
      boolean held,
      long remembered,
      long eventsDropped,
      List<Partition> partitions) {

    static final Snapshot EMPTY = nothing(0);

    /** That of an engine without a partition. */
    static Snapshot nothing(long eventsDropped) {
      return new Snapshot(0, 0, 0, false, 0, eventsDropped, List.of());
    }

    /** Copies the list. */
    Snapshot {
      partitions = List.copyOf(partitions);
    }
  }

  /**
   * One of its partitions.
   *
   * @param windowFill 0 to about 1
   * @param head null if all have ended
   */
  record Partition(int partition, double windowFill, int unfinished, @Nullable HeadOfLine head) {}

  private static final Logger log = LoggerFactory.getLogger(Meters.class);

  /** The reasons of dead letters, as in their headers; whatever else comes is counted as OTHER. */
  private static final List<String> REASONS =
      List.of("failed", "rejected", "malformed", "reply-address", "crash-loop", "parked");

  private static final String OTHER = "other";

  private static final Duration[] HANDLER_BUCKETS =
      millis(1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000);

  private static final Duration[] QUEUE_BUCKETS =
      millis(5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 15_000, 60_000, 300_000, 3_600_000);

  private final @Nullable Instruments instruments;
  private final Occasionally maySayBroken = new Occasionally(Duration.ofMinutes(1));
  private volatile Snapshot latest = Snapshot.EMPTY;

  /**
   * Registers all but the gauges of partitions.
   *
   * @param registry null for no metering
   */
  Meters(@Nullable MeterRegistry registry, String service, String version) {
    this.instruments =
        registry == null
            ? null
            : new Instruments(registry, Tags.of("service", service, "version", version));
  }

  /** A handler has run. */
  void handled(Outcome outcome, long nanos) {
    if (instruments != null) {
      instruments.handler[outcome.ordinal()].record(Duration.ofNanos(nanos));
    }
  }

  /**
   * An attempt starts.
   *
   * @param failed how many before it have failed
   */
  void starts(int failed, Instant acceptedAt, InstantSource clock) {
    if (instruments == null) {
      return;
    }
    if (failed > 0) {
      instruments.retries.increment();
      return;
    }
    // Negative by the skew of two clocks.
    Duration waited = Duration.between(acceptedAt, clock.instant());
    instruments.queue.record(waited.isNegative() ? Duration.ZERO : waited);
  }

  /** Kafka has acknowledged a dead letter. */
  void deadLetter(String reason) {
    if (instruments != null) {
      Counter counter = instruments.dead.get(reason);
      (counter == null ? instruments.deadOfOther : counter).increment();
    }
  }

  /** A request was skipped, since its deadline had passed. */
  void expired() {
    if (instruments != null) {
      instruments.expired.increment();
    }
  }

  /** A request is answered as cancelled. */
  void cancelled() {
    if (instruments != null) {
      instruments.cancelled.increment();
    }
  }

  /** A request is answered as one that has finished before. */
  void repeated(ReplyOutcome outcome) {
    if (instruments != null) {
      (outcome == ReplyOutcome.DUPLICATE ? instruments.duplicates : instruments.mismatches)
          .increment();
    }
  }

  /** Ids of finished requests were forgotten before their time. */
  void forgotten(int ids) {
    if (instruments != null) {
      instruments.forgotten.increment(ids);
    }
  }

  /** Owner: how things stand, about once a second. Doesn't throw. */
  void snapshot(Snapshot snapshot) {
    latest = snapshot;
    if (instruments == null) {
      return;
    }
    try {
      instruments.update(snapshot);
    } catch (RuntimeException broken) {
      if (maySayBroken.now()) {
        log.warn(
            "The meter registry doesn't take the meters of the partitions; requests aren't affected"
                + " and the other meters go on",
            broken);
      }
    }
  }

  /** Any thread: the oldest unfinished request of each partition, by the latest snapshot. */
  List<HeadOfLine> headOfLine() {
    List<HeadOfLine> heads = new ArrayList<>();
    for (Partition partition : latest.partitions()) {
      if (partition.head() != null) {
        heads.add(partition.head());
      }
    }
    return heads;
  }

  /** Owner: takes the gauges out of the registry; what was counted stays in it. */
  @Override
  public void close() {
    latest = Snapshot.EMPTY;
    if (instruments != null) {
      instruments.close();
    }
  }

  private static Duration[] millis(long... millis) {
    return Arrays.stream(millis).mapToObj(Duration::ofMillis).toArray(Duration[]::new);
  }

  /** What there is in a registry. */
  private static final class Instruments {

    private final MeterRegistry registry;
    private final Tags common;
    private final Timer[] handler;
    private final Timer queue;
    private final Counter retries;
    private final Map<String, Counter> dead = new HashMap<>();
    private final Counter deadOfOther;
    private final Counter expired;
    private final Counter cancelled;
    private final Counter duplicates;
    private final Counter mismatches;
    private final Counter forgotten;
    private final List<Meter> ofConsumer = new ArrayList<>();

    /** Owner: those that are ours to remove. */
    private final Map<Integer, List<Meter>> ofPartitions = new HashMap<>();

    private volatile Snapshot shown = Snapshot.EMPTY;
    private volatile Map<Integer, Partition> shownPartitions = Map.of();

    Instruments(MeterRegistry registry, Tags common) {
      this.registry = registry;
      this.common = common;
      handler =
          Arrays.stream(Outcome.values())
              .map(each -> timer(SdkMeter.HANDLER, HANDLER_BUCKETS, "outcome", word(each)))
              .toArray(Timer[]::new);
      queue = timer(SdkMeter.QUEUE, QUEUE_BUCKETS);
      retries = counter(SdkMeter.RETRIES);
      REASONS.forEach(each -> dead.put(each, counter(SdkMeter.DEAD, "reason", each)));
      deadOfOther = counter(SdkMeter.DEAD, "reason", OTHER);
      expired = counter(SdkMeter.EXPIRED);
      cancelled = counter(SdkMeter.CANCELLED);
      duplicates = counter(SdkMeter.DUPLICATES);
      mismatches = counter(SdkMeter.MISMATCHES);
      forgotten = counter(SdkMeter.FORGOTTEN);
      eventsDropped();
      gauge(SdkMeter.IN_FLIGHT, common, each -> each.shown.inFlight(), ofConsumer);
      gauge(SdkMeter.LIMIT, common, each -> each.shown.limit(), ofConsumer);
      gauge(SdkMeter.LANES_WAITING, common, each -> each.shown.lanesWaiting(), ofConsumer);
      gauge(SdkMeter.REMEMBERED, common, each -> each.shown.remembered(), ofConsumer);
      gauge(SdkMeter.HELD, common, each -> each.shown.held() ? 1 : 0, ofConsumer);
    }

    private static String word(Enum<?> value) {
      return value.name().toLowerCase(Locale.ROOT);
    }

    private Timer timer(SdkMeter meter, Duration[] buckets, String... tags) {
      return Timer.builder(meter.meterName)
          .description(meter.description)
          .serviceLevelObjectives(buckets)
          .tags(common.and(tags))
          .register(registry);
    }

    private Counter counter(SdkMeter meter, String... tags) {
      return Counter.builder(meter.meterName)
          .description(meter.description)
          .baseUnit(meter.unit)
          .tags(common.and(tags))
          .register(registry);
    }

    private void eventsDropped() {
      SdkMeter meter = SdkMeter.EVENTS_DROPPED;
      if (registry.find(meter.meterName).tags(common).functionCounter() == null) {
        ofConsumer.add(
            FunctionCounter.builder(meter.meterName, this, each -> each.shown.eventsDropped())
                .description(meter.description)
                .baseUnit(meter.unit)
                .tags(common)
                .register(registry));
      }
    }

    /**
     * Leaves one alone that is there already: it is another consumer's, in the same JVM and of the
     * same service, and so not ours to remove.
     */
    private void gauge(
        SdkMeter meter, Tags tags, ToDoubleFunction<Instruments> value, List<Meter> ours) {
      if (registry.find(meter.meterName).tags(tags).gauge() != null) {
        return;
      }
      ours.add(
          Gauge.builder(meter.meterName, this, value)
              .description(meter.description)
              .baseUnit(meter.unit)
              .tags(tags)
              .register(registry));
    }

    void update(Snapshot snapshot) {
      Map<Integer, Partition> partitions = new HashMap<>();
      snapshot.partitions().forEach(each -> partitions.put(each.partition(), each));
      shown = snapshot;
      shownPartitions = Map.copyOf(partitions);
      for (Integer given : List.copyOf(ofPartitions.keySet())) {
        if (!partitions.containsKey(given)) {
          remove(ofPartitions.remove(given));
        }
      }
      for (Integer partition : partitions.keySet()) {
        // Not yet ours also while another consumer in this JVM, which had it, hasn't removed them.
        if (!ofPartitions.containsKey(partition)) {
          List<Meter> ours = gaugesOf(partition);
          if (!ours.isEmpty()) {
            ofPartitions.put(partition, ours);
          }
        }
      }
    }

    private List<Meter> gaugesOf(int partition) {
      Tags tags = common.and("partition", Integer.toString(partition));
      List<Meter> ours = new ArrayList<>();
      gauge(SdkMeter.WINDOW_FILL, tags, of(partition, Partition::windowFill), ours);
      gauge(SdkMeter.UNFINISHED, tags, of(partition, Partition::unfinished), ours);
      gauge(SdkMeter.HEAD_AGE, tags, of(partition, Instruments::headAge), ours);
      gauge(SdkMeter.HEAD_ATTEMPTS, tags, of(partition, Instruments::headAttempts), ours);
      return ours;
    }

    private static ToDoubleFunction<Instruments> of(int id, ToDoubleFunction<Partition> value) {
      return each -> {
        Partition partition = each.shownPartitions.get(id);
        return partition == null ? Double.NaN : value.applyAsDouble(partition);
      };
    }

    private static double headAge(Partition partition) {
      HeadOfLine head = partition.head();
      return head == null ? 0 : head.age().toMillis() / 1_000.0;
    }

    private static double headAttempts(Partition partition) {
      HeadOfLine head = partition.head();
      return head == null ? 0 : head.attempts();
    }

    private void remove(@Nullable Collection<Meter> meters) {
      if (meters != null) {
        meters.forEach(registry::remove);
      }
    }

    void close() {
      shown = Snapshot.EMPTY;
      shownPartitions = Map.of();
      ofPartitions.values().forEach(this::remove);
      ofPartitions.clear();
      remove(ofConsumer);
      ofConsumer.clear();
    }
  }
}
