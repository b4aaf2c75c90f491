package dev.tideover.sdk.internal;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.tideover.sdk.internal.core.FinishedBatch;
import dev.tideover.sdk.internal.core.FinishedBatches;
import dev.tideover.wire.LedgerKeys;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.jspecify.annotations.Nullable;

/**
 * Batches of finished ids as records of the ledger: the key is {@code finished/}, who has written
 * it, {@code /}, and its number; the value is
 *
 * <pre>
 *  1 byte    version, 1
 *  8 bytes   when the last one had finished; epoch milliseconds
 * then for each id
 * 12 bytes   the first of the request id's
 *  6 bytes   the first of the fingerprint's
 *  6 bytes   the offset of the reply times 64 (2^42 - 1 times 64 where it isn't known), plus a
 *            number from 0 to 63 for the partition that the reply has gone to
 * </pre>
 *
 * <p>All numbers are big-endian. Stateless; any thread.
 */
final class FinishedCodec {

  private static final byte VERSION = 1;
  private static final byte[] PREFIX = LedgerKeys.FINISHED.getBytes(ISO_8859_1);

  /** It takes longer names than this version gives. */
  private static final int MOST_WRITER_CHARS = 32;

  /** A number of so many is below {@code Long.MAX_VALUE}. */
  private static final int MOST_DIGITS = 18;

  private static final int PER_ID = 24;
  private static final int HEAD = 1 + Long.BYTES;

  static ProducerRecord<byte[], byte[]> encode(FinishedBatch batch, String topic, int partition) {
    long[] words = batch.words();
    ByteBuffer value = ByteBuffer.allocate(HEAD + words.length * Long.BYTES);
    value.put(VERSION).putLong(batch.finishedAt());
    value.asLongBuffer().put(words);
    byte[] key = FinishedBatches.key(batch.writer(), batch.number()).getBytes(ISO_8859_1);
    return new ProducerRecord<>(topic, partition, key, value.array());
  }

  /** Whether a record's key is that of a batch, or begins like one. */
  static boolean isBatch(byte @Nullable [] key) {
    return key != null
        && key.length >= PREFIX.length
        && Arrays.equals(key, 0, PREFIX.length, PREFIX, 0, PREFIX.length);
  }

  /** What a batch's key says. */
  record Name(String writer, long number) {}

  /** What a key says that {@link #isBatch} is true of; null if this version wouldn't write it. */
  static @Nullable Name name(byte[] key) {
    int slash = key.length - 1;
    while (slash > PREFIX.length && key[slash] != '/') {
      slash--;
    }
    int writer = slash - PREFIX.length;
    int digits = key.length - slash - 1;
    if (writer < 1 || writer > MOST_WRITER_CHARS || digits < 1 || digits > MOST_DIGITS) {
      return null;
    }
    for (int i = PREFIX.length; i < slash; i++) {
      if (key[i] <= ' ' || key[i] >= 127 || key[i] == '/') {
        return null;
      }
    }
    long number = 0;
    for (int i = slash + 1; i < key.length; i++) {
      if (key[i] < '0' || key[i] > '9') {
        return null;
      }
      number = 10 * number + key[i] - '0';
    }
    if (digits > 1 && key[slash + 1] == '0') {
      return null;
    }
    return new Name(new String(key, PREFIX.length, writer, ISO_8859_1), number);
  }

  /**
   * The batch in a record; null for anything that this version wouldn't have written.
   *
   * @param name of its key
   */
  static @Nullable FinishedBatch decode(Name name, byte[] value) {
    int length = value.length - HEAD;
    int size = length / PER_ID;
    if (length % PER_ID != 0 || size < 1 || size > FinishedBatch.MOST || value[0] != VERSION) {
      return null;
    }
    ByteBuffer rest = ByteBuffer.wrap(value);
    rest.get();
    long finishedAt = rest.getLong();
    long[] words = new long[length / Long.BYTES];
    rest.asLongBuffer().get(words);
    return FinishedBatch.of(name.writer(), name.number(), finishedAt, words);
  }

  private FinishedCodec() {}
}
