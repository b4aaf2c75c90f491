package dev.tideover.wire;

import java.time.Instant;
import java.util.Arrays;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;

/** Dead letters to Kafka records. Stateless; safe for any thread. */
public final class DeadLetterCodec {

  /** How much of an error's text a dead letter keeps, in bytes of UTF-8. */
  public static final int MAX_ERROR_BYTES = 2_048;

  /**
   * The dead letter for a request record: its key, headers and value untouched, readable or not,
   * and behind them what became of it.
   *
   * @param reason a word from a closed set, for machines
   * @param error for people; cut to {@link #MAX_ERROR_BYTES}
   */
  public static ProducerRecord<byte[], byte[]> encode(
      ConsumerRecord<byte[], byte[]> request,
      String deadTopic,
      String reason,
      String error,
      int attempts,
      Instant at,
      String by) {
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(deadTopic, null, request.key(), request.value());
    Headers headers = record.headers();
    for (Header header : request.headers()) {
      headers.add(header);
    }
    headers.add(WireHeaders.DEAD_REASON, Utf8.encode(reason));
    headers.add(WireHeaders.DEAD_ERROR, cut(Utf8.encode(error)));
    headers.add(WireHeaders.DEAD_ATTEMPTS, Utf8.encode(Integer.toString(attempts)));
    headers.add(WireHeaders.DEAD_AT, Utf8.encode(Long.toString(at.toEpochMilli())));
    headers.add(WireHeaders.DEAD_BY, Utf8.encode(by));
    headers.add(
        WireHeaders.DEAD_SOURCE,
        Utf8.encode(request.topic() + "/" + request.partition() + "/" + request.offset()));
    return record;
  }

  /** Cuts between characters, so that what is left is UTF-8 still. */
  private static byte[] cut(byte[] utf8) {
    if (utf8.length <= MAX_ERROR_BYTES) {
      return utf8;
    }
    int end = MAX_ERROR_BYTES;
    while ((utf8[end] & 0xC0) == 0x80) {
      end--;
    }
    return Arrays.copyOf(utf8, end);
  }

  private DeadLetterCodec() {}
}
