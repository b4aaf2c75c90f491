package dev.tideover.sdk.internal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.internal.core.FinishedBatch;
import dev.tideover.sdk.internal.core.FinishedIds;
import dev.tideover.sdk.internal.core.FinishedIds.Known;
import dev.tideover.sdk.internal.core.Identity;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.SplittableRandom;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.jspecify.annotations.Nullable;

/** A batch of finished ids comes back as it was written; what is no batch is none. */
class FinishedCodecTest {

  private static final String GOLDEN =
      "01" // version
          + "0000019ab9f5c800" // finished at
          + "0001020304050607" // first id
          + "08090a0b"
          + "a0a1a2a3a4a5" // its fingerprint
          + "000000000fc0" // offset 63, place 0
          + "fffefdfcfbfaf9f8" // second id
          + "f7f6f5f4"
          + "b0b1b2b3b4b5"
          + "ffffffffffff"; // offset not known, place 63

  private static FinishedBatch golden() {
    FinishedBatch.Builder builder = new FinishedBatch.Builder();
    builder.add(new Identity(0x0001020304050607L, 0x08090a0b0c0d0e0fL, 0xa0a1a2a3a4a5a6a7L, 0), 63);
    builder.add(
        new Identity(0xfffefdfcfbfaf9f8L, 0xf7f6f5f4f3f2f1f0L, 0xb0b1b2b3b4b5b6b7L, 63),
        FinishedIds.UNKNOWN);
    return builder.build("0f8a1c2e", 42, 0x19ab9f5c800L);
  }

  @Example
  void theBytesStayWhatTheyAre() {
    ProducerRecord<byte[], byte[]> record = FinishedCodec.encode(golden(), "orders.ledger", 7);

    assertThat(record.topic()).isEqualTo("orders.ledger");
    assertThat(record.partition()).isEqualTo(7);
    assertThat(new String(record.key(), UTF_8)).isEqualTo("finished/0f8a1c2e/42");
    assertThat(HexFormat.of().formatHex(record.value())).isEqualTo(GOLDEN);
    assertThat(record.headers()).isEmpty();
  }

  @Example
  void bytesOfThisVersionAreUnderstood() {
    FinishedBatch batch =
        decode("finished/0f8a1c2e/42".getBytes(UTF_8), HexFormat.of().parseHex(GOLDEN));

    assertThat(batch).isNotNull();
    assertThat(batch.writer()).isEqualTo("0f8a1c2e");
    assertThat(batch.number()).isEqualTo(42);
    assertThat(batch.finishedAt()).isEqualTo(0x19ab9f5c800L);
    assertThat(batch.words()).isEqualTo(golden().words());
    FinishedIds ids = new FinishedIds(3_600_000);
    ids.addAll(batch, batch.finishedAt());
    assertThat(
            ids.find(
                new Identity(0x0001020304050607L, 0x08090a0b0c0d0e0fL, 0xa0a1a2a3a4a5a6a7L, 0),
                batch.finishedAt()))
        .isEqualTo(new Known(true, 63));
  }

  /** They stand in the ledger, so another version has to come to the same ones. */
  @Example
  void placesStayWhatTheyAre() {
    assertThat(Identity.place("tideover.replies", 0)).isEqualTo(7);
    assertThat(Identity.place("tideover.replies", 1)).isEqualTo(47);
    assertThat(Identity.place("", 0)).isZero();
    int[] seen = new int[64];
    for (int partition = 0; partition < 6_400; partition++) {
      seen[Identity.place("tideover.replies", partition)]++;
    }
    assertThat(seen).doesNotContain(0);
    assertThat(Arrays.stream(seen).max().getAsInt()).isLessThan(200);
  }

