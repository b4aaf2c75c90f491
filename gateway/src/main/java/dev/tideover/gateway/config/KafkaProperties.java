package dev.tideover.gateway.config;

import java.util.Map;
import java.util.regex.Pattern;

/** Which settings of Kafka's clients the file may change, and to what. Stateless. */
final class KafkaProperties {

  /** What may be set: how to connect, not how records are written, which the gateway decides. */
  private static final Pattern ALLOWED =
      Pattern.compile(
          "security\\.protocol|sasl\\.(mechanism|jaas\\.config|kerberos\\.service\\.name)"
              + "|sasl\\.login\\.[a-z.]+\\.ms"
              + "|ssl\\.(truststore|keystore)\\.(location|password|type|certificates|key"
              + "|certificate\\.chain)"
              + "|ssl\\.(key\\.password|enabled\\.protocols|protocol|cipher\\.suites)"
              + "|ssl\\.endpoint\\.identification\\.algorithm"
              + "|client\\.dns\\.lookup|client\\.rack|metadata\\.max\\.age\\.ms"
              + "|connections\\.max\\.idle\\.ms|reconnect\\.backoff(\\.max)?\\.ms"
              + "|socket\\.connection\\.setup\\.timeout(\\.max)?\\.ms"
              + "|request\\.timeout\\.ms|delivery\\.timeout\\.ms"
              + "|linger\\.ms|batch\\.size|buffer\\.memory|compression\\.type"
              + "|receive\\.buffer\\.bytes|send\\.buffer\\.bytes");

  /**
   * What a producer may take for a record, together, is less than the 10 minutes after which a
   * request that isn't in Kafka is said to have never been stored.
   */
  private static final Pattern TIMEOUT = Pattern.compile("(request|delivery)\\.timeout\\.ms");

  private static final long MAX_TIMEOUT_MILLIS = 240_000;

  /**
   * One login module with its options and nothing behind it: Kafka would load each of several.
   * Quoted text ends with its line, as it does for Kafka's reader.
   */
  private static final Pattern LOGIN_MODULE =
      Pattern.compile(
          "\\s*+org\\.apache\\.kafka\\.common\\.security"
              + "\\.(plain\\.PlainLoginModule|scram\\.ScramLoginModule)\\s++"
              + "(required|requisite|sufficient|optional)"
              + "(\\s++\\w++\\s*+=\\s*+(\"([^\"\\\\\\r\\n]|\\\\.)*+\"|[\\w.-]++))*+\\s*+;\\s*+");

  /**
   * Checks all.
   *
   * @throws ConfigException for the first that may not be set, or not so
   */
  static void check(Map<String, String> properties) {
    properties.forEach(
        (name, value) -> {
          String path = "kafka.properties." + name;
          if (!ALLOWED.matcher(name).matches()) {
            throw new ConfigException(
                path, "not among the client settings that may be changed (docs/configuration.md)");
          }
          if (TIMEOUT.matcher(name).matches() && !isShort(value)) {
            throw new ConfigException(
                path,
                "found \"" + value + "\", expected milliseconds, at most " + MAX_TIMEOUT_MILLIS);
          }
          if (name.equals("sasl.jaas.config") && !LOGIN_MODULE.matcher(value).matches()) {
            throw new ConfigException(
                path,
                "expected one login module, Kafka's PlainLoginModule or ScramLoginModule, and its"
                    + " options");
          }
        });
  }

  private static boolean isShort(String millis) {
    return millis.matches("\\s*\\d{1,6}\\s*")
        && Long.parseLong(millis.strip()) <= MAX_TIMEOUT_MILLIS;
  }

  private KafkaProperties() {}
}
