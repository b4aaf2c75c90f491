package dev.tideover.gateway.exchange;

import dev.tideover.wire.RequestId;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The ids of requests with an idempotency key. Gateways with the same secret give the same caller's
 * key on the same route the same id, so a resend is known by it wherever it arrives; and nobody
 * without the secret can find a key whose id is another caller's. Safe for any thread.
 */
public final class KeyedIds {

  private static final int ID_BYTES = 16;

  private final Hmac hmac;

  /** Ids under this secret. Takes its time the first time in a JVM; see {@link Hmac}. */
  public KeyedIds(String secret) {
    this.hmac = new Hmac(secret, "tideover-idempotency");
  }

  /**
   * The id of a request.
   *
   * @param caller what tells its client from others; empty for nothing
   * @param scope of its route
   * @param key as the client means it, without quotes
   */
  RequestId of(String caller, String scope, String key) {
    byte[][] parts = {
      caller.getBytes(StandardCharsets.UTF_8),
      scope.getBytes(StandardCharsets.UTF_8),
      key.getBytes(StandardCharsets.UTF_8)
    };
    // With their lengths: no two lists of parts have the same bytes.
    ByteBuffer bytes =
        ByteBuffer.allocate(Arrays.stream(parts).mapToInt(part -> part.length + 4).sum());
    for (byte[] part : parts) {
      bytes.putInt(part.length).put(part);
    }
    byte[] code = hmac.of(bytes.array(), bytes.position());
    return RequestId.ofBytes(Arrays.copyOf(code, ID_BYTES));
  }
}
