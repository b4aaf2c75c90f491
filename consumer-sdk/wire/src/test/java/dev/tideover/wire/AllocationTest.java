package dev.tideover.wire;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.junit.jupiter.api.Test;

/** A record can't make its reader allocate out of proportion to its own size. */
class AllocationTest {

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** Two string objects, their arrays' heads, and their places in the arrays of lines. */
  private static final long PER_HEADER = 128;

  private static final long PER_RECORD = 4_096;

  @Test
  void theBodyIsNotCopied() throws Exception {
    assertAllocates(request(List.of(), new byte[10_000_000]), 0);
  }

  @Test
  void oneLongValueOfAsciiCostsOneCopy() throws Exception {
    String value = "v".repeat(1_000_000);

    assertAllocates(request(List.of(field("x", value)), new byte[0]), 1_000_000);
  }

  @Test
  void manyShortHeadersCostAConstantEach() throws Exception {
    List<Header> fields = new ArrayList<>();
    for (int i = 0; i < 900; i++) {
      fields.add(field("x-" + i, "v" + i));
    }

    assertAllocates(request(fields, new byte[0]), 900 * 8);
  }

  @Test
  void textBeyondAsciiCostsTwiceItsBytes() throws Exception {
    for (String letter : List.of("é", "я", "名", "🌊")) {
      String value = letter.repeat(300_000);
      int bytes = value.getBytes(UTF_8).length;

      assertAllocates(request(List.of(field("x", value)), new byte[0]), 2L * bytes + bytes / 2);
    }
  }

  /** Each char is two bytes in a String that isn't Latin-1, and the JDK builds it from a copy. */
  @Test
  void theWorstTextCostsFiveTimesItsBytes() throws Exception {
    String value = "v".repeat(1_000_000) + "名";

    assertAllocates(request(List.of(field("x", value)), new byte[0]), 5_000_100);
  }

  @Test
  void invalidUtf8CostsNoMoreThanTwiceItsBytes() throws Exception {
    byte[] invalid = "v".repeat(1_000_000).getBytes(UTF_8);
    invalid[invalid.length - 1] = (byte) 0xC3;

    assertAllocates(request(List.of(new RecordHeader("x", invalid)), new byte[0]), 2_000_000);
  }

  @Test
  void tooManyHeadersCostTheirListOnly() throws Exception {
    List<Header> fields = new ArrayList<>();
    for (int i = 0; i < 100_000; i++) {
      fields.add(field("x", "v"));
    }
    ConsumerRecord<byte[], byte[]> record = request(fields, new byte[0]);

    assertThat(allocated(record)).isLessThan(8L * 100_000 + PER_RECORD);
  }

  private static void assertAllocates(ConsumerRecord<byte[], byte[]> record, long atMost) {
    long headers = record.headers().toArray().length;

    assertThat(allocated(record)).isLessThanOrEqualTo(atMost + headers * PER_HEADER + PER_RECORD);
  }

  /** The least of several runs: classes are loaded in the first, and other things may intervene. */
  private static long allocated(ConsumerRecord<byte[], byte[]> record) {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      long before = THREADS.getCurrentThreadAllocatedBytes();
      decode(record);
      least = Math.min(least, THREADS.getCurrentThreadAllocatedBytes() - before);
    }
    return least;
  }

  private static void decode(ConsumerRecord<byte[], byte[]> record) {
    try {
      RequestCodec.decode(record);
    } catch (WireFormatException e) {
      // Refusing must be as cheap.
    }
  }

  private static Header field(String name, String value) {
    return new RecordHeader(name, value.getBytes(UTF_8));
  }

  private static ConsumerRecord<byte[], byte[]> request(List<Header> fields, byte[] body)
      throws Exception {
    GoldenRecord golden = GoldenRecord.read("request-minimal");
    RecordHeaders headers = new RecordHeaders(golden.consumed().headers());
    fields.forEach(headers::add);
    return GoldenRecord.consumed("t", 0, 0, golden.key(), headers, body);
  }
}
