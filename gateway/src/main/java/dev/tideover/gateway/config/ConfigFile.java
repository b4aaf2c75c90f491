package dev.tideover.gateway.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import dev.tideover.gateway.config.GatewayConfig.Admin;
import dev.tideover.gateway.config.GatewayConfig.Caller;
import dev.tideover.gateway.config.GatewayConfig.Concurrent;
import dev.tideover.gateway.config.GatewayConfig.Http;
import dev.tideover.gateway.config.GatewayConfig.Idempotency;
import dev.tideover.gateway.config.GatewayConfig.Kafka;
import dev.tideover.gateway.config.GatewayConfig.Late;
import dev.tideover.gateway.config.GatewayConfig.Limits;
import dev.tideover.gateway.config.GatewayConfig.OrderingKey;
import dev.tideover.gateway.config.GatewayConfig.Replies;
import dev.tideover.gateway.config.GatewayConfig.Route;
import dev.tideover.gateway.config.GatewayConfig.Service;
import dev.tideover.gateway.config.GatewayConfig.Shutdown;
import dev.tideover.gateway.config.GatewayConfig.Topic;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.error.MarkedYAMLException;

/** Reads the configuration file, YAML or JSON (which is YAML), into {@link GatewayConfig}. */
public final class ConfigFile {

  private static final int MAX_BYTES = 1 << 20;
  private static final String DURATION = "a duration such as 500ms, 30s, 5m, 1h or 7d";
  private static final String SIZE = "a size such as 512B, 64KiB or 1MiB";
  private static final String FIELD_NAME = "([\\w!#$&'*+.^`|~%-]+)";
  private static final Pattern KEY = Pattern.compile("(path) ([1-9]\\d?)|(header) " + FIELD_NAME);
  private static final Pattern CALLER = Pattern.compile("header " + FIELD_NAME);

