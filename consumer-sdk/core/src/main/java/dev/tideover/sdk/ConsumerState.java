package dev.tideover.sdk;

/**
 * Where a {@link TideoverConsumer} is in its life. It only moves downwards in this list, but for
 * one thing: by releases it goes from {@link #STANDBY} to {@link #RUNNING} and back, any number of
 * times.
 */
public enum ConsumerState {
  /** Connecting, or joining the group; no request is handled yet. */
  STARTING,
  /**
   * Ready, and outside the group: another version of the service is the active one, and handles all
   * requests. It joins by itself when a release makes its own version the active one.
   */
  STANDBY,
  /** A member of the group; handles the requests of the partitions that the group gives it. */
  RUNNING,
  /** Closing: starts no request, waits for those that run. */
  DRAINING,
  /** Has left the group; {@link TideoverConsumer#close} was called. */
  CLOSED,
  /**
   * Stopped by itself on a failure that it can't get over; {@link TideoverConsumer#failure} has the
   * cause. What it hadn't finished is handled by other instances, or by this one after a restart.
   */
  FAILED
}
