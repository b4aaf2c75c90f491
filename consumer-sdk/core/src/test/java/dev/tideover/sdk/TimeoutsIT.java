package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Handlers that run for too long, on a real broker. */
@KafkaTest
@Timeout(120)
class TimeoutsIT {

  private static final Duration SHORT = Duration.ofMillis(300);

  /** What a handler does that must not be interrupted, but is bounded for the test's sake. */
  private static void awaitStubbornly(CountDownLatch latch) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (System.nanoTime() < end) {
      try {
        if (latch.await(1, TimeUnit.SECONDS)) {
          return;
        }
      } catch (InterruptedException ignored) {
        // That's what is tested.
      }
    }
  }

  @Test
  void aHandlerThatRunsTooLongIsInterruptedWhichIsAFailedAttempt(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    ConcurrentLinkedQueue<String> calls = new ConcurrentLinkedQueue<>();
    try (TideoverConsumer consumer =
        service
            .builder()
            .attempts(2)
            .concurrency(1) // so that all run on one thread
            .handlerTimeout(SHORT)
            .handler(
                request -> {
                  boolean interrupted = Thread.currentThread().isInterrupted();
                  calls.add(request.text() + "#" + request.attempt() + (interrupted ? "!" : ""));
                  if (request.text().equals("slow") || request.attempt() == 1) {
                    new CountDownLatch(1).await();
                  }
                  return Outcome.reply(204);
                })
            .start()) {
      RequestEnvelope once = service.send(service.request("a", "slow-once"));
      RequestEnvelope slow = service.send(service.request("a", "slow"));

      assertThat(service.awaitReply(once).attempts()).isEqualTo(2);
      ReplyEnvelope dead = service.awaitReply(slow);
      assertThat(dead.outcome()).isEqualTo(ReplyOutcome.DEAD);
      assertThat(dead.attempts()).isEqualTo(2);
      assertThat(calls).containsExactly("slow-once#1", "slow-once#2", "slow#1", "slow#2");
      List<ConsumerRecord<byte[], byte[]>> records = service.dead();
      assertThat(records).hasSize(1);
      assertThat(TestService.text(records.get(0), "tideover-dead-error"))
          .contains("interrupted, since it ran longer than PT0.3S");
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  @Test
  void besideAHandlerThatIgnoresTheInterruptOthersGoOnAndItsLateReplyCounts(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    ConcurrentLinkedQueue<String> calls = new ConcurrentLinkedQueue<>();
    CountDownLatch release = new CountDownLatch(1);
    try (TideoverConsumer consumer =
        service
            .builder()
            .concurrency(1)
            .attempts(1)
            .handlerTimeout(SHORT)
            .handler(
                request -> {
                  calls.add(request.text());
                  if (request.text().equals("stubborn")) {
                    awaitStubbornly(release);
                  }
                  return Outcome.reply(200);
                })
            .start()) {
      RequestEnvelope stubborn = service.send(service.request("a", "stubborn"));
      RequestEnvelope behind = service.send(service.request("a", "behind"));
      RequestEnvelope other = service.send(service.request("b", "other"));
      service.awaitReply(other);
      RequestEnvelope later = service.send(service.request("c", "later"));
      service.awaitReply(later);
      assertThat(calls).containsExactly("stubborn", "other", "later");

      release.countDown();
      ReplyEnvelope late = service.awaitReply(stubborn);
      assertThat(late.outcome()).isEqualTo(ReplyOutcome.COMPLETED);
      assertThat(late.attempts()).isEqualTo(1);
      service.awaitReply(behind);
      TestService.await().until(() -> service.committed(0) == 4);
      assertThat(calls).containsExactly("stubborn", "other", "later", "behind");
      assertThat(service.replies().values()).allMatch(replies -> replies.size() == 1);
      assertThat(service.dead()).isEmpty();
      assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
    } finally {
      release.countDown();
    }
  }

  @Test
  void moreStubbornHandlersThanTheConcurrencyEndTheConsumerWhichSaysWhy(TestKafka kafka)
      throws Exception {
    TestService service = new TestService(kafka, 1);
    CountDownLatch release = new CountDownLatch(1);
    try (TideoverConsumer consumer =
        service
            .builder()
            .concurrency(1)
            .handlerTimeout(SHORT)
            .handler(
                request -> {
                  awaitStubbornly(release);
                  return Outcome.reply(200);
                })
            .start()) {
      service.send(service.request("a", "1"));
      service.send(service.request("b", "2"));

      TestService.await().until(() -> consumer.state() == ConsumerState.FAILED);
      assertThat(consumer.failure().orElseThrow())
          .hasMessageContaining("2 handlers don't end though they were interrupted");
      // It has left, so that other instances go on with the requests.
      TestService.await().until(() -> consumer.partitions().isEmpty());
      assertThat(service.dead()).isEmpty();
      assertThat(service.replies()).isEmpty();
    } finally {
      release.countDown();
    }
  }
}
