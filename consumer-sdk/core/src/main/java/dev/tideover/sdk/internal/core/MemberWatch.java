package dev.tideover.sdk.internal.core;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Which instances have fallen silent, from the heartbeats that are received. All times are
 * nanoseconds of one clock, taken when the records were at hand. For one thread.
 *
 * <p>Silence proves something only while one listens. All heartbeats go through one partition, ours
 * too: so whoever receives its own regularly has received what the others sent before them. An
 * outage of Kafka, or a halt of this JVM, stops our own as it stops theirs, and what follows it is
 * waited for again. So silence is judged only when our own came back without a gap for {@link
 * #REGULAR}, and it begins at the earliest with that time.
 *
 * <p>An instance that is wrongly taken for dead (it was halted itself, or cut off) loses its
 * partitions, and its requests are handled again by others; no more.
 */
public final class MemberWatch {

  private static final long MILLIS = 1_000_000;

  /** How often an instance says that it is there. */
  public static final long INTERVAL = 300 * MILLIS;

  /** Two of our own heartbeats further apart than this are a gap: one or two are missing. */
  static final long GAP = 500 * MILLIS;

  /** How long our own have to have come back without a gap before silence is judged. */
  static final long REGULAR = 1_500 * MILLIS;

  /** An instance that wasn't heard for so long is silent. */
  static final long SILENCE = 1_000 * MILLIS;

  /** How long one that is leaving may take, until it counts as silent if the group still has it. */
  static final long LEAVING = 10_000 * MILLIS;

  /** More than any group has; only somebody who writes nonsense into the topic gets there. */
  private static final int MAX_MEMBERS = 10_000;

  /** One that has been heard. */
  private static final class Heard {
    String incarnation;
    long at;
    boolean leaving;

    Heard(String incarnation, long at) {
      this.incarnation = incarnation;
      this.at = at;
    }
  }

  private final String ownName;
  private final String ownIncarnation;

  /** By name, those heard and not removed since; not this one. */
  private final Map<String, Heard> heard = new HashMap<>();

  /** Other incarnations under our own name, and when they were heard last. */
  private final Map<String, Long> namesakes = new HashMap<>();

  /** The names that the group had when it was last asked, and since when it is known. */
  private Map<String, Long> inGroup = new HashMap<>();

  /** Removed, and not heard since. If the group has one again it is alive, and only mute. */
  private final Set<String> removed = new HashSet<>();

  private boolean ownHeard;
  private long ownLast;
  private long regularSince;

  /**
   * A watch that has heard nothing yet.
   *
   * @param ownName this instance's name in the group
   * @param ownIncarnation this run of it
   */
  public MemberWatch(String ownName, String ownIncarnation) {
    this.ownName = ownName;
    this.ownIncarnation = ownIncarnation;
  }

  /** A heartbeat has been received. */
  public void alive(long now, String name, String incarnation) {
    if (name.equals(ownName)) {
      if (incarnation.equals(ownIncarnation)) {
        own(now);
      } else if (namesakes.size() < MAX_MEMBERS) {
        namesakes.put(incarnation, now);
      }
      return;
    }
    removed.remove(name);
    Heard known = heard.get(name);
    if (known == null) {
      if (heard.size() < MAX_MEMBERS) {
        heard.put(name, new Heard(incarnation, now));
      }
      return;
    }
    known.incarnation = incarnation;
    known.at = now;
    known.leaving = false;
  }

  private void own(long now) {
    if (!ownHeard || now - ownLast >= GAP) {
      regularSince = now;
    }
    ownHeard = true;
    ownLast = now;
  }

  /** A last heartbeat has been received: the instance ends, and leaves the group by itself. */
  public void leaving(long now, String name, String incarnation) {
    if (name.equals(ownName)) {
      namesakes.remove(incarnation);
      return;
    }
    Heard known = heard.get(name);
    // The last words of a run that has a successor already are of no consequence.
    if (known != null && known.incarnation.equals(incarnation)) {
      known.at = now;
      known.leaving = true;
    }
  }

  /** The group has these members; those that were never heard can be silent too. */
  public void inGroup(long now, Set<String> names) {
    Map<String, Long> seen = new HashMap<>();
    names.forEach(name -> seen.put(name, inGroup.getOrDefault(name, now)));
    inGroup = seen;
  }

  /** Whether our own heartbeats come back so regularly that silence means something. */
  public boolean isListening(long now) {
    return hearsItself(now, REGULAR);
  }

  /**
   * Whether every instance that is alive has been heard by now: our own heartbeats have come back
   * for two intervals.
   */
  public boolean hasHeardAll(long now) {
    return hearsItself(now, 2 * INTERVAL);
  }

  private boolean hearsItself(long now, long duration) {
    return ownHeard && now - ownLast < GAP && now - regularSince >= duration;
  }

  /** The names of those that are silent, without our own: to be removed from the group. */
  public List<String> silent(long now) {
    if (!isListening(now)) {
      return List.of();
    }
    List<String> silent = new ArrayList<>();
    heard.forEach(
        (name, last) -> {
          if (!last.leaving && now - last.at >= SILENCE) {
            silent.add(name);
          }
        });
    inGroup.forEach(
        (name, since) -> {
          Heard last = heard.get(name);
          boolean neverHeard = last == null && now - since >= REGULAR && !removed.contains(name);
          boolean neverLeft = last != null && last.leaving && now - last.at >= LEAVING;
          if (!name.equals(ownName) && (neverHeard || neverLeft)) {
            silent.add(name);
          }
        });
    return silent;
  }

  /** The group has it no more. One that is alive all the same is heard again. */
  public void removed(String name) {
    heard.remove(name);
    if (removed.size() < MAX_MEMBERS) {
      removed.add(name);
    }
    inGroup.remove(name);
  }

  /**
   * Whether nobody else has our name: our own heartbeats have come back regularly, and in this time
   * no other run under it was heard for {@link #SILENCE}.
   */
  public boolean isNameFree(long now) {
    return isListening(now) && namesakes.values().stream().allMatch(last -> now - last >= SILENCE);
  }

  /**
   * The incarnations that aren't known to have ended, with our own. One that was heard is among
   * them until it leaves, has a successor under its name, or is silent; in an outage, when silence
   * means nothing, they stay.
   */
  public Set<String> alive(long now) {
    boolean judged = isListening(now);
    Set<String> alive = new HashSet<>();
    alive.add(ownIncarnation);
    heard.values().removeIf(last -> last.leaving && now - last.at >= 6 * LEAVING);
    for (Heard last : heard.values()) {
      if (!last.leaving && !(judged && now - last.at >= SILENCE)) {
        alive.add(last.incarnation);
      }
    }
    if (judged) {
      namesakes.values().removeIf(last -> now - last >= SILENCE);
    }
    alive.addAll(namesakes.keySet());
    return alive;
  }
}
