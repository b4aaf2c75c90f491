package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How much waits for each service, how fast it is drained and how old it is. Looks each second.
 * Owns the thread that does so, an admin client, a small consumer and the {@link Attempts}.
 *
 * <p>All that it answers comes from what was seen last: it costs no I/O and no wait, and so is for
 * any thread, an event loop too. It is as exact as the services' commits, which come behind their
 * handlers: a request may be done and still counted.
 */
public final class Backlog implements AutoCloseable {

  /**
   * A request's place in its queue.
   *
   * @param position how many requests of its partition are in front of it and not known to be done
   * @param eta when those will be done; null while nothing is drained or it isn't known how fast
   */
  public record Queue(long position, @Nullable Duration eta) {}

  /**
   * All that waits for a service.
   *
   * @param waiting how many requests are not known to be done, those under way among them
   * @param oldest how long the oldest of them has waited; zero if there is none, null if unknown
   * @param perSecond how many are done in a second; 0 where none are, or it isn't known
   */
  public record Load(long waiting, @Nullable Duration oldest, double perSecond) {}

  private static final Logger LOG = LoggerFactory.getLogger(Backlog.class);

  private static final Duration LOOK_EVERY = Duration.ofSeconds(1);
  private static final long REACHABLE_NANOS = TimeUnit.SECONDS.toNanos(10);

  private static final long LEDGERS_NANOS = TimeUnit.SECONDS.toNanos(10);
  private static final long RETENTIONS_NANOS = TimeUnit.MINUTES.toNanos(1);

  /** Later than what a queue can last; keeps the arithmetic in range. */
  private static final double MAX_ETA_SECONDS = Duration.ofDays(365).toSeconds();

  private record Snapshot(long nanos, Map<String, ServiceBacklog.View> services) {}

  private final BacklogProbe probe;
  private final OldestRequests oldest;
  private final Attempts attempts;
  private final LongSupplier nanos;
  private final InstantSource time;
  private final CountDownLatch stopping = new CountDownLatch(1);
  private final Thread thread = new Thread(this::run, "tideover-backlog");

  private volatile Map<String, GatewayConfig.Service> services;
  private volatile Snapshot snapshot;
  private volatile long answeredAt;

  // For the thread:
  private final Map<String, ServiceBacklog> backlogs = new HashMap<>();
  private boolean away;
  private boolean cantRead;
  private long ledgersAt;
  private long retentionsAt;

  Backlog(
      GatewayConfig config,
      BacklogProbe probe,
      OldestRequests oldest,
      Attempts attempts,
      LongSupplier nanos,
      InstantSource time) {
    this.probe = probe;
    this.oldest = oldest;
    this.attempts = attempts;
    this.nanos = nanos;
    this.time = time;
    services = config.services();
    answeredAt = nanos.getAsLong();
    snapshot = new Snapshot(answeredAt, Map.of());
    ledgersAt = answeredAt - LEDGERS_NANOS;
    retentionsAt = answeredAt - RETENTIONS_NANOS;
  }

  /**
   * Starts looking; doesn't wait for the first look.
   *
   * @throws KafkaUnavailableException if Kafka's clients don't take their settings
   */
  public static Backlog start(GatewayConfig config) {
    Backlog backlog = create(config, System::nanoTime, InstantSource.system());
    backlog.thread.start();
    return backlog;
  }

  /** One whose thread isn't started: whoever calls {@link #runOnce} is it. */
  static Backlog create(GatewayConfig config, LongSupplier nanos, InstantSource time) {
    BacklogProbe probe = BacklogProbe.start(config);
    try {
      OldestRequests oldest = OldestRequests.start(config);
      try {
        return new Backlog(config, probe, oldest, Attempts.start(config), nanos, time);
      } catch (RuntimeException e) {
        oldest.close();
        throw e;
      }
    } catch (RuntimeException e) {
      probe.close();
      throw e;
    }
  }

  /**
   * Looks at the services of this configuration from the next look on. Doesn't wait, can't fail;
   * how Kafka is reached stays as it was at the start.
   */
  public void update(GatewayConfig config) {
    services = config.services();
  }

