package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.InstanceReport;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * What operators want of the services, and what the services' instances say of themselves: follows
 * {@link DesiredState#TOPIC} from its beginning, and writes to it. Safe for any thread.
 */
public final class ControlTopic implements AutoCloseable {

  /**
   * An instance that is there.
   *
   * @param silentMillis how long ago its last report was heard
   */
  public record Instance(InstanceReport report, long silentMillis) {}

  /** Is told, on the thread that reads; must not block. */
  public interface Listener {
    /** A newer state, also one that was found at the start. */
    void onDesired(DesiredState state);

    /** An instance has reported; not told of what was found at the start. */
    default void onReport(InstanceReport report) {}

    /**
     * An instance is gone.
     *
     * @param clean whether it said so; otherwise it has fallen silent
     */
    default void onGone(InstanceReport last, boolean clean) {}
  }

  /** How a write has ended. */
  public sealed interface Written {
    /** It stands. */
    record Done(DesiredState state) implements Written {}

    /** Another one has its epoch, or a higher one; it is not written. */
    record Conflict(@Nullable DesiredState current) implements Written {}

    /** Nobody knows; what is followed will tell. The reason is for people. */
    record Unknown(String why) implements Written {}
  }

  private ControlTopic() {}

  /** Starts to follow. */
  public static ControlTopic start(GatewayConfig config, Listener listener) {
    throw new UnsupportedOperationException();
  }

  /** Done when it has read what there was at the call of start; failed if it can't be read. */
  public CompletionStage<@Nullable Void> ready() {
    throw new UnsupportedOperationException();
  }

  /** The last state of a service; null if nobody has ever wanted anything of it. */
  public @Nullable DesiredState desired(String service) {
    throw new UnsupportedOperationException();
  }

  /** The instances that were heard within {@link InstanceReport#EXPIRY_MILLIS}. */
  public List<Instance> instances(String service) {
    throw new UnsupportedOperationException();
  }

  /**
   * Writes a state if the one with the epoch before it is still the last. Waits for nothing; ends
   * within 10 s.
   */
  public CompletionStage<Written> write(DesiredState next) {
    throw new UnsupportedOperationException();
  }

  /**
   * The versions of the members that the service's group has now, by their client ids; null where
   * Kafka doesn't tell within 3 s.
   */
  public CompletionStage<@Nullable Set<String>> memberVersions(String service) {
    throw new UnsupportedOperationException();
  }

  /** Whether the topic is being read; while it isn't, what is known here may be out of date. */
  public boolean isFollowing() {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() {}
}
