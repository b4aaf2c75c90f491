package dev.tideover.sdk.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.sdk.internal.core.LedgerEntry;
import dev.tideover.sdk.internal.core.LedgerEntry.Attempts;
import dev.tideover.sdk.internal.core.LedgerEntry.Begun;
import dev.tideover.sdk.internal.core.LedgerEntry.Cancelled;
import dev.tideover.sdk.internal.core.LedgerEntry.Parked;
import dev.tideover.sdk.internal.core.LedgerEntry.Start;
import dev.tideover.wire.Cancellation;
import dev.tideover.wire.LedgerKeys;
import dev.tideover.wire.WireHeaders;
import java.util.Arrays;
import java.util.Locale;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.jspecify.annotations.Nullable;

/**
 * Entries of the ledger as records: the key is the entry's, the rest stands in headers as text, the
 * value is empty. A missing value is a tombstone: the entry is forgotten. Stateless; any thread.
 */
final class LedgerCodec {

  private static final String CRASHES = "tideover-crashes";
  private static final String START = "tideover-start";
  private static final String TOPIC_ID = "tideover-topic-id";
  private static final String BLOCKER = "tideover-blocker";

  private static final byte[] EMPTY = new byte[0];

  static ProducerRecord<byte[], byte[]> encode(LedgerEntry entry, String topic, int partition) {
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(topic, partition, entry.key().getBytes(UTF_8), EMPTY);
    Headers headers = record.headers();
    add(headers, WireHeaders.VERSION, WireHeaders.VERSION_1);
    if (entry instanceof Attempts attempts) {
      add(headers, WireHeaders.ID, attempts.id());
      add(headers, WireHeaders.ATTEMPTS, Integer.toString(attempts.attempts()));
      add(headers, CRASHES, Integer.toString(attempts.crashes()));
      add(headers, START, attempts.start().name().toLowerCase(Locale.ROOT));
      add(headers, WireHeaders.BY, attempts.by());
    } else if (entry instanceof Parked parked) {
      add(headers, BLOCKER, parked.blockerId());
    } else if (entry instanceof Begun begun) {
      add(headers, TOPIC_ID, begun.topicId().toString());
    } else if (entry instanceof Cancelled cancelled) {
      add(headers, WireHeaders.ID, cancelled.id());
      add(headers, WireHeaders.CANCEL, partition + "/" + cancelled.offset());
    }
    return record;
  }

  /** What makes the ledger forget the entry with this key. */
  static ProducerRecord<byte[], byte[]> tombstone(String key, String topic, int partition) {
    return new ProducerRecord<>(topic, partition, key.getBytes(UTF_8), null);
  }

  /** The record's key, which is the entry's; null if there is none that is text. */
  static @Nullable String key(ConsumerRecord<byte[], byte[]> record) {
    return text(record.key());
  }

  /**
   * The entry in a record that is no tombstone; null if there is none that this version knows. A
   * record that can't be read is as good as none: what it said is only lost.
   */
  static @Nullable LedgerEntry decode(ConsumerRecord<byte[], byte[]> record) {
    Headers headers = record.headers();
    String key = key(record);
    if (key == null || !WireHeaders.VERSION_1.equals(find(headers, WireHeaders.VERSION))) {
      return null;
    }
    LedgerEntry entry;
    if (key.startsWith(LedgerKeys.REQUEST)) {
      entry = attempts(key, headers);
    } else if (key.startsWith(LedgerKeys.PARKED)) {
      String blocker = find(headers, BLOCKER);
      entry =
          blocker == null ? null : new Parked(key.substring(LedgerKeys.PARKED.length()), blocker);
    } else if (key.equals(LedgerKeys.BEGUN)) {
      Uuid topicId = topicId(find(headers, TOPIC_ID));
      entry = topicId == null ? null : new Begun(topicId);
    } else if (key.startsWith(LedgerKeys.CANCEL)) {
      Cancellation wish = Cancellation.decode(record);
      entry = wish == null ? null : new Cancelled(wish.offset(), wish.id().toString(), false);
    } else if (key.startsWith(LedgerKeys.CANCELLED)) {
      String id = find(headers, WireHeaders.ID);
      String place = find(headers, WireHeaders.CANCEL);
      long offset = number(key.substring(LedgerKeys.CANCELLED.length()), Long.MAX_VALUE);
      boolean right = (record.partition() + "/" + offset).equals(place);
      entry = id == null || offset < 0 || !right ? null : new Cancelled(offset, id, true);
    } else {
      return null;
    }
    return entry == null || !entry.key().equals(key) ? null : entry;
  }

  private static @Nullable LedgerEntry attempts(String key, Headers headers) {
    String id = find(headers, WireHeaders.ID);
    String by = find(headers, WireHeaders.BY);
    Start start = start(find(headers, START));
    long offset = number(key.substring(LedgerKeys.REQUEST.length()), Long.MAX_VALUE);
    long attempts = number(find(headers, WireHeaders.ATTEMPTS), Integer.MAX_VALUE);
    long crashes = number(find(headers, CRASHES), Integer.MAX_VALUE);
    if (id == null || by == null || start == null || offset < 0 || attempts < 0 || crashes < 0) {
      return null;
    }
    return new Attempts(offset, id, (int) attempts, (int) crashes, start, by);
  }

  private static @Nullable Start start(@Nullable String text) {
    for (Start start : Start.values()) {
      if (start.name().toLowerCase(Locale.ROOT).equals(text)) {
        return start;
      }
    }
    return null;
  }

  private static @Nullable Uuid topicId(@Nullable String text) {
    try {
      return text == null ? null : Uuid.fromString(text);
    } catch (IllegalArgumentException garbled) {
      return null;
    }
  }

  /** A number from zero to the greatest, written as Java writes it; -1 for anything else. */
  private static long number(@Nullable String text, long max) {
    try {
      long value = text == null ? -1 : Long.parseLong(text);
      return value >= 0 && value <= max && Long.toString(value).equals(text) ? value : -1;
    } catch (NumberFormatException garbled) {
      return -1;
    }
  }

  private static void add(Headers headers, String name, String value) {
    headers.add(name, value.getBytes(UTF_8));
  }

  /** The text of the only header with this name; null for none, or several, or no text. */
  static @Nullable String find(Headers headers, String name) {
    Header found = null;
    for (Header header : headers.headers(name)) {
      if (found != null) {
        return null;
      }
      found = header;
    }
    return found == null ? null : text(found.value());
  }

  private static @Nullable String text(byte @Nullable [] bytes) {
    if (bytes == null) {
      return null;
    }
    String text = new String(bytes, UTF_8);
    // What is no UTF-8 has been replaced by this character, which can also stand there by right.
    return text.indexOf('\uFFFD') >= 0 && !Arrays.equals(text.getBytes(UTF_8), bytes) ? null : text;
  }

  private LedgerCodec() {}
}