  @Property
  void whatWasWrittenIsReadBack(
      @ForAll @IntRange(min = 1, max = FinishedBatch.MOST) int size,
      @ForAll long seed,
      @ForAll @LongRange(max = 999_999_999_999_999_999L) long number,
      @ForAll long finishedAt) {
    SplittableRandom random = new SplittableRandom(seed);
    FinishedBatch.Builder builder = new FinishedBatch.Builder();
    for (int i = 0; i < size; i++) {
      assertThat(builder.isFull()).isFalse();
      builder.add(new Identity(random.nextLong(), random.nextLong(), random.nextLong(), i % 64), i);
    }
    assertThat(builder.isFull()).isEqualTo(size == FinishedBatch.MOST);
    FinishedBatch batch = builder.build("abc-_XYZ", number, finishedAt);
    ProducerRecord<byte[], byte[]> record = FinishedCodec.encode(batch, "t", 0);

    assertThat(FinishedCodec.isBatch(record.key())).isTrue();
    FinishedBatch read = decode(record.key(), record.value());
    assertThat(read).isNotNull();
    assertThat(read.writer()).isEqualTo("abc-_XYZ");
    assertThat(read.number()).isEqualTo(number);
    assertThat(read.finishedAt()).isEqualTo(finishedAt);
    assertThat(read.size()).isEqualTo(size);
    assertThat(read.words()).isEqualTo(batch.words());
  }

  @Example
  void aValueThatIsNoBatchIsNone() {
    byte[] key = "finished/0f8a1c2e/42".getBytes(UTF_8);
    byte[] value = HexFormat.of().parseHex(GOLDEN);
    for (int length = 0; length < value.length; length++) {
      boolean oneId = length == 9 + 24;
      FinishedBatch batch = decode(key, Arrays.copyOf(value, length));
      assertThat(batch == null ? 0 : batch.size()).as("%d bytes", length).isEqualTo(oneId ? 1 : 0);
    }
    for (int version : new int[] {0, 2, 127, 255}) {
      byte[] other = value.clone();
      other[0] = (byte) version;
      assertThat(decode(key, other)).as("version %d", version).isNull();
    }
    byte[] most = new byte[9 + 24 * FinishedBatch.MOST];
    most[0] = 1;
    assertThat(decode(key, most)).isNotNull();
    byte[] tooMany = Arrays.copyOf(most, most.length + 24);
    assertThat(decode(key, tooMany)).isNull();
  }

  @Example
  void aKeyThatIsNoBatchsIsNone() {
    for (String key :
        new String[] {
          "finished/",
          "finished//",
          "finished//1",
          "finished/w",
          "finished/w/",
          "finished/1",
          "finished/w/-1",
          "finished/w/+1",
          "finished/w/01",
          "finished/w/1x",
          "finished/w/1/2",
          "finished/w w/1",
          "finished/w\u00e4/1",
          "finished/w/1000000000000000000",
          "finished/w/99999999999999999999999999",
          "finished/" + "w".repeat(33) + "/1",
          "finished/" + "w".repeat(100_000) + "/1",
        }) {
      assertThat(FinishedCodec.isBatch(key.getBytes(UTF_8))).as(key).isTrue();
      assertThat(FinishedCodec.name(key.getBytes(UTF_8))).as(key).isNull();
    }
    for (String key : new String[] {"", "finished", "Finished/w/1", "request/1", "begun"}) {
      assertThat(FinishedCodec.isBatch(key.getBytes(UTF_8))).as(key).isFalse();
    }
    assertThat(FinishedCodec.isBatch(null)).isFalse();
    assertThat(FinishedCodec.name("finished/w/0".getBytes(UTF_8)))
        .isEqualTo(new FinishedCodec.Name("w", 0));
    assertThat(FinishedCodec.name("finished/w/999999999999999999".getBytes(UTF_8)))
        .isEqualTo(new FinishedCodec.Name("w", 999_999_999_999_999_999L));
  }

  @Property
  void nothingThrows(@ForAll @Size(max = 60) byte[] rest, @ForAll @Size(max = 100) byte[] value) {
    byte[] prefix = "finished/".getBytes(UTF_8);
    byte[] key = Arrays.copyOf(prefix, prefix.length + rest.length);
    System.arraycopy(rest, 0, key, prefix.length, rest.length);
    FinishedBatch batch = decode(key, value);
    if (batch != null) {
      assertThat(FinishedCodec.encode(batch, "t", 0).key()).isEqualTo(key);
      assertThat(FinishedCodec.encode(batch, "t", 0).value()).isEqualTo(value);
    }
  }

  private static @Nullable FinishedBatch decode(byte[] key, byte[] value) {
    FinishedCodec.Name name = FinishedCodec.name(key);
    return name == null ? null : FinishedCodec.decode(name, value);
  }
}
