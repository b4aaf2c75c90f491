package dev.tideover.gateway.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.tideover.gateway.config.GatewayConfig.Caller;
import dev.tideover.gateway.config.GatewayConfig.Concurrent;
import dev.tideover.gateway.config.GatewayConfig.Idempotency;
import dev.tideover.gateway.config.GatewayConfig.Late;
import dev.tideover.gateway.config.GatewayConfig.OrderingKey;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigFileTest {

  private static final String WHOLE =
      """
      kafka:
        bootstrap-servers: localhost:9092
        properties: {}
      http:   { host: 0.0.0.0, port: 8080 }        # + tls, limits
      admin:  { host: 127.0.0.1, port: 8081, token: "${TIDEOVER_ADMIN_TOKEN:}" }
      secret: "${TIDEOVER_SECRET:}"
      replies: { topic: tideover.replies, partitions: 12, retention: 1h }
      shutdown: { delay: 5s, wait: 10s }
      services:
        orders:
          routes:
            - path: /orders/**
              methods: [GET, POST]
              key: path 2
              wait: 30s
              late: accepted
              idempotency: optional
              concurrent: join
              caller: header authorization
              max-body: 1MiB
          topic:  { partitions: 12, replication: 1, min-insync: 1, retention: 7d }
          limits: { waiting: 20000, backlog-age: 80% }
      """;

  private static final String MINIMAL =
      """
      services:
        app:
          routes:
            - path: /**
      """;

  @Test
  void readsEveryKeyOfTheDocumentedExample() {
    GatewayConfig config = parse(WHOLE);

    assertThat(config.kafka()).isEqualTo(new GatewayConfig.Kafka("localhost:9092", Map.of()));
    assertThat(config.http()).isEqualTo(new GatewayConfig.Http("0.0.0.0", 8080));
    assertThat(config.admin()).isEqualTo(new GatewayConfig.Admin("127.0.0.1", 8081, null));
    assertThat(config.secret()).isNull();
    assertThat(config.replies())
        .isEqualTo(
            new GatewayConfig.Replies("tideover.replies", 12, Duration.ofHours(1), 1_000_000));
    assertThat(config.shutdown())
        .isEqualTo(new GatewayConfig.Shutdown(Duration.ofSeconds(5), Duration.ofSeconds(10)));
    GatewayConfig.Service orders = config.services().get("orders");
    assertThat(orders.topic())
        .isEqualTo(GatewayConfig.Topic.checked(12, 1, 1, Duration.ofDays(7), ""));
    assertThat(orders.limits()).isEqualTo(new GatewayConfig.Limits(20_000, 80));
    assertThat(orders.requestTopic()).isEqualTo("orders.requests");
    assertThat(orders.deadTopic()).isEqualTo("orders.dead");
    assertThat(orders.ledgerTopic()).isEqualTo("orders.ledger");
    assertThat(orders.membersTopic()).isEqualTo("orders.members");
    GatewayConfig.Route route = orders.routes().get(0);
    assertThat(route.path()).isEqualTo("/orders/**");
    assertThat(route.methods()).containsExactlyInAnyOrder("GET", "POST");
    assertThat(route.key()).isEqualTo(new OrderingKey(OrderingKey.Source.PATH, 2, ""));
    assertThat(route.patience()).hasSeconds(30);
    assertThat(route.late()).isEqualTo(Late.ACCEPTED);
    assertThat(route.idempotency()).isEqualTo(Idempotency.OPTIONAL);
    assertThat(route.concurrent()).isEqualTo(Concurrent.JOIN);
    assertThat(route.caller()).isEqualTo(new Caller("authorization"));
    assertThat(route.maxBody()).isEqualTo(1 << 20);
  }

  @Test
  void everyKeyButTheServicesHasTheDocumentedDefault() {
    GatewayConfig minimal = parse(MINIMAL);
    GatewayConfig whole = parse(WHOLE);

    assertThat(minimal.kafka()).isEqualTo(whole.kafka());
    assertThat(minimal.http()).isEqualTo(whole.http());
    assertThat(minimal.admin()).isEqualTo(whole.admin());
    assertThat(minimal.replies()).isEqualTo(whole.replies());
    GatewayConfig.Service app = minimal.services().get("app");
    assertThat(app.topic()).isEqualTo(whole.services().get("orders").topic());
    assertThat(app.limits()).isEqualTo(whole.services().get("orders").limits());
    GatewayConfig.Route route = app.routes().get(0);
    assertThat(route.methods()).isEmpty();
    assertThat(route.key()).isEqualTo(OrderingKey.NONE);
    assertThat(route.patience()).hasSeconds(30);
    assertThat(route.late()).isEqualTo(Late.ACCEPTED);
    assertThat(route.lateIsSet()).isFalse();
    assertThat(route.idempotency()).isEqualTo(Idempotency.OPTIONAL);
    assertThat(route.concurrent()).isEqualTo(Concurrent.JOIN);
    assertThat(route.caller()).isEqualTo(new Caller("authorization"));
    assertThat(route.maxBody()).isEqualTo(1 << 20);
  }

  @Test
  void readsJson() {
    GatewayConfig config =
        parse("{\"services\": {\"app\": {\"routes\": [{\"path\": \"/a\", \"wait\": \"500ms\"}]}}}");

    assertThat(config.services().get("app").routes().get(0).patience()).hasMillis(500);
  }

  @Test
  void keepsTheServicesInTheFilesOrder() {
    List<String> names = IntStream.range(0, 40).mapToObj(i -> "s" + (i * 7919) % 1000).toList();
    StringBuilder yaml = new StringBuilder("services:\n");
    names.forEach(
        name ->
            yaml.append("  ")
                .append(name)
                .append(": {routes: [{path: /")
                .append(name)
                .append("}]}\n"));

    assertThat(parse(yaml.toString()).services().keySet()).containsExactlyElementsOf(names);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        // where to put it | the path that the message must give | what else it must say
        "http: {prot: 8080} | http.prot | unknown key; known here: host, port",
        "htpp: {} | htpp | unknown key",
        "http: {port: 80a} | http.port | found \"80a\", expected a whole number",
        "http: {port: 8080.5} | http.port | 8080.5",
        "http: {port: 70000} | http.port | found 70000, expected 0 to 65535",
        "http: {port: -1} | http.port | found -1, expected 0 to 65535",
        "http: {port: 99999999999} | http.port | 99999999999",
        "http: {host: ''} | http.host | empty",
        "http: 8080 | http | expected keys with values, found \"8080\"",
        "http: [1] | http | found a list",
        "http: {port: [1]} | http.port | expected one value, found a list",
        "admin: {port: 65536} | admin.port | found 65536",
        "admin: {host: ' '} | admin.host | empty",
        "secret: short | secret | has 5 characters, expected at least 16",
        "admin: {token: \"a token with some spaces\"} | admin.token | it couldn't be sent in a header",
        "replies: {retention: 1} | replies.retention | found \"1\", expected a duration",
        "replies: {retention: 30s} | replies.retention | expected at least 1m",
        "replies: {retention: 1w} | replies.retention | found \"1w\"",
        "replies: {partitions: 0} | replies.partitions | found 0, expected 1 to 1000",
        "replies: {index: 9999} | replies.index | found 9999, expected 10000 to 50000000",
        "replies: {index: 50000001} | replies.index | found 50000001",
        "replies: {topic: 'a b'} | replies.topic | found \"a b\"",
        "replies: {topic: ..} | replies.topic | found \"..\"",
        "replies: {topic: app.requests} | replies.topic | which is a topic of the service app",
        "replies: {topic: app.dead} | replies.topic | which is a topic of the service app",
        "replies: {topic: app.ledger} | replies.topic | which is a topic of the service app",
        "replies: {topic: app.members} | replies.topic | which is a topic of the service app",
        "shutdown: {delay: 6m} | shutdown.delay | found PT6M, expected 0s to 5m",
        "shutdown: {wait: 301s} | shutdown.wait | found PT5M1S, expected 0s to 5m",
        "shutdown: {wait: 5} | shutdown.wait | found \"5\", expected a duration",
        "shutdown: {grace: 5s} | shutdown.grace | unknown key; known here: delay, wait",
        "kafka: {bootstrap-servers: ''} | kafka.bootstrap-servers | empty",
        "kafka: {bootstrap-servers: localhost} | kafka.bootstrap-servers | found \"localhost\", expected host:port",
        "kafka: {bootstrap-servers: 'a:1,b'} | kafka.bootstrap-servers | found \"b\"",
        "kafka: {bootstrap-servers: 'http://a:1'} | kafka.bootstrap-servers | http://a:1",
        "kafka: {properties: [a]} | kafka.properties | found a list",
        "services: {} | services | there is none",
        "services: [] | services | found a list",
      })
  void namesThePathAndBothValues(String line, String path, String says) {
    String text = line.startsWith("services") ? line : MINIMAL + line + "\n";

    assertThat(problemsOf(text))
        .anySatisfy(problem -> assertThat(problem).startsWith(path + ": ").contains(says));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "path: orders | path | found \"orders\", expected /...",
        "pth: /x | pth | unknown key",
        "path: /.tideover/requests/x | path | the gateway's own",
        "path: /.tideover | path | the gateway's own",
        "path: /x, wait: 30 | wait | found \"30\", expected a duration such as",
        "path: /x, wait: 30 s | wait | found \"30 s\"",
        "path: /x, wait: -1s | wait | found \"-1s\"",
        "path: /x, wait: 2h | wait | PT2H",
        "path: /x, wait: 999999999999d | wait | 999999999999d",
        "path: /x, late: never | late | found \"never\", expected one of accepted, timeout",
        "path: /x, late: Accepted | late | found \"Accepted\"",
        "path: /x, idempotency: maybe | idempotency | found \"maybe\", expected one of optional",
        "path: /x, idempotency: required | idempotency | found \"required\", but there is no secret",
        "path: /x, concurrent: wait | concurrent | found \"wait\", expected one of join, reject",
        "path: /x, caller: ip | caller | found \"ip\", expected \"header NAME\" or \"none\"",
        "path: /x, caller: header a b | caller | found \"header a b\"",
        "path: /x, caller: header | caller | found \"header\"",
        "path: /x, caller: path 1 | caller | found \"path 1\"",
        "path: /x, caller: header Proxy-Authorization | caller | ends at this gateway",
        "path: /x, caller: header Tideover-Id | caller | ends at this gateway",
        "path: /x, caller: header host | caller | ends at this gateway",
        "path: /x, max-body: 1MB | max-body | found \"1MB\", expected a size such as",
        "path: /x, max-body: 1024 | max-body | found \"1024\"",
        "path: /x, max-body: 65MiB | max-body | expected at most 64MiB",
        "path: /x, max-body: 999999999999GiB | max-body | 999999999999GiB",
        "path: /x, key: path | key | found \"path\", expected \"path N\"",
        "path: /x, key: path 0 | key | found \"path 0\"",
        "path: /x, key: header a b | key | found \"header a b\"",
        "path: /x, key: cookie x | key | found \"cookie x\"",
        "path: /x, methods: GET | methods | expected a list such as [GET, POST], found \"GET\"",
        "path: /x, methods: [get] | methods | found \"get\", expected an HTTP method in capitals",
        "path: /x, methods: [CONNECT] | methods | CONNECT can't be buffered",
        "path: /x, methods: [''] | methods | found \"\"",
      })
  void namesThePlaceInARoute(String route, String key, String says) {
    String text = "services: {app: {routes: [{path: /first}, {%s}]}}".formatted(route);

    assertThat(problemsOf(text))
        .anySatisfy(
            problem ->
                assertThat(problem)
                    .startsWith("services.app.routes[1]." + key + ": ")
                    .contains(says));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "topic: {partitions: 0} | topic.partitions | found 0, expected 1 to 1000",
        "topic: {replication: 11} | topic.replication | found 11",
        "topic: {replication: 1, min-insync: 2} | topic.min-insync | found 2, expected 1 to the replication, 1",
        "topic: {min-insync: 0} | topic.min-insync | found 0",
        "topic: {retention: 5s} | topic.retention | expected at least 1m",
        "topic: {partition: 3} | topic.partition | unknown key; known here: min-insync, partitions",
        "limits: {waiting: -1} | limits.waiting | found -1, expected 0 or more",
        "limits: {backlog-age: 80} | limits.backlog-age | found \"80\", expected a percentage",
        "limits: {backlog-age: 101%} | limits.backlog-age | 101%",
        "routs: [] | routs | unknown key",
      })
  void namesThePlaceInAService(String line, String key, String says) {
    String text = "services: {app: {routes: [{path: /x}], %s}}".formatted(line);

    assertThat(problemsOf(text))
        .anySatisfy(
            problem -> assertThat(problem).startsWith("services.app." + key + ": ").contains(says));
  }

  @Test
  void aRouteMayRequireKeysWhereThereIsASecretForThem() {
    GatewayConfig config =
        parse(
            """
            secret: 0123456789abcdef
            services:
              a:
                routes:
                  - { path: /x, idempotency: required, concurrent: reject, caller: header X-Tenant }
                  - { path: /y, idempotency: off, caller: none }
            """);

    GatewayConfig.Route first = config.services().get("a").routes().get(0);
    assertThat(first.idempotency()).isEqualTo(Idempotency.REQUIRED);
    assertThat(first.concurrent()).isEqualTo(Concurrent.REJECT);
    assertThat(first.caller()).isEqualTo(new Caller("x-tenant"));
    GatewayConfig.Route second = config.services().get("a").routes().get(1);
    assertThat(second.idempotency()).isEqualTo(Idempotency.OFF);
    assertThat(second.caller()).isEqualTo(Caller.NONE);
  }

  @Test
  void refusesTwoRoutesForTheSameRequests() {
    assertThat(
            problemsOf(
                "services: {a: {routes: [{path: /x, methods: [GET, POST]}]},"
                    + " b: {routes: [{path: /x, methods: [POST]}]}}"))
        .singleElement()
        .asString()
        .contains("services.a.routes[0]", "services.b.routes[0]", "POST /x");
  }

  @Test
  void refusesAWaitThatOutlivesTheReplies() {
    assertThat(
            problemsOf("replies: {retention: 1m}\nservices: {a: {routes: [{path: /x, wait: 2m}]}}"))
        .singleElement()
        .asString()
        .contains("services.a.routes[0].wait", "PT2M", "replies.retention", "PT1M");
  }

  @Test
  void refusesAServiceThatCantNameATopic() {
    assertThat(problemsOf("services: {'a/b': {routes: [{path: /x}]}}"))
        .anySatisfy(problem -> assertThat(problem).contains("services.a/b", "a/b"));
    assertThat(problemsOf("services: {a: {routes: []}}"))
        .anySatisfy(problem -> assertThat(problem).contains("services.a.routes", "none"));
    assertThat(problemsOf("services: {a: }"))
        .anySatisfy(problem -> assertThat(problem).contains("services.a"));
  }

  @Test
  void reportsAllProblemsAtOnce() {
    assertThat(problemsOf("http: {port: x, prot: 1}\nreplies: {retention: 1}\nservices: {a: {}}"))
        .hasSizeGreaterThanOrEqualTo(4);
  }

  @Test
  void takesValuesFromTheEnvironment() {
    String text =
        MINIMAL + "secret: \"${SECRET}\"\nhttp: {host: \"${A}.${B:b}${C:}\", port: \"${P}\"}\n";
    Map<String, String> environment =
        Map.of("SECRET", "0123456789abcdef", "A", "host", "P", "81", "B", "$1\\${X}");

    GatewayConfig config = ConfigFile.parse(text, "test", environment::get);

    assertThat(config.secret()).isEqualTo("0123456789abcdef");
    assertThat(config.http()).isEqualTo(new GatewayConfig.Http("host.$1\\${X}", 81));
  }

  @Test
  void missingEnvironmentVariableIsAnErrorUnlessADefaultStandsBehindIt() {
    assertThat(problemsOf(MINIMAL + "http: {host: \"${NOT_THERE}\"}\n"))
        .anySatisfy(problem -> assertThat(problem).startsWith("http.host: ").contains("NOT_THERE"));
    assertThat(parse(MINIMAL + "http: {host: \"${NOT_THERE:x:y}\"}\n").http().host())
        .isEqualTo("x:y");
    assertThat(problemsOf(MINIMAL + "http: {host: \"${NOT_CLOSED\"}\n"))
        .anySatisfy(problem -> assertThat(problem).startsWith("http.host: ").contains("${"));
  }

  @Test
  void keepsSecretsOutOfItsText() {
    GatewayConfig config =
        parse(
            MINIMAL
                + """
                secret: a-very-secret-secret
                admin: {token: a-secret-token-of-operators}
                kafka:
                  properties:
                    sasl.jaas.config: org.apache.kafka.common.security.plain.PlainLoginModule required password="hidden";
                    ssl.key.password: also-hidden
                """);

    assertThat(config.toString())
        .doesNotContain("a-very-secret-secret", "a-secret-token", "hidden")
        .contains("app");
  }

  @Test
  void keepsSecretsOutOfMessages() {
    String secret = "hidden-in-the-environment";

    assertThatThrownBy(
            () ->
                ConfigFile.parse(
                    MINIMAL + "kafka: {properties: {sasl.jaas.config: \"${S}\"}}\nhttp: {port: x}",
                    "test",
                    name -> secret))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("kafka.properties.sasl.jaas.config")
        .hasMessageNotContaining(secret);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "interceptor.classes",
        "metric.reporters",
        "config.providers",
        "ssl.engine.factory.class",
        "ssl.provider",
        "security.providers",
        "sasl.client.callback.handler.class",
        "sasl.login.callback.handler.class",
        "sasl.login.class",
        "sasl.oauthbearer.token.endpoint.url",
        "key.serializer",
        "partitioner.class",
        "acks",
        "enable.idempotence",
        "max.block.ms",
        "max.in.flight.requests.per.connection",
        "bootstrap.servers",
        "client.id",
        "group.id",
        "max.request.size",
        "transactional.id",
        "linger.ms ",
        "LINGER.MS",
      })
  void refusesKafkaPropertiesThatLoadCodeOrTouchThePromises(String name) {
    assertThat(problemsOf(MINIMAL + "kafka: {properties: {\"" + name + "\": x}}\n"))
        .singleElement()
        .asString()
        .startsWith("kafka.properties." + name);
  }

  @ParameterizedTest
  @CsvSource({
    "delivery.timeout.ms, 240001",
    "request.timeout.ms, 1200000",
    "delivery.timeout.ms, 2 min",
    "request.timeout.ms, -1"
  })
  void refusesToTryForSoLongThatWhatIsSaidToBeNeverStoredCouldStillBe(String name, String value) {
    assertThat(problemsOf(MINIMAL + "kafka: {properties: {" + name + ": " + value + "}}\n"))
        .singleElement()
        .asString()
        .startsWith("kafka.properties." + name + ": found \"" + value + "\"")
        .contains("at most 240000");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "com.sun.security.auth.module.JndiLoginModule required user.provider.url=\\\"ldap://x\\\";",
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
        "org.apache.kafka.common.security.plain.PlainLoginModuleX required;",
        "x org.apache.kafka.common.security.plain.PlainLoginModule required;",
        "org.apache.kafka.common.security.plain.PlainLoginModule required; com.sun.security.auth.module.JndiLoginModule required;",
        "org.apache.kafka.common.security.plain.PlainLoginModule required;\\ncom.sun.security.auth.module.JndiLoginModule required;",
        "org.apache.kafka.common.security.plain.PlainLoginModule required password=\\\"a;b\\\"; com.sun.security.auth.module.LdapLoginModule required;",
        "",
      })
  void refusesOtherLoginModules(String module) {
    assertThat(
            problemsOf(MINIMAL + "kafka: {properties: {sasl.jaas.config: \"" + module + "\"}}\n"))
        .singleElement()
        .asString()
        .startsWith("kafka.properties.sasl.jaas.config");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\\\"a\\\" password=\\\"b\\\";",
        "org.apache.kafka.common.security.scram.ScramLoginModule required\\n username=\\\"a;b\\\"\\n password=\\\"it's; \\\\\\\" required\\\";\\n",
      })
  void takesKafkasPasswordLogins(String module) {
    GatewayConfig config =
        parse(MINIMAL + "kafka: {properties: {sasl.jaas.config: \"" + module + "\"}}\n");

    assertThat(config.kafka().properties()).containsOnlyKeys("sasl.jaas.config");
  }

  @Test
  void takesTheSettingsOfAConnection() {
    GatewayConfig config =
        parse(
            MINIMAL
                + """
                kafka:
                  bootstrap-servers: "a:9092, [::1]:9093"
                  properties:
                    security.protocol: SASL_SSL
                    sasl.mechanism: SCRAM-SHA-512
                    ssl.truststore.location: /etc/trust.p12
                    linger.ms: 2
                    buffer.memory: 33554432
                    compression.type: lz4
                """);

    assertThat(config.kafka().properties())
        .containsEntry("linger.ms", "2")
        .containsEntry("buffer.memory", "33554432")
        .hasSize(6);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{ | line 1",
        "services: {app: {routes: [ | not YAML",
        "services:\\n\\t- x | line 2",
        "http: {port: 1}\\nhttp: {port: 2} | Duplicate",
        "http: {port: 1, port: 2} | Duplicate",
        "a: b: c | line 1",
        "--- {}\\n--- {} | test",
        "just words | expected keys with values",
        "[1, 2] | found a list",
        "!!javax.script.ScriptEngineManager [x] | test",
      })
  void refusesWhatIsNoUsableYaml(String text, String says) {
    assertThat(problemsOf(text.replace("\\n", "\n").replace("\\t", "\t")))
        .anySatisfy(problem -> assertThat(problem).containsAnyOf(says, "the file"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "\n", "# nothing\n", "null"})
  void anEmptyFileHasNoServices(String text) {
    assertThat(problemsOf(text)).singleElement().asString().startsWith("services: ");
  }

  @Test
  void aBombOfAliasesEndsAtOnce() {
    StringBuilder bomb = new StringBuilder("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 40; i++) {
      String before = "*a" + (i - 1);
      bomb.append(
          "a%d: &a%d [%s]\n"
              .formatted(i, i, String.join(",", java.util.Collections.nCopies(10, before))));
    }
    bomb.append("services: {app: {routes: *a39}}\n");

    assertTimeoutPreemptively(
        Duration.ofSeconds(5), () -> assertThat(problemsOf(bomb.toString())).isNotEmpty());
  }

  @Test
  void aliasesAreRefusedRatherThanReadAsText() {
    assertThat(problemsOf("x: &h example.org\n" + MINIMAL + "http: {host: *h}\n")).isNotEmpty();
    assertThat(problemsOf(MINIMAL + "admin: {host: &h example.org}\nhttp: {host: *h}\n"))
        .anySatisfy(problem -> assertThat(problem).contains("alias"));
  }

  @Test
  void deepNestingEndsAtOnce() {
    String deep = "[".repeat(100_000);

    assertTimeoutPreemptively(
        Duration.ofSeconds(5), () -> assertThat(problemsOf(deep)).isNotEmpty());
  }

  @Test
  void readsFilesAndSaysWhatIsWrongWithThem(@TempDir Path directory) throws Exception {
    Path good = Files.writeString(directory.resolve("good.yaml"), MINIMAL);
    Path latin1 =
        Files.write(
            directory.resolve("latin1.yaml"),
            (MINIMAL + "# ä\n").getBytes(StandardCharsets.ISO_8859_1));
    byte[] much = new byte[(1 << 20) + 1];
    Arrays.fill(much, (byte) '#');
    Path large = Files.write(directory.resolve("large.yaml"), much);

    assertThat(ConfigFile.read(good, name -> null).services()).containsOnlyKeys("app");
    assertThat(problemsOf(latin1)).singleElement().asString().contains("latin1.yaml", "UTF-8");
    assertThat(problemsOf(large)).singleElement().asString().contains("large.yaml", "1MiB");
    assertThat(problemsOf(directory.resolve("missing.yaml")))
        .singleElement()
        .asString()
        .contains("missing.yaml", "no such file");
    assertThat(problemsOf(directory)).singleElement().asString().contains("can't be read");
  }

  @Test
  void theEmbeddedConfigurationIsValid() {
    assertThat(parse(ConfigFile.EMBEDDED).services()).containsOnlyKeys("app");
  }

  private static GatewayConfig parse(String text) {
    return ConfigFile.parse(text, "test", name -> null);
  }

  private static List<String> problemsOf(String text) {
    List<String> problems = new ArrayList<>();
    assertThatThrownBy(() -> parse(text))
        .isInstanceOfSatisfying(ConfigException.class, e -> problems.addAll(e.problems()));
    return problems;
  }

  private static List<String> problemsOf(Path file) {
    List<String> problems = new ArrayList<>();
    assertThatThrownBy(() -> ConfigFile.read(file, name -> null))
        .isInstanceOfSatisfying(ConfigException.class, e -> problems.addAll(e.problems()));
    return problems;
  }
}
