package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** Stub. */
public final class Backlog implements AutoCloseable {
  public record Queue(long position, @Nullable Duration eta) {}

  public static Backlog start(GatewayConfig config) {
    return new Backlog();
  }

  public @Nullable Queue queue(String service, int partition, long offset) {
    return null;
  }

  public int attempts(String service, int partition, long offset) {
    return 0;
  }

  public boolean isTooOld(String service) {
    return false;
  }

  @Override
  public void close() {}
}
