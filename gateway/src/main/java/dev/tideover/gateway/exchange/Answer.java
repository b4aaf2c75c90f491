package dev.tideover.gateway.exchange;

import dev.tideover.gateway.kafka.ReplyStore;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How an exchange ended. Values only; what they look like in HTTP is decided in one place, {@code
 * dev.tideover.gateway.http.Responder}.
 */
public sealed interface Answer {

  /**
   * The reply record: the service's response, or word that the request ended without one.
   *
   * @param replayed whether it was there before this client sent the request
   */
  record Replied(ReplyEnvelope reply, boolean replayed) implements Answer {}

  /**
   * Its idempotency key belongs to another request; this one is not stored, or does not run.
   *
   * @param decided false where the other is still on its way from here, so that this one may have
   *     been first, if it was sent before by another gateway
   */
  record Mismatch(RequestId id, boolean decided) implements Answer {}

  /** The same request is on its way, and the route wants that to be an error. */
  record InProgress(RequestId id) implements Answer {}

  /** There is a reply record and it holds no legal response: the handler may have run. */
  record Unreadable(RequestId id) implements Answer {}

  /**
   * Stored, and no reply within the wait.
   *
   * @param late true where the route wants a 504 rather than a 202
   * @param expired true where nobody will ask later, so the request expired with the wait
   */
  record Accepted(Pending pending, boolean late, boolean expired) implements Answer {}

  /**
   * Handed to Kafka, and no acknowledgement in time: it may run or not.
   *
   * @param keyed whether it can be sent again without running twice
   */
  record Unknown(RequestId id, String token, boolean keyed) implements Answer {}

  /**
   * It has no reply yet.
   *
   * @param stored whether it is known to be stored; if not, it may run or not
   * @param attempts how often it has failed, as far as is known
   * @param position how many requests are to be handled before it, at most; null if not known
   * @param eta until it is handled, at the pace of the last seconds; null if not known
   * @param retryAfter when to ask again
   * @param cancelling whether its client has asked to cancel it
   */
  record Pending(
      RequestId id,
      String token,
      boolean stored,
      int attempts,
      @Nullable Long position,
      @Nullable Duration eta,
      Duration retryAfter,
      boolean cancelling)
      implements Answer {

    /** The same, after its client has asked to cancel it. */
    Pending withCancelling() {
      return new Pending(id, token, stored, attempts, position, eta, retryAfter, true);
    }
  }

  /** Cancelled as its client wanted: it will not begin, or not again after a crash. */
  record Cancelled(RequestId id) implements Answer {}

  /** It can't be cancelled: it has ended before, in this way. */
  record TooLate(RequestId id, ReplyOutcome outcome) implements Answer {}

  /**
   * Asked for at its {@code Location}: what was stored can't be given, or nothing was stored.
   *
   * @param stored whether the request is known to have been stored
   */
  record ReplyMissing(RequestId id, Reason reason, String detail, boolean stored)
      implements Answer {

    /** To a request that has been handled before, and whose reply can't be given. */
    static ReplyMissing of(RequestId id, ReplyStore.Lookup why) {
      return why instanceof ReplyStore.Lookup.NotNow notNow
          ? new ReplyMissing(
              id,
              Reason.REPLY_UNAVAILABLE,
              "The request has been handled before; its reply can't be read now: "
                  + notNow.reason(),
              true)
          : new ReplyMissing(
              id,
              Reason.REPLY_EXPIRED,
              "The request has been handled before, so it does not run again; its reply is past its"
                  + " retention.",
              true);
    }
  }

  /**
   * Refused before anything was stored: nothing will run.
   *
   * @param retryAfter with a 503, when it may do better; null for a guess
   */
  record Rejected(
      Reason reason, String detail, Set<String> allowedMethods, @Nullable Duration retryAfter)
      implements Answer {
    public Rejected(Reason reason, String detail) {
      this(reason, detail, Set.of(), null);
    }

    /** The path takes only other methods. */
    public static Rejected method(String detail, Set<String> allowed) {
      return new Rejected(Reason.METHOD_NOT_ALLOWED, detail, allowed, null);
    }
  }

  /** The client has left; there is nobody to answer. */
  record Abandoned(@Nullable RequestId id) implements Answer {}

  /** Why a request was refused. The code is part of the problem document and stays as it is. */
  enum Reason {
    BAD_TARGET(400, "bad-target", "The request target can't be read", false),
    BAD_FIELD(400, "bad-field", "A header field can't be read", false),
    BAD_KEY(400, "bad-key", "The ordering key is not allowed", false),
    BAD_IDEMPOTENCY_KEY(400, "bad-idempotency-key", "The Idempotency-Key can't be read", false),
    IDEMPOTENCY_KEY_MISSING(
        400, "idempotency-key-missing", "The request needs an Idempotency-Key", false),
    MALFORMED(400, "malformed", "The request is not HTTP", false),
    NO_ROUTE(404, "no-route", "No route takes this path", false),
    NO_SUCH_REQUEST(404, "no-such-request", "No request has this address", false),
    NEVER_STORED(404, "never-stored", "The request was never stored", true),
    METHOD_NOT_ALLOWED(405, "method-not-allowed", "The path does not take this method", false),
    BODY_TIMEOUT(408, "body-timeout", "The body did not arrive in time", true),
    NOT_CANCELLABLE(409, "not-cancellable", "The request can't be cancelled now", true),
    IN_PROGRESS(409, "in-progress", "The first request with this key is still on its way", true),
    REPLY_EXPIRED(410, "reply-expired", "The reply is past its retention", false),
    BODY_TOO_LARGE(413, "body-too-large", "The body is too large", false),
    TARGET_TOO_LONG(414, "target-too-long", "The request line is too long", false),
    EXPECTATION_FAILED(417, "expectation-failed", "The expectation can't be met", false),
    IDEMPOTENCY_MISMATCH(
        422, "idempotency-mismatch", "Another request has this idempotency key", false),
    IDEMPOTENCY_CONFLICT(
        422,
        "idempotency-mismatch",
        "Another request with this idempotency key is on its way",
        true),
    FIELDS_TOO_LARGE(431, "fields-too-large", "The header block is too large", false),
    INTERNAL(500, "internal", "The gateway failed", false),
    REPLY_UNAVAILABLE(503, "reply-unavailable", "The reply can't be read now", true),
    CANCEL_UNAVAILABLE(503, "cancel-unavailable", "Nothing can be cancelled now", true),
    BACKLOG_TOO_OLD(503, "backlog-too-old", "The service's backlog is too old", true),
    UNAVAILABLE(503, "unavailable", "Kafka can't take the request now", true),
    STOPPING(503, "stopping", "The gateway is stopping", true);

    private final int status;
    private final String code;
    private final String title;
    private final boolean retryable;

    Reason(int status, String code, String title, boolean retryable) {
      this.status = status;
      this.code = code;
      this.title = title;
      this.retryable = retryable;
    }

    public int status() {
      return status;
    }

    public String code() {
      return code;
    }

    public String title() {
      return title;
    }

    /** Whether the same request may do better later. */
    public boolean retryable() {
      return retryable;
    }
  }
}
