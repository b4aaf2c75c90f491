package dev.tideover.wire;

import org.jspecify.annotations.Nullable;

/**
 * A reply as it stands in the reply topic. Immutable, if nobody writes to the body.
 *
 * @param id of the request it answers
 * @param fingerprint of the request it answers
 * @param outcome how the request ended
 * @param by who says so, {@code service/version/instance}; empty where the writer left it out
 * @param attempts how often the handler was started for it; 0 where the writer left it out
 * @param original with {@link ReplyOutcome#DUPLICATE}, the offset of the original reply in the same
 *     partition, or {@link #NONE} where the service doesn't know it or it stands in another one;
 *     otherwise {@link #NONE}
 * @param replay that of the request, see {@link RequestEnvelope}; the reply to the one that was
 *     replayed last stands
 * @param status the HTTP status, 200 to 599; with an outcome other than {@code COMPLETED} it may be
 *     {@link #NONE}
 * @param fields the response's header fields
 * @param body the response's content, byte for byte; empty for none
 * @param timing what gateways measure services by; null where the writer left it out
 */
public record ReplyEnvelope(
    RequestId id,
    Fingerprint fingerprint,
    ReplyOutcome outcome,
    String by,
    int attempts,
    long original,
    int replay,
    int status,
    HttpFields fields,
    byte[] body,
    @Nullable Timing timing) {

  /**
   * Times of a request.
   *
   * @param acceptedAt as in the request, epoch milliseconds
   * @param took how long the handler ran, in microseconds; {@link #NONE} where it didn't
   */
  public record Timing(long acceptedAt, long took) {}

  /** Stands for an absent number. */
  public static final int NONE = -1;

  /** A reply that doesn't tell its times. */
  public ReplyEnvelope(
      RequestId id,
      Fingerprint fingerprint,
      ReplyOutcome outcome,
      String by,
      int attempts,
      long original,
      int replay,
      int status,
      HttpFields fields,
      byte[] body) {
    this(id, fingerprint, outcome, by, attempts, original, replay, status, fields, body, null);
  }

  /** A reply to a request that comes from a gateway. */
  public ReplyEnvelope(
      RequestId id,
      Fingerprint fingerprint,
      ReplyOutcome outcome,
      String by,
      int attempts,
      long original,
      int status,
      HttpFields fields,
      byte[] body) {
    this(id, fingerprint, outcome, by, attempts, original, 0, status, fields, body);
  }

  /** The same to one that was replayed so often. */
  public ReplyEnvelope withReplay(int replay) {
    return new ReplyEnvelope(
        id, fingerprint, outcome, by, attempts, original, replay, status, fields, body, timing);
  }

  /** The same with its times. */
  public ReplyEnvelope withTiming(Timing timing) {
    return new ReplyEnvelope(
        id, fingerprint, outcome, by, attempts, original, replay, status, fields, body, timing);
  }

  /** A reply without an HTTP response: the request ended without one. */
  public static ReplyEnvelope without(
      RequestId id, Fingerprint fingerprint, ReplyOutcome outcome, String by, int attempts) {
    return new ReplyEnvelope(
        id, fingerprint, outcome, by, attempts, NONE, NONE, HttpFields.EMPTY, new byte[0]);
  }

  /** The id, outcome and size: a field may hold a secret and this may reach a log. */
  @Override
  public String toString() {
    return "ReplyEnvelope["
        + id
        + " "
        + outcome
        + " "
        + status
        + " by "
        + by
        + ", "
        + body.length
        + " bytes]";
  }
}
