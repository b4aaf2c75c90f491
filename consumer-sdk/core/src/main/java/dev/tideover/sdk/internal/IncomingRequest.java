package dev.tideover.sdk.internal;

import dev.tideover.sdk.Request;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.RequestEnvelope;
import java.time.Instant;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * The handler's view of a request. Immutable.
 *
 * @param attempt which start of the handler it is for
 * @param onTrial whether this instance was tried out when that began
 */
record IncomingRequest(
    RequestEnvelope envelope,
    String topic,
    int partition,
    long offset,
    int attempt,
    boolean onTrial)
    implements Request {

  IncomingRequest(
      RequestEnvelope envelope,
      ConsumerRecord<byte[], byte[]> record,
      int attempt,
      boolean onTrial) {
    this(envelope, record.topic(), record.partition(), record.offset(), attempt, onTrial);
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

  @Override
  public int replay() {
    return envelope.replay();
  }

  /** Without anything that may be a secret. */
  @Override
  public String toString() {
    return "Request[" + envelope + ", attempt " + attempt + "]";
  }
}
