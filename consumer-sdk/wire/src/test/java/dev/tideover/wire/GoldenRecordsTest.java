package dev.tideover.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Records of released versions are read as they were meant, and written as they were, for ever. */
class GoldenRecordsTest {

  private static final byte[] ALL_BYTES = allBytes();
  private static final RequestId ID_1 = id("000102030405060708090a0b0c0d0e0f");
  private static final RequestId ID_2 = id("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0");
  private static final Fingerprint FINGERPRINT_1 = fingerprint("297ed0a186ea8f5644278405f259bfc4");
  private static final Fingerprint FINGERPRINT_2 = fingerprint("5017f47dbe325b81779ad7a6fe5ded02");
  private static final String BY = "orders/2026.11.3/pod-7";

  static List<String> names() throws Exception {
    return GoldenRecord.names();
  }

  @ParameterizedTest
  @MethodSource("names")
  void isWrittenBackAsItWasReadByteForByteAndInOrder(String name) throws Exception {
    GoldenRecord golden = GoldenRecord.read(name);

    ProducerRecord<byte[], byte[]> written = decodeAndEncode(golden);

    assertThat(written.key()).isEqualTo(golden.key());
    assertThat(GoldenRecord.lines(written)).isEqualTo(golden.headers());
    assertThat(written.value()).isEqualTo(golden.value());
  }

  private static ProducerRecord<byte[], byte[]> decodeAndEncode(GoldenRecord golden)
      throws Exception {
    if (golden.name().startsWith("request-")) {
      return RequestCodec.encode(RequestCodec.decode(golden.consumed()), "orders.requests", 3);
    }
    if (golden.name().startsWith("reply-")) {
      ReplyAddress address = new ReplyAddress("tideover.replies", 7);
      ProducerRecord<byte[], byte[]> record =
          ReplyCodec.encode(ReplyCodec.decode(golden.consumed()), address);
      assertThat(record.topic()).isEqualTo("tideover.replies");
      assertThat(record.partition()).isEqualTo(7);
      return record;
    }
    if (golden.name().startsWith("control-")) {
      ProducerRecord<byte[], byte[]> record = encode(ControlCodec.decode(golden.consumed()));
      assertThat(record.topic()).isEqualTo("tideover.control");
      assertThat(record.partition()).isZero();
      return record;
    }
    return DeadLetterCodec.encode(
        GoldenRecord.read("request-full").consumed(),
        "orders.dead",
        "attempts-exhausted",
        "java.lang.IllegalStateException: Lager für „名前\" leer",
        10,
        Instant.ofEpochMilli(1763980099000L),
        BY);
  }

  private static ProducerRecord<byte[], byte[]> encode(ControlCodec.Entry entry) {
    if (entry instanceof ControlCodec.Entry.Desired desired) {
      return ControlCodec.encode(desired.state());
    }
    if (entry instanceof ControlCodec.Entry.Report report) {
      return ControlCodec.encode(report.report());
    }
    String[] name = ((ControlCodec.Entry.Ended) entry).key().split("/");
    return ControlCodec.tombstone(
        new InstanceReport(
            name[0],
            name[1],
            name[2],
            "",
            InstanceReport.State.LEAVING,
            0,
            0,
            InstanceReport.Counts.NONE));
  }

  @Test
  void aDesiredStateWithoutAReleaseLetsEveryVersionWork() throws Exception {
    DesiredState state = desired("control-desired");

    assertThat(state)
        .isEqualTo(
            new DesiredState(
                "orders", 1, "0b9d6d1c", "gw-1", 1763980000123L, null, false, 0, null));
    assertThat(state.isActive("any")).isTrue();
    assertThat(state.holds()).isFalse();
    assertThat(state.isOnTrial("any")).isFalse();
  }

  @Test
  void aDesiredStateInAReleaseSaysWhoWorksAndWhoIsOnTrial() throws Exception {
    DesiredState state = desired("control-desired-release");

    assertThat(state)
        .isEqualTo(
            new DesiredState(
                "orders",
                4711,
                "verify/4710",
                "gw-2",
                1763980012345L,
                "2026.11.4+b7",
                true,
                250,
                new DesiredState.Release(
                    "0b9d6d1c",
                    "2026.11.3",
                    "2026.11.4+b7",
                    DesiredState.Step.VERIFY,
                    1763980000123L,
                    1763980005000L,
                    60_000,
                    60_000,
                    30_000,
                    3,
                    "")));
    assertThat(state.isActive("2026.11.3")).isFalse();
    assertThat(state.isActive("2026.11.4+b7")).isTrue();
    assertThat(state.holds()).isTrue();
    assertThat(state.isOnTrial("2026.11.4+b7")).isTrue();
    assertThat(state.isOnTrial("2026.11.3")).isFalse();
  }

