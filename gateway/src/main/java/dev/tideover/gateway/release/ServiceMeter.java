package dev.tideover.gateway.release;

import dev.tideover.gateway.kafka.ReplyObserver;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.ReplyEnvelope;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Measures the replies of all services. Memory is bounded, whatever replies say of who wrote them:
 * the {@value #SERVICES} services that were heard last, of each a slot for each second of the last
 * minute and what its last release gathered, and in each of those at most 8 versions. That is about
 * 50 KiB of a service with one version whose times lie within a factor of ten. Safe for any thread;
 * a reply costs the feed's well under a microsecond and no memory.
 */
public final class ServiceMeter implements ReplyObserver {

  /** What of a release something belongs to. */
  public enum Phase {
    /** The minute before it. */
    BEFORE,
    /** From its beginning until the new version has caught up. */
    DURING,
    /** Since then. */
    AFTER
  }

  static final int SERVICES = 64;

  /** How far back {@link #last} goes. */
  public static final int SECONDS = 60;

  /** One more than are asked for, since the last one isn't full. */
  private static final int SLOTS = SECONDS + 1;

  private static final int MAX_KNOWN = 1_024;
  private static final Pattern SERVICE = Pattern.compile("[a-zA-Z0-9._-]{1,200}");

  private final LongSupplier nanos;
  private final LongSupplier epochMillis;

  // All below is guarded by this.
  private final Map<String, Service> services = new HashMap<>();

  /** What {@code tideover-by} says, so that it is taken apart once; empty for nobody. */
  private final Map<String, Writer> writers = new HashMap<>();

  private record Writer(@Nullable Service service, String version) {}

  private static final Writer NOBODY = new Writer(null, "");

  private static final class Service {
    final Tally[] slots = new Tally[SLOTS];
    final long[] seconds = new long[SLOTS];
    long heard;
    @Nullable Gathering gathering;

    Service() {
      java.util.Arrays.fill(seconds, Long.MIN_VALUE);
    }

    Tally slot(long second) {
      int place = (int) Math.floorMod(second, (long) SLOTS);
      Tally slot = slots[place];
      if (slot == null) {
        slot = new Tally();
        slots[place] = slot;
      } else if (seconds[place] != second) {
        slot.clear();
      }
      seconds[place] = second;
      return slot;
    }

    Tally last(long second, int many) {
      Tally sum = new Tally();
      for (int i = 0; i < SLOTS; i++) {
        if (slots[i] != null && second - seconds[i] >= 0 && second - seconds[i] < many) {
          sum.add(slots[i]);
        }
      }
      return sum;
    }
  }

  /** What belongs to a release. */
  private static final class Gathering {
    final String release;
    final Tally before;
    final Tally during = new Tally();
    final Tally after = new Tally();
    Phase phase = Phase.DURING;
    boolean ended;
    long held;

    /** The version that answered first in it; null before any has. */
    @Nullable String initial;

    /** By version: who was accepted before that was held until it took over. */
    final Map<String, Long> tookOver = new HashMap<>();

    Gathering(String release, Tally before) {
      this.release = release;
      this.before = before;
    }

    void count(ReplyEnvelope reply, String version, boolean again, long latency, long now) {
      if (ended) {
        return;
      }
      (phase == Phase.DURING ? during : after).count(reply, version, again, latency);
      if (initial == null) {
        initial = version;
      }
      // One version works at a time. The initial one takes over when another has come between.
      Long since = tookOver.get(version);
      boolean takesOver = !version.equals(initial) || !tookOver.isEmpty();
      if (since == null && takesOver && tookOver.size() < Tally.VERSIONS) {
        since = now;
        tookOver.put(version, since);
      }
      if (since != null && !again && latency >= 0 && now - latency < since) {
        held++;
      }
    }

    Tally of(Phase wanted) {
      return switch (wanted) {
        case BEFORE -> before;
        case DURING -> during;
        case AFTER -> after;
      };
    }
  }

  /** One that has seen nothing. */
  public ServiceMeter() {
    this(System::nanoTime, System::currentTimeMillis);
  }

  /**
   * @param nanos a clock that only goes forward
   * @param epochMillis the one that requests are stamped by
   */
  ServiceMeter(LongSupplier nanos, LongSupplier epochMillis) {
    this.nanos = nanos;
    this.epochMillis = epochMillis;
  }

  @Override
  public synchronized void onReply(ReplyEnvelope reply, boolean repeated) {
    Writer writer = writers.get(reply.by());
    if (writer == null) {
      writer = meet(reply.by());
    }
    Service service = writer.service();
    if (service == null) {
      return;
    }
    long now = epochMillis.getAsLong();
    service.heard = nanos.getAsLong();
    long latency = latency(reply, now);
    service.slot(second(service.heard)).count(reply, writer.version(), repeated, latency);
    if (service.gathering != null) {
      service.gathering.count(reply, writer.version(), repeated, latency, now);
    }
  }

  /** Negative where it means nothing: who asked for a replayed request has long gone. */
  private static long latency(ReplyEnvelope reply, long now) {
    ReplyEnvelope.Timing timing = reply.timing();
    return timing == null || timing.acceptedAt() <= 0 || reply.replay() > 0
        ? -1
        : Math.max(0, now - timing.acceptedAt());
  }

  private Writer meet(String by) {
    String[] parts = by.split("/", 3);
    boolean ours =
        parts.length == 3
            && SERVICE.matcher(parts[0]).matches()
            && DesiredState.isVersion(parts[1]);
    Service service = ours ? service(parts[0]) : null;
    Writer writer = service == null ? NOBODY : new Writer(service, parts[1]);
    // Instances come and go; which of them are still there is not worth knowing.
    if (writers.size() >= MAX_KNOWN) {
      writers.clear();
    }
    if (by.length() <= 500) {
      writers.put(by, writer);
    }
    return writer;
  }

  /** Null if there are too many of which a release is under way. */
  private @Nullable Service service(String name) {
    Service service = services.get(name);
    if (service == null) {
      if (services.size() >= SERVICES && !forgetOne()) {
        return null;
      }
      service = new Service();
      service.heard = nanos.getAsLong();
      services.put(name, service);
    }
    return service;
  }

  private boolean forgetOne() {
    long now = nanos.getAsLong();
    String longestSilent =
        services.entrySet().stream()
            .filter(entry -> !isGathering(entry.getValue()))
            .max(Comparator.comparingLong(entry -> now - entry.getValue().heard))
            .map(Map.Entry::getKey)
            .orElse(null);
    if (longestSilent == null) {
      return false;
    }
    services.remove(longestSilent);
    writers.clear();
    return true;
  }

  private static boolean isGathering(Service service) {
    return service.gathering != null && !service.gathering.ended;
  }

  private static long second(long nanos) {
    return Math.floorDiv(nanos, TimeUnit.SECONDS.toNanos(1));
  }

  /**
   * What came within the last so many seconds.
   *
   * @param seconds at most {@link #SECONDS}; the present one, which isn't over, counts as one
   */
  public synchronized Measures last(String service, int seconds) {
    Service its = services.get(service);
    return its == null ? Measures.NONE : its.last(second(nanos.getAsLong()), seconds).measures();
  }

  /**
   * A release has begun: what came in the last minute is kept as before, what comes is during. The
   * release before it is forgotten. Does nothing if this one has begun already.
   */
  public synchronized void begin(String service, String release) {
    Service its = service(service);
    if (its != null && (its.gathering == null || !its.gathering.release.equals(release))) {
      its.gathering = new Gathering(release, its.last(second(nanos.getAsLong()), SLOTS));
    }
  }

  /** From now on it is after. */
  public synchronized void after(String service, String release) {
    Gathering gathering = gathering(service, release);
    if (gathering != null) {
      gathering.phase = Phase.AFTER;
    }
  }

  /** The release has ended: nothing more belongs to it. The last one of each service is kept. */
  public synchronized void end(String service, String release) {
    Gathering gathering = gathering(service, release);
    if (gathering != null) {
      gathering.ended = true;
    }
  }

  /** What belongs to a phase; {@link Measures#NONE} where this gateway wasn't there. */
  public synchronized Measures of(String service, String release, Phase phase) {
    Gathering gathering = gathering(service, release);
    return gathering == null ? Measures.NONE : gathering.of(phase).measures();
  }

  /** Whether there is anything of this release: only what belongs to a service's last is kept. */
  public synchronized boolean keeps(String service, String release) {
    return gathering(service, release) != null;
  }

  /**
   * How many requests were held for a version to take over: it answered them, and they had been
   * accepted before its first reply in this release. Of the version that had answered before the
   * release only where it took over again, after another one.
   */
  public synchronized long held(String service, String release) {
    Gathering gathering = gathering(service, release);
    return gathering == null ? 0 : gathering.held;
  }

  private @Nullable Gathering gathering(String service, String release) {
    Service its = services.get(service);
    Gathering gathering = its == null ? null : its.gathering;
    return gathering != null && Objects.equals(gathering.release, release) ? gathering : null;
  }
}
