package dev.tideover.wire;

import dev.tideover.wire.DesiredState.Release;
import dev.tideover.wire.InstanceReport.Counts;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Headers;
import org.jspecify.annotations.Nullable;

/**
 * Desired states and instance reports to and from records of {@code tideover.control}. Stateless;
 * safe for any thread.
 */
public final class ControlCodec {

  /** What a record of the topic says. */
  public sealed interface Entry {
    /** What operators want. */
    record Desired(DesiredState state) implements Entry {}

    /** What an instance says of itself. */
    record Report(InstanceReport report) implements Entry {}

    /** The instance with this key has ended in good order. */
    record Ended(String key) implements Entry {}
  }

  private static final List<String> DESIRED_NAMES =
      List.of(
          WireHeaders.VERSION,
          WireHeaders.EPOCH,
          WireHeaders.COMMAND,
          WireHeaders.BY,
          WireHeaders.SINCE,
          WireHeaders.ACTIVE_VERSION,
          WireHeaders.HELD,
          WireHeaders.RATE,
          WireHeaders.RELEASE,
          WireHeaders.RELEASE_FROM,
          WireHeaders.RELEASE_TO,
          WireHeaders.RELEASE_STEP,
          WireHeaders.RELEASE_BEGAN,
          WireHeaders.RELEASE_HELD_SINCE,
          WireHeaders.RELEASE_PREPARE,
          WireHeaders.RELEASE_MAX_HOLD,
          WireHeaders.RELEASE_VERIFY,
          WireHeaders.RELEASE_INSTANCES,
          WireHeaders.RELEASE_REASON);

  private static final List<String> REPORT_NAMES =
      List.of(
          WireHeaders.VERSION,
          WireHeaders.EPOCH,
          WireHeaders.INCARNATION,
          WireHeaders.STATE,
          WireHeaders.PARTITIONS,
          WireHeaders.HANDLED,
          WireHeaders.ERRORS,
          WireHeaders.DEAD,
          WireHeaders.PARKED,
          WireHeaders.RUNNING,
          WireHeaders.OLDEST);

  private static final byte[] EMPTY = new byte[0];

  /** The record of a desired state. */
  public static ProducerRecord<byte[], byte[]> encode(DesiredState state) {
    ProducerRecord<byte[], byte[]> record = record(state.service());
    Headers headers = record.headers();
    add(headers, WireHeaders.EPOCH, state.epoch());
    add(headers, WireHeaders.COMMAND, state.command());
    add(headers, WireHeaders.BY, state.by());
    add(headers, WireHeaders.SINCE, state.since());
    if (state.activeVersion() != null) {
      add(headers, WireHeaders.ACTIVE_VERSION, state.activeVersion());
    }
    add(headers, WireHeaders.HELD, Boolean.toString(state.held()));
    if (state.rate() > 0) {
      add(headers, WireHeaders.RATE, state.rate());
    }
    Release release = state.release();
    if (release != null) {
      add(headers, WireHeaders.RELEASE, release.id());
      add(headers, WireHeaders.RELEASE_FROM, release.from());
      add(headers, WireHeaders.RELEASE_TO, release.to());
      add(headers, WireHeaders.RELEASE_STEP, release.step().text());
      add(headers, WireHeaders.RELEASE_BEGAN, release.began());
      add(headers, WireHeaders.RELEASE_HELD_SINCE, release.heldSince());
      add(headers, WireHeaders.RELEASE_PREPARE, release.prepareMillis());
      add(headers, WireHeaders.RELEASE_MAX_HOLD, release.maxHoldMillis());
      add(headers, WireHeaders.RELEASE_VERIFY, release.verifyMillis());
      add(headers, WireHeaders.RELEASE_INSTANCES, release.instances());
      add(headers, WireHeaders.RELEASE_REASON, release.reason());
    }
    return record;
  }

  /** The record of a report. */
  public static ProducerRecord<byte[], byte[]> encode(InstanceReport report) {
    ProducerRecord<byte[], byte[]> record = record(report.key());
    Headers headers = record.headers();
    Counts counts = report.counts();
    add(headers, WireHeaders.EPOCH, report.epochSeen());
    add(headers, WireHeaders.INCARNATION, report.incarnation());
    add(headers, WireHeaders.STATE, report.state().text());
    add(headers, WireHeaders.PARTITIONS, report.partitions());
    add(headers, WireHeaders.HANDLED, counts.handled());
    add(headers, WireHeaders.ERRORS, counts.errors());
    add(headers, WireHeaders.DEAD, counts.dead());
    add(headers, WireHeaders.PARKED, counts.parked());
    add(headers, WireHeaders.RUNNING, counts.running());
    add(headers, WireHeaders.OLDEST, counts.oldestMillis());
    return record;
  }

  /** What an instance leaves behind that ends in good order. */
  public static ProducerRecord<byte[], byte[]> tombstone(InstanceReport last) {
    return new ProducerRecord<>(DesiredState.TOPIC, 0, Utf8.encode(last.key()), null);
  }

  /** With an empty value, since one that is missing would be a tombstone. */
  private static ProducerRecord<byte[], byte[]> record(String key) {
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(DesiredState.TOPIC, 0, Utf8.encode(key), EMPTY);
    record.headers().add(WireHeaders.VERSION, Utf8.encode(WireHeaders.VERSION_1));
    return record;
  }

