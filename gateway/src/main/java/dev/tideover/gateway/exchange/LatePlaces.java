package dev.tideover.gateway.exchange;

import dev.tideover.wire.RequestId;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Where requests stand whose clients have been told "unknown" and whose acknowledgement came after
 * that: their addresses don't name the place. Bounded: the oldest is forgotten, and found again by
 * a search in the log. Safe for any thread.
 */
final class LatePlaces {

  /** What an outage leaves of some seconds of traffic; about 100 bytes each. */
  private static final int CAPACITY = 50_000;

  private final Map<RequestId, Long> offsets =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<RequestId, Long> eldest) {
          return size() > CAPACITY;
        }
      };

  synchronized void put(RequestId id, long offset) {
    offsets.put(id, offset);
  }

  /** The request's offset; {@link Flight#NOWHERE} if it isn't known. */
  synchronized long get(RequestId id) {
    return offsets.getOrDefault(id, Flight.NOWHERE);
  }
}
