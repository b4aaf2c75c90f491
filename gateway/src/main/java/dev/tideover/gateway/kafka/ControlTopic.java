package dev.tideover.gateway.kafka;

import dev.tideover.gateway.config.GatewayConfig;
import dev.tideover.wire.DesiredState;
import dev.tideover.wire.InstanceReport;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
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

  private final ControlProbe probe;
  private final ControlFollower follower;
  private final ControlWriter writer;

  private ControlTopic(GatewayConfig config, Listener listener, ControlWriter.Seam seam) {
    this.probe =
        new ControlProbe(KafkaSettings.client(() -> Admin.create(KafkaSettings.admin(config))));
    this.follower =
        new ControlFollower(
            KafkaSettings.client(() -> new KafkaConsumer<>(KafkaSettings.control(config))),
            probe,
            new Listener() {
              @Override
              public void onDesired(DesiredState state) {
                ControlTopic.this.writer().wasRead(state);
                listener.onDesired(state);
              }

              @Override
              public void onReport(InstanceReport report) {
                listener.onReport(report);
              }

              @Override
              public void onGone(InstanceReport last, boolean clean) {
                listener.onGone(last, clean);
              }
            },
            () -> writer().endOpenTransaction());
    this.writer = new ControlWriter(config, probe, follower, seam);
  }

  /** For the follower, which is started when this is there. */
  private ControlWriter writer() {
    return writer;
  }

  /**
   * Starts to follow. The topic need not be there or allowed: it is tried all the time.
   *
   * @throws KafkaUnavailableException if Kafka's clients don't take their settings
   */
  public static ControlTopic start(GatewayConfig config, Listener listener) {
    return start(config, listener, ControlWriter.Seam.NONE);
  }

  static ControlTopic start(GatewayConfig config, Listener listener, ControlWriter.Seam seam) {
    ControlTopic topic = new ControlTopic(config, listener, seam);
    topic.follower.start();
    return topic;
  }

  /**
   * Done when it has read what there was at the call of start; failed as soon as it turns out that
   * the topic is not there or may not be read, which can change later.
   */
  public CompletionStage<@Nullable Void> ready() {
    return follower.ready();
  }

  /** The last state of a service; null if nobody has ever wanted anything of it. */
  public @Nullable DesiredState desired(String service) {
    return follower.desired(service);
  }

  /**
   * The instances that are there: of which a report was heard, and that have neither said that they
   * end nor been silent for {@link InstanceReport#EXPIRY_MILLIS}. While the topic can't be read
   * nobody falls silent.
   */
  public List<Instance> instances(String service) {
    return follower.instances(service);
  }

  /**
   * Writes a state if the one with the epoch before it is still the last; if there is none, also
   * where the topic was made anew, with any epoch. Waits for nothing; ends within 10 s.
   */
  public CompletionStage<Written> write(DesiredState next) {
    return writer.write(next);
  }

  /**
   * The members that the service's group has now, {@code version/instance} by their client ids, and
   * the whole client id of one that is no instance of the service; null where Kafka doesn't tell
   * within 3 s.
   */
  public CompletionStage<@Nullable Set<String>> members(String service) {
    return probe.members(service);
  }

  /** Whether the topic is being read; while it isn't, what is known here may be out of date. */
  public boolean isFollowing() {
    return follower.isFollowing();
  }

  /** Why it can't be read, for people; null where it can, or Kafka just doesn't answer. */
  public @Nullable String problem() {
    return follower.problem();
  }

  /** Ends; about 10 s at most. */
  @Override
  public void close() {
    writer.close();
    follower.close();
    probe.close();
  }
}
