package dev.tideover.gateway.exchange;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.route.Routes;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The configuration and what follows from it: all that a reload changes, in one immutable value.
 *
 * @param retention how long a request or its reply may be there, of all that were accepted since
 *     the start, so also by services that a reload removed
 */
record Routing(
    GatewayConfig config,
    Routes routes,
    Duration retention,
    Map<Integer, GatewayConfig.Service> byHash) {

  /** A client that asks at a status address may wait so long, however short its route's wait is. */
  private static final Duration LEAST_LONG_POLL = Duration.ofSeconds(30);

  /** Of those that ask for a service that is no more. */
  private static final int WAITING_FOR_REMOVED = 1_000;

  static Routing of(GatewayConfig config, Routes routes) {
    Map<Integer, GatewayConfig.Service> byHash = new HashMap<>();
    for (GatewayConfig.Service service : config.services().values()) {
      byHash.put(StatusToken.hash(service.name()), service);
    }
    Duration longest =
        config.services().values().stream()
            .map(service -> service.topic().retention())
            .max(Comparator.naturalOrder())
            .orElseThrow()
            .plus(config.replies().retention());
    return new Routing(config, routes, longest, Map.copyOf(byHash));
  }

  /** The next one, which still knows how long this one's requests are there. */
  Routing next(GatewayConfig config, Routes routes) {
    Routing next = of(config, routes);
    Duration longest = Stream.of(retention, next.retention).max(Comparator.naturalOrder()).get();
    return new Routing(config, routes, longest, next.byHash);
  }

  /** The service with this {@link StatusToken#hash}; null for one that is no more. */
  GatewayConfig.@Nullable Service service(int hash) {
    return byHash.get(hash);
  }

  /** The longest that a client is kept that asks for an answer of this service. */
  static Duration longestWait(GatewayConfig.@Nullable Service service) {
    return service == null
        ? LEAST_LONG_POLL
        : Stream.concat(
                Stream.of(LEAST_LONG_POLL),
                service.routes().stream().map(GatewayConfig.Route::patience))
            .max(Comparator.naturalOrder())
            .get();
  }

  /** How many clients may wait for this service at once. */
  static int waitingLimit(GatewayConfig.@Nullable Service service) {
    return service == null ? WAITING_FOR_REMOVED : service.limits().waiting();
  }
}
