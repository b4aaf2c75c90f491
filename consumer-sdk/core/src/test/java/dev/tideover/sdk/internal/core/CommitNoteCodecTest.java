package dev.tideover.sdk.internal.core;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.internal.core.CommitNote.OffsetRange;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.CharRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.apache.kafka.common.Uuid;

/** A note comes back as it was written, or not at all. */
class CommitNoteCodecTest {

  private static final CommitNote PLAIN =
      new CommitNote(
          new Uuid(1, 2), true, List.of(new OffsetRange(12, 13), new OffsetRange(20, 300)));

  /** A note and the offset that it goes with. */
  record Written(CommitNote note, long committed) {
    String text() {
      return CommitNoteCodec.encode(note, committed);
    }
  }

  @Provide
  Arbitrary<Written> written() {
    Arbitrary<Long> step =
        Arbitraries.oneOf(
            Arbitraries.longs().between(1, 5), Arbitraries.longs().between(1, 1L << 40));
    Arbitrary<List<Long>> steps = step.list().ofMinSize(0).ofMaxSize(60);
    Arbitrary<Uuid> ids =
        Combinators.combine(Arbitraries.longs(), Arbitraries.longs()).as(Uuid::new);
    return Combinators.combine(
            ids,
            Arbitraries.of(true, false),
            Arbitraries.longs().between(0, Long.MAX_VALUE / 2),
            steps)
        .as((id, clean, committed, lengths) -> written(id, clean, committed, lengths));
  }

  private static Written written(Uuid id, boolean clean, long committed, List<Long> steps) {
    List<OffsetRange> done = new ArrayList<>();
    long end = committed;
    for (int i = 0; i + 1 < steps.size(); i += 2) {
      long from = end + steps.get(i);
      end = from + steps.get(i + 1);
      done.add(new OffsetRange(from, end));
    }
    return new Written(new CommitNote(id, clean, done), committed);
  }

  @Property
  void whatWasWrittenIsReadBack(@ForAll("written") Written written) {
    assertThat(CommitNoteCodec.decode(written.text(), written.committed()))
        .isEqualTo(written.note());
  }

  @Property
  void underAnotherOffsetItSaysNothing(
      @ForAll("written") Written written, @ForAll @LongRange(min = -10, max = 1L << 50) long by) {
    long other = by == 0 ? written.committed() + 1 : written.committed() + by;
    assertThat(CommitNoteCodec.decode(written.text(), other)).isNull();
  }

  @Property
  void oneChangedCharacterMakesItUnreadable(
      @ForAll("written") Written written, @ForAll @IntRange(max = 3_499) int at, @ForAll char to) {
    StringBuilder text = new StringBuilder(written.text());
    int place = at % text.length();
    if (text.charAt(place) == to) {
      return;
    }
    text.setCharAt(place, to);
    assertThat(CommitNoteCodec.decode(text.toString(), written.committed())).isNull();
  }

  @Property
  void aPieceOfItIsUnreadable(
      @ForAll("written") Written written, @ForAll @IntRange(max = 3_499) int at) {
    String text = written.text();
    int place = at % text.length();
    assertThat(CommitNoteCodec.decode(text.substring(0, place), written.committed())).isNull();
    assertThat(CommitNoteCodec.decode(text + text.substring(place), written.committed())).isNull();
    assertThat(CommitNoteCodec.decode(text + "=", written.committed())).isNull();
  }

  @Property
  void anyOtherTextIsUnreadable(@ForAll String text, @ForAll long committed) {
    assertThat(CommitNoteCodec.decode(text, committed)).isNull();
    assertThat(CommitNoteCodec.decode("t1:" + text, committed)).isNull();
  }

  @Property
  void anyOtherBase64IsUnreadable(
      @ForAll @CharRange(from = 'a', to = 'z') String text, @ForAll long committed) {
    assertThat(CommitNoteCodec.decode("t1:" + text, committed)).isNull();
  }

  /** Bytes with the right checksum, as a later version with the same prefix might write them. */
  @Property
  void soundBytesThatNoWriterMakesAreUnreadable(@ForAll byte[] middle) {
    byte[] bytes = new byte[17 + middle.length];
    System.arraycopy(middle, 0, bytes, 17, middle.length);
    CommitNote note = CommitNoteCodec.decode(sealed(bytes, 5), 5);
    if (note != null) {
      assertThat(CommitNoteCodec.encode(note, 5)).isEqualTo(sealed(bytes, 5));
    }
  }

