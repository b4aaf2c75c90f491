package dev.tideover.gateway.exchange;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.wire.RequestId;
import java.time.Instant;
import java.util.Base64;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class StatusTokenTest {

  private static final StatusToken.Signer SIGNER = new StatusToken.Signer("a secret of the cell");

  @Test
  void readsWhatItWrote() {
    StatusToken token =
        new StatusToken(
            RequestId.random(),
            Instant.ofEpochMilli(1_795_000_000_123L),
            StatusToken.hash("orders"),
            999,
            1L << 47,
            -5);

    String text = SIGNER.write(token);

    assertThat(SIGNER.read(text)).isEqualTo(token);
    assertThat(text).matches("[A-Za-z0-9_-]+");
  }

  @Test
  void anotherGatewayWithTheSameSecretReadsIt() {
    StatusToken token =
        new StatusToken(RequestId.random(), Instant.EPOCH, -1, 0, Flight.NOWHERE, 1);

    assertThat(new StatusToken.Signer("a secret of the cell").read(SIGNER.write(token)))
        .isEqualTo(token);
  }

  @Test
  void refusesWhatAnotherSecretSigned() {
    StatusToken token = new StatusToken(RequestId.random(), Instant.now(), 1, 0, 0, 0);

    assertThat(SIGNER.read(new StatusToken.Signer("another secret").write(token))).isNull();
  }

  @Property(tries = 400)
  void refusesATokenWithAnyBitChanged(@ForAll @IntRange(max = 62 * 8 - 1) int bit) {
    byte[] bytes = Base64.getUrlDecoder().decode(token());

    bytes[bit / 8] ^= (byte) (1 << bit % 8);

    assertThat(SIGNER.read(Base64.getUrlEncoder().withoutPadding().encodeToString(bytes))).isNull();
  }

  @Test
  void refusesATokenCutAnywhereOrMadeLonger() {
    String text = token();
    for (int length = 0; length < text.length(); length++) {
      assertThat(SIGNER.read(text.substring(0, length))).as("cut to %s", length).isNull();
    }
    assertThat(SIGNER.read(text + "AA")).isNull();
    assertThat(SIGNER.read(text + "/")).isNull();
  }

  @Property(tries = 5_000)
  void refusesAnyText(@ForAll String text) {
    assertThat(SIGNER.read(text)).isNull();
  }

  private static String token() {
    return SIGNER.write(new StatusToken(new RequestId(1, 2), Instant.ofEpochMilli(3), 4, 5, 6, 7));
  }
}
