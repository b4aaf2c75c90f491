package dev.tideover.gateway.exchange;

import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.RequestId;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * One request on its way through Kafka, as this gateway knows it: what it asks for, and where it
 * stands once that is known. All clients that wait for it here share it, whether they sent it or
 * joined the one that did; it outlives them.
 *
 * <p>The exchange that hands it to Kafka owns it; {@link Flights} keeps those with an idempotency
 * key. Any thread may read it.
 */
final class Flight {

  /** Stands for the offset of a request that Kafka has not acknowledged. */
  static final long NOWHERE = -1;

  final RequestId id;
  final Fingerprint fingerprint;

  /** Whether others may come under the same id: its client gave an idempotency key. */
  final boolean keyed;

  final Instant acceptedAt;

  /** Of the service's request topic. */
  final int partition;

  /**
   * The request's offset once Kafka has acknowledged it; from then on it is accepted, whatever
   * happens. Written once, by the producer's callback.
   */
  volatile long offset = NOWHERE;

  /** What those who wait for it are told when it was not stored, or may not be. */
  volatile Waiter.@Nullable Ending failure;

  /** Whether a client has been told that its outcome is unknown. */
  volatile boolean toldUnknown;

  Flight(RequestId id, Fingerprint fingerprint, boolean keyed, Instant acceptedAt, int partition) {
    this.id = id;
    this.fingerprint = fingerprint;
    this.keyed = keyed;
    this.acceptedAt = acceptedAt;
    this.partition = partition;
  }

  /** Where it stands, as the client may be told. */
  StatusToken place(String service) {
    return new StatusToken(
        id,
        acceptedAt,
        StatusToken.hash(service),
        partition,
        offset,
        keyed ? fingerprint.high() : StatusToken.ANY);
  }
}
