package dev.tideover.sdk.internal;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.sdk.internal.core.FinishedBatch;
import dev.tideover.sdk.internal.core.FinishedBatches;
import java.nio.ByteBuffer;
import org.apache.kafka.clients.producer.ProducerRecord;

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
  private static final int HEAD = 1 + Long.BYTES;

  static ProducerRecord<byte[], byte[]> encode(FinishedBatch batch, String topic, int partition) {
    long[] words = batch.words();
    ByteBuffer value = ByteBuffer.allocate(HEAD + words.length * Long.BYTES);
    value.put(VERSION).putLong(batch.finishedAt());
    value.asLongBuffer().put(words);
    byte[] key = FinishedBatches.key(batch.writer(), batch.number()).getBytes(UTF_8);
    return new ProducerRecord<>(topic, partition, key, value.array());
  }

  private FinishedCodec() {}
}
