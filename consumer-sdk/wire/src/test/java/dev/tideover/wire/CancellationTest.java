package dev.tideover.wire;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import net.jqwik.api.statistics.Statistics;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.jspecify.annotations.Nullable;

class CancellationTest {

  private static final RequestId ID = new RequestId(1, 2);
  private static final List<String> PARTS =
      List.of(
          "cancel/",
          "cancel/7",
          "cancel/3/7",
          "cancel/03/7",
          "3/7",
          "3/07",
          "3/",
          "/7",
          "3/7/1",
          "-3/7",
          "3/-7",
          "2147483648/7",
          "3/1000000000000000000",
          "request/7",
          "1",
          "2",
          "",
          "AAAAAAAAAAEAAAAAAAAAAg",
          "AAAAAAAAAAEAAAAAAAAAAh",
          "\uFFFD");

  @Property
  void isReadFromBothTopicsAsItWasWritten(@ForAll("cancellations") Cancellation cancellation) {
    assertThat(Cancellation.decode(consumed(cancellation.toLedger("s.ledger"))))
        .isEqualTo(cancellation);
    assertThat(Cancellation.decode(consumed(cancellation.toMembers("s.members"))))
        .isEqualTo(cancellation);
  }

  @Property(tries = 5_000)
  void whateverStandsThereIsReadAsOneThatIsWrittenTheSameOrAsNone(
      @ForAll("keys") String key,
      @ForAll("versions") String version,
      @ForAll("ids") String id,
      @ForAll("places") String place) {
    ConsumerRecord<byte[], byte[]> record =
        consumed(3, key.getBytes(UTF_8), headers(version, id, place), new byte[0]);

    Cancellation read = Cancellation.decode(record);

    Statistics.label("read").collect(read != null);
    if (read != null) {
      assertThat(key).isIn("cancel/7", "cancel/3/7");
      assertThat(List.of(version, id, place)).containsExactly("1", read.id().toString(), "3/7");
      assertThat(read).isEqualTo(new Cancellation(3, 7, ID));
    }
  }

  @Example
  void standsInTheRequestsPartitionOfTheLedgerAndInTheOnlyOneOfTheMembers() {
    Cancellation cancellation = new Cancellation(3, 7, ID);

    ProducerRecord<byte[], byte[]> entry = cancellation.toLedger("orders.ledger");
    assertThat(entry.topic()).isEqualTo("orders.ledger");
    assertThat(entry.partition()).isEqualTo(3);
    assertThat(entry.key()).asString(UTF_8).isEqualTo("cancel/7");
    assertThat(entry.value()).isNotNull().isEmpty();
    assertThat(GoldenRecord.lines(entry))
        .containsExactly(
            new GoldenRecord.Line("tideover-v", "1"),
            new GoldenRecord.Line("tideover-id", ID.toString()),
            new GoldenRecord.Line("tideover-cancel", "3/7"));

    ProducerRecord<byte[], byte[]> notice = cancellation.toMembers("orders.members");
    assertThat(notice.topic()).isEqualTo("orders.members");
    assertThat(notice.partition()).isZero();
    assertThat(notice.key()).asString(UTF_8).isEqualTo("cancel/3/7");
    assertThat(notice.value()).isNotNull().isEmpty();
    assertThat(GoldenRecord.lines(notice)).isEqualTo(GoldenRecord.lines(entry));
  }

  @Example
  void whatContradictsItselfIsMissingOrStandsTwiceIsNone() {
    byte[] key = "cancel/7".getBytes(UTF_8);
    RecordHeaders good = headers("1", ID.toString(), "3/7");
    assertThat(Cancellation.decode(consumed(3, key, good, new byte[0]))).isNotNull();

    assertThat(Cancellation.decode(consumed(4, key, good, new byte[0]))).isNull();
    assertThat(Cancellation.decode(consumed(3, key, good, null))).isNull();
    assertThat(Cancellation.decode(consumed(3, null, good, new byte[0]))).isNull();
    for (String name : List.of(WireHeaders.VERSION, WireHeaders.ID, WireHeaders.CANCEL)) {
      RecordHeaders without = new RecordHeaders(good);
      without.remove(name);
      RecordHeaders twice = new RecordHeaders(good);
      twice.add(good.lastHeader(name));
      assertThat(Cancellation.decode(consumed(3, key, without, new byte[0]))).as(name).isNull();
      assertThat(Cancellation.decode(consumed(3, key, twice, new byte[0]))).as(name).isNull();
    }
    RecordHeaders later = new RecordHeaders(good);
    later.add("tideover-of-a-later-version", new byte[] {1});
    assertThat(Cancellation.decode(consumed(3, key, later, new byte[0]))).isNotNull();
  }

  @Example
  void aPlaceThatNoRecordHasCannotBeCancelled() {
    assertThatIllegalArgumentException().isThrownBy(() -> new Cancellation(-1, 0, ID));
    assertThatIllegalArgumentException().isThrownBy(() -> new Cancellation(0, -1, ID));
    assertThatIllegalArgumentException().isThrownBy(() -> new Cancellation(0, Long.MAX_VALUE, ID));
  }

  @Provide
  Arbitrary<Cancellation> cancellations() {
    return Combinators.combine(
            Arbitraries.integers().greaterOrEqual(0),
            Arbitraries.longs().between(0, 999_999_999_999_999_999L),
            Arbitraries.longs(),
            Arbitraries.longs())
        .as((partition, offset, high, low) -> cancellation(partition, offset, high, low));
  }

  private static Cancellation cancellation(int partition, long offset, long high, long low) {
    return new Cancellation(partition, offset, new RequestId(high, low));
  }

  @Provide
  Arbitrary<String> keys() {
    return mostly("cancel/7", "cancel/3/7");
  }

  @Provide
  Arbitrary<String> versions() {
    return mostly("1");
  }

  @Provide
  Arbitrary<String> ids() {
    return mostly(ID.toString());
  }

  @Provide
  Arbitrary<String> places() {
    return mostly("3/7");
  }

  private static Arbitrary<String> mostly(String... right) {
    return Arbitraries.frequencyOf(
        Tuple.of(4, Arbitraries.of(right)),
        Tuple.of(2, Arbitraries.of(PARTS)),
        Tuple.of(1, Arbitraries.strings()));
  }

  private static RecordHeaders headers(String version, String id, String place) {
    RecordHeaders headers = new RecordHeaders();
    headers.add(WireHeaders.VERSION, version.getBytes(UTF_8));
    headers.add(WireHeaders.ID, id.getBytes(UTF_8));
    headers.add(WireHeaders.CANCEL, place.getBytes(UTF_8));
    return headers;
  }

  private static ConsumerRecord<byte[], byte[]> consumed(ProducerRecord<byte[], byte[]> record) {
    return consumed(
        record.partition(), record.key(), new RecordHeaders(record.headers()), record.value());
  }

  private static ConsumerRecord<byte[], byte[]> consumed(
      int partition, byte @Nullable [] key, RecordHeaders headers, byte @Nullable [] value) {
    return GoldenRecord.consumed("any", partition, 0, key, headers, value);
  }
}
