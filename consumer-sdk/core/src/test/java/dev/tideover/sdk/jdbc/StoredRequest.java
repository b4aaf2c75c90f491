package dev.tideover.sdk.jdbc;

import dev.tideover.sdk.Request;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.RequestId;
import java.time.Instant;
import java.util.Optional;

/** A request as far as an inbox looks at it. */
record StoredRequest(String id, String fingerprint, int replay, boolean onTrial)
    implements Request {

  StoredRequest(String id, String fingerprint, int replay) {
    this(id, fingerprint, replay, false);
  }

  static StoredRequest random() {
    return new StoredRequest(
        RequestId.random().toString(), new Fingerprint(1, Long.MIN_VALUE).toString(), 0, false);
  }

  /** Another request under the same id. */
  StoredRequest other() {
    return new StoredRequest(id, new Fingerprint(2, 3).toString(), replay, onTrial);
  }

  /** The same, begun anew by an operator. */
  StoredRequest replayed(int number) {
    return new StoredRequest(id, fingerprint, number, onTrial);
  }

  /** The same, given to a version on trial. */
  StoredRequest tried() {
    return new StoredRequest(id, fingerprint, replay, true);
  }

  @Override
  public String method() {
    return "POST";
  }

  @Override
  public String path() {
    return "/orders";
  }

  @Override
  public Optional<String> query() {
    return Optional.empty();
  }

  @Override
  public HttpFields fields() {
    return HttpFields.EMPTY;
  }

  @Override
  public byte[] body() {
    return new byte[0];
  }

  @Override
  public Optional<String> orderingKey() {
    return Optional.empty();
  }

  @Override
  public int attempt() {
    return 1;
  }

  @Override
  public Instant acceptedAt() {
    return Instant.EPOCH;
  }

  @Override
  public Optional<Instant> deadline() {
    return Optional.empty();
  }

  @Override
  public String topic() {
    return "orders.requests";
  }

  @Override
  public int partition() {
    return 0;
  }

  @Override
  public long offset() {
    return 0;
  }
}
