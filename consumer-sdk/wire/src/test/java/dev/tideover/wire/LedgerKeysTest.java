package dev.tideover.wire;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LedgerKeysTest {

  @ParameterizedTest
  @ValueSource(longs = {0, 7, 10, 1L << 40, Long.MAX_VALUE - 1, Long.MAX_VALUE})
  void theOffsetOfARequestIsReadFromItsKey(long offset) {
    assertThat(LedgerKeys.requestOffset(("request/" + offset).getBytes(UTF_8))).isEqualTo(offset);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "request",
        "request/",
        "request/-1",
        "request/+1",
        "request/01",
        "request/1x",
        "request/ 1",
        "request/9223372036854775808",
        "request/9999999999999999999",
        "request/10000000000000000000",
        "requesT/1",
        "cancel/1",
        "parked/1",
        "begun"
      })
  void anyOtherKeyHasNone(String key) {
    assertThat(LedgerKeys.requestOffset(key.getBytes(UTF_8))).isEqualTo(-1);
  }

  @Test
  void aRecordWithoutAKeyHasNone() {
    assertThat(LedgerKeys.requestOffset(null)).isEqualTo(-1);
  }
}