  private static final ObjectMapper YAML =
      new ObjectMapper(
              YAMLFactory.builder()
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .streamReadConstraints(
                      StreamReadConstraints.builder().maxNestingDepth(50).build())
                  .build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  /**
   * What {@code tideover serve --embedded} runs with where no file is given: for one developer, so
   * not for the network, and with no load balancer that had to notice its end.
   */
  public static final String EMBEDDED =
      """
      http: { host: 127.0.0.1 }
      shutdown: { delay: 0s }
      services:
        app:
          routes:
            - path: /**
      """;

  /**
   * Reads a file.
   *
   * @param environment from a variable's name to its value or null
   * @throws ConfigException with every problem found, each with its path
   */
  public static GatewayConfig read(Path file, UnaryOperator<@Nullable String> environment) {
    return parse(text(file), file.toString(), environment);
  }

  /**
   * A file's text, whatever it says.
   *
   * @throws ConfigException if it can't be read or can't be a configuration
   */
  public static String text(Path file) {
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new ConfigException(file.toString(), "larger than 1MiB, so no configuration");
      }
      return Files.readString(file);
    } catch (NoSuchFileException e) {
      throw new ConfigException(file.toString(), "there is no such file");
    } catch (CharacterCodingException e) {
      throw new ConfigException(file.toString(), "not UTF-8");
    } catch (IOException e) {
      throw new ConfigException(file.toString(), "can't be read: " + e.getMessage());
    }
  }

  /**
   * Reads a text.
   *
   * @param name what to call the text in messages
   */
  public static GatewayConfig parse(
      String text, String name, UnaryOperator<@Nullable String> environment) {
    JsonNode tree;
    try {
      refuseAliases(text, name);
      tree = YAML.readTree(text);
    } catch (JsonProcessingException e) {
      throw notYaml(name, e);
    } catch (IOException impossible) {
      throw new AssertionError("reading from memory failed", impossible);
    }
    List<String> problems = new ArrayList<>();
    ConfigNode root = ConfigNode.root(tree, problems, environment);
    GatewayConfig config = root(root);
    if (config == null || !problems.isEmpty()) {
      throw new ConfigException(problems);
    }
    return config;
  }

  /** The tree would have an alias's name as if it were the value. */
  private static void refuseAliases(String text, String name) throws IOException {
    try (YAMLParser parser = (YAMLParser) YAML.createParser(text)) {
      while (parser.nextToken() != null) {
        if (parser.isCurrentAlias()) {
          throw new ConfigException(
              name + ", line " + parser.currentLocation().getLineNr(),
              "found the alias *" + parser.getText() + ", expected a value: aliases are not read");
        }
      }
    }
  }

  private static ConfigException notYaml(String name, JsonProcessingException e) {
    if (e.getCause() instanceof MarkedYAMLException marked && marked.getProblemMark() != null) {
      int line = marked.getProblemMark().getLine() + 1;
      return new ConfigException(name + ", line " + line, "not YAML: " + marked.getProblem());
    }
    String where = e.getLocation() == null ? "" : ", line " + e.getLocation().getLineNr();
    return new ConfigException(name + where, "not YAML: " + firstLine(e.getOriginalMessage()));
  }

  private static @Nullable GatewayConfig root(ConfigNode root) {
    Kafka kafka = kafka(root.child("kafka"));
    Http http = http(root.child("http"));
    Admin admin = admin(root.child("admin"));
    Replies replies = replies(root.child("replies"));
    Shutdown shutdown = shutdown(root.child("shutdown"));
    String secret = emptyAsNull(root.string("secret", ""));
    Map<String, @Nullable Service> services =
        root.children("services", (name, node) -> service(name, node));
    root.end();
    if (services.containsValue(null)) {
      return null;
    }
    return root.buildOrNull(
        () -> new GatewayConfig(kafka, http, admin, secret, replies, shutdown, services));
  }

  private static Kafka kafka(ConfigNode node) {
    String servers = node.string("bootstrap-servers", "localhost:9092");
    Map<String, String> properties = node.stringMap("properties");
    node.end();
    return node.build(() -> new Kafka(servers, properties), new Kafka("localhost:9092", Map.of()));
  }

  private static Http http(ConfigNode node) {
    String host = node.string("host", "0.0.0.0");
    int port = node.integer("port", 8080);
    node.end();
    return node.build(() -> new Http(host, port), new Http("0.0.0.0", 8080));
  }

  private static Admin admin(ConfigNode node) {
    String host = node.string("host", "127.0.0.1");
    int port = node.integer("port", 8081);
    String token = emptyAsNull(node.string("token", ""));
    node.end();
    return node.build(() -> new Admin(host, port, token), new Admin("127.0.0.1", 8081, null));
  }

  private static Replies replies(ConfigNode node) {
    String topic = node.string("topic", "tideover.replies");
    int partitions = node.integer("partitions", 12);
    Duration retention = node.unit("retention", Units::duration, DURATION, Duration.ofHours(1));
    int index = node.integer("index", Replies.DEFAULT_INDEX);
    node.end();
    return node.build(
        () -> new Replies(topic, partitions, retention, index),
        new Replies("tideover.replies", 12, Duration.ofHours(1)));
  }

  private static Shutdown shutdown(ConfigNode node) {
    Duration delay = node.unit("delay", Units::duration, DURATION, Shutdown.DEFAULT.delay());
    Duration patience = node.unit("wait", Units::duration, DURATION, Shutdown.DEFAULT.patience());
    node.end();
    return node.build(() -> new Shutdown(delay, patience), Shutdown.DEFAULT);
  }

  private static @Nullable Service service(String name, ConfigNode node) {
    List<@Nullable Route> routes = node.list("routes", ConfigFile::route);
    Topic topic = topic(node.child("topic"));
    Limits limits = limits(node.child("limits"));
    node.end();
    if (routes.contains(null)) {
      return null;
    }
    return node.buildOrNull(() -> new Service(name, routes, topic, limits));
  }

  private static @Nullable Route route(ConfigNode node) {
    String path = node.string("path", "");
    Set<String> methods = Set.copyOf(node.strings("methods"));
    OrderingKey key = key(node);
    Duration patience = node.unit("wait", Units::duration, DURATION, Duration.ofSeconds(30));
    boolean lateIsSet = node.has("late");
    Late late = node.word("late", Late.class, Late.ACCEPTED);
    Idempotency idempotency = node.word("idempotency", Idempotency.class, Idempotency.OPTIONAL);
    Concurrent concurrent = node.word("concurrent", Concurrent.class, Concurrent.JOIN);
    Caller caller = caller(node);
    long maxBody = node.unit("max-body", Units::bytes, SIZE, 1L << 20);
    node.end();
    return node.buildOrNull(
        () ->
            new Route(
                path,
                methods,
                key,
                patience,
                late,
                lateIsSet,
                idempotency,
                concurrent,
                caller,
                maxBody,
                node.path()));
  }

  private static OrderingKey key(ConfigNode node) {
    String text = node.string("key", "none");
    Matcher matcher = KEY.matcher(text);
    if (text.equals("none")) {
      return OrderingKey.NONE;
    }
    if (!matcher.matches()) {
      node.problem(
          node.path() + ".key",
          "found \"" + text + "\", expected \"path N\", \"header NAME\" or \"none\"");
      return OrderingKey.NONE;
    }
    return matcher.group(1) != null
        ? new OrderingKey(OrderingKey.Source.PATH, Integer.parseInt(matcher.group(2)), "")
        : new OrderingKey(OrderingKey.Source.HEADER, 0, matcher.group(4).toLowerCase(Locale.ROOT));
  }

  private static Caller caller(ConfigNode node) {
    String text = node.string("caller", "header " + Caller.AUTHORIZATION.header());
    Matcher matcher = CALLER.matcher(text);
    if (text.equals("none")) {
      return Caller.NONE;
    }
    if (!matcher.matches()) {
      node.problem(
          node.path() + ".caller", "found \"" + text + "\", expected \"header NAME\" or \"none\"");
      return Caller.AUTHORIZATION;
    }
    return new Caller(matcher.group(1).toLowerCase(Locale.ROOT));
  }

  private static Topic topic(ConfigNode node) {
    int partitions = node.integer("partitions", 12);
    int replication = node.integer("replication", 1);
    int minInsync = node.integer("min-insync", 1);
    Duration retention = node.unit("retention", Units::duration, DURATION, Duration.ofDays(7));
    node.end();
    return node.build(
        () -> Topic.checked(partitions, replication, minInsync, retention, node.path()),
        new Topic(12, 1, 1, Duration.ofDays(7)));
  }

  private static Limits limits(ConfigNode node) {
    int waiting = node.integer("waiting", 20_000);
    int backlogAge = node.unit("backlog-age", Units::percent, "a percentage such as 80%", 80);
    if (waiting < 0) {
      node.problem(node.path() + ".waiting", "found " + waiting + ", expected 0 or more");
    }
    node.end();
    return new Limits(waiting, backlogAge);
  }

  private static @Nullable String emptyAsNull(String text) {
    return text.isEmpty() ? null : text;
  }

  private static String firstLine(String message) {
    int end = message.indexOf('\n');
    return end < 0 ? message : message.substring(0, end);
  }

  private ConfigFile() {}
}