  /**
   * The place of the request at this offset; position 0 where none is in front of it, or it is done
   * itself. Being the first says nothing of when it is handled while nothing is. Null where nothing
   * is known, or hasn't been for 30 s.
   */
  public @Nullable Queue queue(String service, int partition, long offset) {
    ServiceBacklog.View view = fresh(service);
    if (view == null || partition < 0 || partition >= view.places().size()) {
      return null;
    }
    ServiceBacklog.Place place = view.places().get(partition);
    if (place == null) {
      return null;
    }
    if (offset < place.committed()) {
      return new Queue(0, Duration.ZERO);
    }
    long position = offset - place.committed();
    double seconds = position / place.perSecond();
    return new Queue(
        position,
        Double.isNaN(seconds)
            ? null
            : Duration.ofMillis(Math.round(1_000 * Math.min(seconds, MAX_ETA_SECONDS))));
  }

  /** Whether the request at this offset is known not to be done. */
  public boolean isWaiting(String service, int partition, long offset) {
    ServiceBacklog.View view = fresh(service);
    if (view == null || partition < 0 || partition >= view.places().size()) {
      return false;
    }
    ServiceBacklog.Place place = view.places().get(partition);
    return place != null && offset >= place.committed();
  }

  /** Whether the request at this offset is known to be done, or deleted. */
  public boolean isDone(String service, int partition, long offset) {
    ServiceBacklog.View view = fresh(service);
    if (view == null || partition < 0 || partition >= view.places().size()) {
      return false;
    }
    ServiceBacklog.Place place = view.places().get(partition);
    return place != null && offset < place.committed();
  }

  /** How often the request at this offset has failed, as far as is known; 0 if it hasn't. */
  public int attempts(String service, int partition, long offset) {
    GatewayConfig.Service known = services.get(service);
    return known == null ? 0 : attempts.of(known.ledgerTopic(), partition, offset);
  }

  /**
   * How long the service's oldest request that isn't done has waited; zero if there is none. Null
   * where nothing is known, or hasn't been for 30 s.
   */
  public @Nullable Duration age(String service) {
    ServiceBacklog.View view = fresh(service);
    if (view == null || !view.ageKnown()) {
      return null;
    }
    Instant since = view.oldest();
    Duration age = since == null ? Duration.ZERO : Duration.between(since, time.instant());
    return age.isNegative() ? Duration.ZERO : age;
  }

  /**
   * What waits for the service; null where a partition of it isn't known, or hasn't been for 30 s.
   */
  public @Nullable Load load(String service) {
    ServiceBacklog.View view = fresh(service);
    if (view == null || view.places().isEmpty()) {
      return null;
    }
    long waiting = 0;
    double perSecond = 0;
    for (ServiceBacklog.Place place : view.places()) {
      if (place == null) {
        return null;
      }
      waiting += Math.max(0, place.end() - place.committed());
      perSecond += Double.isNaN(place.perSecond()) ? 0 : place.perSecond();
    }
    return new Load(waiting, age(service), perSecond);
  }

  private ServiceBacklog.@Nullable View fresh(String service) {
    Snapshot seen = snapshot;
    return nanos.getAsLong() - seen.nanos() > ServiceBacklog.STALE_NANOS
        ? null
        : seen.services().get(service);
  }

  /**
   * Whether the service's backlog has reached {@code limits.backlog-age} of its retention: what is
   * taken now could be deleted before it is handled, so nothing should be.
   */
  public boolean isTooOld(String service) {
    ServiceBacklog.View view = snapshot.services().get(service);
    return view != null && view.tooOld();
  }

  /** Whether Kafka has answered within the last 10 s. */
  public boolean isReachable() {
    return nanos.getAsLong() - answeredAt < REACHABLE_NANOS;
  }

  private void run() {
    try {
      do {
        try {
          runOnce();
        } catch (WakeupException | InterruptException e) {
          throw e;
        } catch (RuntimeException e) {
          if (stopping.getCount() > 0) {
            LOG.error("BUG: a look at the backlog has failed; the next one comes in a second", e);
          }
        }
      } while (!stopping.await(LOOK_EVERY.toMillis(), TimeUnit.MILLISECONDS));
    } catch (WakeupException | InterruptException | InterruptedException e) {
      // Only close() does that.
    } finally {
      oldest.close();
    }
  }

