package dev.tideover.gateway.config;

import java.lang.reflect.RecordComponent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What differs between the configuration that runs and the one that is to follow it.
 *
 * @param refused what a running gateway can't change, one line each: the path, both values, what to
 *     do; empty where the new configuration can be taken
 * @param added services that are new
 * @param removed services that are gone
 * @param changed services whose routes or limits are others
 * @param larger those of them that take larger bodies than before
 * @param shutdown whether that differs
 */
public record ConfigChange(
    List<String> refused,
    Set<String> added,
    Set<String> removed,
    Set<String> changed,
    Set<String> larger,
    boolean shutdown) {

  private static final String RESTART = "; only a restart can change it";

  /** Values of these are not for a log. */
  private static final Set<String> HIDDEN = Set.of("secret", "admin.token", "kafka.properties");

  /** Compares two configurations. */
  public static ConfigChange between(GatewayConfig now, GatewayConfig next) {
    List<String> refused = new ArrayList<>();
    compare("kafka", now.kafka(), next.kafka(), refused);
    compare("http", now.http(), next.http(), refused);
    compare("admin", now.admin(), next.admin(), refused);
    compare("replies", now.replies(), next.replies(), refused);
    compare("secret", now.secret(), next.secret(), refused);

    Map<String, GatewayConfig.Service> before = now.services();
    Set<String> added = new LinkedHashSet<>();
    Set<String> changed = new LinkedHashSet<>();
    Set<String> larger = new LinkedHashSet<>();
    next.services()
        .forEach(
            (name, service) -> {
              GatewayConfig.Service known = before.get(name);
              if (known == null) {
                added.add(name);
              } else {
                compare("services." + name + ".topic", made(known), made(service), refused);
                if (!known.equals(service)) {
                  changed.add(name);
                }
                if (service.maxBody() > known.maxBody()) {
                  larger.add(name);
                }
              }
            });
    Set<String> removed = new LinkedHashSet<>(before.keySet());
    removed.removeAll(next.services().keySet());
    return new ConfigChange(
        List.copyOf(refused),
        added,
        removed,
        changed,
        larger,
        !now.shutdown().equals(next.shutdown()));
  }

  /** The services whose topics must be looked at before they can be used so. */
  public Set<String> toEnsure() {
    Set<String> names = new LinkedHashSet<>(added);
    names.addAll(larger);
    return names;
  }

  /** Whether both say the same. */
  public boolean isNone() {
    return refused.isEmpty()
        && added.isEmpty()
        && removed.isEmpty()
        && changed.isEmpty()
        && !shutdown;
  }

  /** In words, for the log. */
  @Override
  public String toString() {
    List<String> words = new ArrayList<>();
    describe("services added: ", added, words);
    describe("services removed: ", removed, words);
    describe("services changed: ", changed, words);
    if (shutdown) {
      words.add("shutdown changed");
    }
    return words.isEmpty() ? "no difference" : String.join("; ", words);
  }

  private static void describe(String what, Set<String> names, List<String> words) {
    if (!names.isEmpty()) {
      words.add(what + String.join(", ", names));
    }
  }

  /**
   * What a topic was made with. Its retention isn't: operators change the topic's own, and the file
   * says against which a backlog's age is held.
   */
  private static GatewayConfig.Topic made(GatewayConfig.Service service) {
    GatewayConfig.Topic topic = service.topic();
    return new GatewayConfig.Topic(
        topic.partitions(), topic.replication(), topic.minInsync(), Duration.ZERO);
  }

  /** Every part of two records; what is no record is a value. */
  private static void compare(
      String path, @Nullable Object now, @Nullable Object next, List<String> refused) {
    if (Objects.equals(now, next)) {
      return;
    }
    if (now instanceof Record && next instanceof Record) {
      for (RecordComponent part : now.getClass().getRecordComponents()) {
        compare(path + "." + key(part.getName()), value(part, now), value(part, next), refused);
      }
    } else if (HIDDEN.contains(path)) {
      refused.add(path + ": the file has another than the one that runs (not shown)" + RESTART);
    } else {
      refused.add(path + ": the file says " + next + ", what runs is " + now + RESTART);
    }
  }

  private static @Nullable Object value(RecordComponent part, Object record) {
    try {
      return part.getAccessor().invoke(record);
    } catch (ReflectiveOperationException impossible) {
      throw new AssertionError("a public record's part can't be read", impossible);
    }
  }

  /** {@code minInsync} is {@code min-insync} in the file. */
  private static String key(String name) {
    return name.replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
  }
}
