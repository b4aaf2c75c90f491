package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.internal.core.CommitNoteCodec;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import java.net.ConnectException;
import java.nio.file.Path;
import java.sql.SQLTransientConnectionException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.header.Header;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Attempts, dead letters, and infrastructure that is away, on a real broker. */
@KafkaTest
@Timeout(120)
class FailuresIT {

  @Test
  void attemptsGoOnWhereTheyWereAfterARestart(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    ConcurrentLinkedQueue<Integer> seen = new ConcurrentLinkedQueue<>();
    RequestEnvelope request;
    try (TideoverConsumer first =
        service
            .builder()
            .attempts(5)
            .handler(
                again -> {
                  seen.add(again.attempt());
                  return Outcome.retry(again.attempt() < 2 ? Duration.ZERO : Duration.ofHours(1));
                })
            .start()) {
      request = service.send(service.request("k", "1"));
      TestService.await().until(() -> attemptsInTheLedger(service).equals("2"));
      assertThat(first.failure()).isEmpty();
    }

    diesInTheAttemptsThatAreLeft(service, request, seen);
    assertThat(seen).containsExactly(1, 2, 3, 4, 5);
  }

  @Test
  void attemptsGoOnWhereTheyWereAfterAKill(TestKafka kafka, @TempDir Path directory)
      throws Exception {
    TestService service = new TestService(kafka, 1);
    RequestEnvelope request = service.send(service.request("k", "fail-twice"));
    try (ScriptedProcess first = ScriptedProcess.start(service, directory, OnExhausted.CONTINUE)) {
      TestService.await().until(() -> first.calls().contains("fail-twice #2"));
      TestService.await().until(() -> attemptsInTheLedger(service).equals("2"));
      assertThat(first.calls()).containsExactly("fail-twice #1", "fail-twice #2");
    }

    ConcurrentLinkedQueue<Integer> seen = new ConcurrentLinkedQueue<>();
    diesInTheAttemptsThatAreLeft(service, request, seen);
    assertThat(seen).containsExactly(3, 4, 5);
  }

  private static void diesInTheAttemptsThatAreLeft(
      TestService service, RequestEnvelope request, ConcurrentLinkedQueue<Integer> seen) {
    try (TideoverConsumer next =
        service
            .builder()
            .instance("orders-1")
            .attempts(5)
            .handler(
                again -> {
                  seen.add(again.attempt());
                  throw new IllegalStateException("broken");
                })
            .start()) {
      ReplyEnvelope reply = service.awaitReply(request);
      assertThat(reply.outcome()).isEqualTo(ReplyOutcome.DEAD);
      assertThat(reply.attempts()).isEqualTo(5);
      List<ConsumerRecord<byte[], byte[]>> dead = service.dead();
      assertThat(dead).hasSize(1);
      assertThat(TestService.text(dead.get(0), "tideover-dead-attempts")).isEqualTo("5");
      assertOriginalIn(dead.get(0), service);
      // What is over is forgotten, or the ledger would grow for ever.
      TestService.await().until(() -> attemptsInTheLedger(service).isEmpty());
      assertThat(next.failure()).isEmpty();
    }
  }

  /** The attempts in the latest entry about the first request; empty for none. */
  private static String attemptsInTheLedger(TestService service) {
    String attempts = "";
    for (ConsumerRecord<byte[], byte[]> record : service.kafka.readAll(service.name + ".ledger")) {
      if (new String(record.key(), UTF_8).equals("request/0")) {
        attempts = record.value() == null ? "" : TestService.text(record, "tideover-attempts");
      }
    }
    return attempts;
  }

  private static void assertOriginalIn(ConsumerRecord<byte[], byte[]> dead, TestService service) {
    ConsumerRecord<byte[], byte[]> request = service.kafka.readAll(service.requests).get(0);
    assertThat(dead.key()).isEqualTo(request.key());
    assertThat(dead.value()).isEqualTo(request.value());
    Header[] original = request.headers().toArray();
    assertThat(List.of(dead.headers().toArray()).subList(0, original.length))
        .containsExactly(original);
  }

  @Test
  void theOffsetIsNotReleasedBeforeKafkaHasTheDeadLetter(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    alter(service.dead, TopicConfig.MAX_MESSAGE_BYTES_CONFIG, "100", kafka);
    try (TideoverConsumer consumer =
        service
            .builder()
            .attempts(1)
            .handler(
                request -> {
                  if (request.text().equals("bad")) {
                    throw new IllegalStateException("broken");
                  }
                  return Outcome.reply(204);
                })
            .start()) {
      RequestEnvelope bad = service.send(service.request("a", "bad"));
      RequestEnvelope good = service.send(service.request("b", "good"));
      service.awaitReply(good);
      // Offset 1 has ended, and a commit has said so: it couldn't pass offset 0.
      TestService.await().until(() -> doneBehind(service.commit(0)) == 1);
      assertThat(service.committed(0)).isZero();
      assertThat(service.replies()).doesNotContainKey(bad.id());
      assertThat(service.dead()).isEmpty();

      alter(service.dead, TopicConfig.MAX_MESSAGE_BYTES_CONFIG, "1000000", kafka);
      assertThat(service.awaitReply(bad).outcome()).isEqualTo(ReplyOutcome.DEAD);
      TestService.await().until(() -> service.committed(0) == 2);
      assertThat(service.dead()).hasSize(1);
      assertOriginalIn(service.dead().get(0), service);
      assertThat(consumer.failure()).isEmpty();
    }
  }