  /** One look. Takes 10 s at most, if Kafka answers the first question and then nothing more. */
  void runOnce() {
    Collection<GatewayConfig.Service> wanted = List.copyOf(services.values());
    BacklogProbe.Answer answer = probe.positions(wanted, nanos.getAsLong());
    long now = nanos.getAsLong();
    if (!answer.byKafka()) {
      sayAway();
      return;
    }
    answeredAt = now;
    sayBack();
    backlogs.keySet().retainAll(wanted.stream().map(GatewayConfig.Service::name).toList());
    for (GatewayConfig.Service service : wanted) {
      ServiceBacklog backlog =
          backlogs.computeIfAbsent(service.name(), name -> new ServiceBacklog(service));
      backlog.update(service);
      String denied = answer.denied().get(service.name());
      if (denied == null) {
        backlog.observe(answer.positions(), now, time.instant());
      } else {
        backlog.denied(denied);
      }
    }
    lookNowAndThen(wanted, now);
    readTimestamps(now);
    publish(now);
  }

  private void lookNowAndThen(Collection<GatewayConfig.Service> wanted, long now) {
    if (now - retentionsAt >= RETENTIONS_NANOS) {
      retentionsAt = now;
      probe
          .retentions(wanted)
          .forEach(
              (name, millis) -> {
                ServiceBacklog backlog = backlogs.get(name);
                if (backlog != null) {
                  backlog.topicRetention(millis);
                }
              });
    }
    if (now - ledgersAt >= LEDGERS_NANOS) {
      ledgersAt = now;
      Map<String, Integer> ledgers = probe.ledgers(wanted);
      if (ledgers != null) {
        attempts.follow(ledgers);
      }
    }
  }

  private void readTimestamps(long now) {
    Map<TopicPartition, Long> due = new HashMap<>();
    Map<TopicPartition, ServiceBacklog> owners = new HashMap<>();
    for (ServiceBacklog backlog : backlogs.values()) {
      backlog
          .due(now)
          .forEach(
              (partition, offset) -> {
                due.put(partition, offset);
                owners.put(partition, backlog);
              });
    }
    if (due.isEmpty()) {
      return;
    }
    try {
      oldest
          .timestamps(due)
          .forEach(
              (partition, timestamp) -> {
                ServiceBacklog owner = owners.get(partition);
                Long offset = due.get(partition);
                if (owner != null && offset != null) {
                  owner.timestamp(partition.partition(), offset, timestamp, now);
                }
              });
      cantRead = false;
    } catch (WakeupException | InterruptException e) {
      throw e;
    } catch (KafkaException e) {
      if (!cantRead) {
        LOG.warn(
            "The oldest waiting requests can't be read: {}. Until they can, the age of the backlog"
                + " is what it was before; tried again each second",
            e.getMessage());
      }
      cantRead = true;
    }
  }

  private void publish(long now) {
    Map<String, ServiceBacklog.View> views = new HashMap<>();
    Instant instant = time.instant();
    backlogs.forEach((name, backlog) -> views.put(name, backlog.view(instant, now)));
    snapshot = new Snapshot(now, Map.copyOf(views));
  }

  private void sayAway() {
    if (!away && !isReachable() && stopping.getCount() > 0) {
      away = true;
      LOG.warn(
          "Kafka has not answered for 10 s. How long requests have to wait is not known any more;"
              + " asked again until it answers");
    }
  }

  private void sayBack() {
    if (away) {
      away = false;
      LOG.info("Kafka answers again; how long requests have to wait is known again");
    }
  }

  /** Stops looking; about 8 s at most. */
  @Override
  public void close() {
    stopping.countDown();
    oldest.wakeUp();
    // Its calls fail, so that nobody waits for them to the end of their time.
    probe.close();
    attempts.close();
    if (thread.getState() == Thread.State.NEW) {
      oldest.close();
      return;
    }
    try {
      thread.join(3_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
