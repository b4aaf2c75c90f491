package dev.tideover.gateway.kafka;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Stands in front of one partition and refuses appends while Kafka doesn't acknowledge any there,
 * so that an outage is answered with a definite no within 2 s instead of an unknown outcome.
 *
 * <p>It is open once an append was made 2 s ago or more and nothing has been acknowledged since, or
 * since the last acknowledgement, whichever is later. While appends are outstanding they are the
 * probes, for the producer sends them again and again: none is added. With none outstanding, all
 * having failed, one append in 500 ms is let through. An acknowledgement closes it at once.
 *
 * <p>Safe for any thread, and made for the hot path: no lock and no allocation; a refusal while
 * appends are outstanding is one read. All times are those of {@link System#nanoTime()}, given by
 * the caller. Each append that {@link #admit} lets in must end in exactly one of {@link #refused},
 * {@link #acknowledged} and {@link #failed}.
 */
final class PartitionBreaker {

  static final Duration SILENCE = Duration.ofSeconds(2);
  static final Duration PROBE_INTERVAL = Duration.ofMillis(500);

  private static final long SILENCE_MILLIS = SILENCE.toMillis();
  private static final long PROBE_MILLIS = PROBE_INTERVAL.toMillis();
  private static final long MAX_RETRY_SECONDS = 30;
  private static final int COUNT_BITS = 24;
  private static final long MAX_COUNT = (1L << COUNT_BITS) - 1;

  private final String reason;
  private final long start;

  /**
   * How many appends are outstanding, in the low {@value #COUNT_BITS} bits, and above them since
   * when nothing has been acknowledged, in milliseconds; 0 where the last thing that happened was
   * an acknowledgement that left nothing outstanding. One word, so that both change at once.
   */
  private final AtomicLong state = new AtomicLong();

  /** When the last probe was let through with nothing outstanding. */
  private final AtomicLong probedAt = new AtomicLong(-PROBE_MILLIS);

  /** When it first refused or probed since it was last closed; 0 while it is closed. */
  private final AtomicLong openSince = new AtomicLong();

  /**
   * A closed one.
   *
   * @param partition as people should read it
   * @param start a time before all others it will be given
   */
  PartitionBreaker(String partition, long start) {
    this.reason =
        partition + " has acknowledged nothing for " + SILENCE.toSeconds() + " s or longer";
    this.start = start;
  }

  /** Asks for leave to append one record now; if it is given, the append counts as outstanding. */
  boolean admit(long now) {
    long time = millis(now);
    boolean mayProbe = false;
    while (true) {
      long seen = state.get();
      long count = count(seen);
      long since = since(seen);
      if (isOpen(since, time)) {
        if (openSince.get() == 0) {
          openSince.compareAndSet(0, time);
        }
        if (count > 0) {
          return false;
        }
        // The interval is taken first: then whoever fails to enter has only wasted it, whereas two
        // that entered on the same look at it would be one too many.
        if (!mayProbe && !takeInterval(time)) {
          return false;
        }
        mayProbe = true;
      } else if (count == MAX_COUNT) {
        return false;
      }
      if (state.compareAndSet(seen, word(since == 0 ? time : since, count + 1))) {
        return true;
      }
    }
  }

  private boolean takeInterval(long time) {
    long last = probedAt.get();
    return time - last >= PROBE_MILLIS && probedAt.compareAndSet(last, time);
  }

  /**
   * The append never entered the producer, which says nothing about the partition.
   *
   * @param admittedAt the time at which it was let in
   */
  void refused(long admittedAt) {
    long time = millis(admittedAt);
    long seen;
    long next;
    do {
      seen = state.get();
      long count = outstanding(seen) - 1;
      // The clock that this append started stops with it, if no other append made it go on.
      long since = count == 0 && since(seen) == time ? 0 : since(seen);
      next = word(since, count);
    } while (!state.compareAndSet(seen, next));
  }

  /** Kafka has the record. */
  void acknowledged(long now) {
    long time = millis(now);
    long seen;
    long next;
    do {
      seen = state.get();
      long count = outstanding(seen) - 1;
      next = word(count == 0 ? 0 : time, count);
    } while (!state.compareAndSet(seen, next));
    if (openSince.get() != 0) {
      openSince.set(0);
    }
  }

  /** The append ended without acknowledgement. No sign of life, so the clock goes on. */
  void failed() {
    long seen;
    do {
      seen = state.get();
    } while (!state.compareAndSet(seen, word(since(seen), outstanding(seen) - 1)));
  }

  /** Whether an append would be let in now. */
  boolean wouldAdmit(long now) {
    long time = millis(now);
    long seen = state.get();
    return !isOpen(since(seen), time) || count(seen) == 0 && time - probedAt.get() >= PROBE_MILLIS;
  }

  /**
   * Whether an append is outstanding that was let in longer ago than the limit. It need not be
   * remembered: what is outstanding was let in before the breaker opened, or as the last probe.
   */
  boolean isStuck(long now, Duration limit) {
    long seen = state.get();
    long lastEntry = Math.max(since(seen) + SILENCE_MILLIS, probedAt.get());
    return count(seen) > 0 && millis(now) - lastEntry > limit.toMillis();
  }

  /** When to come again: 1 s, doubling with the time that it is open, up to 30 s. */
  Duration retryAfter(long now) {
    long since = openSince.get();
    long seconds = since == 0 ? 0 : (millis(now) - since) / 1_000;
    return Duration.ofSeconds(
        Math.min(Math.max(Long.highestOneBit(seconds), 1), MAX_RETRY_SECONDS));
  }

  /** Why it refuses; for people. */
  String reason() {
    return reason;
  }

  private static boolean isOpen(long since, long time) {
    return since != 0 && time - since >= SILENCE_MILLIS;
  }

  /** Never 0, which means none; nor less for a time that another thread read a little earlier. */
  private long millis(long nanoTime) {
    return Math.max((nanoTime - start) / 1_000_000, 0) + 1;
  }

  private static long count(long word) {
    return word & MAX_COUNT;
  }

  private static long outstanding(long word) {
    if (count(word) == 0) {
      throw new IllegalStateException("an append ended twice, or was never let in");
    }
    return count(word);
  }

  private static long since(long word) {
    return word >>> COUNT_BITS;
  }

  private static long word(long since, long count) {
    return since << COUNT_BITS | count;
  }
}
