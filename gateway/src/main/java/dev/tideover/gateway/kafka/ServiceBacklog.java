package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is known of one service's queue, made of what the {@link BacklogProbe} sees each second. The
 * time is given with each call. For one thread, that of the {@link Backlog}, its owner.
 */
final class ServiceBacklog {

  /**
   * What others may know of it; immutable.
   *
   * @param places by partition; null where nothing is known
   * @param oldest when the oldest request that waits was written; null if none waits or it is not
   *     known
   * @param ageKnown whether it is known how long requests wait, also where none does
   */
  record View(
      List<@Nullable Place> places, @Nullable Instant oldest, boolean ageKnown, boolean tooOld) {}

  /**
   * Where a partition stands.
   *
   * @param committed the first offset that is not done
   * @param end the offset that the next request will have
   * @param perSecond drained; NaN where nothing is or it isn't known
   */
  record Place(long committed, long end, double perSecond) {}

  private static final Logger LOG = LoggerFactory.getLogger(ServiceBacklog.class);
  private static final long READ_AGAIN_NANOS = TimeUnit.SECONDS.toNanos(5);

  /** Where a partition stood longer ago is not told any more. */
  static final long STALE_NANOS = TimeUnit.SECONDS.toNanos(30);

  /** What is known of a partition. */
  private static final class Partition {

    private final DrainRate rate = new DrainRate();

    /** Where the log began at the first look: counts while the group has committed nothing. */
    private long base = -1;

    /** Requests below it have been reported as deleted, where they were. */
    private long reportedTo;

    private long next;
    private long end;
    private long seenAt;

    /** The offset whose record was read last, and when; -1 for none. */
    private long readOffset = -1;

    private long readAt;

    /** Epoch milliseconds: no request that waits was written before; -1 while that isn't known. */
    private long oldest = -1;

    /** The number of requests that were deleted unhandled since the last look. */
    long observe(BacklogProbe.Position position, long nanos, Instant now) {
      if (base < 0) {
        base = position.begin();
        reportedTo = base > position.committed() && position.committed() >= 0 ? 0 : base;
      }
      long committed = position.committed() >= 0 ? position.committed() : base;
      long lostFrom = Math.max(committed, reportedTo);
      long lost = Math.max(0, position.begin() - lostFrom);
      reportedTo = Math.max(reportedTo, position.begin());
      next = Math.max(committed, position.begin());
      end = position.end();
      seenAt = nanos;
      rate.observe(nanos, next, end);
      if (!waits()) {
        oldest = now.toEpochMilli();
      }
      return lost;
    }

    boolean waits() {
      return base >= 0 && next < end;
    }

    boolean isDue(long nanos) {
      return waits()
          && readOffset != next
          && (readOffset < 0 || nanos - readAt >= READ_AGAIN_NANOS);
    }
  }

  private final String name;
  private final AgeAlarm alarm;
  private final List<Partition> partitions = new ArrayList<>();
  private GatewayConfig.Service service;
  private @Nullable Long topicRetention;
  private boolean saidRetention;
  private boolean denied;

  ServiceBacklog(GatewayConfig.Service service) {
    this.service = service;
    name = service.name();
    alarm = new AgeAlarm(name);
  }

  /** Takes the service as the configuration has it now, under the same name. */
  void update(GatewayConfig.Service service) {
    if (!service.topic().retention().equals(this.service.topic().retention())) {
      saidRetention = false;
    }
    this.service = service;
    while (partitions.size() < service.topic().partitions()) {
      partitions.add(new Partition());
    }
  }

