package dev.tideover.gateway.exchange;

import dev.tideover.wire.RequestId;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.zip.CRC32C;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * The last part of a status address: a request's id, the time of its acceptance, its place in Kafka
 * and a signature over all of it. So nobody can guess an address, and no look-up is needed to know
 * that one is ours, nor where in its queue the request stands, whichever gateway is asked.
 *
 * @param acceptedAt milliseconds
 * @param service a hash of the service's name, {@link #hash}
 * @param partition of the service's request topic
 * @param offset there; {@link Waiter#NOWHERE} for a request that was not acknowledged when this was
 *     written
 */
public record StatusToken(
    RequestId id, Instant acceptedAt, int service, int partition, long offset) {

  private static final int SIGNED = 16 + Long.BYTES + Integer.BYTES + Short.BYTES + Long.BYTES;
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

  /** The same request, found there since. */
  StatusToken at(long offset) {
    return new StatusToken(id, acceptedAt, service, partition, offset);
  }

  /** Writes and reads tokens under one secret. Safe for any thread. */
  public static final class Signer {

    /** Keeps a signature for status addresses from being one for anything else. */
    private static final byte[] PURPOSE = "tideover-status".getBytes(StandardCharsets.US_ASCII);

    /** Each thread its own, ready: doFinal() leaves it as it was after init(). */
    private final ThreadLocal<Mac> macs;

    /**
     * Looks up the platform's HMAC, which the first time in a JVM can take 100 ms and more: so it
     * is done here, on the thread that starts the gateway, and an event loop only copies what it
     * found.
     */
    public Signer(String secret) {
      SecretKeySpec key = new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256");
      Mac pattern = mac(key);
      macs = ThreadLocal.withInitial(() -> copy(pattern, key));
    }

    String write(StatusToken token) {
      ByteBuffer bytes = ByteBuffer.allocate(SIGNED + SIGNATURE);
      bytes
          .putLong(token.id.high())
          .putLong(token.id.low())
          .putLong(token.acceptedAt.toEpochMilli())
          .putInt(token.service)
          .putShort((short) token.partition)
          .putLong(token.offset);
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
          buffer.getLong());
    }

    private byte[] signature(byte[] bytes) {
      Mac mac = macs.get();
      mac.update(PURPOSE);
      mac.update(bytes, 0, SIGNED);
      return mac.doFinal();
    }

    /** The pattern is used for nothing else, so that threads may copy it at the same time. */
    private static Mac copy(Mac pattern, SecretKeySpec key) {
      try {
        return (Mac) pattern.clone();
      } catch (CloneNotSupportedException theProviderCanNot) {
        return mac(key);
      }
    }

    private static Mac mac(SecretKeySpec key) {
      try {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(key);
        // A first use loads what the look-up hasn't.
        var unused = mac.doFinal();
        return mac;
      } catch (GeneralSecurityException impossible) {
        throw new AssertionError("every Java platform has HmacSHA256", impossible);
      }
    }
  }
}
