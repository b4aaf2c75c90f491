package dev.tideover.wire;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * The record keys of a service's ledger topic that more than one program knows. The entries
 * themselves are the SDK's; whoever reads the topic passes over keys that it doesn't know.
 */
public final class LedgerKeys {

  /** In front of a request's offset: what is known of its attempts. */
  public static final String REQUEST = "request/";

  /** In front of an ordering key: why its requests are not handled. */
  public static final String PARKED = "parked/";

  /** A client's wish that a request be cancelled, with its offset; see {@link Cancellation}. */
  public static final String CANCEL = "cancel/";

  /** A request that was cancelled, with its offset. */
  public static final String CANCELLED = "cancelled/";

  /** In front of a writer and a number: ids of requests that have finished. */
  public static final String FINISHED = "finished/";

  /** That the partition has been read from before. */
  public static final String BEGUN = "begun";

  private static final byte[] REQUEST_BYTES = REQUEST.getBytes(StandardCharsets.UTF_8);

  /** More digits than a long has. */
  private static final int MAX_DIGITS = 19;

  /**
   * The offset in a key that begins with {@link #REQUEST}; -1 for any other key, found out without
   * making a text of it.
   */
  public static long requestOffset(byte @Nullable [] key) {
    if (key == null
        || key.length <= REQUEST_BYTES.length
        || key.length > REQUEST_BYTES.length + MAX_DIGITS) {
      return -1;
    }
    for (int i = 0; i < REQUEST_BYTES.length; i++) {
      if (key[i] != REQUEST_BYTES[i]) {
        return -1;
      }
    }
    long offset = 0;
    for (int i = REQUEST_BYTES.length; i < key.length; i++) {
      int digit = key[i] - '0';
      // 19 digits reach beyond a long at most once, into the negative numbers.
      if (digit < 0 || digit > 9 || offset > Long.MAX_VALUE / 10) {
        return -1;
      }
      offset = offset * 10 + digit;
    }
    boolean leadingZero = key[REQUEST_BYTES.length] == '0' && key.length > REQUEST_BYTES.length + 1;
    return offset < 0 || leadingZero ? -1 : offset;
  }

  private LedgerKeys() {}
}
