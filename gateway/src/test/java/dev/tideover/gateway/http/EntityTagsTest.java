package dev.tideover.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.HttpRule;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class EntityTagsTest {

  @Test
  @HttpRule(value = "If-None-Match compares weakly", source = "RFC 9110 section 13.1.2")
  void comparesWeakly() {
    assertThat(matches("W/\"a\"", "\"a\"")).isTrue();
    assertThat(matches("\"a\"", "W/\"a\"")).isTrue();
    assertThat(matches("\"a\"", "\"a\"")).isTrue();
    assertThat(matches("\"a\"", "\"b\"")).isFalse();
    assertThat(matches("\"a\"", "\"A\"")).isFalse();
  }

  @Test
  void readsListsOverLinesAndTagsWithCommas() {
    assertThat(EntityTags.matches(List.of("\"x\", W/\"y\"", "\"z,1\""), "\"z,1\"")).isTrue();
    assertThat(matches("\"x\" , W/\"y\"", "\"y\"")).isTrue();
    assertThat(matches("\"x,\"y\",z\"", "\"y\"")).as("not well-formed").isFalse();
    assertThat(EntityTags.matches(List.of(), "\"y\"")).isFalse();
  }

  @Test
  @HttpRule(value = "If-None-Match: * matches anything", source = "RFC 9110 section 13.1.2")
  void anyStarIsAnything() {
    assertThat(matches(" * ", "W/\"y\"")).isTrue();
    assertThat(matches("\"*\"", "W/\"y\"")).isFalse();
  }

  @Test
  void whatCantBeReadNamesNothing() {
    assertThat(matches("y", "\"y\"")).isFalse();
    assertThat(matches("\"y", "\"y\"")).isFalse();
    assertThat(matches("", "\"y\"")).isFalse();
  }

  @Property
  void neverFails(@ForAll String line) {
    EntityTags.matches(List.of(line), "\"y\"");
  }

  private static boolean matches(String line, String tag) {
    return EntityTags.matches(List.of(line), tag);
  }
}
