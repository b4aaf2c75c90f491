package dev.tideover.gateway.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigChangeTest {

  private static final String BEFORE =
      """
      kafka: { bootstrap-servers: "a:1", properties: { client.rack: one } }
      http: { host: 127.0.0.1, port: 8080 }
      admin: { host: 127.0.0.1, port: 8081, token: the-token-of-now }
      secret: the secret of this test
      replies: { topic: replies, partitions: 3, retention: 1h }
      shutdown: { delay: 5s, wait: 10s }
      services:
        orders:
          topic: { partitions: 4, replication: 1, min-insync: 1, retention: 7d }
          limits: { waiting: 100 }
          routes:
            - { path: /orders/**, wait: 30s, max-body: 2KiB }
        stock:
          routes:
            - { path: /stock/**, max-body: 1KiB }
      """;

  @Test
  void theSameIsNoChange() {
    ConfigChange change = change(BEFORE);

    assertThat(change.isNone()).isTrue();
    assertThat(change).hasToString("no difference");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "a:1 | b:2 | kafka.bootstrap-servers: the file says b:2, what runs is a:1",
        "rack: one | rack: two | kafka.properties: the file has another",
        "127.0.0.1, port: 8080 | 0.0.0.0, port: 8080 | http.host: the file says 0.0.0.0, what runs is 127.0.0.1",
        "8080 | 9090 | http.port: the file says 9090, what runs is 8080",
        "8081 | 9091 | admin.port: the file says 9091, what runs is 8081",
        "the-token-of-now | another-one-for-operators | admin.token: the file has another than the one that runs (not shown)",
        "the secret of | other secret of | secret: the file has another than the one that runs (not shown)",
        "topic: replies | topic: others | replies.topic: the file says others, what runs is replies",
        "partitions: 3 | partitions: 5 | replies.partitions: the file says 5, what runs is 3",
        "retention: 1h | retention: 2h | replies.retention: the file says PT2H, what runs is PT1H",
        "partitions: 4 | partitions: 8 | services.orders.topic.partitions: the file says 8, what runs is 4",
      })
  void whatOnlyARestartCanChangeIsRefusedWithItsPathAndBothValues(
      String from, String to, String refused) {
    String after = BEFORE.replace(from, to);
    assertThat(after).isNotEqualTo(BEFORE);

    ConfigChange change = change(after);

    assertThat(change.refused())
        .singleElement()
        .asString()
        .startsWith(refused)
        .contains("only a restart")
        .doesNotContain("another-one", "other secret");
    assertThat(change.isNone()).isFalse();
  }

  @Test
  void allRefusalsAreNamedAtOnce() {
    assertThat(change(BEFORE.replace("8080", "9090").replace("a:1", "b:2")).refused()).hasSize(2);
  }

  @Test
  void routesLimitsServicesAndShutdownCanChange() {
    ConfigChange change =
        change(
            BEFORE
                .replace("wait: 30s", "wait: 5s")
                .replace("waiting: 100", "waiting: 7")
                .replace("retention: 7d", "retention: 8d")
                .replace("delay: 5s", "delay: 1s")
                .replace("stock", "parts"));

    assertThat(change.refused()).isEmpty();
    assertThat(change.added()).containsExactly("parts");
    assertThat(change.removed()).containsExactly("stock");
    assertThat(change.changed()).containsExactly("orders");
    assertThat(change)
        .hasToString(
            "services added: parts; services removed: stock; services changed: orders;"
                + " shutdown changed");
  }

  @Test
  void howARouteTreatsKeysCanChange() {
    for (String keys : List.of("idempotency: required", "concurrent: reject", "caller: none")) {
      ConfigChange change = change(BEFORE.replace("wait: 30s", "wait: 30s, " + keys));

      assertThat(change.refused()).isEmpty();
      assertThat(change.changed()).as(keys).containsExactly("orders");
      assertThat(change.toEnsure()).isEmpty();
    }
  }

  @Test
  void newServicesAndThoseThatTakeLargerBodiesNeedALookAtTheirTopics() {
    ConfigChange change =
        change(BEFORE.replace("max-body: 2KiB", "max-body: 4KiB").replace("stock", "parts"));

    assertThat(change.refused()).isEmpty();
    assertThat(change.toEnsure()).containsExactlyInAnyOrder("orders", "parts");
    assertThat(change(BEFORE.replace("max-body: 2KiB", "max-body: 1KiB")).toEnsure()).isEmpty();
  }

  private static ConfigChange change(String after) {
    return ConfigChange.between(parse(BEFORE), parse(after));
  }

  private static GatewayConfig parse(String yaml) {
    return ConfigFile.parse(yaml, "test", name -> null);
  }
}
