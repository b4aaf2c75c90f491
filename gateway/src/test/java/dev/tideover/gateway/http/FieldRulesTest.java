package dev.tideover.gateway.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.gateway.HttpRule;
import dev.tideover.gateway.exchange.RejectedException;
import dev.tideover.wire.HttpFields;
import io.vertx.core.MultiMap;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FieldRulesTest {

  private static final String[] HOP_BY_HOP = {
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade"
  };

  @Test
  void endToEndFieldsPassInTheirOrder() {
    assertThat(
            toRecord("B", "1", "a", "2", "B", "3", "Idempotency-Key", "\"k\"", "Prefer", "wait=1"))
        .isEqualTo(
            HttpFields.of(
                "b", "1", "a", "2", "b", "3", "idempotency-key", "\"k\"", "prefer", "wait=1"));
  }

  @Test
  @HttpRule(
      value = "Hop-by-hop fields of a request are not passed on",
      source = "RFC 9110 section 7.6.1")
  void hopByHopFieldsOfARequestStay() {
    for (String name : HOP_BY_HOP) {
      assertThat(toRecord(name, "x", "Kept", "y")).as(name).isEqualTo(HttpFields.of("kept", "y"));
    }
    assertThat(toRecord("Host", "h", "Content-Length", "0", "Expect", "100-continue"))
        .isEqualTo(HttpFields.EMPTY);
  }

  @Test
  @HttpRule(
      value = "Hop-by-hop fields of a reply are not passed on",
      source = "RFC 9110 section 7.6.1")
  void hopByHopFieldsOfAReplyStay() {
    for (String name : HOP_BY_HOP) {
      HttpFields reply = HttpFields.of(name.toLowerCase(Locale.ROOT), "x", "kept", "y");
      assertThat(toResponse(reply, false)).as(name).containsExactly("kept: y");
    }
  }

  @Test
  @HttpRule(value = "What Connection names is not passed on", source = "RFC 9110 section 7.6.1")
  void whatConnectionListsStaysInBothDirections() {
    assertThat(
            toRecord(
                "Connection",
                "close, X-Hop ,",
                "Connection",
                "\tother",
                "x-hop",
                "1",
                "OTHER",
                "2",
                "Close",
                "3",
                "kept",
                "4"))
        .isEqualTo(HttpFields.of("kept", "4"));
    assertThat(toResponse(HttpFields.of("connection", "X-Hop", "x-hop", "1", "kept", "2"), false))
        .containsExactly("kept: 2");
  }

  @Test
  void fieldsOfTheContractAreNobodyElses() {
    assertThat(
            toRecord(
                "Tideover-Id",
                "forged",
                "tideover-reply-to",
                "x/1",
                "TIDEOVER-V",
                "2",
                "Tideover-",
                "x",
                "tideover",
                "kept"))
        .isEqualTo(HttpFields.of("tideover", "kept"));
    assertThat(toResponse(HttpFields.of("tideover-outcome", "forged", "kept", "1"), false))
        .containsExactly("kept: 1");
  }

  @Test
  void theLengthOfAReplyIsTheServersExceptWhereThereIsNoBody() {
    HttpFields reply = HttpFields.of("content-length", "999", "kept", "1");

    assertThat(toResponse(reply, false)).containsExactly("kept: 1");
    assertThat(toResponse(reply, true)).containsExactly("content-length: 999", "kept: 1");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"ä", "日本語", "a€b", "𝄞", "\u0080", "plain", "", " inner  space ", "tab\tbed"})
  void utf8ValuesPassByteForByteInBothDirections(String value) {
    String asNettyReadsIt = new String(value.getBytes(UTF_8), ISO_8859_1);

    assertThat(toRecord("x", asNettyReadsIt).first("x")).isEqualTo(value);
    assertThat(toResponse(HttpFields.of("x", value), false))
        .containsExactly("x: " + asNettyReadsIt);
  }

  @Property
  void everyUtf8ValueComesBackAsItWas(@ForAll("text") String value) {
    String bytes = new String(value.getBytes(UTF_8), ISO_8859_1);

    assertThat(toResponse(toRecord("x", bytes), false)).containsExactly("x: " + bytes);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"\u00e4", "\u00c3", "\u00c0\u00af", "\u00ed\u00a0\u0080", "\u00ff", "a\u0080"})
  void valuesThatAreNotUtf8AreRefusedRatherThanChanged(String value) {
    assertThatThrownBy(() -> toRecord("X-Name", value))
        .isInstanceOf(RejectedException.class)
        .hasMessageContaining("x-name is not UTF-8")
        .hasMessageNotContaining(value);
  }

  @Test
  @HttpRule(value = "A field value has no control characters", source = "RFC 9110 section 5.5")
  void valuesWithControlCharactersAreRefused() {
    assertThatThrownBy(() -> toRecord("x-name", "a\u0000b"))
        .isInstanceOf(RejectedException.class)
        .hasMessageContaining("x-name");
  }

  private static HttpFields toRecord(String... namesAndValues) {
    MultiMap headers = MultiMap.caseInsensitiveMultiMap();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      headers.add(namesAndValues[i], namesAndValues[i + 1]);
    }
    return FieldRules.endToEnd(headers);
  }

  private static List<String> toResponse(HttpFields fields, boolean keepLength) {
    MultiMap headers = MultiMap.caseInsensitiveMultiMap();
    FieldRules.copy(fields, keepLength, headers);
    List<String> lines = new ArrayList<>();
    for (Map.Entry<String, String> line : headers) {
      lines.add(line.getKey() + ": " + line.getValue());
    }
    return lines;
  }

  @Provide
  Arbitrary<String> text() {
    return Arbitraries.strings()
        .ofMaxLength(30)
        .filter(text -> text.chars().noneMatch(c -> c < ' ' || c == 0x7f))
        .filter(text -> new String(text.getBytes(UTF_8), UTF_8).equals(text));
  }
}
