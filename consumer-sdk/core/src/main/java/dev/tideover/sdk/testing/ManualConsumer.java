package dev.tideover.sdk.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.tideover.sdk.ConsumerBuilder;
import dev.tideover.sdk.HeadOfLine;
import dev.tideover.sdk.internal.Engines;
import dev.tideover.sdk.internal.ManualEngine;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.ReplyCodec;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestCodec;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.WireFormatException;
import dev.tideover.wire.WireHeaders;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;

/**
 * The engine by hand: what a builder has been told, run by a test step by step, without a broker
 * and without threads. It is the production engine with Kafka's mock clients and one partition;
 * handlers run on the test's thread, within {@link #tick}.
 *
 * <pre>{@code
 * SettableClock clock = new SettableClock(Instant.parse("2026-01-01T00:00:00Z"));
 * try (ManualConsumer consumer =
 *     ManualConsumer.start(Tideover.service("orders").handler(handler), clock)) {
 *   String id = consumer.deliver(TestRequest.of("POST", "/orders").key("c1").text("{}"));
 *   consumer.tick();
 *   assertEquals(201, consumer.reply(id).orElseThrow().status());
 * }
 * }</pre>
 *
 * <p>Addresses given to the builder aren't used, nor are its executor and its time limits for
 * handlers: a handler that never returns keeps the test. Not safe for several threads.
 */
public final class ManualConsumer implements AutoCloseable {

  /**
   * A dead letter.
   *
   * @param requestId the request's id
   * @param reason a word: {@code failed}, {@code rejected}, {@code parked}, {@code malformed}
   * @param error for people
   * @param attempts how many have failed
   */
  public record DeadRequest(String requestId, String reason, String error, int attempts) {}

  private static final String DEAD_HEADERS = "tideover-dead-";

  private final ManualEngine engine;
  private final SettableClock clock;

  private ManualConsumer(ManualEngine engine, SettableClock clock) {
    this.engine = engine;
    this.clock = clock;
  }

  /**
   * Starts one that has its partition.
   *
   * @param builder needs a handler; it can't be started again afterwards
   * @param clock all time there is; the engine waits for nothing else
   * @throws IllegalStateException as {@link ConsumerBuilder#start} does for what is missing
   */
  public static ManualConsumer start(ConsumerBuilder builder, SettableClock clock) {
    return new ManualConsumer(
        new ManualEngine(Engines.settingsOf(builder.bootstrapServers("nowhere:1")), clock), clock);
  }

  /**
   * Appends a request to the partition; {@link #tick} handles it.
   *
   * @return its id
   */
  public String deliver(TestRequest request) {
    RequestEnvelope envelope =
        request.envelope(new ReplyAddress(engine.replyTopic(), 0), clock.instant());
    engine.append(
        RequestCodec.encode(envelope, engine.partition().topic(), engine.partition().partition()));
    return envelope.id().toString();
  }

  /**
   * What a client does that doesn't want its request any more; {@link #tick} heeds it. A request
   * that hasn't begun ends with the outcome {@code cancelled}, without its handler being called;
   * for one that has, nothing comes of it.
   *
   * @throws IllegalArgumentException if no such request was delivered
   */
  public void cancel(String requestId) {
    if (!engine.cancel(requestId)) {
      throw new IllegalArgumentException(
          "no request \"" + requestId + "\" was delivered; deliver() returns the id");
    }
  }

  /**
   * Does all that there is to do at the clock's time: handlers, replies, commits that are due.
   *
   * @throws IllegalStateException if the engine has broken down: where a consumer would be {@code
   *     FAILED}
   */
  public void tick() {
    engine.turn();
  }

  /** Moves the clock, and does what there is to do then. */
  public void tick(Duration later) {
    clock.advance(later);
    tick();
  }

  /** The replies that Kafka has, in their order. */
  public List<ReplyEnvelope> replies() {
    return engine.sentTo(engine.replyTopic()).stream().map(ManualConsumer::decode).toList();
  }

  /** The first reply to a request; those to resends come after it in {@link #replies}. */
  public Optional<ReplyEnvelope> reply(String requestId) {
    return replies().stream().filter(r -> r.id().toString().equals(requestId)).findFirst();
  }

  private static ReplyEnvelope decode(ConsumerRecord<byte[], byte[]> sent) {
    try {
      return ReplyCodec.decode(sent);
    } catch (WireFormatException defect) {
      throw new IllegalStateException("defect: an unreadable reply was sent", defect);
    }
  }

  /** The dead letters, in their order. */
  public List<DeadRequest> deadLetters() {
    return engine.dead().stream()
        .map(
            record ->
                new DeadRequest(
                    text(record, WireHeaders.ID),
                    text(record, WireHeaders.DEAD_REASON),
                    text(record, WireHeaders.DEAD_ERROR),
                    Integer.parseInt(text(record, WireHeaders.DEAD_ATTEMPTS))))
        .toList();
  }

  private static String text(ConsumerRecord<byte[], byte[]> record, String name) {
    Header header = record.headers().lastHeader(name);
    return header == null ? "" : new String(header.value(), UTF_8);
  }

  /**
   * The offset that is committed: all requests before it have ended. The first one has offset 0.
   */
  public long committed() {
    return engine.committed();
  }

  /**
   * The oldest unfinished request, as it was at the last tick that was a second after the one
   * before; at most one.
   */
  public List<HeadOfLine> headOfLine() {
    return engine.headOfLine();
  }

  /**
   * What a crash does to a handler: everything that isn't committed is delivered again. For tests
   * of handlers that have to bear it.
   */
  public void redeliver() {
    engine.loseAndRegain();
  }

  /**
   * What an operator does to a dead letter that may be handled after all: its record is appended to
   * the partition again, with the same request id, and with a {@code tideover-replay} that is one
   * higher, by which it is known that it is to begin again.
   *
   * @param index in {@link #deadLetters}
   */
  public void redeliverDead(int index) {
    ConsumerRecord<byte[], byte[]> dead = engine.dead().get(index);
    ProducerRecord<byte[], byte[]> again =
        new ProducerRecord<>(engine.partition().topic(), dead.key(), dead.value());
    for (Header header : dead.headers()) {
      if (!header.key().startsWith(DEAD_HEADERS) && !header.key().equals(WireHeaders.REPLAY)) {
        again.headers().add(header);
      }
    }
    String before = text(dead, WireHeaders.REPLAY);
    int replay = before.isEmpty() ? 1 : Integer.parseInt(before) + 1;
    again.headers().add(WireHeaders.REPLAY, Integer.toString(replay).getBytes(UTF_8));
    engine.append(again);
  }

  /** Commits what has ended and leaves. */
  @Override
  public void close() {
    engine.close();
  }
}
