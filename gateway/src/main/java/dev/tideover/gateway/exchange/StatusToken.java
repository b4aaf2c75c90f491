package dev.tideover.gateway.exchange;

import dev.tideover.wire.RequestId;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * The last part of a status address: a request's id, the time of its acceptance and a signature
 * over both. So nobody can guess an address, and no look-up is needed to know that one is ours.
 *
 * @param acceptedAt milliseconds
 */
public record StatusToken(RequestId id, Instant acceptedAt) {

  private static final int SIGNED = 24;
  private static final int SIGNATURE = 16;
  private static final Base64.Encoder ENCODER = Base64.getUrlEncoder().withoutPadding();
  private static final Base64.Decoder DECODER = Base64.getUrlDecoder();

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
          .putLong(token.acceptedAt.toEpochMilli());
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
      return new StatusToken(id, Instant.ofEpochMilli(buffer.getLong()));
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
