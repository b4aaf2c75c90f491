package dev.tideover.sdk.internal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.internal.core.LedgerEntry;
import dev.tideover.sdk.internal.core.LedgerEntry.Attempts;
import dev.tideover.sdk.internal.core.LedgerEntry.Begun;
import dev.tideover.sdk.internal.core.LedgerEntry.Cancelled;
import dev.tideover.sdk.internal.core.LedgerEntry.Parked;
import dev.tideover.sdk.internal.core.LedgerEntry.Start;
import dev.tideover.wire.Cancellation;
import dev.tideover.wire.RequestId;
import java.util.Optional;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.LongRange;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;

/** An entry of the ledger comes back as it was written; what is no entry is none. */
class LedgerCodecTest {

  private static final Attempts ATTEMPTS =
      new Attempts(1L << 40, "AAECAwQFBgcICQoLDA0ODw", 3, 1, Start.ALONE, "a-run");

  @Provide
  Arbitrary<LedgerEntry> entries() {
    Arbitrary<String> texts = Arbitraries.strings().withCharRange('\0', '\uD7FF').ofMaxLength(40);
    Arbitrary<Integer> counts = Arbitraries.integers().between(0, Integer.MAX_VALUE);
    return Arbitraries.oneOf(
        Combinators.combine(
                Arbitraries.longs().between(0, Long.MAX_VALUE),
                texts,
                counts,
                counts,
                Arbitraries.of(Start.class),
                texts)
            .as(Attempts::new),
        Combinators.combine(texts, texts).as(Parked::new),
        Combinators.combine(Arbitraries.longs(), Arbitraries.longs())
            .as((high, low) -> new Begun(new Uuid(high, low))),
        Combinators.combine(
                Arbitraries.longs().between(0, 999_999_999_999_999_999L),
                Arbitraries.longs(),
                Arbitraries.longs(),
                Arbitraries.of(true, false))
            .as(
                (offset, high, low, decided) ->
                    new Cancelled(offset, new RequestId(high, low).toString(), decided)));
  }

  @Property
  void whatWasWrittenIsReadBack(@ForAll("entries") LedgerEntry entry) {
    ProducerRecord<byte[], byte[]> record = LedgerCodec.encode(entry, "orders.ledger", 7);

    assertThat(record.topic()).isEqualTo("orders.ledger");
    assertThat(record.partition()).isEqualTo(7);
    assertThat(record.key()).isEqualTo(entry.key().getBytes(UTF_8));
    assertThat(record.value()).isEmpty();
    assertThat(LedgerCodec.key(stored(record))).isEqualTo(entry.key());
    assertThat(LedgerCodec.decode(stored(record))).isEqualTo(entry);
  }

  @Property
  void theWishOfAGatewayIsReadAndItsKeyIsTheOneThatIsForgotten(
      @ForAll @LongRange(max = 999_999_999_999_999_999L) long offset) {
    Cancellation wish = new Cancellation(7, offset, new RequestId(1, 2));

    assertThat(LedgerCodec.decode(stored(wish.toLedger("orders.ledger"))))
        .isEqualTo(new Cancelled(offset, wish.id().toString(), false));
    assertThat(new Cancelled(offset, "", false).key()).isEqualTo(Cancellation.ledgerKey(offset));
  }

  @Property
  void aRecordWithoutOneOfItsHeadersOrWithOneTwiceIsNone(@ForAll("entries") LedgerEntry entry) {
    for (Header header : LedgerCodec.encode(entry, "orders.ledger", 7).headers()) {
      ProducerRecord<byte[], byte[]> without = LedgerCodec.encode(entry, "orders.ledger", 7);
      without.headers().remove(header.key());
      assertThat(LedgerCodec.decode(stored(without))).as("without %s", header.key()).isNull();

      ProducerRecord<byte[], byte[]> twice = LedgerCodec.encode(entry, "orders.ledger", 7);
      twice.headers().add(header);
      assertThat(LedgerCodec.decode(stored(twice))).as("twice %s", header.key()).isNull();
    }
  }

  @Property
  void anyOtherRecordIsNone(
      @ForAll Optional<byte[]> key, @ForAll String name, @ForAll byte[] value) {
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>("orders.ledger", 0, key.orElse(null), value);
    record.headers().add("tideover-v", "1".getBytes(UTF_8)).add(name, value);

    assertThat(LedgerCodec.decode(stored(record))).isNull();
  }

  @Example
  void theRecordsHeadersAreText() {
    ProducerRecord<byte[], byte[]> record = LedgerCodec.encode(ATTEMPTS, "orders.ledger", 0);

    assertThat(new String(record.key(), UTF_8)).isEqualTo("request/1099511627776");
    assertThat(record.headers().toArray())
        .extracting(header -> header.key() + "=" + new String(header.value(), UTF_8))
        .containsExactly(
            "tideover-v=1",
            "tideover-id=AAECAwQFBgcICQoLDA0ODw",
            "tideover-attempts=3",
            "tideover-crashes=1",
            "tideover-start=alone",
            "tideover-by=a-run");
  }

  @Example
  void garbledValuesAndOtherVersionsAreNone() {
    for (String[] changed :
        new String[][] {
          {"tideover-v", "2"},
          {"tideover-attempts", "-1"},
          {"tideover-attempts", "+1"},
          {"tideover-attempts", "2147483648"},
          {"tideover-crashes", "01"},
          {"tideover-crashes", ""},
          {"tideover-start", "ALONE"},
          {"tideover-start", "elsewhere"},
        }) {
      ProducerRecord<byte[], byte[]> record = LedgerCodec.encode(ATTEMPTS, "orders.ledger", 0);
      record.headers().remove(changed[0]).add(changed[0], changed[1].getBytes(UTF_8));
      assertThat(LedgerCodec.decode(stored(record))).as("%s=%s", (Object[]) changed).isNull();
    }
    ProducerRecord<byte[], byte[]> noText = LedgerCodec.encode(ATTEMPTS, "orders.ledger", 0);
    noText.headers().remove("tideover-by").add("tideover-by", new byte[] {(byte) 0xC3});
    assertThat(LedgerCodec.decode(stored(noText))).isNull();
  }

  @Example
  void aTombstoneHasTheEntrysKeyAndNoValue() {
    ProducerRecord<byte[], byte[]> record =
        LedgerCodec.tombstone(ATTEMPTS.key(), "orders.ledger", 3);

    assertThat(record.partition()).isEqualTo(3);
    assertThat(record.key()).isEqualTo(ATTEMPTS.key().getBytes(UTF_8));
    assertThat(record.value()).isNull();
  }

  private static ConsumerRecord<byte[], byte[]> stored(ProducerRecord<byte[], byte[]> record) {
    return new ConsumerRecord<>(
        record.topic(),
        record.partition(),
        1,
        0,
        TimestampType.CREATE_TIME,
        0,
        0,
        record.key(),
        record.value(),
        new RecordHeaders(record.headers()),
        Optional.empty());
  }
}
