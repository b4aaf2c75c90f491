package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.jdbc.JdbcInbox;
import dev.tideover.sdk.jdbc.TestPostgres;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** One request, one effect: the engine, a real broker and a real PostgreSQL. */
@KafkaTest
@Timeout(120)
class InboxIT {

  private TestPostgres postgres;
  private JdbcInbox inbox;

  @BeforeEach
  void schema() throws SQLException {
    use(TestPostgres.create());
  }

  private void use(TestPostgres fresh) throws SQLException {
    postgres = fresh;
    inbox = JdbcInbox.builder(postgres.dataSource()).build();
    inbox.createSchema();
    postgres.execute("CREATE TABLE effects (name text, by text)");
  }

  private static void effect(Connection connection, Request request) throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement("INSERT INTO effects VALUES (?, 'test')")) {
      insert.setString(1, request.text());
      insert.execute();
    }
  }

  private RequestHandler inserting(Outcome outcome) {
    return request ->
        inbox.transaction(
            request,
            connection -> {
              effect(connection, request);
              return outcome;
            });
  }

  private long effects() throws SQLException {
    return postgres.number("SELECT count(*) FROM effects");
  }

  @Test
  void afterACrashBetweenTheCommitAndTheReplyTheStoredReplyIsSent(
      TestKafka kafka, @TempDir Path directory) throws Exception {
    TestService service = new TestService(kafka, 1);
    RequestEnvelope request;
    try (InboxProcess first = InboxProcess.start(service, postgres, "orders-1", directory)) {
      request = service.send(service.request("k", "halt"));
      first.awaitEnd();
    }
    assertThat(effects()).isEqualTo(1);
    assertThat(service.replies()).isEmpty();

    AtomicInteger called = new AtomicInteger();
    try (TideoverConsumer second =
        service
            .builder()
            .instance("orders-1")
            .inbox(inbox)
            .handler(
                again -> {
                  called.incrementAndGet();
                  return inserting(Outcome.reply(500)).handle(again);
                })
            .start()) {
      ReplyEnvelope reply = service.awaitReply(request);
      assertThat(reply.outcome()).isEqualTo(ReplyOutcome.COMPLETED);
      assertThat(reply.status()).isEqualTo(201);
      assertThat(reply.fields().first("x-by")).isEqualTo("orders-1");
      assertThat(new String(reply.body(), UTF_8)).isEqualTo("by orders-1");
      assertThat(second.failure()).isEmpty();
    }
    assertThat(called).hasValue(0);
    assertThat(effects()).isEqualTo(1);
    assertThat(service.committed(0)).isEqualTo(1);
  }

  @Tag("long")
  @Test
  void anInstanceThatStoodStillInItsTransactionHasNoEffectAnyMore(
      TestKafka kafka, @TempDir Path directory) throws Exception {
    TestService service = new TestService(kafka, 1);
    try (InboxProcess zombie = InboxProcess.start(service, postgres, "orders-1", directory)) {
      RequestEnvelope request = service.send(service.request("k", "stall"));
      zombie.awaitSaid("STALLED");
      zombie.freeze();
      try (TideoverConsumer successor =
          service
              .builder()
              .instance("orders-2")
              .inbox(inbox)
              .handler(inserting(Outcome.reply(202)))
              .start()) {
        assertThat(service.awaitReply(request).status()).isEqualTo(202);
        zombie.thaw();
        zombie.goOn();
        zombie.awaitSaid("GOES ON");
        zombie.awaitSaid("COMMITTED null"); // what it got is the successor's reply
        assertThat(successor.failure()).isEmpty();
      }
      // It may not have learnt yet that it lost the partition, and send what it got: the same.
      assertThat(service.replies().get(request.id()))
          .isNotEmpty()
          .allMatch(reply -> reply.status() == 202);
    }
    assertThat(postgres.text("SELECT string_agg(by, ',') FROM effects")).isEqualTo("test");
    assertThat(postgres.row("state, starts, orphans")).isEqualTo("1,2,1");
  }

  @Tag("long")
  @Test
  void aRequestThatBringsItsInstancesDownIsDeadInTheInboxToo(
      TestKafka kafka, @TempDir Path directory) throws Exception {
    TestService service = new TestService(kafka, 1);
    RequestEnvelope request = service.send(service.request("k", "crash"));
    for (int life = 0; service.dead().isEmpty(); life++) {
      assertThat(life).isLessThan(8);
      try (InboxProcess instance = InboxProcess.start(service, postgres, "orders-1", directory)) {
        TestService.await().until(() -> !instance.isAlive() || !service.dead().isEmpty());
      }
    }
    assertThat(service.awaitReply(request).outcome()).isEqualTo(ReplyOutcome.DEAD);
    assertThat(TestService.text(service.dead().get(0), "tideover-dead-reason"))
        .isEqualTo("crash-loop");
    assertThat(effects()).isZero();
    // Of its starts the last two were alone, and the second of those saw the first one's end.
    assertThat(postgres.row("state, solo_crashes, open_solo, failures")).isEqualTo("2,1,t,0");
  }

  /** As a pool without a free connection does, for longer than the handler has. */
  @Tag("long")
  @Test
  void aStartThatWaitsForTooLongIsNoFaultOfTheRequests(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    AtomicInteger waits = new AtomicInteger();
    Inbox slow =
        (Inbox)
            Proxy.newProxyInstance(
                Inbox.class.getClassLoader(),
                new Class<?>[] {Inbox.class},
                (proxy, method, arguments) -> {
                  if (method.getName().equals("start") && waits.incrementAndGet() == 1) {
                    try {
                      new CountDownLatch(1).await(60, TimeUnit.SECONDS);
                    } catch (InterruptedException interrupted) {
                      throw new InboxException("interrupted", interrupted);
                    }
                  }
                  return method.invoke(inbox, arguments);
                });
    try (TideoverConsumer consumer =
        service
            .builder()
            .attempts(1)
            .handlerTimeout(Duration.ofSeconds(1))
            .inbox(slow)
            .handler(inserting(Outcome.reply(201)))
            .start()) {
      ReplyEnvelope reply = service.awaitReply(service.send(service.request("k", "1")));
      assertThat(reply.status()).isEqualTo(201);
      assertThat(reply.attempts()).isEqualTo(1);
      assertThat(waits).hasValue(2);
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void aFailedAttemptLeavesNoEffect(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer =
        service
            .builder()
            .inbox(inbox)
            .handler(
                request ->
                    inbox.transaction(
                        request,
                        connection -> {
                          effect(connection, request);
                          if (request.attempt() < 3) {
                            throw new IllegalStateException("after the effect");
                          }
                          return Outcome.reply(201);
                        }))
            .start()) {
      ReplyEnvelope reply = service.awaitReply(service.send(service.request("k", "1")));
      assertThat(reply.status()).isEqualTo(201);
      assertThat(reply.attempts()).isEqualTo(3);
      assertThat(consumer.failure()).isEmpty();
    }
    assertThat(effects()).isEqualTo(1);
    assertThat(postgres.row("state, starts, failures")).isEqualTo("1,3,2");
  }

  @Test
  void aDeadLetterStaysOneUntilAnOperatorReplaysIt(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    AtomicInteger called = new AtomicInteger();
    try (TideoverConsumer consumer =
        service
            .builder()
            .attempts(2)
            .inbox(inbox)
            .handler(
                request -> {
                  called.incrementAndGet();
                  return inserting(
                          request.replay() == 0 ? Outcome.retry(Duration.ZERO) : Outcome.reply(201))
                      .handle(request);
                })
            .start()) {
      RequestEnvelope request = service.send(service.request("k", "1"));
      assertThat(service.awaitReply(request).outcome()).isEqualTo(ReplyOutcome.DEAD);
      assertThat(called).hasValue(2);
      assertThat(postgres.row("state, failures")).isEqualTo("2,2");

      ProducerRecord<byte[], byte[]> again = service.again(service.dead().get(0));
      kafka.produce(again);
      TestService.await().until(() -> service.replies().get(request.id()).size() == 2);
      assertThat(service.replies().get(request.id()).get(1).outcome()).isEqualTo(ReplyOutcome.DEAD);
      assertThat(called).hasValue(2);
      assertThat(service.dead()).hasSize(2);

      ProducerRecord<byte[], byte[]> replay = service.again(service.dead().get(0));
      replay.headers().add("tideover-replay", "1".getBytes(UTF_8));
      kafka.produce(replay);
      TestService.await().until(() -> service.replies().get(request.id()).size() == 3);
      assertThat(service.replies().get(request.id()).get(2).status()).isEqualTo(201);
      assertThat(consumer.failure()).isEmpty();
    }
    assertThat(effects()).isEqualTo(1);
    assertThat(postgres.row("state, replay_epoch, starts, failures")).isEqualTo("1,1,1,0");
  }

  @Test
  void anotherRequestUnderTheSameIdIsAMismatch(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer =
        service.builder().inbox(inbox).handler(inserting(Outcome.reply(201))).start()) {
      RequestEnvelope first = service.send(service.request("k", "1"));
      assertThat(service.awaitReply(first).status()).isEqualTo(201);
      service.send(
          new RequestEnvelope(
              first.id(),
              first.replyTo(),
              first.acceptedAt(),
              null,
              false,
              new Fingerprint(1, 2),
              "k",
              "POST",
              "/orders",
              "http",
              "localhost",
              first.fields(),
              "2".getBytes(UTF_8)));
      TestService.await().until(() -> service.replies().get(first.id()).size() == 2);
      assertThat(service.replies().get(first.id()).get(1).outcome())
          .isEqualTo(ReplyOutcome.MISMATCH);
      assertThat(consumer.failure()).isEmpty();
    }
    assertThat(effects()).isEqualTo(1);
    assertThat(service.dead()).isEmpty();
  }

  @Test
  void aHandlerWithoutATransactionHasItsReplyStoredAfterIt(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer =
        service.builder().inbox(inbox).handler(request -> Outcome.reply(202)).start()) {
      RequestEnvelope request = service.send(service.request("k", "1"));
      assertThat(service.awaitReply(request).status()).isEqualTo(202);
      kafka.produce(service.record(request));
      TestService.await().until(() -> service.replies().get(request.id()).size() == 2);
      assertThat(consumer.failure()).isEmpty();
    }
    assertThat(postgres.row("state, starts")).isEqualTo("1,1");
  }

  @Tag("long")
  @Test
  void whileTheDatabaseIsAwayTheConsumerHoldsAndThenGoesOn(TestKafka kafka, @TempDir Path directory)
      throws Exception {
    TestService service = new TestService(kafka, 1);
    Path data = directory.resolve("data");
    int port = freePort();
    CountDownLatch held = new CountDownLatch(1);
    CountDownLatch resumed = new CountDownLatch(1);
    ConsumerListener listener =
        new ConsumerListener() {
          @Override
          public void held(String reason) {
            held.countDown();
          }

          @Override
          public void resumed() {
            resumed.countDown();
          }
        };
    EmbeddedPostgres server = startServer(data, port);
    try {
      use(TestPostgres.on(server));
      try (TideoverConsumer consumer =
          service
              .builder()
              .inbox(inbox)
              .attempts(1)
              .listener(listener)
              .handler(inserting(Outcome.reply(201)))
              .start()) {
        service.awaitReply(service.send(service.request("k", "before")));
        server.close();

        List<RequestEnvelope> requests = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
          requests.add(service.send(service.request("k" + i, "during " + i)));
        }
        assertThat(held.await(30, TimeUnit.SECONDS)).isTrue();
        assertThat(service.replies()).hasSize(1);
        server = startServer(data, port);
        for (RequestEnvelope request : requests) {
          ReplyEnvelope reply = service.awaitReply(request);
          assertThat(reply.status()).isEqualTo(201);
          assertThat(reply.attempts()).isEqualTo(1);
        }
        assertThat(resumed.await(30, TimeUnit.SECONDS)).isTrue();
        assertThat(consumer.failure()).isEmpty();
      }
      assertThat(service.dead()).isEmpty();
      assertThat(effects()).isEqualTo(21);
      assertThat(postgres.number("SELECT sum(failures) FROM tideover_inbox")).isZero();
    } finally {
      server.close();
    }
  }

  private static EmbeddedPostgres startServer(Path data, int port) throws IOException {
    try {
      return TestPostgres.builder()
          .setDataDirectory(data)
          .setCleanDataDirectory(false)
          .setPort(port)
          .start();
    } catch (IOException | IllegalStateException impossible) {
      TestPostgres.refuse(impossible);
      throw impossible;
    }
  }

  /** It has to come back under the same one. */
  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }
}
