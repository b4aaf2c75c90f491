package dev.tideover.gateway.release;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.gateway.kafka.ControlTopic;
import dev.tideover.wire.DesiredState;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * What operators ask for, and the releases that are under way: this gateway drives those that were
 * asked for here, and takes over those whose gateway has gone. Safe for any thread; owns a thread
 * of its own.
 */
public final class Releases implements AutoCloseable {

  /** What came of an operator's wish. */
  public sealed interface Result {
    /** It stands, or stood already. */
    record Accepted(DesiredState state) implements Result {}

    /** It can't be, as things stand: 409. The reason says what to do. */
    record Refused(String code, String reason) implements Result {}

    /** The gateway's configuration has no such service: 404. */
    record NoSuchService() implements Result {}

    /** Whether it stands is not known, since Kafka doesn't answer: 503. Asking again is right. */
    record Unavailable(String reason) implements Result {}
  }

  /** How a service stands. */
  public record ServiceState(
      String service,
      @Nullable DesiredState desired,
      List<ControlTopic.Instance> instances,
      boolean current,
      List<String> problems) {}

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

  /** Holds or resumes a service. */
  public CompletionStage<Result> hold(String service, boolean held) {
    throw new UnsupportedOperationException();
  }

  /** Limits how many requests start in a second, of all instances together; 0 for no limit. */
  public CompletionStage<Result> rate(String service, int perSecond) {
    throw new UnsupportedOperationException();
  }

  /** Begins a release. */
  public CompletionStage<Result> release(String service, ReleaseOrder order) {
    throw new UnsupportedOperationException();
  }

  /** Ends a release that is under way by going back. */
  public CompletionStage<Result> rollBack(String service) {
    throw new UnsupportedOperationException();
  }

  /** From now on every version works, as before the first release. */
  public CompletionStage<Result> anyVersion(String service) {
    throw new UnsupportedOperationException();
  }

  /** How it stands; null for a service that isn't configured. */
  public @Nullable ServiceState state(String service) {
    throw new UnsupportedOperationException();
  }

  /** The release with this id, or with null the last one; null if there is none. */
  public @Nullable ReleaseReport report(String service, @Nullable String id) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() {}
}
