package dev.tideover.wire;

import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Headers;
import org.jspecify.annotations.Nullable;

/**
 * A client's wish that a request which hasn't begun does not begin. It is written to the service's
 * ledger, where it lasts, and then to its members topic, where the running instances hear it.
 * Immutable.
 *
 * @param partition of the request; 0 or more
 * @param offset of the request's record in that partition; 0 or more, at most 18 digits
 * @param id of the request: a cancellation whose id isn't that of the record at its offset is of
 *     another topic, and means nothing
 */
public record Cancellation(int partition, long offset, RequestId id) {

  private static final long MAX_OFFSET = 999_999_999_999_999_999L;
  private static final byte[] EMPTY = new byte[0];

  private static final List<String> NAMES =
      List.of(WireHeaders.VERSION, WireHeaders.ID, WireHeaders.CANCEL);

  /**
   * Checks the numbers.
   *
   * @throws IllegalArgumentException if one of them can't be that of a record
   */
  public Cancellation {
    if (partition < 0 || offset < 0 || offset > MAX_OFFSET) {
      throw new IllegalArgumentException(
          "no record has this place, so it can't be cancelled: " + partition + "/" + offset);
    }
  }

  /**
   * The key of its entry in the ledger, unique within the partition. A record with it and without a
   * value forgets the entry.
   */
  public static String ledgerKey(long offset) {
    return LedgerKeys.CANCEL + offset;
  }

  /** The entry in the ledger, in the partition with the number of the request's. */
  public ProducerRecord<byte[], byte[]> toLedger(String topic) {
    return record(topic, partition, ledgerKey(offset));
  }

  /** The notice to the instances that run. */
  public ProducerRecord<byte[], byte[]> toMembers(String topic) {
    return record(topic, 0, LedgerKeys.CANCEL + place());
  }

  private ProducerRecord<byte[], byte[]> record(String topic, int to, String key) {
    // An empty value, since one that is missing would be a tombstone.
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(topic, to, Utf8.encode(key), EMPTY);
    Headers headers = record.headers();
    headers.add(WireHeaders.VERSION, Utf8.encode(WireHeaders.VERSION_1));
    headers.add(WireHeaders.ID, Utf8.encode(id.toString()));
    headers.add(WireHeaders.CANCEL, Utf8.encode(place()));
    return record;
  }

  private String place() {
    return partition + "/" + offset;
  }

  /**
   * Reads a record of either topic.
   *
   * @return null for what is no cancellation, or none that this version can read, or a tombstone
   */
  public static @Nullable Cancellation decode(ConsumerRecord<byte[], byte[]> record) {
    byte[] key = record.key();
    String name = key == null || record.value() == null ? null : Utf8.decode(key);
    if (name == null || !name.startsWith(LedgerKeys.CANCEL)) {
      return null;
    }
    try {
      HeaderBlock headers = HeaderBlock.read(record.headers(), NAMES);
      Cancellation read = at(headers.required(WireHeaders.CANCEL), headers.requestId());
      return read != null && read.isNamed(name, record.partition()) ? read : null;
    } catch (WireFormatException malformed) {
      return null;
    }
  }

  private static @Nullable Cancellation at(String place, RequestId id) {
    int slash = place.indexOf('/');
    long partition = slash < 0 ? -1 : Decimals.parse(place.substring(0, slash), 0);
    long offset = Decimals.parse(place, slash + 1);
    return partition < 0 || partition > Integer.MAX_VALUE || offset < 0
        ? null
        : new Cancellation((int) partition, offset, id);
  }

  /** Whether the record's key and partition say the same as its headers. */
  private boolean isNamed(String name, int recordPartition) {
    return name.equals(ledgerKey(offset)) && recordPartition == partition
        || name.equals(LedgerKeys.CANCEL + place());
  }
}
