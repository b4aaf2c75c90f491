package dev.tideover.sdk.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.sdk.InboxException;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.Reply;
import dev.tideover.wire.HttpFields;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class StoredReplyTest {

  private static Reply again(Reply reply) {
    return StoredReply.decode(StoredReply.encode(reply));
  }

  @Test
  void aReplyComesBackByteForByteWithItsFieldsInTheirOrder() {
    byte[] body = {0, -1, 13, 10, -128};
    Reply reply =
        Reply.of(
            418,
            HttpFields.of(
                "set-cookie", "a=1", "content-type", "x/y", "set-cookie", "b=\u00e9\u4e16"),
            body);
    Reply read = again(reply);
    assertThat(read.status()).isEqualTo(418);
    assertThat(read.fields()).isEqualTo(reply.fields());
    assertThat(read.body()).isEqualTo(body);

    Reply empty = again(Outcome.reply(204));
    assertThat(empty.status()).isEqualTo(204);
    assertThat(empty.fields().size()).isZero();
    assertThat(empty.body()).isEmpty();
  }

  @Test
  void aReplyWithAllTheFieldsThatItMayHaveComesBack() {
    HttpFields.Builder fields = HttpFields.builder();
    for (int i = 0; i < HttpFields.MAX_LINES; i++) {
      fields.add("x-" + i, "v".repeat(i));
    }
    Reply reply = Reply.of(200, fields.build(), new byte[100_000]);
    assertThat(again(reply).fields()).isEqualTo(reply.fields());
    assertThat(again(reply).body()).hasSize(100_000);
  }

  /** Rows outlive the program that wrote them. */
  @Test
  void theFormIsTheOneThatRowsHave() {
    byte[] bytes = StoredReply.encode(Reply.of(201, HttpFields.of("a", "b"), new byte[] {7}));
    assertThat(HexFormat.of().formatHex(bytes)).isEqualTo("0100c9000100000001610000000162" + "07");
  }

  @Test
  void whatIsNoStoredReplyIsSaidToBeSo() {
    byte[] right = StoredReply.encode(Reply.of(201, HttpFields.of("a", "b"), new byte[0]));
    byte[] later = right.clone();
    later[0] = 2;
    assertThatThrownBy(() -> StoredReply.decode(later))
        .isInstanceOf(InboxException.class)
        .hasMessageContaining("form 2");
    for (int length = 0; length < right.length; length++) {
      byte[] cut = Arrays.copyOf(right, length);
      assertThatThrownBy(() -> StoredReply.decode(cut)).isInstanceOf(InboxException.class);
    }
    byte[] absurd = right.clone();
    absurd[5] = 0x7f; // a name of 2 GiB
    assertThatThrownBy(() -> StoredReply.decode(absurd)).isInstanceOf(InboxException.class);
    absurd[5] = (byte) 0x80; // a negative one
    assertThatThrownBy(() -> StoredReply.decode(absurd)).isInstanceOf(InboxException.class);
  }
}
