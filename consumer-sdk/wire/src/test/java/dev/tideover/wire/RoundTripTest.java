package dev.tideover.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** Whatever may be said can be written, and is read as it was written. */
class RoundTripTest {

  private static final String TOKEN =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

  @Property
  void requestIsReadAsItWasWritten(@ForAll("requests") RequestEnvelope request) throws Exception {
    ConsumerRecord<byte[], byte[]> record =
        GoldenRecord.consumed(RequestCodec.encode(request, "orders.requests", 3));

    assertThat(RequestCodec.decode(record)).isEqualTo(request);
    assertThat(RequestCodec.decode(record).body()).isSameAs(request.body());
  }

  @Property
  void replyIsReadAsItWasWritten(@ForAll("replies") ReplyEnvelope reply) throws Exception {
    ConsumerRecord<byte[], byte[]> record =
        GoldenRecord.consumed(ReplyCodec.encode(reply, new ReplyAddress("r", 1)));

    assertThat(ReplyCodec.idOf(record)).isEqualTo(reply.id());
    assertThat(ReplyCodec.decode(record)).isEqualTo(reply);
  }

  @Property
  void desiredStateIsReadAsItWasWritten(@ForAll("desiredStates") DesiredState state)
      throws Exception {
    ConsumerRecord<byte[], byte[]> record = GoldenRecord.consumed(ControlCodec.encode(state));

    assertThat(ControlCodec.decode(record)).isEqualTo(new ControlCodec.Entry.Desired(state));
  }

  @Property
  void reportIsReadAsItWasWrittenAndSoIsItsEnd(@ForAll("reports") InstanceReport report)
      throws Exception {
    ConsumerRecord<byte[], byte[]> record = GoldenRecord.consumed(ControlCodec.encode(report));
    ConsumerRecord<byte[], byte[]> end = GoldenRecord.consumed(ControlCodec.tombstone(report));

    assertThat(ControlCodec.decode(record)).isEqualTo(new ControlCodec.Entry.Report(report));
    assertThat(ControlCodec.decode(end)).isEqualTo(new ControlCodec.Entry.Ended(report.key()));
  }

  @Property
  void deadLetterIsStillReadAsItsRequest(
      @ForAll("requests") RequestEnvelope request, @ForAll String error) throws Exception {
    ConsumerRecord<byte[], byte[]> record =
        GoldenRecord.consumed(RequestCodec.encode(request, "orders.requests", 3));

    var dead =
        DeadLetterCodec.encode(record, "orders.dead", "why", error, 3, Instant.EPOCH, "o/v1/i");

    assertThat(RequestCodec.decode(GoldenRecord.consumed(dead))).isEqualTo(request);
    byte[] kept = dead.headers().lastHeader(WireHeaders.DEAD_ERROR).value();
    assertThat(kept.length).isLessThanOrEqualTo(DeadLetterCodec.MAX_ERROR_BYTES);
    assertThat(Utf8.decode(kept)).isNotNull();
  }

  @Property
  void longErrorsAreCutBetweenCharacters(@ForAll("longTexts") String error) {
    ConsumerRecord<byte[], byte[]> unreadable =
        GoldenRecord.consumed(
            new org.apache.kafka.clients.producer.ProducerRecord<>("t", null, new byte[0]));

    var dead = DeadLetterCodec.encode(unreadable, "t.dead", "why", error, 3, Instant.EPOCH, "o");

    String kept = Utf8.decode(dead.headers().lastHeader(WireHeaders.DEAD_ERROR).value());
    assertThat(kept).isNotNull();
    assertThat(error).startsWith(kept);
    assertThat(Utf8.encode(kept).length)
        .isBetween(DeadLetterCodec.MAX_ERROR_BYTES - 3, DeadLetterCodec.MAX_ERROR_BYTES);
  }

