package dev.tideover.gateway.route;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.config.GatewayConfig.OrderingKey;
import dev.tideover.wire.HttpFields;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Where a request goes and how it is treated there. Immutable.
 *
 * @param service the backend's name
 * @param topic the service's request topic
 * @param partitions how many that has
 * @param path the pattern
 * @param methods empty for all
 * @param waitingLimit how many clients of the service may wait at once
 * @param scope within which an idempotency key means one request: the service and the pattern
 */
public record Route(
    String service,
    String topic,
    int partitions,
    PathPattern path,
    Set<String> methods,
    OrderingKey key,
    Duration patience,
    GatewayConfig.Late late,
    boolean lateIsSet,
    long maxBody,
    int waitingLimit,
    GatewayConfig.Idempotency idempotency,
    GatewayConfig.Concurrent concurrent,
    GatewayConfig.Caller caller,
    String scope) {

  /** Longer than any honest one; it bounds what a client can put into the record's key. */
  public static final int MAX_KEY_LENGTH = 256;

  private static final Set<String> SAFE = Set.of("GET", "HEAD", "OPTIONS");

  /** Whether it takes this method. */
  boolean takes(String method) {
    return methods.isEmpty() || methods.contains(method);
  }

  /** The request's ordering key; null where the route has none or the request doesn't give it. */
  public @Nullable String orderingKey(RequestTarget target, HttpFields fields) {
    String value =
        switch (key.source()) {
          case NONE -> null;
          case HEADER -> fields.first(key.header());
          case PATH -> {
            List<String> segments = target.segments();
            yield key.segment() <= segments.size() ? segments.get(key.segment() - 1) : null;
          }
        };
    return value == null || value.isEmpty() ? null : value;
  }

  /**
   * Whether a request is dropped at the end of its wait: nobody else will ask for the answer of a
   * safe method, unless the route says that its late answers are accepted.
   */
  public boolean expires(String method) {
    boolean askedFor = lateIsSet && late == GatewayConfig.Late.ACCEPTED;
    return SAFE.contains(method) && !askedFor;
  }
}
