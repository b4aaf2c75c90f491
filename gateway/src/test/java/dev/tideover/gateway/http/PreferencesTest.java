package dev.tideover.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.HttpRule;
import java.time.Duration;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PreferencesTest {

  private static final Duration MINUTE = Duration.ofMinutes(1);

  private static final Preferences NONE = new Preferences(false, null);

  /** RFC 7240 sections 2 and 4. */
  @Test
  @HttpRule(value = "The RFC's own examples are read", source = "RFC 7240 section 2")
  void readsTheExamplesOfTheRfc() {
    assertThat(parse("respond-async, wait=10")).isEqualTo(both(10));
    assertThat(parse("respond-async", "wait=100")).isEqualTo(both(100));
    assertThat(parse("respond-async, wait=100", "handling=lenient")).isEqualTo(both(100));
    assertThat(parse("foo; bar")).isEqualTo(NONE);
    assertThat(parse("foo; bar=\"\"")).isEqualTo(NONE);
    assertThat(parse("foo=\"\"; bar")).isEqualTo(NONE);
    assertThat(parse("return=minimal; foo=\"some parameter\"")).isEqualTo(NONE);
    assertThat(parse("wait=10")).isEqualTo(new Preferences(false, Duration.ofSeconds(10)));
  }

  @Test
  void findsNothingWhereThereIsNone() {
    assertThat(parse()).isEqualTo(NONE);
    assertThat(parse("")).isEqualTo(NONE);
    assertThat(parse(" , ,\t,")).isEqualTo(NONE);
  }

  @Test
  @HttpRule(
      value = "Names are case-insensitive, quoted and bare values are the same",
      source = "RFC 7240 section 2")
  void namesAreCaseInsensitiveAndSpaceIsAllowed() {
    assertThat(parse(" Respond-ASYNC ,\tWAIT = 5 ")).isEqualTo(both(5));
    assertThat(parse("wait=\"7\"")).isEqualTo(new Preferences(false, Duration.ofSeconds(7)));
    assertThat(parse("wait=3;x=y, respond-async;z")).isEqualTo(both(3));
  }

  @Test
  @HttpRule(
      value = "Several lines are one list and the first occurrence of a name wins",
      source = "RFC 7240 section 2")
  void theFirstOccurrenceCountsAlsoOverLines() {
    assertThat(parse("wait=1, wait=2").patience()).hasSeconds(1);
    assertThat(parse("wait=1", "wait=2").patience()).hasSeconds(1);
    assertThat(parse("wait=junk, wait=2").patience()).isNull();
  }

  @Test
  @HttpRule(
      value = "A quoted string may contain commas and semicolons",
      source = "RFC 7240 section 2")
  void quotedStringsHideWhatLooksLikeAPreference() {
    assertThat(parse("foo=\"respond-async, wait=1\"")).isEqualTo(NONE);
    assertThat(parse("foo=\"a\\\", wait=1\", wait=2").patience()).hasSeconds(2);
    assertThat(parse("foo; x=\", wait=1\", wait=2").patience()).hasSeconds(2);
    assertThat(parse("foo=\"never closed, wait=1")).isEqualTo(NONE);
    assertThat(parse("foo=\"\\")).isEqualTo(NONE);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "wait",
        "wait=",
        "wait=-1",
        "wait=+1",
        "wait=1.5",
        "wait=1s",
        "wait=0x1",
        "wait=1 2",
        "wait=١",
        "waits=1",
        "wait=9999999999",
        "wait=99999999999999999999999",
        "wait=\"\"",
        "xwait=1",
        "wait;wait=1",
        "=1",
        "respond-async=1x; wait=1"
      })
  void ignoresAWaitThatIsNoNumberOfSeconds(String line) {
    assertThat(parse(line).patience()).isNull();
  }

  @Test
  void takesTheLargestWaitThatFits() {
    assertThat(parse("wait=0").patience()).isZero();
    assertThat(parse("wait=007").patience()).hasSeconds(7);
    assertThat(parse("wait=999999999").patience()).hasSeconds(999_999_999);
  }

  @Test
  void namesWhatItApplies() {
    assertThat(NONE.applied(MINUTE)).isNull();
    assertThat(parse("respond-async").applied(MINUTE)).isEqualTo("respond-async");
    assertThat(parse("wait=3").applied(MINUTE)).isEqualTo("wait=3");
    assertThat(parse("wait=3, respond-async").applied(MINUTE)).isEqualTo("respond-async, wait=3");
    assertThat(parse("handling=strict").applied(MINUTE)).isNull();
    assertThat(parse("wait=100").applied(MINUTE)).isEqualTo("wait=60");
  }

  @Property(tries = 20_000)
  @HttpRule(value = "What can't be read or isn't known is ignored", source = "RFC 7240 section 2")
  void noLineMakesItFail(@ForAll("lines") List<String> lines) {
    Preferences preferences = Preferences.parse(lines);

    assertThat(preferences.patience() == null || !preferences.patience().isNegative()).isTrue();
  }

  @Property
  void junkAroundThemHidesNoPreference(
      @ForAll("tokens") String before, @ForAll("tokens") String after) {
    assertThat(parse("x-" + before + "=1", "wait=4, respond-async", "y-" + after))
        .isEqualTo(both(4));
  }

  @Provide
  Arbitrary<List<String>> lines() {
    Arbitrary<String> pieces =
        Arbitraries.of(
            "wait", "respond-async", "=", "\"", "\\", ";", ",", " ", "\t", "1", "99999999999", "ä");
    Arbitrary<String> made = pieces.list().ofMaxSize(15).map(list -> String.join("", list));
    return Arbitraries.oneOf(made, Arbitraries.strings().ofMaxLength(30)).list().ofMaxSize(4);
  }

  @Provide
  Arbitrary<String> tokens() {
    return Arbitraries.strings().alpha().numeric().ofMinLength(1).ofMaxLength(10);
  }

  private static Preferences both(int seconds) {
    return new Preferences(true, Duration.ofSeconds(seconds));
  }

  private static Preferences parse(String... lines) {
    return Preferences.parse(List.of(lines));
  }
}
