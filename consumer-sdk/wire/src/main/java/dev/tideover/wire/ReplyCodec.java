package dev.tideover.wire;

import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Headers;
import org.jspecify.annotations.Nullable;

/** Replies to and from Kafka records. Stateless; safe for any thread. */
public final class ReplyCodec {

  private static final List<String> NAMES =
      List.of(
          WireHeaders.VERSION,
          WireHeaders.ID,
          WireHeaders.FINGERPRINT,
          WireHeaders.OUTCOME,
          WireHeaders.BY,
          WireHeaders.ATTEMPTS,
          WireHeaders.ORIGINAL,
          WireHeaders.REPLAY,
          WireHeaders.ACCEPTED_AT,
          WireHeaders.TOOK,
          WireHeaders.STATUS);

  private static final byte[] ONE = Utf8.encode("1");

  /** The record for a reply. The value is the envelope's own body, not a copy. */
  public static ProducerRecord<byte[], byte[]> encode(ReplyEnvelope reply, ReplyAddress to) {
    byte[] id = Utf8.encode(reply.id().toString());
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(to.topic(), to.partition(), id, reply.body());
    Headers headers = record.headers();
    headers.add(WireHeaders.VERSION, ONE);
    headers.add(WireHeaders.ID, id);
    headers.add(WireHeaders.FINGERPRINT, Utf8.encode(reply.fingerprint().toString()));
    headers.add(WireHeaders.OUTCOME, Utf8.encode(reply.outcome().text()));
    headers.add(WireHeaders.BY, Utf8.encode(reply.by()));
    headers.add(WireHeaders.ATTEMPTS, Utf8.encode(Integer.toString(reply.attempts())));
    if (reply.original() != ReplyEnvelope.NONE) {
      headers.add(WireHeaders.ORIGINAL, Utf8.encode(Long.toString(reply.original())));
    }
    if (reply.replay() > 0) {
      headers.add(WireHeaders.REPLAY, Utf8.encode(Integer.toString(reply.replay())));
    }
    ReplyEnvelope.Timing timing = reply.timing();
    if (timing != null) {
      headers.add(WireHeaders.ACCEPTED_AT, Utf8.encode(Long.toString(timing.acceptedAt())));
      if (timing.took() != ReplyEnvelope.NONE) {
        headers.add(WireHeaders.TOOK, Utf8.encode(Long.toString(timing.took())));
      }
    }
    if (reply.status() != ReplyEnvelope.NONE) {
      headers.add(WireHeaders.STATUS, Utf8.encode(Integer.toString(reply.status())));
    }
    reply.fields().forEach((name, value) -> headers.add(name, Utf8.encode(value)));
    return record;
  }

  /**
   * The id that a record in a reply topic claims to answer, by its key; null where that is none.
   * With it a waiter can be told that its reply is there but can't be read.
   */
  public static @Nullable RequestId idOf(ConsumerRecord<byte[], byte[]> record) {
    byte[] key = record.key();
    String text = key == null || key.length != RequestId.TEXT_LENGTH ? null : Utf8.decode(key);
    return text == null ? null : RequestId.parse(text);
  }

  /**
   * Reads a reply. The envelope's body is the record's value, not a copy.
   *
   * @throws WireFormatException if the record is no reply of version 1
   */
  public static ReplyEnvelope decode(ConsumerRecord<byte[], byte[]> record)
      throws WireFormatException {
    HeaderBlock headers = HeaderBlock.read(record.headers(), NAMES);
    RequestId id = headers.requestId();
    if (!id.equals(idOf(record))) {
      throw WireFormatException.malformed("key", "not the same id as " + WireHeaders.ID);
    }
    ReplyOutcome outcome = ReplyOutcome.parse(headers.required(WireHeaders.OUTCOME));
    if (outcome == null) {
      throw WireFormatException.malformed(WireHeaders.OUTCOME, "not a known outcome");
    }
    String by = headers.optional(WireHeaders.BY);
    long attempts = headers.number(WireHeaders.ATTEMPTS, 0, Integer.MAX_VALUE, 0);
    long original = headers.number(WireHeaders.ORIGINAL, 0, Long.MAX_VALUE, ReplyEnvelope.NONE);
    long replay = headers.number(WireHeaders.REPLAY, 1, Integer.MAX_VALUE, 0);
    if (outcome == ReplyOutcome.COMPLETED) {
      headers.required(WireHeaders.STATUS);
    }
    long acceptedAt = headers.number(WireHeaders.ACCEPTED_AT, 0, Long.MAX_VALUE, -1);
    long took = headers.number(WireHeaders.TOOK, 0, Long.MAX_VALUE, ReplyEnvelope.NONE);
    long status = headers.number(WireHeaders.STATUS, 200, 599, ReplyEnvelope.NONE);
    byte[] body = record.value();
    return new ReplyEnvelope(
        id,
        headers.fingerprint(),
        outcome,
        by == null ? "" : HeaderBlock.clean(by),
        (int) attempts,
        original,
        (int) replay,
        (int) status,
        headers.fields(),
        body == null ? new byte[0] : body,
        acceptedAt < 0 ? null : new ReplyEnvelope.Timing(acceptedAt, took));
  }

  private ReplyCodec() {}
}
