package dev.tideover.wire;

import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What operators want of a service: one record in {@code tideover.control}, under the service's
 * name. Each has the epoch of the one before plus 1, and is written only if that one is still the
 * last (see the gateway's control topic), so that there is one history. Immutable.
 *
 * @param service whose
 * @param epoch 1 for the first, then one more each time
 * @param command the id of the command that made it, so that who gave it knows it again
 * @param by the gateway that wrote it
 * @param since when, by its clock, epoch milliseconds
 * @param activeVersion the only version that handles requests; null for every one, as long as
 *     nobody has asked for a release
 * @param held whether an operator wants nothing to start
 * @param rate how many requests may start in a second, all instances together; 0 for no limit
 * @param release the one under way, or the last; null if there was none
 */
public record DesiredState(
    String service,
    long epoch,
    String command,
    String by,
    long since,
    @Nullable String activeVersion,
    boolean held,
    int rate,
    @Nullable Release release) {

  /** The topic of all services, compacted, with one partition. */
  public static final String TOPIC = "tideover.control";

  static final Pattern VERSION = Pattern.compile("[a-zA-Z0-9._~:+-]{1,100}");

  /** Checks what others rely on. */
  public DesiredState {
    if (epoch < 1 || rate < 0 || activeVersion != null && !isVersion(activeVersion)) {
      throw new IllegalArgumentException(
          "epoch " + epoch + ", rate " + rate + " or the version can't be");
    }
  }

  /** Whether this can be the label of a version. */
  public static boolean isVersion(String text) {
    return VERSION.matcher(text).matches();
  }

  /** Whether instances of this version handle requests, rather than stand by. */
  public boolean isActive(String version) {
    return activeVersion == null || activeVersion.equals(version);
  }

  /** Whether nothing starts: an operator holds, or a release passes from one version to another. */
  public boolean holds() {
    return held || release != null && release.step().holds();
  }

  /**
   * Whether this version is the one that a release tries out: what fails in it is kept for the
   * other one, and costs no attempt.
   */
  public boolean isOnTrial(String version) {
    return release != null && release.step().isTrial() && release.to().equals(version);
  }

  /**
   * A release from one version to another.
   *
   * @param id the command that began it
   * @param from the version that was active; it is the one that is gone back to
   * @param to the version to be active
   * @param step how far it is
   * @param began when, epoch milliseconds
   * @param heldSince when the hold began, epoch milliseconds; 0 before
   * @param prepareMillis how long to wait for instances of the new version
   * @param maxHoldMillis how long requests may be held, at most
   * @param verifyMillis how long the new version is on trial
   * @param instances how many of the new version have to be ready
   * @param reason why it ended as it did, or goes back; for people; empty until then
   */
  public record Release(
      String id,
      String from,
      String to,
      Step step,
      long began,
      long heldSince,
      long prepareMillis,
      long maxHoldMillis,
      long verifyMillis,
      int instances,
      String reason) {

    /** At the next step. */
    public Release at(Step next) {
      return new Release(
          id,
          from,
          to,
          next,
          began,
          heldSince,
          prepareMillis,
          maxHoldMillis,
          verifyMillis,
          instances,
          reason);
    }

    /** With the reason. */
    public Release because(String why) {
      return new Release(
          id,
          from,
          to,
          step,
          began,
          heldSince,
          prepareMillis,
          maxHoldMillis,
          verifyMillis,
          instances,
          why);
    }

    /** With the beginning of the hold. */
    public Release heldSince(long millis) {
      return new Release(
          id,
          from,
          to,
          step,
          began,
          millis,
          prepareMillis,
          maxHoldMillis,
          verifyMillis,
          instances,
          reason);
    }
  }

  /** How far a release is. */
  public enum Step {
    /** The new version gets ready, outside the group; the old one works. */
    PREPARE("prepare"),
    /** Nothing starts; the old version ends what it has begun, and commits. */
    DRAIN("drain"),
    /** The new version is active and joins the group; the old one leaves it. */
    ACTIVATE("activate"),
    /** The new version works and is watched. */
    VERIFY("verify"),
    /** The new version is active: the end. */
    DONE("done"),
    /** Nothing starts; the new version ends what it has begun, and gives back what it kept. */
    ROLL_BACK("roll-back"),
    /** The old version is active again and joins the group; the new one leaves it. */
    RESTORE("restore"),
    /** The old version is active: the end. */
    ROLLED_BACK("rolled-back"),
    /** It ended before anything had changed. */
    ABANDONED("abandoned");

    private final String text;

    Step(String text) {
      this.text = text;
    }

    /** As it stands in records. */
    public String text() {
      return text;
    }

    boolean holds() {
      return this == DRAIN || this == ROLL_BACK;
    }

    boolean isTrial() {
      return this == ACTIVATE || this == VERIFY || this == ROLL_BACK || this == RESTORE;
    }

    /** Whether nothing follows. */
    public boolean isEnd() {
      return this == DONE || this == ROLLED_BACK || this == ABANDONED;
    }

    static @Nullable Step parse(String text) {
      for (Step step : values()) {
        if (step.text.equals(text)) {
          return step;
        }
      }
      return null;
    }
  }
}
