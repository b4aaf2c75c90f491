package dev.tideover.wire;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** Held against the JDK's own decoder in its strict mode. */
class Utf8Test {

  @Property(tries = 20_000)
  void readsWhatTheJdkReadsAndRefusesWhatItRefuses(@ForAll("nearlyUtf8") byte[] bytes) {
    assertThat(Utf8.decode(bytes)).isEqualTo(jdk(bytes));
  }

  @Property
  void readsWhatItWrites(@ForAll("texts") String text) {
    assertThat(Utf8.decode(Utf8.encode(text))).isEqualTo(text);
  }

  @Example
  void agreesOnEveryCodePoint() {
    for (int point = 0; point <= Character.MAX_CODE_POINT; point++) {
      byte[] bytes = encodeAnything(point);
      String expected =
          point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE
              ? null
              : Character.toString(point);
      if (!java.util.Objects.equals(Utf8.decode(bytes), expected)) {
        assertThat(Utf8.decode(bytes)).as(Integer.toHexString(point)).isEqualTo(expected);
      }
    }
  }

  @Example
  void agreesOnAllSequencesOfTwoBytesAndOnEveryByteAsTheFirstOfFour() {
    for (int i = 0; i < 1 << 16; i++) {
      byte[] two = {(byte) (i >> 8), (byte) i};
      byte[] four = {(byte) (i >> 8), (byte) i, (byte) 0x80, (byte) 0x80};
      for (byte[] bytes : new byte[][] {two, four}) {
        if (!java.util.Objects.equals(Utf8.decode(bytes), jdk(bytes))) {
          assertThat(Utf8.decode(bytes)).as(Integer.toHexString(i)).isEqualTo(jdk(bytes));
        }
      }
    }
  }

  /** Bytes at the borders of the encoding's ranges, so that most samples are nearly right. */
  @Provide
  Arbitrary<byte[]> nearlyUtf8() {
    Arbitrary<Byte> borders =
        Arbitraries.of(
                0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
                0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF)
            .map(Integer::byteValue);
    Arbitrary<byte[]> atBorders = borders.array(byte[].class).ofMaxSize(8);
    Arbitrary<byte[]> random = Arbitraries.bytes().array(byte[].class).ofMaxSize(12);
    Arbitrary<byte[]> cutText =
        Arbitraries.strings()
            .ofMinLength(1)
            .ofMaxLength(8)
            .map(text -> java.util.Arrays.copyOf(text.getBytes(UTF_8), text.length() + 1));
    return Arbitraries.oneOf(atBorders, random, cutText);
  }

  @Provide
  Arbitrary<String> texts() {
    return Arbitraries.strings().filter(UTF_8.newEncoder()::canEncode);
  }

  private static String jdk(byte[] bytes) {
    try {
      return UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT)
          .decode(ByteBuffer.wrap(bytes))
          .toString();
    } catch (CharacterCodingException e) {
      return null;
    }
  }

  /** The bytes that the scheme gives, for surrogates too, which UTF-8 forbids. */
  private static byte[] encodeAnything(int point) {
    if (point < 0x80) {
      return new byte[] {(byte) point};
    }
    if (point < 0x800) {
      return new byte[] {(byte) (0xC0 | point >> 6), (byte) (0x80 | point & 0x3F)};
    }
    if (point < 0x10000) {
      return new byte[] {
        (byte) (0xE0 | point >> 12), (byte) (0x80 | point >> 6 & 0x3F), (byte) (0x80 | point & 0x3F)
      };
    }
    return new byte[] {
      (byte) (0xF0 | point >> 18),
      (byte) (0x80 | point >> 12 & 0x3F),
      (byte) (0x80 | point >> 6 & 0x3F),
      (byte) (0x80 | point & 0x3F)
    };
  }
}
