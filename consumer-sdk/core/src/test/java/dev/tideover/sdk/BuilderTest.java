package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class BuilderTest {

  @Test
  void withoutAHandlerStartSaysSo() {
    assertThatIllegalStateException()
        .isThrownBy(() -> Tideover.service("orders").bootstrapServers("localhost:1").start())
        .withMessageContaining("no handler");
  }

  @Test
  void withoutAnAddressStartSaysSo() {
    assertThatIllegalStateException()
        .isThrownBy(() -> Tideover.service("orders").handler(r -> Outcome.reply(204)).start())
        .withMessageContaining("no bootstrapServers");
  }

  @ParameterizedTest
  @EnumSource(value = Ordering.class, names = "KEY", mode = EnumSource.Mode.EXCLUDE)
  void keysAreParkedOnlyWhereRequestsAreOrderedByThem(Ordering ordering) {
    assertThatIllegalStateException()
        .isThrownBy(
            () ->
                Tideover.service("orders")
                    .bootstrapServers("localhost:1")
                    .handler(request -> Outcome.reply(204))
                    .ordering(ordering)
                    .onExhausted(OnExhausted.PARK_KEY)
                    .start())
        .withMessageContaining("needs ordering(KEY), not " + ordering);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a b", "a/b", "é"})
  void aServiceNameHasToFitATopic(String name) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Tideover.service(name))
        .withMessageContaining("service");
  }

  @ParameterizedTest
  @CsvSource({
    "enable.auto.commit, only finished requests",
    "group.id, service's name",
    "bootstrap.servers, use bootstrapServers",
    "auto.offset.reset, no request may be skipped",
    "acks, all replicas",
    "transactional.id, not transactional"
  })
  void whatTheGuaranteesRestOnCantBeSet(String key, String reason) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Tideover.service("orders").property(key, "x"))
        .withMessageContaining(key)
        .withMessageContaining(reason);
  }

  @Test
  void valuesOutOfRangeAreRefusedWithTheRange() {
    ConsumerBuilder builder = Tideover.service("orders");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.concurrency(0))
        .withMessage("concurrency 0: expected 1 to 10000");
    assertThatIllegalArgumentException().isThrownBy(() -> builder.attempts(0));
    assertThatIllegalArgumentException().isThrownBy(() -> builder.drainTimeout(Duration.ZERO));
    for (Duration window : List.of(Duration.ofSeconds(59), Duration.ofHours(49))) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> builder.idempotencyWindow(window))
          .withMessageEndingWith("expected PT1M to PT48H");
    }
    assertThatIllegalArgumentException().isThrownBy(() -> builder.instance("a/b"));
    assertThatIllegalArgumentException().isThrownBy(() -> builder.version("a/b"));
    assertThatIllegalArgumentException().isThrownBy(() -> builder.replyTopics());
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Backoff(Duration.ofSeconds(2), Duration.ofSeconds(1)));
  }

  @Test
  void theBackoffDoublesUpToItsLimitAndIsRandomFromZero() {
    Backoff backoff = new Backoff(Duration.ofMillis(100), Duration.ofMillis(350));

    assertThat(backoff.after(1, 0.5)).isEqualTo(Duration.ofMillis(50));
    assertThat(backoff.after(2, 0.5)).isEqualTo(Duration.ofMillis(100));
    assertThat(backoff.after(3, 0.5)).isEqualTo(Duration.ofMillis(175));
    assertThat(backoff.after(1_000, 0.999)).isLessThanOrEqualTo(Duration.ofMillis(350));
    assertThat(backoff.after(3, 0)).isZero();
  }
}
