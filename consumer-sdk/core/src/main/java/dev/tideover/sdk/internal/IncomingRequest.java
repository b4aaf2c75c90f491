package dev.tideover.sdk.internal;

import dev.tideover.sdk.Request;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.RequestEnvelope;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/**
 * The handler's view of a request. Immutable.
 *
 * @param attempt which start of the handler it is for
 * @param replay see {@link Request#replay}
 */
record IncomingRequest(
    RequestEnvelope envelope, String topic, int partition, long offset, int attempt, int replay)
    implements Request {

  /** Put beside the others by who appends a dead letter's record to the request topic again. */
  static final String REPLAY = "tideover-replay";

  IncomingRequest(RequestEnvelope envelope, ConsumerRecord<byte[], byte[]> record, int attempt) {
    this(envelope, record.topic(), record.partition(), record.offset(), attempt, replayOf(record));
  }

  /** What can't be read counts as 0: the request is then what it was, and isn't begun anew. */
  private static int replayOf(ConsumerRecord<byte[], byte[]> record) {
    Header header = record.headers().lastHeader(REPLAY);
    if (header == null || header.value() == null || header.value().length > 9) {
      return 0;
    }
    String text = new String(header.value(), StandardCharsets.ISO_8859_1);
    return text.matches("[0-9]+") ? Integer.parseInt(text) : 0;
  }

  @Override
  public String id() {
    return envelope.id().toString();
  }

  @Override
  public String method() {
    return envelope.method();
  }

  @Override
  public String path() {
    int mark = envelope.path().indexOf('?');
    return mark < 0 ? envelope.path() : envelope.path().substring(0, mark);
  }

  @Override
  public Optional<String> query() {
    int mark = envelope.path().indexOf('?');
    return mark < 0 ? Optional.empty() : Optional.of(envelope.path().substring(mark + 1));
  }

  @Override
  public HttpFields fields() {
    return envelope.fields();
  }

  /** A copy, because a dead letter has to have the bytes as they came. */
  @Override
  public byte[] body() {
    return envelope.body().clone();
  }

  @Override
  public Optional<String> orderingKey() {
    return Optional.ofNullable(envelope.orderingKey());
  }

  @Override
  public Instant acceptedAt() {
    return envelope.acceptedAt();
  }

  @Override
  public Optional<Instant> deadline() {
    return Optional.ofNullable(envelope.deadline());
  }

  @Override
  public String fingerprint() {
    return envelope.fingerprint().toString();
  }

  /** Without anything that may be a secret. */
  @Override
  public String toString() {
    return "Request[" + envelope + ", attempt " + attempt + "]";
  }
}
