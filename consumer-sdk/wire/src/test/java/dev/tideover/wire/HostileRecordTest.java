package dev.tideover.wire;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.header.internals.RecordHeaders;

/** Whatever stands in a topic: an envelope or a {@link WireFormatException}, and nothing else. */
class HostileRecordTest {

  private static final List<String> OUR_NAMES =
      List.of(
          WireHeaders.VERSION,
          WireHeaders.ID,
          WireHeaders.FINGERPRINT,
          WireHeaders.REPLY_TO,
          WireHeaders.ACCEPTED_AT,
          WireHeaders.DEADLINE,
          WireHeaders.IDEMPOTENT,
          WireHeaders.METHOD,
          WireHeaders.PATH,
          WireHeaders.SCHEME,
          WireHeaders.AUTHORITY,
          WireHeaders.OUTCOME,
          WireHeaders.BY,
          WireHeaders.ATTEMPTS,
          WireHeaders.ORIGINAL,
          WireHeaders.STATUS,
          WireHeaders.DEAD_ERROR,
          WireHeaders.TOOK,
          WireHeaders.EPOCH,
          WireHeaders.HELD,
          WireHeaders.RATE,
          WireHeaders.ACTIVE_VERSION,
          WireHeaders.RELEASE,
          WireHeaders.RELEASE_TO,
          WireHeaders.RELEASE_STEP,
          WireHeaders.RELEASE_INSTANCES,
          WireHeaders.STATE,
          WireHeaders.PARKED,
          "tideover-",
          "tideover-future",
          ":",
          ":protocol",
          "cookie",
          "Cookie",
          "x y",
          "");

  private static final List<String> OUR_VALUES =
      List.of(
          "1",
          "2",
          "0",
          "-1",
          "00",
          "+5",
          "1e9",
          "999999999999999999",
          "9223372036854775808",
          "99999999999999999999999999",
          "100000000000001",
          "2147483648",
          "200",
          "99",
          "600",
          "AAECAwQFBgcICQoLDA0ODw",
          "AAECAwQFBgcICQoLDA0ODx",
          "AAECAwQFBgcICQoLDA0OD=",
          "297ed0a186ea8f5644278405f259bfc4",
          "297ED0A186EA8F5644278405F259BFC4",
          "tideover.replies/0",
          "tideover.replies/",
          "/",
          "../0",
          "t/99999999999",
          "t/0/0",
          "GET",
          "G ET",
          "\u212A",
          "/orders",
          "orders",
          "*",
          "/a b",
          "/\r\nx",
          "http",
          "ftp",
          "completed",
          "COMPLETED",
          "dead",
          "duplicate",
          "unknown",
          "true",
          "verify",
          "standby",
          "v1 ",
          "",
          "a\nb",
          "a\0b",
          "\u0000");

  @Property(tries = 5_000)
  void arbitraryHeadersKeysAndValues(@ForAll("records") ConsumerRecord<byte[], byte[]> record) {
    readAll(record);
  }

  @Property(tries = 5_000)
  void almostValidRecords(@ForAll("almostValid") ConsumerRecord<byte[], byte[]> record) {
    readAll(record);
  }

  @Example
  void tooManyHeadersAreRefusedBeforeTheyAreRead() {
    for (int count : new int[] {HeaderBlock.MAX_HEADERS + 1, 10_000}) {
      List<Header> headers = new ArrayList<>(validRequest());
      while (headers.size() < count) {
        headers.add(new RecordHeader("x-field", new byte[10]));
      }
      assertThat(readRequest(record(new byte[0], headers, new byte[0])))
          .isNotNull()
          .satisfies(e -> assertThat(e.kind()).isEqualTo(WireFormatException.Kind.MALFORMED));
    }
  }

  @Example
  void asManyHeadersAsAllowedAreRead() {
    List<Header> headers = new ArrayList<>(validRequest());
    while (headers.size() < HeaderBlock.MAX_HEADERS) {
      headers.add(new RecordHeader("x-field", "value".getBytes(UTF_8)));
    }

    assertThat(readRequest(record(new byte[0], headers, new byte[0]))).isNull();
  }

  @Example
  void anotherVersionIsSaidToBeOneWhateverElseTheRecordHolds() {
    List<Header> headers = new ArrayList<>();
    headers.add(new RecordHeader(WireHeaders.VERSION, "2".getBytes(UTF_8)));
    assertUnknownVersion(headers);

    headers.add(new RecordHeader("NOT A NAME", (byte[]) null));
    assertUnknownVersion(headers);

    while (headers.size() <= HeaderBlock.MAX_HEADERS) {
      headers.add(new RecordHeader(":new", new byte[] {(byte) 0xFF}));
    }
    assertUnknownVersion(headers);
  }

