package dev.tideover.wire;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

/** The expected values were computed by another program, from the words of docs/wire.md alone. */
class FingerprintTest {

  private static final String EXAMPLE_INPUT =
      "00000004504f5354000000102f6f72646572732f31372f6974656d73000000056472793d31"
          + "000000106170706c69636174696f6e2f6a736f6e0000000231370000000c7b22736b75223a22c3a4227d";

  @Test
  void workedExampleOfTheDocumentationIsRight() throws Exception {
    byte[] digest =
        MessageDigest.getInstance("SHA-256").digest(HexFormat.of().parseHex(EXAMPLE_INPUT));
    Fingerprint fingerprint =
        Fingerprint.of(
            "POST",
            "/orders/17/items",
            "dry=1",
            "application/json",
            "17",
            "{\"sku\":\"ä\"}".getBytes(UTF_8));

    assertThat(fingerprint).hasToString("5b0824747f3a473255260a0afdde04fd");
    assertThat(HexFormat.of().formatHex(digest, 0, 16)).isEqualTo(fingerprint.toString());
    assertThat(documentation()).contains(fingerprint.toString());
    assertThat(documentation().replaceAll("\\s", "")).contains(EXAMPLE_INPUT);
  }

  @Test
  void knownRequestsHaveTheirFingerprints() {
    assertFingerprint("b1698ac2901fe06e9f5db996c6a07427", "GET", "/", null, null, null, 0);
    assertFingerprint("4e22b24b8145c893437c71f199c8bafd", "GET", "/a", "b", null, null, 0);
    assertFingerprint("fa8d62b6c75f7f6de5af7e897a60c945", "GET", "/ab", null, null, null, 0);
    assertFingerprint("64dd99bda4d4ca8cb322a4c6df2a1768", "PUT", "/big", null, null, null, 1 << 20);
  }

  private static void assertFingerprint(
      String expected,
      String method,
      String path,
      String query,
      String contentType,
      String key,
      int zeroBytes) {
    assertThat(Fingerprint.of(method, path, query, contentType, key, new byte[zeroBytes]))
        .hasToString(expected);
  }

  @Property
  void textFormIsReadBack(@ForAll long high, @ForAll long low) {
    Fingerprint fingerprint = new Fingerprint(high, low);

    assertThat(fingerprint.toString()).hasSize(32);
    assertThat(Fingerprint.parse(fingerprint.toString())).isEqualTo(fingerprint);
    assertThat(Fingerprint.parse(fingerprint + "0")).isNull();
  }

  @Test
  void otherSpellingsAreRefused() {
    assertThat(Fingerprint.parse("5B0824747F3A473255260A0AFDDE04FD")).isNull();
    assertThat(Fingerprint.parse("5b0824747f3a473255260a0afdde04fg")).isNull();
    assertThat(Fingerprint.parse("")).isNull();
  }

  private static String documentation() throws Exception {
    return Files.readString(Path.of("../../docs/wire.md"));
  }
}
