package dev.tideover.gateway.http;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Ends requests whose body takes too long. One for each event loop, which alone touches it: a timer
 * for each request would cost more than most bodies do.
 */
final class BodyDeadlines {

  /** Total time for a body; it does not start again with each byte. */
  static final Duration LIMIT = Duration.ofSeconds(30);

  /** By arrival, so the oldest comes first. */
  private final Map<InboundRequest, Long> reading = new LinkedHashMap<>();

  void watch(InboundRequest request) {
    reading.put(request, System.nanoTime());
  }

  void forget(InboundRequest request) {
    reading.remove(request);
  }

  /** To be called about each second. */
  void check() {
    if (reading.isEmpty()) {
      return;
    }
    long now = System.nanoTime();
    // A copy: a request that is told ends and is forgotten meanwhile.
    for (Map.Entry<InboundRequest, Long> entry : new ArrayList<>(reading.entrySet())) {
      if (now - entry.getValue() < LIMIT.toNanos()) {
        return;
      }
      entry.getKey().tooSlow();
    }
  }

  /** The gateway is stopping: no body is waited for any longer. */
  void endAll() {
    new ArrayList<>(reading.keySet()).forEach(InboundRequest::stopping);
  }
}
