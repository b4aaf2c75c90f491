package dev.tideover.gateway.exchange;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** HMAC-SHA256 under the cell's secret, for one purpose. Safe for any thread. */
final class Hmac {

  /** Each thread its own, ready: doFinal() leaves it as it was after init(). */
  private final ThreadLocal<Mac> macs;

  /** Goes first, so that a value made for one purpose is none for another. */
  private final byte[] purpose;

  /**
   * Looks up the platform's HMAC, which the first time in a JVM can take 100 ms and more: so it is
   * done here, on the thread that starts the gateway, and an event loop only copies what it found.
   *
   * @param purpose no prefix of another one
   */
  Hmac(String secret, String purpose) {
    SecretKeySpec key = new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256");
    Mac pattern = mac(key);
    this.macs = ThreadLocal.withInitial(() -> copy(pattern, key));
    this.purpose = purpose.getBytes(StandardCharsets.US_ASCII);
  }

  /** The code of the first bytes, 32 bytes long. */
  byte[] of(byte[] bytes, int length) {
    Mac mac = macs.get();
    mac.update(purpose);
    mac.update(bytes, 0, length);
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