  private static DesiredState desired(String name) throws Exception {
    return ((ControlCodec.Entry.Desired) ControlCodec.decode(GoldenRecord.read(name).consumed()))
        .state();
  }

  @Test
  void aReportSaysWhereAnInstanceIsAndWhatItHasDone() throws Exception {
    assertThat(ControlCodec.decode(GoldenRecord.read("control-report").consumed()))
        .isEqualTo(
            new ControlCodec.Entry.Report(
                new InstanceReport(
                    "orders",
                    "2026.11.4+b7",
                    "pod-9",
                    "0192f0a4-77ac-7cc3-8000-1b2c3d4e5f60",
                    InstanceReport.State.ACTIVE,
                    4711,
                    4,
                    new InstanceReport.Counts(1_200, 7, 0, 3, 12, 41))));
    assertThat(ControlCodec.decode(GoldenRecord.read("control-ended").consumed()))
        .isEqualTo(new ControlCodec.Entry.Ended("orders/2026.11.3/pod-7"));
  }

  @Test
  void aReplyTellsItsTimesIfItsWriterKnewThem() throws Exception {
    assertThat(ReplyCodec.decode(GoldenRecord.read("reply-timed").consumed()).timing())
        .isEqualTo(new ReplyEnvelope.Timing(1763980000123L, 12_345));
    assertThat(ReplyCodec.decode(GoldenRecord.read("reply-timed-expired").consumed()).timing())
        .isEqualTo(new ReplyEnvelope.Timing(1763980000123L, ReplyEnvelope.NONE));
    assertThat(ReplyCodec.decode(GoldenRecord.read("reply-completed").consumed()).timing())
        .isNull();
  }

