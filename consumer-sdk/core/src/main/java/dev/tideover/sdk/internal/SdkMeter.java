package dev.tideover.sdk.internal;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Every meter of the SDK. Names, units and tags are what dashboards and alarms are built on: they
 * change with a major version only. All have the tags {@code service} and {@code version}; all tags
 * are from closed sets, since each value costs memory in the registry. {@code docs/sdk-metrics.md}
 * is held to this list by a test.
 */
enum SdkMeter {
  HANDLER(
      Kind.TIMER,
      "tideover.sdk.handler",
      "seconds",
      "What a handler took, by what it ended with",
      "outcome"),
  QUEUE(
      Kind.TIMER,
      "tideover.sdk.queue",
      "seconds",
      "From the acceptance by the gateway to the start of the first attempt; two clocks"),
  RETRIES(Kind.COUNTER, "tideover.sdk.retries", "", "Attempts after a failed one that counts"),
  DEAD(
      Kind.COUNTER,
      "tideover.sdk.dead",
      "requests",
      "Requests put into the dead-letter topic",
      "reason"),
  EXPIRED(
      Kind.COUNTER,
      "tideover.sdk.expired",
      "requests",
      "Requests skipped since their deadline had passed"),
  CANCELLED(
      Kind.COUNTER,
      "tideover.sdk.cancelled",
      "requests",
      "Requests that never began, since a client had cancelled them"),
  DUPLICATES(
      Kind.COUNTER,
      "tideover.sdk.duplicates",
      "requests",
      "Requests that had finished before and were sent again: answered so, and not handled"),
  MISMATCHES(
      Kind.COUNTER,
      "tideover.sdk.mismatches",
      "requests",
      "Requests refused since their idempotency key had been used for another one"),
  FORGOTTEN(
      Kind.COUNTER,
      "tideover.sdk.forgotten",
      "requests",
      "Finished requests forgotten within the idempotency window, for want of memory"),
  EVENTS_DROPPED(
      Kind.COUNTER,
      "tideover.sdk.events.dropped",
      "",
      "Events that a listener wasn't told of, since it was too far behind"),
  IN_FLIGHT(Kind.GAUGE, "tideover.sdk.in.flight", "requests", "Requests given to handlers now"),
  LIMIT(
      Kind.GAUGE,
      "tideover.sdk.limit",
      "requests",
      "How many handlers may run now: slow start, then adapted to their latency"),
  LANES_WAITING(
      Kind.GAUGE,
      "tideover.sdk.lanes.waiting",
      "",
      "Lanes whose first request could start, but for the limit or a hold"),
  REMEMBERED(
      Kind.GAUGE,
      "tideover.sdk.remembered",
      "requests",
      "Finished requests with an idempotency key that are remembered, about 40 bytes each"),
  HELD(
      Kind.GAUGE,
      "tideover.sdk.held",
      "",
      "1 while requests don't start, since what they need is away or somebody holds the service;"
          + " else 0"),
  WINDOW_FILL(
      Kind.PARTITION_GAUGE,
      "tideover.sdk.window.fill",
      "",
      "Use of the partition's window; at 1 its reading pauses, until 0.5",
      "partition"),
  UNFINISHED(
      Kind.PARTITION_GAUGE,
      "tideover.sdk.unfinished",
      "requests",
      "Requests of the partition that were received and haven't ended: the lag within the SDK",
      "partition"),
  HEAD_AGE(
      Kind.PARTITION_GAUGE,
      "tideover.sdk.head.age",
      "seconds",
      "Age of the oldest request of the partition that hasn't ended; 0 if there is none",
      "partition"),
  HEAD_ATTEMPTS(
      Kind.PARTITION_GAUGE,
      "tideover.sdk.head.attempts",
      "attempts",
      "Failed attempts of that request",
      "partition");

  /** What it is to Micrometer. */
  enum Kind {
    TIMER,
    COUNTER,
    GAUGE,
    /** One for each partition that the consumer holds. */
    PARTITION_GAUGE
  }

  final Kind kind;
  final String meterName;

  /** Null where the name says it, or it is a plain number. */
  final @Nullable String unit;

  final String description;

  /** Beside the common ones. */
  final List<String> tags;

  SdkMeter(Kind kind, String meterName, String unit, String description, String... tags) {
    this.kind = kind;
    this.meterName = meterName;
    this.unit = unit.isEmpty() ? null : unit;
    this.description = description;
    this.tags = List.of(tags);
  }
}