  private static long doneBehind(OffsetAndMetadata commit) {
    if (commit == null) {
      return 0;
    }
    var note = CommitNoteCodec.decode(commit.metadata(), commit.offset());
    return note == null
        ? 0
        : note.done().stream().mapToLong(range -> range.to() - range.from()).sum();
  }

  private static void alter(String topic, String setting, String value, TestKafka kafka)
      throws Exception {
    kafka
        .admin()
        .incrementalAlterConfigs(
            Map.of(
                new ConfigResource(ConfigResource.Type.TOPIC, topic),
                List.of(
                    new AlterConfigOp(new ConfigEntry(setting, value), AlterConfigOp.OpType.SET))))
        .all()
        .get(30, TimeUnit.SECONDS);
  }

  /** How a handler learns, and lets the engine know, that its database is away. */
  enum Away {
    SAYS_SO,
    POOL_IS_EMPTY,
    REFUSED,
    CLASS_MISSING;

    Outcome happen() throws Exception {
      return switch (this) {
        case SAYS_SO -> Outcome.hold("the database is away");
        case POOL_IS_EMPTY -> throw new SQLTransientConnectionException("no connection for 30 s");
        case REFUSED -> throw new IllegalStateException(new ConnectException("refused"));
        case CLASS_MISSING -> throw new NoClassDefFoundError("org/example/Driver");
      };
    }
  }

  /** A call of the handler, which waits for the test to say how it ends. */
  private static final class Call {
    final Request request;
    final SynchronousQueue<Boolean> verdict = new SynchronousQueue<>();

    Call(Request request) {
      this.request = request;
    }

    void end(boolean well) throws InterruptedException {
      assertThat(verdict.offer(well, 10, TimeUnit.SECONDS)).isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource
  void whileTheDatabaseIsAwayOneRequestAtATimeIsTriedAndNoneLosesAnAttempt(
      Away away, TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 2);
    BlockingQueue<Call> calls = new LinkedBlockingQueue<>();
    ConcurrentLinkedQueue<Integer> attempts = new ConcurrentLinkedQueue<>();
    try (TideoverConsumer consumer =
        service
            .builder()
            .attempts(3)
            .handler(
                request -> {
                  attempts.add(request.attempt());
                  Call call = new Call(request);
                  calls.add(call);
                  Boolean well = call.verdict.poll(60, TimeUnit.SECONDS);
                  return Boolean.TRUE.equals(well) ? Outcome.reply(204) : away.happen();
                })
            .start()) {
      List<RequestEnvelope> sent = new ArrayList<>();
      for (int n = 0; n < 40; n++) {
        sent.add(service.send(service.request("key-" + n, "" + n)));
      }
      int faults = 0;
      // Those that began before it was clear that something is wrong with all of them.
      for (Call call = calls.poll(10, TimeUnit.SECONDS);
          call != null;
          call = calls.poll(600, TimeUnit.MILLISECONDS)) {
        call.end(false);
        faults++;
      }
      assertThat(faults).isBetween(1, 30);

      // The second probe of one kind is enough to know that a failed one doesn't end the waiting.
      boolean[] probes = away == Away.SAYS_SO ? new boolean[] {false, true} : new boolean[] {true};
      for (boolean over : probes) {
        Call probe = calls.poll(20, TimeUnit.SECONDS);
        assertThat(probe).isNotNull();
        assertThat(calls.poll(500, TimeUnit.MILLISECONDS)).as("one beside the probe").isNull();
        probe.end(over);
      }
      for (int ended = 1; ended < sent.size(); ended++) {
        Call call = calls.poll(20, TimeUnit.SECONDS);
        assertThat(call).as("a call after the " + ended + "th end").isNotNull();
        call.end(true);
      }
      for (RequestEnvelope request : sent) {
        assertThat(service.awaitReply(request).attempts()).isEqualTo(1);
      }
      assertThat(attempts).containsOnly(1);
      assertThat(service.dead()).isEmpty();
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  @Test
  void oneRequestThatMeetsAnOutageAmongHealthyOnesHoldsNoneOfThem(TestKafka kafka)
      throws Exception {
    TestService service = new TestService(kafka, 1);
    AtomicInteger failures = new AtomicInteger();
    try (Logged logged = new Logged();
        TideoverConsumer consumer =
            service
                .builder()
                .attempts(3)
                .handler(
                    request -> {
                      if (request.text().equals("bad")) {
                        failures.incrementAndGet();
                        throw new ConnectException("only this one's peer is away");
                      }
                      return Outcome.reply(204);
                    })
                .start()) {
      RequestEnvelope bad = service.send(service.request("bad", "bad"));
      while (failures.get() < 4) {
        // Round by round, so that healthy ones end between the failures.
        service.awaitReply(service.send(service.request("good-" + failures.get(), "good")));
      }
      assertThat(logged.lines(service, "holds its requests")).isEmpty();
      assertThat(service.replies()).doesNotContainKey(bad.id());
      assertThat(service.dead()).isEmpty();
      assertThat(consumer.failure()).isEmpty();
    }
  }
}