  @Example
  void rangesThatOverflowOrTouchOrHaveUnknownFlagsAreUnreadable() {
    byte[] head = new byte[17];
    assertThat(CommitNoteCodec.decode(sealed(head, 5), 5))
        .isEqualTo(new CommitNote(Uuid.ZERO_UUID, false, List.of()));
    byte[] flag = head.clone();
    flag[16] = 2;
    assertThat(CommitNoteCodec.decode(sealed(flag, 5), 5)).isNull();
    assertThat(CommitNoteCodec.decode(sealed(with(head, 0, 1), 5), 5)).isNull();
    assertThat(CommitNoteCodec.decode(sealed(with(head, 1, 0), 5), 5)).isNull();
    assertThat(CommitNoteCodec.decode(sealed(with(head, 1), 5), 5)).isNull();
    assertThat(CommitNoteCodec.decode(sealed(with(head, 0x81, 0, 1), 5), 5)).isNull();
    int[] huge = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 1};
    assertThat(CommitNoteCodec.decode(sealed(with(head, huge), 5), 5)).isNull();
    int[] tooLong = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 1};
    assertThat(CommitNoteCodec.decode(sealed(with(head, tooLong), 5), 5)).isNull();
  }

  @Example
  void offsetsUpToTheLastOneThereCanBeAreKept() {
    CommitNote note =
        new CommitNote(
            Uuid.ONE_UUID,
            false,
            List.of(
                new OffsetRange(1L << 33, (1L << 33) + 1),
                new OffsetRange(Long.MAX_VALUE - 1, Long.MAX_VALUE)));
    assertThat(CommitNoteCodec.decode(CommitNoteCodec.encode(note, 0), 0)).isEqualTo(note);
  }

  @Example
  void ofTooManyRangesTheFirstOnesAreKept() {
    List<OffsetRange> done = new ArrayList<>();
    for (long from = 1L << 34; done.size() < 50_000; from += 1_000_000) {
      done.add(new OffsetRange(from, from + 3));
    }
    CommitNote note = new CommitNote(Uuid.ONE_UUID, true, done);
    String text = CommitNoteCodec.encode(note, 7);
    CommitNote back = CommitNoteCodec.decode(text, 7);

    assertThat(text.length()).isBetween(3_400, CommitNoteCodec.MAX_CHARS);
    assertThat(back).isNotNull();
    assertThat(back.done()).hasSizeGreaterThan(600).isEqualTo(done.subList(0, back.done().size()));
    assertThat(back.clean()).isTrue();
  }

  @Example
  void aRangeThatDoesNotBeginBehindTheOneBeforeIsLeftOut() {
    CommitNote note =
        new CommitNote(
            Uuid.ONE_UUID,
            true,
            List.of(
                new OffsetRange(3, 9),
                new OffsetRange(12, 14),
                new OffsetRange(14, 15),
                new OffsetRange(16, 17)));
    CommitNote back = CommitNoteCodec.decode(CommitNoteCodec.encode(note, 10), 10);

    assertThat(back).isNotNull();
    assertThat(back.done()).containsExactly(new OffsetRange(12, 14), new OffsetRange(16, 17));
  }

  /** Notes of this version are in offsets that were committed, so they have to stay readable. */
  @Example
  void theTextIsTheSameAsEver() {
    assertThat(CommitNoteCodec.encode(PLAIN, 10))
        .isEqualTo("t1:AAAAAAAAAAEAAAAAAAAAAgECAQeYAhR-gFM");
    assertThat(CommitNoteCodec.decode("t1:AAAAAAAAAAEAAAAAAAAAAgECAQeYAhR-gFM", 10))
        .isEqualTo(PLAIN);
    assertThat(CommitNoteCodec.decode(null, 10)).isNull();
    assertThat(CommitNoteCodec.decode("", 10)).isNull();
  }

  private static byte[] with(byte[] head, int... more) {
    byte[] bytes = new byte[head.length + more.length];
    System.arraycopy(head, 0, bytes, 0, head.length);
    for (int i = 0; i < more.length; i++) {
      bytes[head.length + i] = (byte) more[i];
    }
    return bytes;
  }

  private static String sealed(byte[] bytes, long committed) {
    java.nio.ByteBuffer context = java.nio.ByteBuffer.allocate(9).put((byte) 1).putLong(committed);
    java.util.zip.CRC32C crc = new java.util.zip.CRC32C();
    crc.update(context.array());
    crc.update(bytes);
    java.nio.ByteBuffer sealed = java.nio.ByteBuffer.allocate(bytes.length + 4);
    sealed.put(bytes).putInt((int) crc.getValue());
    return "t1:" + Base64.getUrlEncoder().withoutPadding().encodeToString(sealed.array());
  }
}
