package dev.tideover.gateway.exchange;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.wire.RequestId;
import net.jqwik.api.Assume;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class KeyedIdsTest {

  private static final KeyedIds IDS = new KeyedIds("a secret of the cell");

  @Test
  void gatewaysWithTheSameSecretGiveTheSameId() {
    RequestId id = IDS.of("caller", "orders/orders/**", "key");

    assertThat(new KeyedIds("a secret of the cell").of("caller", "orders/orders/**", "key"))
        .isEqualTo(id);
    assertThat(new KeyedIds("a secret of another cell").of("caller", "orders/orders/**", "key"))
        .isNotEqualTo(id);
  }

  /** Written down: an id that changed with a release would make a resend run again. */
  @Test
  void theIdOfAKeyStaysTheSameInAllReleases() {
    assertThat(IDS.of("Bearer a", "orders /orders/**", "8e03978e-40d5-43dd-bc93-6894a57f9324"))
        .hasToString("B8LNVvt-Z9IYzxmqr-tKVw");
  }

  @Test
  void callerRouteAndKeyEachMakeAnother() {
    RequestId id = IDS.of("a", "b", "c");

    assertThat(IDS.of("x", "b", "c")).isNotEqualTo(id);
    assertThat(IDS.of("a", "x", "c")).isNotEqualTo(id);
    assertThat(IDS.of("a", "b", "x")).isNotEqualTo(id);
  }

  @Property(tries = 2_000)
  void noTwoListsOfPartsAreAlike(
      @ForAll String a, @ForAll String b, @ForAll String c, @ForAll String moved) {
    Assume.that(!moved.isEmpty());

    assertThat(IDS.of(a + moved, b, c)).isNotEqualTo(IDS.of(a, moved + b, c));
    assertThat(IDS.of(a, b + moved, c)).isNotEqualTo(IDS.of(a, b, moved + c));
  }
}
