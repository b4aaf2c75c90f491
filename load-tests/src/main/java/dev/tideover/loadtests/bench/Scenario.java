package dev.tideover.loadtests.bench;

import dev.tideover.loadtests.client.Load;
import java.util.List;

/**
 * What is measured. Immutable.
 *
 * @param name as {@code --only} takes it
 * @param path the same at Tideover and at the bare gateway
 * @param mode what a right answer is
 * @param keyed whether each request has a key of its own; then it is compared with Tideover's own
 *     requests without one
 * @param connections how many requests are under way at once
 */
record Scenario(String name, String path, Load.Mode mode, boolean keyed, int connections) {

  private static final String KEYED = "keyed-";

  /** All of them, in the order in which they run. */
  static final List<Scenario> ALL =
      List.of(
          roundTrip(16),
          roundTrip(64),
          roundTrip(256),
          accept(64),
          accept(256),
          roundTrip(64).withKey(),
          accept(64).withKey());

  /** The client against a server that only echoes: what the client itself can carry. */
  static Scenario echo(int connections) {
    return new Scenario("echo-" + connections, "/echo", Load.Mode.ECHO, false, connections);
  }

  private static Scenario roundTrip(int connections) {
    return new Scenario(
        "round-trip-" + connections, "/round-trip", Load.Mode.ECHO, false, connections);
  }

  private static Scenario accept(int connections) {
    return new Scenario("accept-" + connections, "/accept", Load.Mode.ACCEPT, false, connections);
  }

  private Scenario withKey() {
    return new Scenario(KEYED + name, path, mode, true, connections);
  }

  /** The same requests without keys. */
  Scenario withoutKey() {
    return new Scenario(name.substring(KEYED.length()), path, mode, false, connections);
  }

  /** Whether {@code --only} with this word means it: the name, or a part up to a hyphen. */
  boolean isMeantBy(String only) {
    return name.equals(only) || name.startsWith(only + "-");
  }

  boolean isRoundTrip() {
    return mode == Load.Mode.ECHO;
  }

  Load load(int port, int rampMillis, int millis) {
    return new Load(port, path, mode, keyed, connections, rampMillis, millis);
  }
}
