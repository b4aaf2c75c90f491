package dev.tideover.gateway.release;

import dev.tideover.gateway.config.GatewayConfig;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * What operators ask for, and the releases that are under way: this gateway drives those that were
 * asked for here, and takes over those whose gateway has gone. Safe for any thread; owns a thread
 * of its own.
 */
public final class Releases implements Operations, AutoCloseable {

  private Releases() {}

  /** Starts; the control topic's listener is this object's, see {@link #start}. */
  public static Releases start(GatewayConfig config) {
    throw new UnsupportedOperationException();
  }

  /** What is told of every reply. */
  public ServiceMeter meter() {
    throw new UnsupportedOperationException();
  }

  /** Services can come and go with a reload. */
  public void update(GatewayConfig config) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Set<String> services() {
    throw new UnsupportedOperationException();
  }

  @Override
  public CompletionStage<Result> hold(String service, boolean held) {
    throw new UnsupportedOperationException();
  }

  @Override
  public CompletionStage<Result> rate(String service, int perSecond) {
    throw new UnsupportedOperationException();
  }

  @Override
  public CompletionStage<Result> release(String service, ReleaseOrder order) {
    throw new UnsupportedOperationException();
  }

  @Override
  public CompletionStage<Result> rollBack(String service) {
    throw new UnsupportedOperationException();
  }

  @Override
  public CompletionStage<Result> anyVersion(String service) {
    throw new UnsupportedOperationException();
  }

  @Override
  public @Nullable ServiceState state(String service) {
    throw new UnsupportedOperationException();
  }

  @Override
  public @Nullable ReleaseReport report(String service, @Nullable String id) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() {}
}
