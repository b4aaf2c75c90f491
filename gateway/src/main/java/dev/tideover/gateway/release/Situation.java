package dev.tideover.gateway.release;

import dev.tideover.gateway.kafka.ControlTopic.Instance;
import dev.tideover.wire.InstanceReport;
import dev.tideover.wire.InstanceReport.State;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What a gateway sees of a service at one moment. All times are durations by its own steady clock,
 * so that clocks needn't agree. Immutable.
 *
 * @param instances those that are heard
 * @param members the group's members as Kafka says, {@code version/instance} each, asked since the
 *     state came; null where that isn't known
 * @param stateMillis how long the state has stood
 * @param beganMillis how long ago its release began; 0 without one
 * @param heldMillis how long ago the release's hold began; 0 before
 * @param bad why the version on trial is no good; null as long as nothing speaks against it
 */
record Situation(
    List<Instance> instances,
    @Nullable Set<String> members,
    long stateMillis,
    long beganMillis,
    long heldMillis,
    @Nullable String bad) {

  /** How long Kafka's word on who is in the group is waited for; then it goes without. */
  static final long MEMBERS_MILLIS = 4_000;

  /** How many names of instances a text has at most. */
  private static final int NAMED = 4;

  boolean isLive(String version) {
    return of(version).findAny().isPresent();
  }

  Stream<InstanceReport> of(String version) {
    return all().filter(report -> report.version().equals(version));
  }

  Stream<InstanceReport> others(String version) {
    return all().filter(report -> !report.version().equals(version));
  }

  private Stream<InstanceReport> all() {
    return instances.stream().map(Instance::report);
  }

  /** How many of a version go by this epoch and stand by. */
  long ready(String version, long epoch) {
    return of(version)
        .filter(report -> report.epochSeen() >= epoch && report.state() == State.STANDBY)
        .count();
  }

  /** Whether one of the version goes by this epoch and is in the group, for good. */
  boolean hasJoined(String version, long epoch) {
    return of(version)
        .anyMatch(
            report ->
                report.epochSeen() >= epoch
                    && (report.state() == State.ACTIVE
                        || report.state() == State.HOLDING
                        || report.state() == State.DRAINED));
  }

  /** Whether nothing is under way at an instance, and nothing will be under this epoch. */
  static boolean isStill(InstanceReport report, long epoch) {
    return report.epochSeen() >= epoch
        && (report.state() == State.DRAINED || report.state() == State.STANDBY);
  }

  /** Who of another version is in the group; empty if nobody. For people. */
  String strangers(String version) {
    String named =
        names(others(version), report -> report.state().isMember() || report.partitions() > 0);
    if (!named.isEmpty()) {
      return named;
    }
    if (members == null) {
      return stateMillis < MEMBERS_MILLIS ? "whoever Kafka may have in the group" : "";
    }
    Set<String> others =
        members.stream().map(Situation::versionOf).collect(Collectors.toCollection(TreeSet::new));
    others.remove(version);
    return others.isEmpty()
        ? ""
        : "members of "
            + String.join(", ", others)
            + " that Kafka still has in the group, whether or not they are alive,";
  }

  /** Whether Kafka may yet say who is in the group. */
  boolean asksForMembers() {
    return members == null && stateMillis < MEMBERS_MILLIS;
  }

  /** The members that Kafka knows and nobody hears; in their order. */
  Set<String> unheard() {
    Set<String> unheard = new TreeSet<>(members == null ? Set.of() : members);
    all().map(report -> report.version() + "/" + report.instance()).forEach(unheard::remove);
    return unheard;
  }

  /** The version of a member; the whole of what is no instance of ours. */
  private static String versionOf(String member) {
    int slash = member.indexOf('/');
    return slash < 0 ? member : member.substring(0, slash);
  }

  /** {@code v1/a (active), v1/b (holding)} and so on; empty if there is none. */
  static String names(Stream<InstanceReport> reports, Predicate<InstanceReport> which) {
    List<String> names =
        reports
            .filter(which)
            .map(
                report ->
                    report.version()
                        + "/"
                        + report.instance()
                        + " ("
                        + report.state().text()
                        + (report.counts().running() > 0
                            ? ", " + report.counts().running() + " running"
                            : "")
                        + ")")
            .sorted()
            .collect(Collectors.toList());
    int more = names.size() - NAMED;
    return String.join(", ", more > 0 ? names.subList(0, NAMED) : names)
        + (more > 0 ? " and " + more + " more" : "");
  }
}
