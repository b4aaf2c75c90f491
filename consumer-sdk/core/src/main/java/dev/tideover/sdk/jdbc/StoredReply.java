package dev.tideover.sdk.jdbc;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.sdk.InboxException;
import dev.tideover.sdk.Reply;
import dev.tideover.wire.HttpFields;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A reply as bytes for the {@code reply} column: one byte 1 for this form, two the status, two the
 * number of fields, each field's name and value with four bytes of length before them, in UTF-8,
 * and the content to the end. Numbers are big-endian.
 */
final class StoredReply {

  private static final byte VERSION = 1;
  private static final int HEAD = 5;

  static byte[] encode(Reply reply) {
    List<byte[]> texts = new ArrayList<>();
    reply
        .fields()
        .forEach(
            (name, value) -> {
              texts.add(name.getBytes(UTF_8));
              texts.add(value.getBytes(UTF_8));
            });
    int length = HEAD + reply.body().length;
    for (byte[] text : texts) {
      length += Integer.BYTES + text.length;
    }
    ByteBuffer out = ByteBuffer.allocate(length);
    out.put(VERSION).putShort((short) reply.status()).putShort((short) reply.fields().size());
    for (byte[] text : texts) {
      out.putInt(text.length).put(text);
    }
    return out.put(reply.body()).array();
  }

  /**
   * Reads it again.
   *
   * @throws InboxException if these bytes are none: somebody else has written them, or a later
   *     version of this program
   */
  static Reply decode(byte[] bytes) {
    try {
      ByteBuffer in = ByteBuffer.wrap(bytes);
      byte version = in.get();
      if (version != VERSION) {
        throw unreadable("it has the form " + version + ", this version reads " + VERSION, null);
      }
      int status = in.getShort();
      int count = in.getShort();
      HttpFields.Builder fields = HttpFields.builder();
      for (int i = 0; i < count; i++) {
        fields.add(text(in), text(in));
      }
      byte[] body = new byte[in.remaining()];
      in.get(body);
      return Reply.of(status, fields.build(), body);
    } catch (BufferUnderflowException | IllegalArgumentException broken) {
      throw unreadable("it is damaged", broken);
    }
  }

  private static String text(ByteBuffer in) {
    int length = in.getInt();
    if (length < 0 || length > in.remaining()) {
      throw new BufferUnderflowException();
    }
    byte[] text = new byte[length];
    in.get(text);
    return new String(text, UTF_8);
  }

  private static InboxException unreadable(String why, @Nullable Throwable cause) {
    return new InboxException(
        "a stored reply in the inbox's table can't be read: "
            + why
            + ". Its request isn't handled again, and waits. If a later version wrote it, run that"
            + " one; else see to the row",
        cause);
  }

  private StoredReply() {}
}
