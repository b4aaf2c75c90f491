package dev.tideover.sdk.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A request as a gateway would have written it.
 *
 * @param path with the query, if there is one
 * @param key the ordering key; null for none
 * @param fields header fields by name
 * @param idempotencyKey requests with the same one have the same id; null for none
 * @param patience from its acceptance to its deadline; null for no deadline
 */
public record TestRequest(
    String method,
    String path,
    @Nullable String key,
    Map<String, String> fields,
    byte[] body,
    @Nullable String idempotencyKey,
    @Nullable Duration patience) {

  /** Copies the fields. */
  public TestRequest {
    fields = Map.copyOf(fields);
  }

  /** A request without a key, fields, content or deadline. */
  public static TestRequest of(String method, String path) {
    return new TestRequest(method, path, null, Map.of(), new byte[0], null, null);
  }

  /** The same with an ordering key. */
  public TestRequest key(String orderingKey) {
    return new TestRequest(method, path, orderingKey, fields, body, idempotencyKey, patience);
  }

  /**
   * The same with an Idempotency-Key. A gateway makes the request's id of it, so that one that is
   * delivered again has the same id, and is recognised.
   */
  public TestRequest idempotencyKey(String sameForResends) {
    return new TestRequest(method, path, key, fields, body, sameForResends, patience);
  }

  /** The same with one more header field. */
  public TestRequest header(String name, String value) {
    Map<String, String> more = new TreeMap<>(fields);
    more.put(name.toLowerCase(Locale.ROOT), value);
    return new TestRequest(method, path, key, more, body, idempotencyKey, patience);
  }

  /** The same with this content. */
  public TestRequest body(byte[] content) {
    return new TestRequest(method, path, key, fields, content, idempotencyKey, patience);
  }

  /** The same with this text as content, in UTF-8. */
  public TestRequest text(String content) {
    return body(content.getBytes(UTF_8));
  }

  /** The same with a deadline so long after its acceptance. */
  public TestRequest deadlineAfter(Duration time) {
    return new TestRequest(method, path, key, fields, body, idempotencyKey, time);
  }

  private RequestId id() {
    return idempotencyKey == null
        ? RequestId.random()
        : RequestId.ofBytes(Arrays.copyOf(sha256(idempotencyKey.getBytes(UTF_8)), 16));
  }

  private static byte[] sha256(byte[] of) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(of);
    } catch (NoSuchAlgorithmException impossible) {
      throw new AssertionError("every Java platform has SHA-256", impossible);
    }
  }

  RequestEnvelope envelope(ReplyAddress replyTo, Instant acceptedAt) {
    HttpFields.Builder lines = HttpFields.builder();
    fields.forEach(lines::add);
    return new RequestEnvelope(
        id(),
        replyTo,
        acceptedAt,
        patience == null ? null : acceptedAt.plus(patience),
        idempotencyKey != null,
        fingerprint(),
        key,
        method,
        path,
        "http",
        "localhost",
        lines.build(),
        body);
  }

  private Fingerprint fingerprint() {
    int mark = path.indexOf('?');
    return Fingerprint.of(
        method,
        mark < 0 ? path : path.substring(0, mark),
        mark < 0 ? null : path.substring(mark + 1),
        fields.get("content-type"),
        key,
        body);
  }
}
