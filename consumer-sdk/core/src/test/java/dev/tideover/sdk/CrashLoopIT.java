package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Requests that kill their instance, and instances that are killed by others. */
@Tag("long")
@KafkaTest
@Timeout(180)
class CrashLoopIT {

  /**
   * The most starts that it can take to find the one to blame: a crash with nothing known, one with
   * the starts of all recorded, two of it alone, and the start that buries it.
   */
  private static final int MOST_STARTS = 5;

  @Test
  void aRequestThatKillsTheProcessEachTimeEndsDeadAndAllOthersAreAnswered(
      TestKafka kafka, @TempDir Path directory) throws Exception {
    TestService service = new TestService(kafka, 2);
    List<RequestEnvelope> others = new ArrayList<>();
    for (int n = 0; n < 20; n++) {
      others.add(service.send(service.request("key-" + n, "ok " + n)));
    }
    RequestEnvelope deadly = service.send(service.request("deadly", "halt"));
    others.add(service.send(service.request("deadly", "ok behind it")));
    for (int n = 20; n < 40; n++) {
      others.add(service.send(service.request("key-" + n, "ok " + n)));
    }

    int starts = 0;
    int calls = 0;
    boolean ended = false;
    while (!ended) {
      assertThat(++starts).isLessThanOrEqualTo(MOST_STARTS);
      try (ScriptedProcess process =
          ScriptedProcess.start(service, directory, OnExhausted.CONTINUE)) {
        TestService.await()
            .until(() -> !process.isAlive() || service.replies().containsKey(deadly.id()));
        ended = process.isAlive();
        if (ended) {
          for (RequestEnvelope request : others) {
            assertThat(service.awaitReply(request).outcome()).isEqualTo(ReplyOutcome.COMPLETED);
          }
        }
        calls += (int) process.calls().stream().filter("halt #1"::equals).count();
      }
    }
    assertThat(calls).isEqualTo(starts - 1);
    assertThat(service.awaitReply(deadly).outcome()).isEqualTo(ReplyOutcome.DEAD);
    List<ConsumerRecord<byte[], byte[]>> dead = service.dead();
    assertThat(dead).hasSize(1);
    assertThat(TestService.text(dead.get(0), "tideover-dead-reason")).isEqualTo("crash-loop");
    assertThat(TestService.text(dead.get(0), "tideover-dead-error"))
        .contains("2 times an instance has ended while this request ran alone in it");
  }

  @Test
  void fiveKillsWithAsManyHandlersRunningAsMayMakeNoDeadLetter(
      TestKafka kafka, @TempDir Path directory) throws Exception {
    // One partition, so that suspects come before what never ends here: a suspect runs alone only
    // when all else has ended, and with several partitions others may have begun before it comes.
    TestService service = new TestService(kafka, 1);
    List<RequestEnvelope> sent = new ArrayList<>();
    for (int life = 1; life <= 5; life++) {
      for (int n = 0; n < 2 * ScriptedProcess.CROWD; n++) {
        RequestEnvelope request = service.request("key-" + n, "crowd " + life + " " + n);
        sent.add(request);
        kafka.producer().send(service.record(request));
      }
      kafka.producer().flush();
      try (ScriptedProcess process =
          ScriptedProcess.start(service, directory, OnExhausted.CONTINUE, life)) {
        TestService.await().until(process::isCrowded);
      }
    }

    try (TideoverConsumer last =
        service.builder().instance("orders-1").handler(request -> Outcome.reply(200)).start()) {
      TestService.await().until(() -> service.replies().size() == sent.size());
      assertThat(service.dead()).isEmpty();
      assertThat(service.replies().values())
          .allSatisfy(
              replies ->
                  assertThat(replies)
                      .allMatch(
                          reply ->
                              reply.outcome() == ReplyOutcome.COMPLETED && reply.attempts() == 1));
      assertThat(last.failure()).isEmpty();
    }
  }
}