  @Test
  void minimalRequestHasNothingOptional() throws Exception {
    RequestEnvelope request = RequestCodec.decode(GoldenRecord.read("request-minimal").consumed());

    assertThat(request.id()).isEqualTo(ID_1);
    assertThat(request.replyTo()).isEqualTo(new ReplyAddress("tideover.replies", 0));
    assertThat(request.acceptedAt()).isEqualTo(Instant.ofEpochMilli(1763980000123L));
    assertThat(request.deadline()).isNull();
    assertThat(request.idempotent()).isFalse();
    assertThat(request.fingerprint()).isEqualTo(FINGERPRINT_1);
    assertThat(request.orderingKey()).isNull();
    assertThat(request.method()).isEqualTo("GET");
    assertThat(request.path()).isEqualTo("/orders/17");
    assertThat(request.scheme()).isEqualTo("http");
    assertThat(request.authority()).isEqualTo("shop.example");
    assertThat(request.fields().size()).isZero();
    assertThat(request.body()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"request-full", "dead-letter"})
  void fullRequestIsReadInEveryPartAlsoFromItsDeadLetter(String name) throws Exception {
    RequestEnvelope request = RequestCodec.decode(GoldenRecord.read(name).consumed());

    assertThat(request.id()).isEqualTo(ID_2);
    assertThat(request.replyTo()).isEqualTo(new ReplyAddress("cell-7.replies", 11));
    assertThat(request.acceptedAt()).isEqualTo(Instant.ofEpochMilli(1763980000123L));
    assertThat(request.deadline()).isEqualTo(Instant.ofEpochMilli(1763980030123L));
    assertThat(request.idempotent()).isTrue();
    assertThat(request.fingerprint()).isEqualTo(FINGERPRINT_2);
    assertThat(request.orderingKey()).isEqualTo("17");
    assertThat(request.recordKey()).isEqualTo("17");
    assertThat(request.method()).isEqualTo("POST");
    assertThat(request.path()).isEqualTo("/orders/17/items?dry=1&a=%C3%A9");
    assertThat(request.scheme()).isEqualTo("https");
    assertThat(request.authority()).isEqualTo("shop.example:8443");
    assertThat(request.fields())
        .isEqualTo(
            HttpFields.of(
                "content-type", "application/octet-stream",
                "accept", "text/html",
                "x-tag", "first",
                "accept", "application/json;q=0.5",
                "x-tag", "second",
                "x-name", "Zoë Ñandú 名前 🌊",
                "x-empty", "",
                "x-equals", "a=b=c",
                "x-spaces", "two  spaces\tand a tab",
                "idempotency-key", "\"8e03978e\"",
                "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                "tracestate", "a=1,b=2"));
    assertThat(request.fields().all("x-tag")).containsExactly("first", "second");
    assertThat(request.body()).isEqualTo(ALL_BYTES);
  }

  @Test
  void asteriskRequestHasAKeyBeyondAscii() throws Exception {
    RequestEnvelope request = RequestCodec.decode(GoldenRecord.read("request-asterisk").consumed());

    assertThat(request.id()).isEqualTo(id("7f7f7f7f7f7f7f7f8080808080808080"));
    assertThat(request.replyTo()).isEqualTo(new ReplyAddress("tideover.replies", 2147483647));
    assertThat(request.acceptedAt()).isEqualTo(Instant.EPOCH);
    assertThat(request.orderingKey()).isEqualTo("schlüssel-ß-名");
    assertThat(request.method()).isEqualTo("OPTIONS");
    assertThat(request.path()).isEqualTo("*");
    assertThat(request.authority()).isEmpty();
  }

  @Test
  void completedReplyHasTheResponse() throws Exception {
    ReplyEnvelope reply = ReplyCodec.decode(GoldenRecord.read("reply-completed").consumed());

    assertThat(reply.id()).isEqualTo(ID_1);
    assertThat(reply.fingerprint()).isEqualTo(FINGERPRINT_1);
    assertThat(reply.outcome()).isEqualTo(ReplyOutcome.COMPLETED);
    assertThat(reply.by()).isEqualTo(BY);
    assertThat(reply.attempts()).isEqualTo(1);
    assertThat(reply.original()).isEqualTo(ReplyEnvelope.NONE);
    assertThat(reply.status()).isEqualTo(201);
    assertThat(reply.fields())
        .isEqualTo(
            HttpFields.of(
                "content-type", "application/json",
                "set-cookie", "a=1; Path=/",
                "location", "/orders/17",
                "set-cookie", "b=2; Secure"));
    assertThat(reply.body()).asString(java.nio.charset.StandardCharsets.UTF_8).contains("Zoë 🌊");
  }

  @Test
  void binaryReplyKeepsEveryByte() throws Exception {
    ReplyEnvelope reply = ReplyCodec.decode(GoldenRecord.read("reply-binary").consumed());

    assertThat(reply.attempts()).isEqualTo(3);
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.body()).isEqualTo(ALL_BYTES);
  }

  @Test
  void repliesWithoutAResponseSayHowItEnded() throws Exception {
    assertWithoutResponse("reply-dead", ID_2, FINGERPRINT_2, ReplyOutcome.DEAD, 10, -1);
    assertWithoutResponse("reply-expired", ID_1, FINGERPRINT_1, ReplyOutcome.EXPIRED, 0, -1);
    assertWithoutResponse("reply-cancelled", ID_1, FINGERPRINT_1, ReplyOutcome.CANCELLED, 0, -1);
    assertWithoutResponse("reply-mismatch", ID_2, FINGERPRINT_2, ReplyOutcome.MISMATCH, 0, -1);
    assertWithoutResponse(
        "reply-duplicate", ID_2, FINGERPRINT_2, ReplyOutcome.DUPLICATE, 0, 4294967296L);
  }

  @Test
  void aReplayIsCounted() throws Exception {
    assertThat(RequestCodec.decode(GoldenRecord.read("request-replayed").consumed()).replay())
        .isEqualTo(2);
    assertThat(RequestCodec.decode(GoldenRecord.read("request-minimal").consumed()).replay())
        .isZero();
    assertThat(ReplyCodec.decode(GoldenRecord.read("reply-replayed").consumed()).replay())
        .isEqualTo(2);
    assertThat(ReplyCodec.decode(GoldenRecord.read("reply-dead").consumed()).replay()).isZero();
  }

  private static void assertWithoutResponse(
      String name,
      RequestId id,
      Fingerprint fingerprint,
      ReplyOutcome outcome,
      int attempts,
      long original)
      throws Exception {
    ReplyEnvelope reply = ReplyCodec.decode(GoldenRecord.read(name).consumed());

    assertThat(reply.id()).as(name).isEqualTo(id);
    assertThat(reply.fingerprint()).as(name).isEqualTo(fingerprint);
    assertThat(reply.outcome()).as(name).isEqualTo(outcome);
    assertThat(reply.by()).as(name).isEqualTo(BY);
    assertThat(reply.attempts()).as(name).isEqualTo(attempts);
    assertThat(reply.original()).as(name).isEqualTo(original);
    assertThat(reply.status()).as(name).isEqualTo(ReplyEnvelope.NONE);
    assertThat(reply.fields().size()).as(name).isZero();
    assertThat(reply.body()).as(name).isEmpty();
  }

  private static RequestId id(String hex) {
    return RequestId.ofBytes(HexFormat.of().parseHex(hex));
  }

  private static Fingerprint fingerprint(String hex) {
    Fingerprint fingerprint = Fingerprint.parse(hex);
    assertThat(fingerprint).isNotNull();
    return fingerprint;
  }

  private static byte[] allBytes() {
    byte[] bytes = new byte[256];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) i;
    }
    return bytes;
  }
}