  @Provide
  Arbitrary<RequestEnvelope> requests() {
    Arbitrary<Instant> times =
        Arbitraries.longs().between(0, 100_000_000_000_000L).map(Instant::ofEpochMilli);
    Arbitrary<String> paths =
        Arbitraries.strings().withCharRange('!', '~').ofMaxLength(40).map(path -> "/" + path);
    var head =
        Combinators.combine(ids(), addresses(), times, times.injectNull(0.5), booleans(), replays())
            .as(Head::new);
    return Combinators.combine(
            head,
            fingerprints(),
            texts().injectNull(0.5),
            Arbitraries.strings().withChars(TOKEN).ofMinLength(1).ofMaxLength(12),
            paths,
            Arbitraries.of("http", "https"),
            fields(),
            bodies())
        .as(
            (h, fingerprint, key, method, path, scheme, fields, body) ->
                new RequestEnvelope(
                    h.id,
                    h.replyTo,
                    h.acceptedAt,
                    h.deadline,
                    h.idempotent,
                    h.replay,
                    fingerprint,
                    key,
                    method,
                    path,
                    scheme,
                    "example:8080",
                    fields,
                    body));
  }

  private record Head(
      RequestId id,
      ReplyAddress replyTo,
      Instant acceptedAt,
      Instant deadline,
      boolean idempotent,
      int replay) {}

  @Provide
  Arbitrary<ReplyEnvelope> replies() {
    Arbitrary<String> by = Arbitraries.strings().withCharRange(' ', '~').ofMaxLength(250);
    return Combinators.combine(
            ids(),
            fingerprints(),
            Arbitraries.of(ReplyOutcome.class),
            by,
            Arbitraries.integers().greaterOrEqual(0),
            Arbitraries.longs().between(0, 999_999_999_999_999_999L),
            Arbitraries.integers().between(200, 599),
            Combinators.combine(fields(), bodies(), replays(), timings()).as(Content::new))
        .as(
            (id, fingerprint, outcome, who, attempts, original, status, content) ->
                new ReplyEnvelope(
                    id,
                    fingerprint,
                    outcome,
                    who,
                    attempts,
                    outcome == ReplyOutcome.DUPLICATE ? original : ReplyEnvelope.NONE,
                    content.replay,
                    outcome == ReplyOutcome.COMPLETED ? status : ReplyEnvelope.NONE,
                    content.fields,
                    content.body,
                    content.timing));
  }

  private record Content(HttpFields fields, byte[] body, int replay, ReplyEnvelope.Timing timing) {}

  private static Arbitrary<ReplyEnvelope.Timing> timings() {
    Arbitrary<Long> took = Arbitraries.longs().between(ReplyEnvelope.NONE, 999_999_999_999L);
    return Combinators.combine(numbers(), took).as(ReplyEnvelope.Timing::new).injectNull(0.3);
  }

  @Provide
  Arbitrary<DesiredState> desiredStates() {
    Arbitrary<DesiredState.Release> releases =
        Combinators.combine(
                words(),
                versions(),
                versions(),
                Arbitraries.of(DesiredState.Step.class),
                numbers(),
                numbers(),
                Combinators.combine(numbers(), numbers(), numbers()).as(List::of),
                Combinators.combine(Arbitraries.integers().greaterOrEqual(1), words())
                    .as(
                        (instances, reason) ->
                            new DesiredState.Release(
                                "", "", "", null, 0, 0, 0, 0, 0, instances, reason)))
            .as(
                (id, from, to, step, began, heldSince, limits, rest) ->
                    new DesiredState.Release(
                        id,
                        from,
                        to,
                        step,
                        began,
                        heldSince,
                        limits.get(0),
                        limits.get(1),
                        limits.get(2),
                        rest.instances(),
                        rest.reason()));
    return Combinators.combine(
            versions(),
            numbers().map(number -> number + 1),
            Combinators.combine(words(), words()).as(List::of),
            numbers(),
            versions().injectNull(0.3),
            booleans(),
            Arbitraries.integers().greaterOrEqual(0),
            releases.injectNull(0.3))
        .as(
            (service, epoch, words, since, active, held, rate, release) ->
                new DesiredState(
                    service,
                    epoch,
                    words.get(0),
                    words.get(1),
                    since,
                    active,
                    held,
                    rate,
                    release));
  }