  private static void assertUnknownVersion(List<Header> headers) {
    ConsumerRecord<byte[], byte[]> record = record(null, headers, null);
    assertThat(readRequest(record).kind()).isEqualTo(WireFormatException.Kind.UNKNOWN_VERSION);
    assertThat(readReply(record).kind()).isEqualTo(WireFormatException.Kind.UNKNOWN_VERSION);
    for (String key : List.of("orders", "orders/v1/i")) {
      ConsumerRecord<byte[], byte[]> control = record(key.getBytes(UTF_8), headers, new byte[0]);
      assertThat(readControl(control).kind()).isEqualTo(WireFormatException.Kind.UNKNOWN_VERSION);
    }
  }

  @Example
  void messagesAreBoundedAndHaveNoLineBreak() {
    String longName = "x".repeat(1_000_000);
    for (String name : List.of(longName, longName + "\r\nforged", "tideover-v")) {
      for (byte[] value : new byte[][] {null, {(byte) 0xFF}, {'\n'}, longName.getBytes(UTF_8)}) {
        List<Header> headers = new ArrayList<>();
        if (!name.equals("tideover-v")) {
          headers.addAll(validRequest());
        }
        headers.add(new RecordHeader(name, value));
        WireFormatException e = readRequest(record(new byte[0], headers, new byte[0]));
        if (e != null) {
          assertThat(e.getMessage().length()).isLessThan(500);
          assertThat(e.getMessage()).doesNotContain("\n", "\r");
        }
      }
    }
  }

  @Example
  void methodThatOnlyLowerCaseMakesAsciiIsNoToken() {
    List<Header> headers = new ArrayList<>(validRequest());
    headers.removeIf(header -> header.key().equals(WireHeaders.METHOD));
    // The Kelvin sign: its lower case is an ordinary k.
    headers.add(new RecordHeader(WireHeaders.METHOD, "\u212A".getBytes(UTF_8)));

    assertThat(readRequest(record(new byte[0], headers, new byte[0])))
        .hasMessageContaining(WireHeaders.METHOD);
  }

  @Example
  void duplicateWhoseOriginalIsElsewhereNamesNoPlace() throws Exception {
    GoldenRecord golden = GoldenRecord.read("reply-duplicate");
    RecordHeaders headers = new RecordHeaders(golden.consumed().headers());
    headers.remove(WireHeaders.ORIGINAL);

    ReplyEnvelope reply =
        ReplyCodec.decode(GoldenRecord.consumed("r", 0, 0, golden.key(), headers, golden.value()));

    assertThat(reply.outcome()).isEqualTo(ReplyOutcome.DUPLICATE);
    assertThat(reply.original()).isEqualTo(ReplyEnvelope.NONE);
  }

  @Example
  void whatIsNoStateAndNoReportSaysNothing() throws Exception {
    for (String key : new String[] {null, "", "a/b", "a/b/c/d"}) {
      byte[] bytes = key == null ? null : key.getBytes(UTF_8);
      assertThat(ControlCodec.decode(record(bytes, validDesired(), new byte[0]))).isNull();
    }
    // Nobody takes a state out; who does has undone nothing.
    assertThat(ControlCodec.decode(record("orders".getBytes(UTF_8), List.of(), null))).isNull();
  }

  @Example
  void aStateWithoutWhatItSaysIsMalformed() {
    for (Header missing : validDesired()) {
      if (missing.key().equals(WireHeaders.RELEASE)) {
        continue; // there is none then
      }
      List<Header> headers = new ArrayList<>(validDesired());
      headers.remove(missing);
      assertThat(readControl(record("orders".getBytes(UTF_8), headers, new byte[0])))
          .as(missing.key())
          .hasMessageContaining(missing.key());
    }
  }

  @Property
  void eachRequiredHeaderIsMissed(@ForAll("requiredNames") String name) {
    List<Header> headers = new ArrayList<>(validRequest());
    headers.removeIf(header -> header.key().equals(name));

    assertThat(readRequest(record(new byte[0], headers, new byte[0]))).hasMessageContaining(name);
  }

  @Property
  void eachOwnHeaderThatStandsTwiceIsMalformed(@ForAll("requiredNames") String name) {
    List<Header> headers = new ArrayList<>(validRequest());
    headers.addAll(validRequest().stream().filter(header -> header.key().equals(name)).toList());

    assertThat(readRequest(record(new byte[0], headers, new byte[0])))
        .hasMessageContaining(name)
        .hasMessageContaining("twice");
  }

  @Provide
  Arbitrary<String> requiredNames() {
    return Arbitraries.of(validRequest().stream().map(Header::key).toList());
  }

  @Provide
  Arbitrary<ConsumerRecord<byte[], byte[]>> records() {
    return Combinators.combine(
            anyBytes().injectNull(0.1),
            anyHeader().list().ofMaxSize(30),
            anyBytes().injectNull(0.1))
        .as(HostileRecordTest::record);
  }

