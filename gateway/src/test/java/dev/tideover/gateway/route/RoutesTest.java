package dev.tideover.gateway.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.gateway.config.ConfigException;
import dev.tideover.gateway.config.ConfigFile;
import dev.tideover.gateway.config.GatewayConfig.Concurrent;
import dev.tideover.gateway.config.GatewayConfig.Idempotency;
import dev.tideover.gateway.config.GatewayConfig.Late;
import dev.tideover.wire.HttpFields;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RoutesTest {

  @ParameterizedTest
  @CsvSource({
    "/orders, /orders, true",
    "/orders, /orders/, false",
    "/orders, /Orders, false",
    "/orders, /orders/7, false",
    "/, /, true",
    "/, /x, false",
    "/orders/*, /orders/7, true",
    "/orders/*, /orders/, false",
    "/orders/*, /orders, false",
    "/orders/*, /orders/7/items, false",
    "/*/items, /orders/items, true",
    "/*/items, //items, false",
    "/orders/**, /orders, true",
    "/orders/**, /orders/, true",
    "/orders/**, /orders/7, true",
    "/orders/**, /orders/7/items//x, true",
    "/orders/**, /ordersx, false",
    "/orders/**, //orders, false",
    "/**, /, true",
    "/**, /any/thing, true",
    "/orders/*/**, /orders/7, true",
    "/orders/*/**, /orders, false",
  })
  void aPatternMatchesWholeSegments(String pattern, String path, boolean matches) throws Exception {
    List<String> segments = RequestTarget.parse(path).segments();

    assertThat(PathPattern.parse(pattern).matches(segments)).isEqualTo(matches);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "orders", "", "/a/../b", "/%61", "/a?x", "/**/a", "/a*", "/a**", "/***", "/a b", "/%2f"
      })
  void refusesAPatternThatIsNoCanonicalPath(String pattern) {
    assertThatThrownBy(() -> PathPattern.parse(pattern))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageMatching(".{10,}");
  }

  @Property(tries = 200)
  void theMostSpecificRouteWinsWhateverTheOrderInTheFile(@ForAll long seed) {
    List<String> patterns =
        new ArrayList<>(
            List.of(
                "/**",
                "/*",
                "/orders",
                "/orders/**",
                "/orders/*",
                "/orders/special",
                "/orders/*/items",
                "/orders/7/**",
                "/*/7/items"));
    Collections.shuffle(patterns, new Random(seed));
    StringBuilder yaml = new StringBuilder();
    patterns.forEach(pattern -> yaml.append("      - path: ").append(pattern).append('\n'));
    Routes routes = routes(yaml.toString());

    assertThat(patternFor(routes, "/")).isEqualTo("/**");
    assertThat(patternFor(routes, "/orders")).isEqualTo("/orders");
    assertThat(patternFor(routes, "/other")).isEqualTo("/*");
    assertThat(patternFor(routes, "/orders/")).isEqualTo("/orders/**");
    assertThat(patternFor(routes, "/orders/8")).isEqualTo("/orders/*");
    assertThat(patternFor(routes, "/orders/special")).isEqualTo("/orders/special");
    assertThat(patternFor(routes, "/orders/8/items")).isEqualTo("/orders/*/items");
    assertThat(patternFor(routes, "/orders/7/items")).isEqualTo("/orders/7/**");
    assertThat(patternFor(routes, "/orders/8/items/1")).isEqualTo("/orders/**");
    assertThat(patternFor(routes, "/x/7/items")).isEqualTo("/*/7/items");
    assertThat(patternFor(routes, "/x/7")).isEqualTo("/**");
  }

  @Test
  void aRouteForTheMethodComesBeforeOneForAll() {
    Routes routes =
        routes(
            """
                  - { path: /orders, wait: 1s }
                  - { path: /orders, methods: [POST], wait: 2s }
            """);

    assertThat(found(routes, "POST", "/orders").patience()).hasSeconds(2);
    assertThat(found(routes, "GET", "/orders").patience()).hasSeconds(1);
    assertThat(found(routes, "BREW", "/orders").patience()).hasSeconds(1);
  }

  @Test
  void aLessSpecificRouteTakesTheMethodThatTheMoreSpecificOneDoesNot() {
    Routes routes =
        routes(
            """
                  - { path: /orders/**, methods: [GET] }
                  - { path: /orders/7, methods: [POST] }
            """);

    assertThat(found(routes, "GET", "/orders/7").path()).hasToString("/orders/**");
  }

  @Test
  void tellsAnUnknownPathFromAnUnknownMethod() throws Exception {
    Routes routes =
        routes(
            """
                  - { path: /orders/**, methods: [POST, GET] }
                  - { path: /orders/7, methods: [DELETE] }
            """);

    assertThat(routes.match("PUT", RequestTarget.parse("/orders/7")))
        .isEqualTo(new Routes.Match.NoMethod(java.util.Set.of("DELETE", "GET", "POST")));
    assertThat(routes.match("PUT", RequestTarget.parse("/orders/8")))
        .isEqualTo(new Routes.Match.NoMethod(java.util.Set.of("GET", "POST")));
    assertThat(routes.match("get", RequestTarget.parse("/orders/8")))
        .isInstanceOf(Routes.Match.NoMethod.class);
    assertThat(routes.match("PUT", RequestTarget.parse("/other")))
        .isInstanceOf(Routes.Match.NoPath.class);
  }

  @Test
  void aKeyIsOfTheServiceAndThePatternWhateverTheMethod() {
    Routes routes =
        routes(
            """
                  - { path: /orders/*, methods: [GET] }
                  - { path: /orders/*, methods: [POST], idempotency: off, caller: none }
                  - { path: /orders/** }
            """);

    Route get = found(routes, "GET", "/orders/7");
    Route post = found(routes, "POST", "/orders/8");
    Route other = found(routes, "POST", "/orders/8/items");
    assertThat(get.scope()).isEqualTo(get.service() + "//orders/*").isEqualTo(post.scope());
    assertThat(other.scope()).isEqualTo(get.service() + "//orders/**");
    assertThat(get.idempotency()).isEqualTo(Idempotency.OPTIONAL);
    assertThat(get.concurrent()).isEqualTo(Concurrent.JOIN);
    assertThat(get.caller().header()).isEqualTo("authorization");
    assertThat(post.idempotency()).isEqualTo(Idempotency.OFF);
    assertThat(post.caller().header()).isNull();
  }

  @Test
  void takesTheOrderingKeyFromThePath() throws Exception {
    Route route = found(routes("      - { path: /orders/**, key: path 2 }"), "GET", "/orders/7");

    assertThat(key(route, "/orders/7")).isEqualTo("7");
    assertThat(key(route, "/orders/7/items")).isEqualTo("7");
    assertThat(key(route, "/orders/a%2Cb")).isEqualTo("a%2Cb");
    assertThat(key(route, "/orders")).isNull();
    assertThat(key(route, "/orders/")).isNull();
  }

  @Test
  void takesTheOrderingKeyFromAHeader() throws Exception {
    Route route = found(routes("      - { path: /**, key: header X-Account }"), "GET", "/");
    RequestTarget target = RequestTarget.parse("/");

    assertThat(route.orderingKey(target, HttpFields.of("x-account", "ä 1"))).isEqualTo("ä 1");
    assertThat(route.orderingKey(target, HttpFields.of("x-account", ""))).isNull();
    assertThat(route.orderingKey(target, HttpFields.EMPTY)).isNull();
  }

  @Test
  void safeMethodsExpireUnlessTheRouteSaysThatLateAnswersAreAccepted() {
    Route silent = found(routes("      - path: /**"), "GET", "/");
    Route accepted = found(routes("      - { path: /**, late: accepted }"), "GET", "/");
    Route timeout = found(routes("      - { path: /**, late: timeout }"), "GET", "/");

    assertThat(silent.late()).isEqualTo(Late.ACCEPTED);
    for (String safe : List.of("GET", "HEAD", "OPTIONS")) {
      assertThat(silent.expires(safe)).isTrue();
      assertThat(accepted.expires(safe)).isFalse();
      assertThat(timeout.expires(safe)).isTrue();
    }
    assertThat(silent.expires("POST")).isFalse();
    assertThat(timeout.expires("PUT")).isFalse();
  }

  @ParameterizedTest
  @CsvSource({"/orders, 2, 1", "/orders/*, 3, 2", "/, 2, 1"})
  void refusesAKeyThatNoPathOfTheRouteHas(String path, int segment, int has) {
    assertThatThrownBy(() -> routes("      - { path: %s, key: path %d }".formatted(path, segment)))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("services.app.routes[0].key")
        .hasMessageContaining("path " + segment)
        .hasMessageContaining(path + " has only " + has);
  }

  @Test
  void reportsEveryPatternThatCantBeRead() {
    assertThatThrownBy(
            () ->
                routes(
                    """
                          - path: /a/../b
                          - path: /ok
                          - path: /**/c
                    """))
        .isInstanceOfSatisfying(
            ConfigException.class,
            e ->
                assertThat(e.problems())
                    .satisfiesExactly(
                        first ->
                            assertThat(first)
                                .contains("services.app.routes[0].path", "/a/../b", "/b"),
                        second ->
                            assertThat(second).contains("services.app.routes[2].path", "/**/c")));
  }

  private static String patternFor(Routes routes, String path) {
    return found(routes, "GET", path).path().toString();
  }

  private static String key(Route route, String path) throws Exception {
    return route.orderingKey(RequestTarget.parse(path), HttpFields.EMPTY);
  }

  private static Route found(Routes routes, String method, String path) {
    try {
      return ((Routes.Match.Found) routes.match(method, RequestTarget.parse(path))).route();
    } catch (RequestTarget.IllegalTargetException e) {
      throw new AssertionError(e);
    }
  }

  private static Routes routes(String routes) {
    String yaml =
        """
        services:
          app:
            routes:
        """;
    return Routes.of(ConfigFile.parse(yaml + routes, "test", name -> null));
  }
}
