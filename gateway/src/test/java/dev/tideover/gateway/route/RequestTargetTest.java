package dev.tideover.gateway.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.tideover.gateway.HttpRule;
import dev.tideover.gateway.route.RequestTarget.IllegalTargetException;
import java.net.URI;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RequestTargetTest {

  @ParameterizedTest
  @CsvSource({
    // already canonical
    "/, /",
    "/orders, /orders",
    "/orders/, /orders/",
    "//orders, //orders",
    "/orders//7, /orders//7",
    "/orders/7;v=1, /orders/7;v=1",
    "/orders;jsessionid=1, /orders;jsessionid=1",
    "/orders., /orders.",
    "/..., /...",
    "/.well-known/x, /.well-known/x",
    "/orders/a@b:c!$&'()*+, /orders/a@b:c!$&'()*+",
    // dot segments, RFC 3986 section 5.2.4
    "/a/b/c/./../../g, /a/g",
    "/orders/../admin, /admin",
    "/orders/./7, /orders/7",
    "/orders/., /orders/",
    "/orders/.., /",
    "/orders/7/.., /orders/",
    "/a/../b/../c, /c",
    "/., /",
    "//.., /",
    // encoded dots are dots
    "/orders/%2e%2e/admin, /admin",
    "/orders/%2E./admin, /admin",
    "/orders/.%2e/admin, /admin",
    "/%2e/orders, /orders",
    // decoded once, never twice
    "/orders/%252e%252e/admin, /orders/%252e%252e/admin",
    "/a%2541, /a%2541",
    // unreserved characters stand unencoded, the rest with capital digits
    "/%6frders/%41%7e%2D%5F%2e5, /orders/A~-_.5",
    "/%c3%a4, /%C3%A4",
    "/orders%3f, /orders%3F",
    "/orders%3bx, /orders%3Bx",
    "/orders%20, /orders%20",
    "/%e2%82%AC, /%E2%82%AC",
    "/..%3b/admin, /..%3B/admin",
    "/%0d%0aSet-Cookie:x, /%0D%0ASet-Cookie:x",
    // path matters as written
    "/Orders, /Orders",
  })
  void hasOneSpelling(String raw, String canonical) throws Exception {
    assertThat(RequestTarget.parse(raw).path()).isEqualTo(canonical);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "orders",
        "**",
        "http://host/orders",
        "/..",
        "/../admin",
        "/orders/../../admin",
        "/%2e%2e/admin",
        "/orders/..;/admin",
        "/orders/..;x=1/admin",
        "/orders/.;/admin",
        "/orders/%2e%2e;/admin",
        "/orders\\..\\admin",
        "/orders%5cadmin",
        "/orders%5Cadmin",
        "/orders%2fadmin",
        "/orders%2Fadmin",
        "/orders/..%2fadmin",
        "/orders%00",
        "/%00",
        "/orders%",
        "/orders%2",
        "/orders%zz",
        "/orders%-1",
        "/orders%+1",
        "/orders%2 0",
        "/%c0%af",
        "/%c0%ae%c0%ae/admin",
        "/%e0%80%af",
        "/%ff",
        "/%c3",
        "/%ed%a0%80",
        "/%f4%90%80%80",
        "/orders admin",
        "/orders\tadmin",
        "/orders\r\nHost: x",
        "/orders\u0000",
        "/orders\u007f",
        "/ordérs",
        "/orders#fragment",
        "/orders?a=1#fragment",
        "/orders?a=\u0000",
        "/orders?a=b c",
        "/orders?ä",
      })
  void refusesWhatHasNoSingleReading(String raw) {
    assertThatThrownBy(() -> RequestTarget.parse(raw))
        .isInstanceOf(IllegalTargetException.class)
        .hasMessageNotContaining(raw.isEmpty() ? "\0" : raw);
  }

  @Test
  @HttpRule(value = "The query passes as it is", source = "RFC 3986 section 3.4")
  void leavesTheQueryAlone() throws Exception {
    RequestTarget target = RequestTarget.parse("/a/../b?x=%2f%2e%zz&y=/../%c0?&&=");

    assertThat(target.path()).isEqualTo("/b");
    assertThat(target.query()).isEqualTo("x=%2f%2e%zz&y=/../%c0?&&=");
    assertThat(target.pathAndQuery()).isEqualTo("/b?x=%2f%2e%zz&y=/../%c0?&&=");
  }

  @Test
  void tellsAnEmptyQueryFromNone() throws Exception {
    assertThat(RequestTarget.parse("/a?").query()).isEmpty();
    assertThat(RequestTarget.parse("/a?").pathAndQuery()).isEqualTo("/a?");
    assertThat(RequestTarget.parse("/a").query()).isNull();
  }

  @Test
  void splitsAtEncodedAndPlainSlashesOnlyWhereTheyArePlain() throws Exception {
    assertThat(RequestTarget.parse("/a%2Cb/c,d/").segments()).containsExactly("a%2Cb", "c,d", "");
    assertThat(RequestTarget.parse("/").segments()).containsExactly("");
  }

  @Test
  void hasTheAsterisk() throws Exception {
    assertThat(RequestTarget.parse("*").pathAndQuery()).isEqualTo("*");
  }

  @Property(tries = 20_000)
  @HttpRule(
      value = "A path is normalised once; equal paths are equal afterwards",
      source = "RFC 3986 section 6.2.2")
  void canonicalisingTwiceIsCanonicalisingOnce(@ForAll("targets") String raw) throws Exception {
    RequestTarget once;
    try {
      once = RequestTarget.parse(raw);
    } catch (IllegalTargetException refused) {
      return;
    }

    RequestTarget twice = RequestTarget.parse(once.pathAndQuery());

    assertThat(twice).isEqualTo(once);
  }

  @Property(tries = 20_000)
  void nothingButItsOwnExceptionEscapes(@ForAll("anything") String raw) {
    Throwable thrown = catchThrowable(() -> RequestTarget.parse(raw));

    if (thrown != null) {
      assertThat(thrown).isInstanceOf(IllegalTargetException.class);
      assertThat(thrown.getMessage()).isNotBlank();
    }
  }

  @Property(tries = 20_000)
  void aCanonicalPathHasNoDotSegmentsAndOnlyPrintableAscii(@ForAll("targets") String raw) {
    RequestTarget target;
    try {
      target = RequestTarget.parse(raw);
    } catch (IllegalTargetException refused) {
      return;
    }

    assertThat(target.path()).startsWith("/").matches("[!-~]+").doesNotContain("?", "#", "\\");
    assertThat(target.segments()).doesNotContain(".", "..");
    assertThat(target.segments()).noneMatch(segment -> segment.startsWith("..;"));
  }

  /** An independent reader of RFC 3986 agrees, wherever it accepts the path at all. */
  @Property(tries = 5_000)
  void javaNetUriFindsTheSameDotSegments(@ForAll("plainPaths") String path) throws Exception {
    RequestTarget target;
    try {
      target = RequestTarget.parse(path);
    } catch (IllegalTargetException outOfTheRoot) {
      // java.net.URI keeps what leads out of the root.
      assertThat(URI.create(path).normalize().getRawPath()).startsWith("/..");
      return;
    }

    assertThat(target.path()).isEqualTo(URI.create(path).normalize().getRawPath());
  }

  @Provide
  Arbitrary<String> targets() {
    return Arbitraries.of(
            "a", "B", "7", "/", "/", "/", ".", "..", "%2e", "%2E", "%252e", "%2f", "%00", ";",
            "%c3", "%a4", "%41", "%7E", "%20", "*", "**", "?", "=", "&", "%3f", "%", "\\", "é", "~",
            ":")
        .list()
        .ofMaxSize(12)
        .map(parts -> "/" + String.join("", parts));
  }

  @Provide
  Arbitrary<String> anything() {
    return Arbitraries.oneOf(
        Arbitraries.strings().ofMaxLength(40),
        Arbitraries.strings().ofMaxLength(40).map(text -> "/" + text),
        Arbitraries.strings().withChars("/%.;\\?#0aF").ofMaxLength(20).map(text -> "/" + text));
  }

  @Provide
  Arbitrary<String> plainPaths() {
    return Arbitraries.of("a", "b", ".", "..", "c.d")
        .list()
        .ofMinSize(1)
        .ofMaxSize(8)
        .map(segments -> "/" + String.join("/", segments));
  }
}