  private static void add(Headers headers, String name, String value) {
    headers.add(name, Utf8.encode(value));
  }

  private static void add(Headers headers, String name, long value) {
    add(headers, name, Long.toString(value));
  }

  /**
   * Reads a record of the topic.
   *
   * @return null for a tombstone of a desired state, which nobody writes, and for a key that is
   *     neither of a state nor of a report
   * @throws WireFormatException if it is not of version 1, or says what can't be
   */
  public static @Nullable Entry decode(ConsumerRecord<byte[], byte[]> record)
      throws WireFormatException {
    String key = record.key() == null ? null : Utf8.decode(record.key());
    if (key == null || key.isEmpty()) {
      return null;
    }
    String[] parts = key.split("/", -1);
    if (parts.length == 1) {
      return record.value() == null
          ? null
          : new Entry.Desired(desired(key, HeaderBlock.read(record.headers(), DESIRED_NAMES)));
    }
    if (parts.length != 3) {
      return null;
    }
    return record.value() == null
        ? new Entry.Ended(key)
        : new Entry.Report(report(parts, HeaderBlock.read(record.headers(), REPORT_NAMES)));
  }

  private static DesiredState desired(String service, HeaderBlock headers)
      throws WireFormatException {
    return new DesiredState(
        service,
        required(headers, WireHeaders.EPOCH, 1),
        clean(headers.optional(WireHeaders.COMMAND)),
        clean(headers.optional(WireHeaders.BY)),
        headers.number(WireHeaders.SINCE, 0, Long.MAX_VALUE, 0),
        headers.optional(WireHeaders.ACTIVE_VERSION) == null
            ? null
            : version(headers, WireHeaders.ACTIVE_VERSION),
        held(headers),
        (int) headers.number(WireHeaders.RATE, 1, Integer.MAX_VALUE, 0),
        headers.optional(WireHeaders.RELEASE) == null ? null : release(headers));
  }

  private static boolean held(HeaderBlock headers) throws WireFormatException {
    String text = headers.required(WireHeaders.HELD);
    if (!text.equals("true") && !text.equals("false")) {
      throw WireFormatException.malformed(WireHeaders.HELD, "expected true or false");
    }
    return text.equals("true");
  }

  private static Release release(HeaderBlock headers) throws WireFormatException {
    DesiredState.Step step = DesiredState.Step.parse(headers.required(WireHeaders.RELEASE_STEP));
    if (step == null) {
      throw WireFormatException.malformed(WireHeaders.RELEASE_STEP, "not a known step");
    }
    return new Release(
        clean(headers.required(WireHeaders.RELEASE)),
        version(headers, WireHeaders.RELEASE_FROM),
        version(headers, WireHeaders.RELEASE_TO),
        step,
        required(headers, WireHeaders.RELEASE_BEGAN, 0),
        headers.number(WireHeaders.RELEASE_HELD_SINCE, 0, Long.MAX_VALUE, 0),
        required(headers, WireHeaders.RELEASE_PREPARE, 0),
        required(headers, WireHeaders.RELEASE_MAX_HOLD, 0),
        required(headers, WireHeaders.RELEASE_VERIFY, 0),
        (int) headers.number(WireHeaders.RELEASE_INSTANCES, 1, Integer.MAX_VALUE, 1),
        clean(headers.optional(WireHeaders.RELEASE_REASON)));
  }

  private static InstanceReport report(String[] key, HeaderBlock headers)
      throws WireFormatException {
    InstanceReport.State state = InstanceReport.State.parse(headers.required(WireHeaders.STATE));
    if (state == null) {
      throw WireFormatException.malformed(WireHeaders.STATE, "not a known state");
    }
    Counts counts =
        new Counts(
            headers.number(WireHeaders.HANDLED, 0, Long.MAX_VALUE, 0),
            headers.number(WireHeaders.ERRORS, 0, Long.MAX_VALUE, 0),
            headers.number(WireHeaders.DEAD, 0, Long.MAX_VALUE, 0),
            (int) headers.number(WireHeaders.PARKED, 0, Integer.MAX_VALUE, 0),
            (int) headers.number(WireHeaders.RUNNING, 0, Integer.MAX_VALUE, 0),
            headers.number(WireHeaders.OLDEST, 0, Long.MAX_VALUE, 0));
    return new InstanceReport(
        key[0],
        key[1],
        key[2],
        clean(headers.required(WireHeaders.INCARNATION)),
        state,
        headers.number(WireHeaders.EPOCH, 0, Long.MAX_VALUE, 0),
        (int) headers.number(WireHeaders.PARTITIONS, 0, Integer.MAX_VALUE, 0),
        counts);
  }

  private static long required(HeaderBlock headers, String name, long min)
      throws WireFormatException {
    headers.required(name);
    return headers.number(name, min, Long.MAX_VALUE, min);
  }

  private static String version(HeaderBlock headers, String name) throws WireFormatException {
    String version = headers.required(name);
    if (!DesiredState.isVersion(version)) {
      throw WireFormatException.malformed(name, "not the label of a version");
    }
    return version;
  }

  private static String clean(@Nullable String text) {
    return text == null ? "" : HeaderBlock.clean(text);
  }

  private ControlCodec() {}
}
