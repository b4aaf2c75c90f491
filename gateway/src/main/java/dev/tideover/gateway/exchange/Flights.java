package dev.tideover.gateway.exchange;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The requests with an idempotency key that this gateway has handed to Kafka, or is about to, and
 * that have no reply yet: another one under the same key joins them instead of being stored again.
 * What is forgotten here, or was sent to another gateway, is stored again and found to be a
 * duplicate by the service, so this only spares work. Safe for any thread.
 */
final class Flights {

  /** About 200 bytes each. */
  private static final int CAPACITY = 100_000;

  /** A reply that this gateway misses must not make an id wait for it for long. */
  private static final Duration LONGEST = Duration.ofMinutes(10);

  private final Cache<RequestId, Flight> flights =
      Caffeine.newBuilder()
          .maximumSize(CAPACITY)
          .expireAfterWrite(LONGEST)
          .executor(Runnable::run)
          .build();

  /** Adds a flight; if there is one under its id already that one is returned instead of null. */
  @Nullable Flight putIfAbsent(Flight flight) {
    return flights.asMap().putIfAbsent(flight.id, flight);
  }

  /** It was not stored, as far as is known. */
  void remove(Flight flight) {
    if (flight.keyed) {
      flights.asMap().remove(flight.id, flight);
    }
  }

  /** This request under the id has its reply, which is none to the one that had the id first. */
  void landed(RequestId id, Fingerprint fingerprint) {
    flights
        .asMap()
        .computeIfPresent(
            id, (same, flight) -> flight.fingerprint.equals(fingerprint) ? null : flight);
  }

  /** It has its reply. */
  void landed(RequestId id) {
    flights.asMap().remove(id);
  }
}
