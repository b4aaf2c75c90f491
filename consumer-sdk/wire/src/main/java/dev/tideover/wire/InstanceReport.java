package dev.tideover.wire;

import org.jspecify.annotations.Nullable;

/**
 * What an instance says of itself in {@code tideover.control}, under {@code
 * service/version/instance}: at each change, and each {@link #INTERVAL_MILLIS}. A tombstone under
 * the same key says that it has ended in good order. Immutable.
 *
 * @param service whose instance it is
 * @param version its label
 * @param instance its name, unique within the service
 * @param incarnation this run of it
 * @param state where it is
 * @param epochSeen of the last {@link DesiredState} that it goes by; 0 if it has seen none
 * @param partitions how many it has
 * @param counts what it has done
 */
public record InstanceReport(
    String service,
    String version,
    String instance,
    String incarnation,
    State state,
    long epochSeen,
    int partitions,
    Counts counts) {

  /** How often one is written. */
  public static final long INTERVAL_MILLIS = 1_000;

  /** Who hasn't been heard for this long is taken to have ended. */
  public static final long EXPIRY_MILLIS = 5_000;

  /**
   * What an instance has done since its incarnation began, and does now.
   *
   * @param handled how often its handler came to an end, however that was
   * @param errors how often of those by a failure, a timeout, a wish for another attempt or a dead
   *     letter, or with a reply of status 500 and up
   * @param dead how many requests it made dead letters
   * @param parked how many it keeps now, since it is on trial and failed with them
   * @param running how many handlers run now
   * @param oldestMillis how long the oldest of those has run
   */
  public record Counts(
      long handled, long errors, long dead, int parked, int running, long oldestMillis) {
    /** Before anything has happened. */
    public static final Counts NONE = new Counts(0, 0, 0, 0, 0, 0);
  }

  /** Where an instance is. */
  public enum State {
    /** Ready, and outside the group: another version is active. */
    STANDBY("standby"),
    /** On its way into the group. */
    JOINING("joining"),
    /** In the group, whether or not it has partitions; handles requests. */
    ACTIVE("active"),
    /** In the group; nothing starts, and what has begun is not all ended and committed. */
    HOLDING("holding"),
    /** In the group; nothing starts, and all that has begun is ended and committed. */
    DRAINED("drained"),
    /** On its way out of the group. */
    LEAVING("leaving");

    private final String text;

    State(String text) {
      this.text = text;
    }

    /** As it stands in records. */
    public String text() {
      return text;
    }

    /** Whether it is in the group, so that requests may be with it. */
    public boolean isMember() {
      return this != STANDBY;
    }

    static @Nullable State parse(String text) {
      for (State state : values()) {
        if (state.text.equals(text)) {
          return state;
        }
      }
      return null;
    }
  }

  /** The record's key, and what stands in replies: {@code service/version/instance}. */
  public String key() {
    return service + "/" + version + "/" + instance;
  }
}
