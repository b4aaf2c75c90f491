package dev.tideover.loadtests.client;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ResponseReaderTest {

  private static final String RESPONSE =
      "HTTP/1.1 201 Created\r\nX-Note: a\r\ncOnTeNt-LeNgTh:  5\r\nX-More: b\r\n\r\nhello";

  private final ResponseReader reader = new ResponseReader();

  @Test
  void readsStatusAndBody() throws Exception {
    assertThat(feed(RESPONSE)).isTrue();
    assertThat(reader.status()).isEqualTo(201);
    assertThat(bodyIs("hello")).isTrue();
    assertThat(bodyIs("hellO")).isFalse();
    assertThat(bodyIs("hell")).isFalse();
  }

  @Test
  void isCompleteWithTheLastByteAndNotBefore() throws Exception {
    for (int i = 0; i < RESPONSE.length() - 1; i++) {
      assertThat(feed(RESPONSE.substring(i, i + 1))).as("byte %d", i).isFalse();
    }
    assertThat(feed("o")).isTrue();
    assertThat(bodyIs("hello")).isTrue();
  }

  @Test
  void readsTheSameWhereverTheBytesAreDivided() throws Exception {
    for (int i = 1; i < RESPONSE.length(); i++) {
      reader.reset();
      assertThat(feed(RESPONSE.substring(0, i))).isFalse();
      assertThat(feed(RESPONSE.substring(i))).isTrue();
      assertThat(reader.status()).isEqualTo(201);
      assertThat(bodyIs("hello")).isTrue();
    }
  }

  @Test
  void forgetsTheLastResponse() throws Exception {
    feed(RESPONSE);
    reader.reset();
    assertThat(feed("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")).isTrue();
    assertThat(reader.status()).isEqualTo(503);
    assertThat(bodyIs("")).isTrue();
  }

  @Test
  void aStatusWithoutContentHasNoLength() throws Exception {
    assertThat(feed("HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n")).isTrue();
  }

  @Test
  void growsWithTheBody() throws Exception {
    String body = "y".repeat(100_000);
    assertThat(feed("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body)).isTrue();
    assertThat(bodyIs(body)).isTrue();
  }

  @Test
  void refusesBytesThatNobodyAskedFor() {
    assertThatThrownBy(() -> feed(RESPONSE + "H"))
        .isInstanceOf(ResponseFormatException.class)
        .hasMessageContaining("1 bytes after the end");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nDate: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "\r\n\r\n"
      })
  void refusesWhatItCannotRead(String response) {
    assertThatThrownBy(() -> feed(response)).isInstanceOf(ResponseFormatException.class);
  }

  @Test
  void refusesAHeadWithoutEnd() {
    assertThatThrownBy(() -> feed("HTTP/1.1 200 OK\r\nX: " + "x".repeat(20_000)))
        .isInstanceOf(ResponseFormatException.class)
        .hasMessageContaining("head");
  }

  private boolean feed(String text) throws ResponseFormatException {
    return reader.feed(ByteBuffer.wrap(text.getBytes(ISO_8859_1)));
  }

  private boolean bodyIs(String expected) {
    return reader.bodyEquals(expected.getBytes(ISO_8859_1), 0, expected.length());
  }
}
