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

  /** In a reply: how long the handler ran, in microseconds. */
  public static final String TOOK = "tideover-took";

  /** In a {@link Cancellation}: {@code <partition>/<offset>} of the request. */
  public static final String CANCEL = "tideover-cancel";

  public static final String DEAD_REASON = "tideover-dead-reason";
  public static final String DEAD_ERROR = "tideover-dead-error";
  public static final String DEAD_ATTEMPTS = "tideover-dead-attempts";
  public static final String DEAD_AT = "tideover-dead-at";
  public static final String DEAD_BY = "tideover-dead-by";
  public static final String DEAD_SOURCE = "tideover-dead-source";

  // In tideover.control: of a DesiredState, of its release, and of an InstanceReport.
  public static final String EPOCH = "tideover-epoch";
  public static final String COMMAND = "tideover-command";
  public static final String SINCE = "tideover-since";
  public static final String ACTIVE_VERSION = "tideover-active-version";
  public static final String HELD = "tideover-held";
  public static final String RATE = "tideover-rate";
  public static final String RELEASE = "tideover-release";
  public static final String RELEASE_FROM = "tideover-release-from";
  public static final String RELEASE_TO = "tideover-release-to";
  public static final String RELEASE_STEP = "tideover-release-step";
  public static final String RELEASE_BEGAN = "tideover-release-began";
  public static final String RELEASE_HELD_SINCE = "tideover-release-held-since";
  public static final String RELEASE_PREPARE = "tideover-release-prepare-ms";
  public static final String RELEASE_MAX_HOLD = "tideover-release-max-hold-ms";
  public static final String RELEASE_VERIFY = "tideover-release-verify-ms";
  public static final String RELEASE_INSTANCES = "tideover-release-instances";
  public static final String RELEASE_REASON = "tideover-release-reason";
  public static final String INCARNATION = "tideover-incarnation";
  public static final String STATE = "tideover-state";
  public static final String PARTITIONS = "tideover-partitions";
  public static final String HANDLED = "tideover-handled";
  public static final String ERRORS = "tideover-errors";
  public static final String DEAD = "tideover-dead";
  public static final String PARKED = "tideover-parked";
  public static final String RUNNING = "tideover-running";
  public static final String OLDEST = "tideover-oldest-ms";

  /** The version that this code writes and reads. */
  public static final String VERSION_1 = "1";

  private WireHeaders() {}
}
