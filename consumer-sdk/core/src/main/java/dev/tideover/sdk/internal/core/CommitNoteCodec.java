package dev.tideover.sdk.internal.core;

import dev.tideover.sdk.internal.core.CommitNote.OffsetRange;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.zip.CRC32C;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * A {@link CommitNote} as text for a committed offset's metadata: {@code t1:} and base64url of
 *
 * <pre>
 * 16 bytes   topic id, big-endian
 *  1 byte    1 for clean, 0 for not
 *  varints   for each range: how far it begins behind the end of the one before (the first: behind
 *            the committed offset), at least 1; and its length, at least 1
 *  4 bytes   CRC-32C, big-endian, over the version, the committed offset and all of the above
 * </pre>
 *
 * <p>So a note says nothing under an offset that it wasn't written for. A varint is 7 bits a byte,
 * the lowest first, the high bit set on all but the last. Stateless; any thread.
 */
public final class CommitNoteCodec {

  /** No note is longer, in characters. A broker takes 4,096 bytes unless told otherwise. */
  public static final int MAX_CHARS = 3_500;

  private static final String PREFIX = "t1:";
  private static final int VERSION = 1;
  private static final int CHECKSUM = 4;
  private static final int HEAD = 17;
  private static final int MAX_VARINT = 9;

  /** What base64 fits into the characters left, three bytes in four of them. */
  private static final int MAX_BYTES = (MAX_CHARS - PREFIX.length()) * 3 / 4;

  /**
   * The note as text of at most {@link #MAX_CHARS}. Where its ranges don't fit, the later ones are
   * left out; so is one that doesn't begin behind the committed offset and the range before it. To
   * leave one out is always safe: its requests are handled again.
   *
   * @param committed the offset that it goes with, not negative
   */
  public static String encode(CommitNote note, long committed) {
    if (committed < 0) {
      throw new IllegalArgumentException("no offset: " + committed);
    }
    byte[] bytes = new byte[MAX_BYTES];
    writeLong(bytes, 0, note.topicId().getMostSignificantBits());
    writeLong(bytes, 8, note.topicId().getLeastSignificantBits());
    bytes[16] = (byte) (note.clean() ? 1 : 0);
    int length = HEAD;
    long end = committed;
    for (OffsetRange range : note.done()) {
      if (length + 2 * MAX_VARINT + CHECKSUM > MAX_BYTES) {
        break;
      }
      if (range.from() > end) {
        length = writeVarint(bytes, length, range.from() - end);
        length = writeVarint(bytes, length, range.to() - range.from());
        end = range.to();
      }
    }
    int checksum = checksum(bytes, length, committed);
    for (int i = 0; i < CHECKSUM; i++) {
      bytes[length++] = (byte) (checksum >>> 24 - 8 * i);
    }
    return PREFIX
        + Base64.getUrlEncoder().withoutPadding().encodeToString(Arrays.copyOf(bytes, length));
  }

  /**
   * The note that {@link #encode} wrote for this offset; null on any doubt. Never throws.
   *
   * @param metadata whatever stands beside the committed offset
   */
  public static @Nullable CommitNote decode(@Nullable String metadata, long committed) {
    if (metadata == null
        || committed < 0
        || metadata.length() > MAX_CHARS
        || !metadata.startsWith(PREFIX)) {
      return null;
    }
    byte[] bytes;
    try {
      bytes = Base64.getUrlDecoder().decode(metadata.substring(PREFIX.length()));
    } catch (IllegalArgumentException noBase64) {
      return null;
    }
    int length = bytes.length - CHECKSUM;
    if (length < HEAD || checksum(bytes, length, committed) != (int) readNumber(bytes, length, 4)) {
      return null;
    }
    List<OffsetRange> done = readRanges(bytes, length, committed);
    if (done == null) {
      return null;
    }
    Uuid topicId = new Uuid(readNumber(bytes, 0, 8), readNumber(bytes, 8, 8));
    CommitNote note = new CommitNote(topicId, bytes[16] == 1, done);
    // There is one way to write a note, so what would be written differently isn't ours: other
    // flags, a varint with empty bytes, spare bits or padding of the base64.
    return encode(note, committed).equals(metadata) ? note : null;
  }

  private static @Nullable List<OffsetRange> readRanges(byte[] bytes, int length, long committed) {
    List<OffsetRange> done = new ArrayList<>();
    long end = committed;
    long from = -1;
    for (int at = HEAD; at < length; ) {
      long value = 0;
      int shift = 0;
      byte next;
      do {
        if (at == length || shift > 7 * (MAX_VARINT - 1)) {
          return null;
        }
        next = bytes[at++];
        value |= (next & 0x7FL) << shift;
        shift += 7;
      } while (next < 0);
      // Nine times seven bits are no negative number, but a sum of two can be one.
      end += value;
      if (value == 0 || end < 0) {
        return null;
      }
      if (from < 0) {
        from = end;
      } else {
        done.add(new OffsetRange(from, end));
        from = -1;
      }
    }
    return from < 0 ? done : null;
  }

  private static int checksum(byte[] bytes, int length, long committed) {
    byte[] context = new byte[9];
    context[0] = VERSION;
    writeLong(context, 1, committed);
    CRC32C crc = new CRC32C();
    crc.update(context, 0, context.length);
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }

  private static void writeLong(byte[] bytes, int at, long value) {
    for (int i = 0; i < 8; i++) {
      bytes[at + i] = (byte) (value >>> 56 - 8 * i);
    }
  }

  private static long readNumber(byte[] bytes, int at, int size) {
    long value = 0;
    for (int i = 0; i < size; i++) {
      value = value << 8 | bytes[at + i] & 0xFF;
    }
    return value;
  }

  private static int writeVarint(byte[] bytes, int at, long value) {
    int next = at;
    long rest = value;
    while (rest > 0x7F) {
      bytes[next++] = (byte) (rest & 0x7F | 0x80);
      rest >>>= 7;
    }
    bytes[next++] = (byte) rest;
    return next;
  }

  private CommitNoteCodec() {}
}
