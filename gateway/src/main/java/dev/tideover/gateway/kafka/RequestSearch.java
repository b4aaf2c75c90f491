package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.RequestId;
import java.time.Instant;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** Stub. */
public final class RequestSearch implements AutoCloseable {
  public static RequestSearch start(GatewayConfig config) {
    return new RequestSearch();
  }

  public CompletionStage<OptionalLong> find(
      String topic, int partition, RequestId id, Instant acceptedAt) {
    return CompletableFuture.completedFuture(OptionalLong.empty());
  }

  @Override
  public void close() {}
}