  @Provide
  Arbitrary<InstanceReport> reports() {
    Arbitrary<Integer> few = Arbitraries.integers().greaterOrEqual(0);
    Arbitrary<InstanceReport.Counts> counts =
        Combinators.combine(numbers(), numbers(), numbers(), few, few, numbers())
            .as(InstanceReport.Counts::new);
    return Combinators.combine(
            versions(),
            versions(),
            versions(),
            words(),
            Arbitraries.of(InstanceReport.State.class),
            numbers(),
            few,
            counts)
        .as(InstanceReport::new);
  }

  /** What fits into 18 digits. */
  private static Arbitrary<Long> numbers() {
    return Arbitraries.longs().between(0, 999_999_999_999_999_998L);
  }

  private static Arbitrary<String> words() {
    return Arbitraries.strings().withCharRange(' ', '~').ofMaxLength(250);
  }

  private static Arbitrary<String> versions() {
    return Arbitraries.strings()
        .alpha()
        .numeric()
        .withChars("._~:+-")
        .ofMinLength(1)
        .ofMaxLength(100);
  }

  @Provide
  Arbitrary<String> longTexts() {
    return Arbitraries.strings()
        .withChars("aé名")
        .ofMinLength(2_049)
        .ofMaxLength(4_000)
        .map(text -> text.replace("名a", "🌊"))
        .filter(text -> Utf8.encode(text).length > DeadLetterCodec.MAX_ERROR_BYTES);
  }

  private static Arbitrary<RequestId> ids() {
    return Combinators.combine(Arbitraries.longs(), Arbitraries.longs()).as(RequestId::new);
  }

  private static Arbitrary<Fingerprint> fingerprints() {
    return Combinators.combine(Arbitraries.longs(), Arbitraries.longs()).as(Fingerprint::new);
  }

  private static Arbitrary<ReplyAddress> addresses() {
    return Combinators.combine(
            Arbitraries.strings().alpha().numeric().withChars("-_").ofMinLength(1).ofMaxLength(249),
            Arbitraries.integers().greaterOrEqual(0))
        .as(ReplyAddress::new);
  }

  /** Text that has a UTF-8 form, so without halves of surrogate pairs. */
  private static Arbitrary<String> texts() {
    return Arbitraries.strings().ofMaxLength(30).filter(RoundTripTest::isWellFormed);
  }

  private static boolean isWellFormed(String text) {
    return java.nio.charset.StandardCharsets.UTF_8.newEncoder().canEncode(text);
  }

  private static Arbitrary<HttpFields> fields() {
    Arbitrary<String> names =
        Arbitraries.strings()
            .withChars(TOKEN)
            .ofMinLength(1)
            .ofMaxLength(12)
            .map(name -> name.toLowerCase(java.util.Locale.ROOT))
            .filter(name -> !name.startsWith(WireHeaders.PREFIX));
    Arbitrary<String> values = texts().filter(HttpFields::isValue);
    Arbitrary<List<String[]>> lines =
        Combinators.combine(names, values)
            .as((name, value) -> new String[] {name, value})
            .list()
            .ofMaxSize(20);
    return lines.map(
        list -> {
          HttpFields.Builder builder = HttpFields.builder();
          list.forEach(line -> builder.add(line[0], line[1]));
          return builder.build();
        });
  }

  private static Arbitrary<Integer> replays() {
    return Arbitraries.integers().greaterOrEqual(0);
  }

  private static Arbitrary<Boolean> booleans() {
    return Arbitraries.of(true, false);
  }

  private static Arbitrary<byte[]> bodies() {
    return Arbitraries.bytes().array(byte[].class).ofMaxSize(200);
  }
}
