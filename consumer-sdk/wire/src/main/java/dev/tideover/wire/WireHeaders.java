package dev.tideover.wire;

/** The names of the contract's record headers. Frozen: programs that we can't see use them. */
public final class WireHeaders {

  /** What no HTTP field name in a record may begin with. */
  public static final String PREFIX = "tideover-";

  public static final String VERSION = "tideover-v";
  public static final String ID = "tideover-id";
  public static final String FINGERPRINT = "tideover-fingerprint";

  public static final String REPLY_TO = "tideover-reply-to";
  public static final String ACCEPTED_AT = "tideover-accepted-at";
  public static final String DEADLINE = "tideover-deadline";
  public static final String IDEMPOTENT = "tideover-idempotent";

  /** Of a request that an operator has appended again, and of its reply: how often. */
  public static final String REPLAY = "tideover-replay";

  public static final String METHOD = ":method";
  public static final String PATH = ":path";
  public static final String SCHEME = ":scheme";
  public static final String AUTHORITY = ":authority";

  public static final String OUTCOME = "tideover-outcome";
  public static final String BY = "tideover-by";
  public static final String ATTEMPTS = "tideover-attempts";
  public static final String ORIGINAL = "tideover-original";
  public static final String STATUS = ":status";

  /** In a {@link Cancellation}: {@code <partition>/<offset>} of the request. */
  public static final String CANCEL = "tideover-cancel";

  public static final String DEAD_REASON = "tideover-dead-reason";
  public static final String DEAD_ERROR = "tideover-dead-error";
  public static final String DEAD_ATTEMPTS = "tideover-dead-attempts";
  public static final String DEAD_AT = "tideover-dead-at";
  public static final String DEAD_BY = "tideover-dead-by";
  public static final String DEAD_SOURCE = "tideover-dead-source";

  /** The version that this code writes and reads. */
  public static final String VERSION_1 = "1";

  private WireHeaders() {}
}