  /** Takes what was seen; of a partition that is not in it, what was known stays. */
  void observe(Map<TopicPartition, BacklogProbe.Position> positions, long nanos, Instant now) {
    denied = false;
    long lost = 0;
    StringBuilder where = new StringBuilder();
    for (int i = 0; i < partitions.size(); i++) {
      BacklogProbe.Position position = positions.get(partition(i));
      if (position != null) {
        Partition partition = partitions.get(i);
        long before = partition.observe(position, nanos, now);
        if (before > 0) {
          lost += before;
          where
              .append(where.length() == 0 ? "" : ", ")
              .append(i)
              .append(": ")
              .append(position.begin() - before)
              .append(" to ")
              .append(position.begin() - 1);
        }
      }
    }
    if (lost > 0) {
      LOG.error(
          "Service {}: {} requests were deleted unhandled (partition: offsets {} of {}): Kafka's"
              + " retention, or somebody, has removed them before an instance of the service took"
              + " them. They are lost, and who waits for them gets no answer; those behind them are"
              + " handled. Check retention.ms and retention.bytes of the topic, and why the service"
              + " was away (docs/backlog.md)",
          name,
          lost,
          where,
          service.requestTopic());
    }
  }

  /** Kafka refuses to tell: then nothing is known, and nothing is refused for it. */
  void denied(String reason) {
    if (!denied) {
      LOG.warn(
          "Service {}: where its queue stands may not be seen: {}. Its requests are taken as before,"
              + " but clients aren't told how long they may have to wait, and nobody is warned before"
              + " a backlog outlives its retention. Allow this gateway to describe the group {} and"
              + " the topic {}",
          name,
          reason,
          name,
          service.requestTopic());
    }
    denied = true;
    partitions.replaceAll(partition -> new Partition());
    alarm.clear();
  }

  /** The offsets whose records should be read for their timestamps now. */
  Map<TopicPartition, Long> due(long nanos) {
    Map<TopicPartition, Long> due = new HashMap<>();
    for (int i = 0; i < partitions.size(); i++) {
      Partition partition = partitions.get(i);
      if (partition.isDue(nanos)) {
        due.put(partition(i), partition.next);
      }
    }
    return due;
  }

  /** Takes a timestamp that {@link #due} asked for. */
  void timestamp(int partition, long offset, long timestamp, long nanos) {
    Partition read = partitions.get(partition);
    read.readOffset = offset;
    read.readAt = nanos;
    read.oldest = timestamp;
  }

  /**
   * Takes the retention that the topic really has.
   *
   * @param millis -1 if it has none
   */
  void topicRetention(long millis) {
    topicRetention = millis;
    Duration configured = service.topic().retention();
    if (!saidRetention && millis >= 0 && millis < configured.toMillis()) {
      saidRetention = true;
      LOG.warn(
          "services.{}.topic.retention says {}, but the topic {} keeps requests for {} only"
              + " (retention.ms); the age of the backlog is held against that",
          name,
          AgeAlarm.text(configured),
          service.requestTopic(),
          AgeAlarm.text(Duration.ofMillis(millis)));
    }
  }

  private Duration retention() {
    Duration configured = service.topic().retention();
    return topicRetention == null || topicRetention <= 0 || topicRetention > configured.toMillis()
        ? configured
        : Duration.ofMillis(topicRetention);
  }

  /** Holds the age against the retention, and gives what is known now. */
  View view(Instant now, long nanos) {
    List<@Nullable Place> places = new ArrayList<>();
    long oldest = Long.MAX_VALUE;
    boolean waits = false;
    boolean known = false;
    for (Partition partition : partitions) {
      boolean seen = partition.base >= 0;
      places.add(
          seen && nanos - partition.seenAt <= STALE_NANOS
              ? new Place(partition.next, partition.end, partition.rate.perSecond())
              : null);
      known |= seen;
      waits |= partition.waits();
      if (partition.waits() && partition.oldest >= 0) {
        oldest = Math.min(oldest, partition.oldest);
      }
    }
    Instant since = oldest == Long.MAX_VALUE ? null : Instant.ofEpochMilli(oldest);
    if (since != null || known && !waits) {
      alarm.observe(since, retention(), service.limits().backlogAgePercent(), now);
    }
    return new View(
        Collections.unmodifiableList(places),
        since,
        since != null || known && !waits,
        alarm.isTooOld());
  }

  private TopicPartition partition(int number) {
    return new TopicPartition(service.requestTopic(), number);
  }
}
