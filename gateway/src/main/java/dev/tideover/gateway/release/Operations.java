package dev.tideover.gateway.release;

import dev.tideover.wire.DesiredState;
import dev.tideover.wire.InstanceReport;
import java.util.List;
import java.util.SortedSet;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * What operators can see of the services, and want of them. Safe for any thread. A wish that stands
 * already is accepted again, so a client that has seen no answer can ask anew.
 */
public interface Operations {

  /** What came of an operator's wish. */
  sealed interface Result {
    /** It stands, or stood already. */
    record Accepted(DesiredState state) implements Result {}

    /** It can't be, as things stand: 409. The reason says what to do. */
    record Refused(String code, String reason) implements Result {}

    /** The gateway's configuration has no such service: 404. */
    record NoSuchService() implements Result {}

    /** Whether it stands is not known, since Kafka doesn't answer: 503. Asking again is right. */
    record Unavailable(String reason) implements Result {}
  }

  /**
   * An instance that is there.
   *
   * @param silentMillis how long ago its last report was heard
   */
  record Instance(InstanceReport report, long silentMillis) {}

  /**
   * How a service stands.
   *
   * @param desired the last that is known; null if nobody has ever wanted anything of it
   * @param instances those that were heard lately
   * @param current whether all of this is followed now, and has been for so long that every
   *     instance can have reported; otherwise it may be out of date, and instances may be missing
   * @param problems for people, a line each
   */
  record ServiceState(
      String service,
      @Nullable DesiredState desired,
      List<Instance> instances,
      boolean current,
      List<String> problems) {}

  /** The names of those that are configured. */
  SortedSet<String> services();

  /** How it stands; null for a service that isn't configured. Waits for nothing. */
  @Nullable ServiceState state(String service);

  /** The release with this id, or with null the last one; null if there is none. */
  @Nullable ReleaseReport report(String service, @Nullable String id);

  /** Holds or resumes a service. */
  CompletionStage<Result> hold(String service, boolean held);

  /** Limits how many requests start in a second, of all instances together; 0 for no limit. */
  CompletionStage<Result> rate(String service, int perSecond);

  /** Begins a release. */
  CompletionStage<Result> release(String service, ReleaseOrder order);

  /** Ends a release that is under way by going back. */
  CompletionStage<Result> rollBack(String service);

  /** From now on every version works, as before the first release. */
  CompletionStage<Result> anyVersion(String service);
}
