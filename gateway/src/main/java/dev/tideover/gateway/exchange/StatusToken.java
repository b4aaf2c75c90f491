package dev.tideover.gateway.exchange;

import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestId;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The last part of a status address: a request's id, the time of its acceptance, its place in Kafka
 * and a signature over all of it. So nobody can guess an address, and no look-up is needed to know
 * that one is ours, nor where in its queue the request stands, whichever gateway is asked.
 *
 * @param acceptedAt milliseconds
 * @param service a hash of the service's name, {@link #hash}
 * @param partition of the service's request topic
 * @param offset there; {@link Flight#NOWHERE} for a request that was not acknowledged when this was
 *     written
 * @param fingerprint the first half of the request's, if its id comes from an idempotency key: then
 *     another request may have been there first; otherwise {@link #ANY}
 */
public record StatusToken(
    RequestId id, Instant acceptedAt, int service, int partition, long offset, long fingerprint) {

  /** Instead of a fingerprint: whatever stands under the id is the answer. */
  static final long ANY = 0;

  private static final int SIGNED =
      16 + Long.BYTES + Integer.BYTES + Short.BYTES + Long.BYTES + Long.BYTES;
  private static final int SIGNATURE = 16;
  private static final Base64.Encoder ENCODER = Base64.getUrlEncoder().withoutPadding();
  private static final Base64.Decoder DECODER = Base64.getUrlDecoder();

  /**
   * Stands for a service's name. Two of one configuration may share it, once in four thousand
   * million: then an address of one shows its position in the other's queue, no more.
   */
  static int hash(String service) {
    CRC32C crc = new CRC32C();
    crc.update(service.getBytes(StandardCharsets.UTF_8));
    return (int) crc.getValue();
  }

  /** Whether a reply answers this request, or another one that had its key before. */
  boolean isAnsweredBy(ReplyEnvelope reply) {
    return fingerprint == ANY || fingerprint == reply.fingerprint().high();
  }

  /** The same request, found there since. */
  StatusToken at(long offset) {
    return new StatusToken(id, acceptedAt, service, partition, offset, fingerprint);
  }

  /** Writes and reads tokens under one secret. Safe for any thread. */
  public static final class Signer {

    private final Hmac hmac;

    /** Tokens under this secret. Takes its time the first time in a JVM; see {@link Hmac}. */
    public Signer(String secret) {
      this.hmac = new Hmac(secret, "tideover-status");
    }

    String write(StatusToken token) {
      ByteBuffer bytes = ByteBuffer.allocate(SIGNED + SIGNATURE);
      bytes
          .putLong(token.id.high())
          .putLong(token.id.low())
          .putLong(token.acceptedAt.toEpochMilli())
          .putInt(token.service)
          .putShort((short) token.partition)
          .putLong(token.offset)
          .putLong(token.fingerprint);
      bytes.put(signature(bytes.array()), 0, SIGNATURE);
      return ENCODER.encodeToString(bytes.array());
    }

    /** Null for anything that {@link #write} under this secret didn't make. */
    @Nullable StatusToken read(String text) {
      byte[] bytes;
      try {
        bytes = DECODER.decode(text);
      } catch (IllegalArgumentException notBase64) {
        return null;
      }
      if (bytes.length != SIGNED + SIGNATURE
          || !MessageDigest.isEqual(
              Arrays.copyOf(signature(bytes), SIGNATURE),
              Arrays.copyOfRange(bytes, SIGNED, bytes.length))) {
        return null;
      }
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      RequestId id = new RequestId(buffer.getLong(), buffer.getLong());
      Instant acceptedAt = Instant.ofEpochMilli(buffer.getLong());
      return new StatusToken(
          id,
          acceptedAt,
          buffer.getInt(),
          Short.toUnsignedInt(buffer.getShort()),
          buffer.getLong(),
          buffer.getLong());
    }

    private byte[] signature(byte[] bytes) {
      return hmac.of(bytes, SIGNED);
    }
  }
}
