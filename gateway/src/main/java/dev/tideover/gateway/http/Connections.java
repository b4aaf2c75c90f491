package dev.tideover.gateway.http;

import dev.tideover.gateway.config.GatewayConfig;
import io.vertx.core.http.HttpConnection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;

/**
 * Closes connections that nobody uses, and knows those that have had the last answer they get. One
 * for each event loop, which alone touches it: a timer for each connection would take a third of a
 * kilobyte of each.
 */
final class Connections {

  /** Longer than any wait, so that a client that waits is never taken for one that is idle. */
  static final Duration LIMIT = GatewayConfig.Route.MAX_WAIT.plusMinutes(1);

  /** When each began its last request, the oldest first. */
  private final Map<HttpConnection, Long> lastUse = new LinkedHashMap<>(16, 0.75f, true);

  private final Set<HttpConnection> ended = new HashSet<>();
  private final LongSupplier nanoTime;

  Connections(LongSupplier nanoTime) {
    this.nanoTime = nanoTime;
  }

  void opened(HttpConnection connection) {
    lastUse.put(connection, nanoTime.getAsLong());
    // The one place where this is set: there is one such handler for each connection.
    connection.closeHandler(
        closed -> {
          lastUse.remove(connection);
          ended.remove(connection);
        });
  }

  void used(HttpConnection connection) {
    lastUse.replace(connection, nanoTime.getAsLong());
  }

  /** The answer that is written next is its last. */
  void end(HttpConnection connection) {
    if (lastUse.containsKey(connection)) {
      ended.add(connection);
    }
  }

  boolean isEnded(HttpConnection connection) {
    return ended.contains(connection);
  }

  /** To be called about each minute. */
  void check() {
    long now = nanoTime.getAsLong();
    // A copy of those: closing one removes it meanwhile.
    ArrayList<HttpConnection> idle = new ArrayList<>();
    for (Map.Entry<HttpConnection, Long> entry : lastUse.entrySet()) {
      if (now - entry.getValue() < LIMIT.toNanos()) {
        break;
      }
      idle.add(entry.getKey());
    }
    idle.forEach(HttpConnection::close);
  }
}
