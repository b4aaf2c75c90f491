package dev.tideover.wire;

import java.time.Instant;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Headers;
import org.jspecify.annotations.Nullable;

/** Requests to and from Kafka records. Stateless; safe for any thread. */
public final class RequestCodec {

  private static final List<String> NAMES =
      List.of(
          WireHeaders.VERSION,
          WireHeaders.ID,
          WireHeaders.REPLY_TO,
          WireHeaders.ACCEPTED_AT,
          WireHeaders.DEADLINE,
          WireHeaders.IDEMPOTENT,
          WireHeaders.REPLAY,
          WireHeaders.FINGERPRINT,
          WireHeaders.METHOD,
          WireHeaders.PATH,
          WireHeaders.SCHEME,
          WireHeaders.AUTHORITY);

  /** The year 5138: enough, and no arithmetic on it can overflow. */
  private static final long MAX_MILLIS = 100_000_000_000_000L;

  private static final byte[] ONE = Utf8.encode("1");

  /** The record for a request. The value is the envelope's own body, not a copy. */
  public static ProducerRecord<byte[], byte[]> encode(
      RequestEnvelope request, String topic, int partition) {
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(topic, partition, Utf8.encode(request.recordKey()), request.body());
    Headers headers = record.headers();
    headers.add(WireHeaders.VERSION, ONE);
    headers.add(WireHeaders.ID, Utf8.encode(request.id().toString()));
    headers.add(WireHeaders.REPLY_TO, Utf8.encode(request.replyTo().toString()));
    headers.add(WireHeaders.ACCEPTED_AT, millis(request.acceptedAt()));
    if (request.deadline() != null) {
      headers.add(WireHeaders.DEADLINE, millis(request.deadline()));
    }
    if (request.idempotent()) {
      headers.add(WireHeaders.IDEMPOTENT, ONE);
    }
    if (request.replay() > 0) {
      headers.add(WireHeaders.REPLAY, Utf8.encode(Integer.toString(request.replay())));
    }
    headers.add(WireHeaders.FINGERPRINT, Utf8.encode(request.fingerprint().toString()));
    headers.add(WireHeaders.METHOD, Utf8.encode(request.method()));
    headers.add(WireHeaders.PATH, Utf8.encode(request.path()));
    headers.add(WireHeaders.SCHEME, Utf8.encode(request.scheme()));
    headers.add(WireHeaders.AUTHORITY, Utf8.encode(request.authority()));
    request.fields().forEach((name, value) -> headers.add(name, Utf8.encode(value)));
    return record;
  }

  /**
   * Reads a request. The envelope's body is the record's value, not a copy.
   *
   * @throws WireFormatException if the record is no request of version 1
   */
  public static RequestEnvelope decode(ConsumerRecord<byte[], byte[]> record)
      throws WireFormatException {
    HeaderBlock headers = HeaderBlock.read(record.headers(), NAMES);
    RequestId id = headers.requestId();
    ReplyAddress replyTo = ReplyAddress.parse(headers.required(WireHeaders.REPLY_TO));
    if (replyTo == null) {
      throw WireFormatException.malformed(WireHeaders.REPLY_TO, "expected topic/partition");
    }
    headers.required(WireHeaders.ACCEPTED_AT);
    long acceptedAt = headers.number(WireHeaders.ACCEPTED_AT, 0, MAX_MILLIS, 0);
    long deadline = headers.number(WireHeaders.DEADLINE, 0, MAX_MILLIS, -1);
    boolean idempotent = headers.number(WireHeaders.IDEMPOTENT, 1, 1, 0) == 1;
    long replay = headers.number(WireHeaders.REPLAY, 1, Integer.MAX_VALUE, 0);
    byte[] body = record.value();
    if (body == null) {
      throw WireFormatException.malformed("value", "missing; an empty body is an empty value");
    }
    return new RequestEnvelope(
        id,
        replyTo,
        Instant.ofEpochMilli(acceptedAt),
        deadline < 0 ? null : Instant.ofEpochMilli(deadline),
        idempotent,
        (int) replay,
        headers.fingerprint(),
        orderingKey(record.key(), id),
        method(headers),
        path(headers),
        scheme(headers),
        authority(headers),
        headers.fields(),
        body);
  }

  private static @Nullable String orderingKey(byte @Nullable [] key, RequestId id)
      throws WireFormatException {
    String text = key == null ? null : Utf8.decode(key);
    if (text == null) {
      throw WireFormatException.malformed("key", key == null ? "missing" : "not UTF-8");
    }
    return text.equals(id.toString()) ? null : text;
  }

  private static String method(HeaderBlock headers) throws WireFormatException {
    String method = headers.required(WireHeaders.METHOD);
    if (!HttpFields.isToken(method)) {
      throw WireFormatException.malformed(WireHeaders.METHOD, "not a token");
    }
    return method;
  }

  private static String path(HeaderBlock headers) throws WireFormatException {
    String path = headers.required(WireHeaders.PATH);
    if (!path.startsWith("/") && !path.equals("*") || !isVisibleAscii(path)) {
      throw WireFormatException.malformed(
          WireHeaders.PATH, "expected a path in printable ASCII that begins with /");
    }
    return path;
  }

  private static String scheme(HeaderBlock headers) throws WireFormatException {
    String scheme = headers.required(WireHeaders.SCHEME);
    if (!scheme.equals("http") && !scheme.equals("https")) {
      throw WireFormatException.malformed(WireHeaders.SCHEME, "expected http or https");
    }
    return scheme;
  }

  private static String authority(HeaderBlock headers) throws WireFormatException {
    String authority = headers.required(WireHeaders.AUTHORITY);
    if (!isVisibleAscii(authority)) {
      throw WireFormatException.malformed(WireHeaders.AUTHORITY, "expected printable ASCII");
    }
    return authority;
  }

  private static boolean isVisibleAscii(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) <= ' ' || text.charAt(i) >= 0x7F) {
        return false;
      }
    }
    return true;
  }

  private static byte[] millis(Instant instant) {
    return Utf8.encode(Long.toString(instant.toEpochMilli()));
  }

  private RequestCodec() {}
}