  /** A valid record in which a few headers are replaced, repeated, added or gone. */
  @Provide
  Arbitrary<ConsumerRecord<byte[], byte[]>> almostValid() {
    Arbitrary<List<Header>> added = anyHeader().list().ofMaxSize(3);
    Arbitrary<Integer> removed = Arbitraries.integers().between(0, validRequest().size() * 2);
    Arbitrary<List<Header>> valid =
        Arbitraries.of(List.of(validRequest(), validReply(), validDesired(), validReport()));
    Arbitrary<String> keys = Arbitraries.of("AAECAwQFBgcICQoLDA0ODw", "orders/v1/i");
    return Combinators.combine(valid, removed, added, Arbitraries.of(true, false), keys)
        .as(
            (headers, gone, more, inFront, key) -> {
              List<Header> all = new ArrayList<>(headers);
              if (gone < all.size()) {
                all.remove((int) gone);
              }
              all.addAll(inFront ? 0 : all.size(), more);
              return record(key.getBytes(UTF_8), all, new byte[3]);
            });
  }

  private static Arbitrary<Header> anyHeader() {
    Arbitrary<byte[]> names =
        Arbitraries.oneOf(
            Arbitraries.of(OUR_NAMES).map(name -> name.getBytes(UTF_8)),
            Arbitraries.strings().ofMaxLength(10).map(name -> name.getBytes(UTF_8)),
            anyBytes());
    Arbitrary<byte[]> values =
        Arbitraries.oneOf(
            Arbitraries.of(OUR_VALUES).map(value -> value.getBytes(UTF_8)), anyBytes());
    // From bytes, as the consumer makes them: a name need not be UTF-8 either.
    return Combinators.combine(names, values.injectNull(0.05))
        .as(
            (name, value) ->
                new RecordHeader(
                    ByteBuffer.wrap(name), value == null ? null : ByteBuffer.wrap(value)));
  }

  private static Arbitrary<byte[]> anyBytes() {
    return Arbitraries.bytes().array(byte[].class).ofMaxSize(40);
  }

  private static List<Header> validRequest() {
    return List.of(
        header("tideover-v", "1"),
        header("tideover-id", "AAECAwQFBgcICQoLDA0ODw"),
        header("tideover-reply-to", "tideover.replies/0"),
        header("tideover-accepted-at", "1763980000123"),
        header("tideover-fingerprint", "297ed0a186ea8f5644278405f259bfc4"),
        header(":method", "GET"),
        header(":path", "/"),
        header(":scheme", "http"),
        header(":authority", "example"));
  }

  private static List<Header> validReply() {
    return List.of(
        header("tideover-v", "1"),
        header("tideover-id", "AAECAwQFBgcICQoLDA0ODw"),
        header("tideover-fingerprint", "297ed0a186ea8f5644278405f259bfc4"),
        header("tideover-outcome", "completed"),
        header(":status", "200"));
  }

  /** With a release; all of these are required then. */
  private static List<Header> validDesired() {
    return List.of(
        header("tideover-v", "1"),
        header("tideover-epoch", "3"),
        header("tideover-held", "false"),
        header("tideover-release", "r"),
        header("tideover-release-from", "v1"),
        header("tideover-release-to", "v2"),
        header("tideover-release-step", "drain"),
        header("tideover-release-began", "1"),
        header("tideover-release-prepare-ms", "1"),
        header("tideover-release-max-hold-ms", "1"),
        header("tideover-release-verify-ms", "1"));
  }

  private static List<Header> validReport() {
    return List.of(
        header("tideover-v", "1"),
        header("tideover-incarnation", "x"),
        header("tideover-state", "active"));
  }

  private static Header header(String name, String value) {
    return new RecordHeader(name, value.getBytes(UTF_8));
  }

  private static ConsumerRecord<byte[], byte[]> record(
      byte[] key, List<Header> headers, byte[] value) {
    return GoldenRecord.consumed("t", 0, 0, key, new RecordHeaders(headers), value);
  }

  private static void readAll(ConsumerRecord<byte[], byte[]> record) {
    readRequest(record);
    readControl(record);
    readReply(record);
    ReplyCodec.idOf(record);
  }

  /** Null if it can be read; any other exception passes through and fails the test. */
  private static WireFormatException readRequest(ConsumerRecord<byte[], byte[]> record) {
    try {
      assertThat(RequestCodec.decode(record)).isNotNull();
      return null;
    } catch (WireFormatException e) {
      assertThat(e.getMessage()).isNotBlank().doesNotContain("\n");
      return e;
    }
  }

  private static WireFormatException readControl(ConsumerRecord<byte[], byte[]> record) {
    try {
      ControlCodec.decode(record);
      return null;
    } catch (WireFormatException e) {
      assertThat(e.getMessage()).isNotBlank().doesNotContain("\n");
      return e;
    }
  }

  private static WireFormatException readReply(ConsumerRecord<byte[], byte[]> record) {
    try {
      assertThat(ReplyCodec.decode(record)).isNotNull();
      return null;
    } catch (WireFormatException e) {
      assertThat(e.getMessage()).isNotBlank().doesNotContain("\n");
      return e;
    }
  }
}
