package dev.tideover.gateway.config;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The whole configuration. Every record here checks itself when it is built and throws {@link
 * ConfigException} with the path that the value has in the file, so one that exists can be used.
 *
 * @param secret signs status addresses and makes request ids of idempotency keys; the same on all
 *     gateways of a cell; null for a random one
 * @param services by name, in the file's order
 */
public record GatewayConfig(
    Kafka kafka,
    Http http,
    Admin admin,
    @Nullable String secret,
    Replies replies,
    Shutdown shutdown,
    Map<String, Service> services) {

  /** Where the gateway's own resources live; no route can have it. */
  public static final String RESERVED_PATH = "/.tideover";

  private static final Pattern TOPIC_NAME = Pattern.compile("[a-zA-Z0-9._-]{1,200}");
  private static final Pattern TOKEN = Pattern.compile("[!-~]+");
  private static final int MIN_SECRET_LENGTH = 16;

  public GatewayConfig {
    services = Collections.unmodifiableMap(new LinkedHashMap<>(services));
    if (secret != null && secret.length() < MIN_SECRET_LENGTH) {
      throw new ConfigException(
          "secret",
          "has " + secret.length() + " characters, expected at least " + MIN_SECRET_LENGTH);
    }
    if (services.isEmpty()) {
      throw new ConfigException("services", "there is none, so no request could go anywhere");
    }
    boolean hasSecret = secret != null;
    Map<String, String> seen = new LinkedHashMap<>();
    services.forEach(
        (name, service) -> {
          check(
              !service.topics().contains(replies.topic()),
              "replies.topic",
              "found \"" + replies.topic() + "\", which is a topic of the service " + name);
          for (int i = 0; i < service.routes().size(); i++) {
            Route route = service.routes().get(i);
            String path = "services." + name + ".routes[" + i + "]";
            if (route.patience().compareTo(replies.retention()) > 0) {
              throw new ConfigException(
                  path + ".wait",
                  route.patience()
                      + " is longer than replies.retention, "
                      + replies.retention()
                      + ": a reply could be gone before its client is");
            }
            check(
                route.idempotency() != Idempotency.REQUIRED || hasSecret,
                path + ".idempotency",
                "found \"required\", but there is no secret: each gateway would draw its own at each"
                    + " start, and not know the keys of the others or of before; set secret, the"
                    + " same on all gateways");
            for (String method : route.methods().isEmpty() ? Set.of("*") : route.methods()) {
              String before = seen.putIfAbsent(method + " " + route.path(), path);
              if (before != null) {
                throw new ConfigException(
                    path, "same path and method as " + before + ": " + method + " " + route.path());
              }
            }
          }
        });
  }

  /** The same with these services alone; one at least. */
  public GatewayConfig only(Set<String> names) {
    Map<String, Service> kept = new LinkedHashMap<>(services);
    kept.keySet().retainAll(names);
    return new GatewayConfig(kafka, http, admin, secret, replies, shutdown, kept);
  }

  /** Without the secret: this text may reach a log. */
  @Override
  public String toString() {
    return "GatewayConfig["
        + kafka
        + ", "
        + http
        + ", "
        + admin
        + (secret == null ? ", no secret, " : ", secret, ")
        + replies
        + ", "
        + shutdown
        + ", "
        + services
        + "]";
  }

  private static void check(boolean condition, String path, String problem) {
    if (!condition) {
      throw new ConfigException(path, problem);
    }
  }

  private static void checkPort(int port, String path) {
    check(port >= 0 && port <= 65_535, path, "found " + port + ", expected 0 to 65535");
  }

  private static void checkTopicName(String name, String path) {
    check(
        TOPIC_NAME.matcher(name).matches() && !name.equals(".") && !name.equals(".."),
        path,
        "found \"" + name + "\", expected letters, digits, '.', '_' and '-' (at most 200)");
  }

  /**
   * How to reach Kafka.
   *
   * @param properties further client settings, from the list in {@code docs/configuration.md}
   */
  public record Kafka(String bootstrapServers, Map<String, String> properties) {

    public Kafka {
      properties = Map.copyOf(properties);
      check(!bootstrapServers.isBlank(), "kafka.bootstrap-servers", "is empty, expected host:port");
      for (String server : bootstrapServers.split(",", -1)) {
        check(
            server.strip().matches("(\\[[0-9a-fA-F:]+]|[^\\s:/\\[\\]]+):\\d{1,5}"),
            "kafka.bootstrap-servers",
            "found \"" + server.strip() + "\", expected host:port");
      }
      KafkaProperties.check(properties);
    }

    /** Without the properties' values, which may be secrets. */
    @Override
    public String toString() {
      return "Kafka[" + bootstrapServers + ", properties " + properties.keySet() + "]";
    }
  }

  /**
   * Where clients connect.
   *
   * @param port 0 for any free one
   */
  public record Http(String host, int port) {
    public Http {
      check(!host.isBlank(), "http.host", "is empty, expected an address such as 0.0.0.0");
      checkPort(port, "http.port");
    }
  }

  /**
   * Where operators connect.
   *
   * @param port 0 for any free one
   * @param token what they must show; null for nothing
   */
  public record Admin(String host, int port, @Nullable String token) {
    public Admin {
      check(!host.isBlank(), "admin.host", "is empty, expected an address such as 127.0.0.1");
      checkPort(port, "admin.port");
      if (token != null) {
        // What it has is not told: this text reaches a log.
        check(
            TOKEN.matcher(token).matches(),
            "admin.token",
            "has a space, or a character that is not of ASCII: it couldn't be sent in a header");
      }
    }

    @Override
    public String toString() {
      return "Admin[" + host + ":" + port + (token == null ? ", no token]" : ", token]");
    }
  }

  /**
   * The reply topic of this gateway's cell.
   *
   * @param index how many of the newest replies can be found without a search
   */
  public record Replies(String topic, int partitions, Duration retention, int index) {

    /** How many it is where the file says nothing. */
    public static final int DEFAULT_INDEX = 1_000_000;

    public Replies {
      checkTopicName(topic, "replies.topic");
      check(
          partitions >= 1 && partitions <= 1_000,
          "replies.partitions",
          "found " + partitions + ", expected 1 to 1000");
      check(
          retention.compareTo(Duration.ofMinutes(1)) >= 0,
          "replies.retention",
          "found " + retention + ", expected at least 1m");
      check(
          index >= 10_000 && index <= 50_000_000,
          "replies.index",
          "found " + index + ", expected 10000 to 50000000");
    }

    public Replies(String topic, int partitions, Duration retention) {
      this(topic, partitions, retention, DEFAULT_INDEX);
    }
  }

  /**
   * How the gateway ends.
   *
   * @param delay how long it goes on serving after it has said that it is not ready
   * @param patience {@code wait} in the file: how long it then waits for the replies that clients
   *     wait for
   */
  public record Shutdown(Duration delay, Duration patience) {

    private static final Duration MAX = Duration.ofMinutes(5);

    public static final Shutdown DEFAULT =
        new Shutdown(Duration.ofSeconds(5), Duration.ofSeconds(10));

    public Shutdown {
      checkRange(delay, "shutdown.delay");
      checkRange(patience, "shutdown.wait");
    }

    private static void checkRange(Duration value, String path) {
      check(
          !value.isNegative() && value.compareTo(MAX) <= 0,
          path,
          "found " + value + ", expected 0s to 5m");
    }
  }

  /** A backend: its routes, its topics, its limits. */
  public record Service(String name, List<Route> routes, Topic topic, Limits limits) {
    public Service {
      routes = List.copyOf(routes);
      checkTopicName(name, "services." + name);
      check(!routes.isEmpty(), "services." + name + ".routes", "there is none");
    }

    public String requestTopic() {
      return name + ".requests";
    }

    public String deadTopic() {
      return name + ".dead";
    }

    /** Where the service's instances remember failed attempts. */
    public String ledgerTopic() {
      return name + ".ledger";
    }

    /** Where the service's instances hear each other's heartbeats. */
    public String membersTopic() {
      return name + ".members";
    }

    /** All that are the service's own. */
    List<String> topics() {
      return List.of(requestTopic(), deadTopic(), ledgerTopic(), membersTopic());
    }

    /** Bytes of the largest body that any of its routes takes. */
    public long maxBody() {
      return routes.stream().mapToLong(Route::maxBody).max().orElse(0);
    }
  }

  /**
   * What a route does with the requests that it takes.
   *
   * @param path a pattern: {@code *} is one segment, {@code **} at the end the rest
   * @param methods empty for all
   * @param patience {@code wait} in the file: how long a connection is kept
   * @param maxBody bytes
   * @param where the route's path in the file, for messages
   */
  public record Route(
      String path,
      Set<String> methods,
      OrderingKey key,
      Duration patience,
      Late late,
      boolean lateIsSet,
      Idempotency idempotency,
      Concurrent concurrent,
      Caller caller,
      long maxBody,
      String where) {

    /** The longest wait; a client that can wait longer asks at its {@code Location}. */
    public static final Duration MAX_WAIT = Duration.ofHours(1);

    public static final long MAX_BODY = 64L << 20;

    public Route {
      methods = Set.copyOf(methods);
      check(path.startsWith("/"), where + ".path", "found \"" + path + "\", expected /...");
      check(
          !path.equals(RESERVED_PATH) && !path.startsWith(RESERVED_PATH + "/"),
          where + ".path",
          RESERVED_PATH + " is the gateway's own");
      check(
          patience.compareTo(Duration.ZERO) >= 0 && patience.compareTo(MAX_WAIT) <= 0,
          where + ".wait",
          "found " + patience + ", expected 0s to 1h");
      check(
          maxBody >= 0 && maxBody <= MAX_BODY,
          where + ".max-body",
          "found " + maxBody + " bytes, expected at most 64MiB");
      check(
          caller.header() == null || Caller.isEndToEnd(caller.header()),
          where + ".caller",
          "found \"header "
              + caller.header()
              + "\", which ends at this gateway and says nothing of who sent the request, so all"
              + " callers would be one");
      for (String method : methods) {
        check(
            method.matches("[A-Z]+"),
            where + ".methods",
            "found \"" + method + "\", expected an HTTP method in capitals");
        check(
            !method.equals("CONNECT") && !method.equals("TRACE"),
            where + ".methods",
            method + " can't be buffered");
      }
    }
  }

  /** What makes two requests wait for each other. */
  public record OrderingKey(Source source, int segment, String header) {

    public static final OrderingKey NONE = new OrderingKey(Source.NONE, 0, "");

    /** Where the key comes from. */
    public enum Source {
      /** Every request for itself. */
      NONE,
      /** Path segment {@link OrderingKey#segment}, counted from 1. */
      PATH,
      /** The value of field {@link OrderingKey#header}, lower-case. */
      HEADER
    }
  }

  /** What a client is told when its wait is over before the reply is there. */
  public enum Late {
    /** 202 and where to ask. */
    ACCEPTED,
    /** 504 and where to ask. */
    TIMEOUT
  }

  /** Whether a route knows idempotency keys. */
  public enum Idempotency {
    /** A request with a key is one with all others that have it; one without is for itself. */
    OPTIONAL,
    /** A request without a key is refused. */
    REQUIRED,
    /** A key is passed on to the service as any other field. */
    OFF
  }

  /** What becomes of a request whose key another has that is still on its way. */
  public enum Concurrent {
    /** It waits for the same reply. */
    JOIN,
    /** It is refused with 409. */
    REJECT
  }

  /**
   * What tells callers apart: the same key of two callers is two keys, so that nobody gets the
   * reply of another by guessing.
   *
   * @param header whose value it is, lower-case; null where all are one caller
   */
  public record Caller(@Nullable String header) {

    /** All are one. */
    public static final Caller NONE = new Caller(null);

    /** Who shows the same credentials is the same. */
    public static final Caller AUTHORIZATION = new Caller("authorization");

    /** These end at the gateway, or are made anew there. */
    private static final Set<String> NOT_END_TO_END =
        Set.of(
            "connection",
            "content-length",
            "expect",
            "host",
            "keep-alive",
            "proxy-authenticate",
            "proxy-authorization",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade");

    private static boolean isEndToEnd(String name) {
      return !NOT_END_TO_END.contains(name) && !name.startsWith("tideover-");
    }
  }

  /** How a service's request topic is made, and what it must be where it exists. */
  public record Topic(int partitions, int replication, int minInsync, Duration retention) {

    /** The same with every value checked. */
    public static Topic checked(
        int partitions, int replication, int minInsync, Duration retention, String path) {
      List<String> problems = new ArrayList<>();
      if (partitions < 1 || partitions > 1_000) {
        problems.add(path + ".partitions: found " + partitions + ", expected 1 to 1000");
      }
      if (replication < 1 || replication > 10) {
        problems.add(path + ".replication: found " + replication + ", expected 1 to 10");
      }
      if (minInsync < 1 || minInsync > replication) {
        problems.add(
            path
                + ".min-insync: found "
                + minInsync
                + ", expected 1 to the replication, "
                + replication);
      }
      if (retention.compareTo(Duration.ofMinutes(1)) < 0) {
        problems.add(path + ".retention: found " + retention + ", expected at least 1m");
      }
      if (!problems.isEmpty()) {
        throw new ConfigException(problems);
      }
      return new Topic(partitions, replication, minInsync, retention);
    }
  }

  /**
   * A service's limits.
   *
   * @param waiting connections kept at once; a request beyond them is stored and answered 202
   * @param backlogAgePercent of the retention: the age of the oldest waiting request at which no
   *     more are taken
   */
  public record Limits(int waiting, int backlogAgePercent) {}
}
