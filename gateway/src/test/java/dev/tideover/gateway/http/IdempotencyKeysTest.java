package dev.tideover.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.gateway.HttpRule;
import dev.tideover.gateway.exchange.RejectedException;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IdempotencyKeysTest {

  private static final String DRAFT = "draft-ietf-httpapi-idempotency-key-header-07 section 2.1";

  @Test
  @HttpRule(value = "The draft's own examples are read", source = DRAFT)
  void readsTheExamplesOfTheDraft() {
    assertThat(parse("\"8e03978e-40d5-43dd-bc93-6894a57f9324\""))
        .isEqualTo("8e03978e-40d5-43dd-bc93-6894a57f9324");
    assertThat(parse("\"clkyoesmbgybucifusbbtdsbohtyuuwz\""))
        .isEqualTo("clkyoesmbgybucifusbbtdsbohtyuuwz");
  }

  @Test
  void aRequestWithoutTheFieldHasNoKey() {
    assertThat(IdempotencyKeys.parse(List.of())).isNull();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "8e03978e-40d5-43dd-bc93-6894a57f9324",
        "42",
        "-1.5",
        "order/7:retry=2",
        "?1",
        ":YWJj:",
        "*",
        "(x)",
        "{'a'}",
        "Mixed-Case"
      })
  @HttpRule(value = "An Idempotency-Key without quotes is the same key", source = "Tideover")
  void aBareTokenAndAStringAreTheSameKey(String key) {
    assertThat(parse(key)).isEqualTo(key);
    assertThat(parse('"' + key + '"')).isEqualTo(key);
    assertThat(parse("\t " + key + " \t")).isEqualTo(key);
    assertThat(parse("  \"" + key + "\"  ")).isEqualTo(key);
  }

  @Test
  void aStringMayHaveSpacesAndEscapes() {
    assertThat(parse("\"order 7, \\\"blue\\\" \\\\ 2\"")).isEqualTo("order 7, \"blue\" \\ 2");
    assertThat(parse("\" a \"")).isEqualTo(" a ");
  }

  @Test
  @HttpRule(value = "Parameters of a string mean nothing", source = "RFC 8941 section 3.1.2")
  void parametersOfAStringMeanNothing() {
    assertThat(parse("\"k\";a;b=1; c=\"x\"")).isEqualTo("k");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "\"\"",
        "\"",
        "\"a",
        "a\"",
        "a\"b",
        "\"a\"b",
        "\"a\" \"b\"",
        "\"a\", \"b\"",
        "\"a\",",
        "a,b",
        "a, b",
        "a b",
        "a\tb",
        "a;b",
        "a;b=1",
        "a\\b",
        "\"a\\b\"",
        "\"a\\",
        "\"a\tb\"",
        "\"a\";",
        "\"a\";B",
        "\"a\";b=",
        "\"a\u0000\"",
        "a\u0000",
        "a\u007f",
        "\"a\u007f\"",
        "caf\u00e9",
        "\"caf\u00e9\"",
        "\"a\";b=\"\u00e9\"",
        "\u2028"
      })
  @HttpRule(value = "What is no key is refused with 400 and not stored", source = DRAFT)
  void refusesWhatIsNoKey(String line) {
    refused(line);
  }

  @Test
  @HttpRule(value = "A key stands in one field line", source = DRAFT)
  void refusesTwoLines() {
    refused("a", "b");
    refused("\"a\"", "\"a\"");
    refused("a", "");
  }

  @Test
  void aKeyHasAtMost255Characters() {
    String longest = "k".repeat(255);
    assertThat(parse(longest)).isEqualTo(longest);
    assertThat(parse('"' + longest + '"')).isEqualTo(longest);
    String escaped = "\\\"".repeat(255);
    assertThat(parse('"' + escaped + '"')).isEqualTo("\"".repeat(255));
    refused(longest + "k");
    refused('"' + longest + "k\"");
    refused("x".repeat(100_000));
  }

  @Test
  void whatIsSaidDoesNotRepeatTheKey() {
    assertThatThrownBy(() -> parse("\"secret")).message().doesNotContain("secret");
    assertThatThrownBy(() -> parse("secret,")).message().doesNotContain("secret");
  }

  @Property(tries = 1_000)
  void everyStringReadsAsWhatItQuotes(@ForAll("keys") String key) {
    String quoted = '"' + key.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    assertThat(parse(quoted)).isEqualTo(key);
  }

  @Property(tries = 2_000)
  void whateverComesIsAKeyWithinTheLimitsOrRefused(@ForAll("anything") String line) {
    try {
      assertThat(parse(line)).hasSizeBetween(1, 255).matches("[ -~]+");
    } catch (RejectedException e) {
      assertThat(e).hasMessageContaining("BAD_IDEMPOTENCY_KEY");
    }
  }

  @Provide
  Arbitrary<String> keys() {
    return Arbitraries.strings().withCharRange(' ', '~').ofMinLength(1).ofMaxLength(255);
  }

  @Provide
  Arbitrary<String> anything() {
    return Arbitraries.oneOf(
        Arbitraries.strings().ofMaxLength(300),
        Arbitraries.strings().withChars("\"\\;,= \tab1?:*").ofMaxLength(20));
  }

  private static void refused(String... lines) {
    assertThatThrownBy(() -> IdempotencyKeys.parse(List.of(lines)))
        .isInstanceOf(RejectedException.class)
        .hasMessageContaining("BAD_IDEMPOTENCY_KEY");
  }

  private static String parse(String line) {
    return IdempotencyKeys.parse(List.of(line));
  }
}
