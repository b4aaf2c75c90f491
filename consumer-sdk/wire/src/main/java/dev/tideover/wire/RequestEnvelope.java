package dev.tideover.wire;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * A request as it stands in {@code <service>.requests}. Immutable, if nobody writes to the body.
 *
 * @param id the request's name
 * @param replyTo where its reply goes
 * @param acceptedAt when the gateway took it in, by the gateway's clock; milliseconds
 * @param deadline after it nobody wants the answer; null for none; milliseconds
 * @param idempotent whether the client gave an Idempotency-Key
 * @param replay how often an operator has appended it again after it had failed; 0 for one that
 *     comes from a gateway
 * @param fingerprint what it asked for
 * @param orderingKey requests of one route with equal keys are handled one by one; null for none
 * @param method the HTTP method, a token, as the client wrote it
 * @param path the canonical path with its query; begins with {@code /}, or is {@code *}
 * @param scheme {@code http} or {@code https}
 * @param authority what the client addressed: host and port
 * @param fields the end-to-end header fields
 * @param body the content, byte for byte; empty for none
 */
public record RequestEnvelope(
    RequestId id,
    ReplyAddress replyTo,
    Instant acceptedAt,
    @Nullable Instant deadline,
    boolean idempotent,
    int replay,
    Fingerprint fingerprint,
    @Nullable String orderingKey,
    String method,
    String path,
    String scheme,
    String authority,
    HttpFields fields,
    byte[] body) {

  /** One that comes from a gateway. */
  public RequestEnvelope(
      RequestId id,
      ReplyAddress replyTo,
      Instant acceptedAt,
      @Nullable Instant deadline,
      boolean idempotent,
      Fingerprint fingerprint,
      @Nullable String orderingKey,
      String method,
      String path,
      String scheme,
      String authority,
      HttpFields fields,
      byte[] body) {
    this(
        id,
        replyTo,
        acceptedAt,
        deadline,
        idempotent,
        0,
        fingerprint,
        orderingKey,
        method,
        path,
        scheme,
        authority,
        fields,
        body);
  }

  /** The record's key: the ordering key, or the id where there is none. */
  public String recordKey() {
    return orderingKey == null ? id.toString() : orderingKey;
  }

  /** The id, method and size: a path or a field may hold a secret and this may reach a log. */
  @Override
  public String toString() {
    return "RequestEnvelope[" + id + " " + method + ", " + body.length + " bytes]";
  }
}
