package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a user of the SDK does wrong is said early, and harms no request, on a real broker. */
@KafkaTest
@Timeout(120)
class BadUseIT {

  @Test
  void aSecondStartOfARunningBuilderIsRefusedAndTheFirstGoesOn(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    ConsumerBuilder builder = service.builder().handler(request -> Outcome.reply(204));
    try (TideoverConsumer first = builder.start()) {
      assertThatThrownBy(builder::start)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("start() was called already")
          .hasMessageContaining("Build another");
      service.awaitReply(service.send(service.request("k", "1")));
      assertThat(first.state()).isEqualTo(ConsumerState.RUNNING);
    }
  }

  @Test
  void aClosedConsumerSaysSoAndAnswersEverythingAtOnce(TestKafka kafka) throws Exception {
    TestService service = new TestService(kafka, 1);
    TideoverConsumer consumer =
        service.startAlone(service.builder().handler(request -> Outcome.reply(204)));
    consumer.close();
    assertThat(consumer.state()).isEqualTo(ConsumerState.CLOSED);

    long before = System.nanoTime();
    consumer.close();
    assertThat(consumer.awaitAssignment(Duration.ofMinutes(1))).isFalse();
    assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofSeconds(5));
    assertThat(consumer.state()).isEqualTo(ConsumerState.CLOSED);
    assertThat(consumer.partitions()).isEmpty();
    assertThat(consumer.stoppedPartitions()).isEmpty();
    assertThat(consumer.failure()).isEmpty();
    service.send(service.request("k", "nobody is there"));
    assertThat(service.replies()).isEmpty();
  }

  @Test
  void aHandlerThatReturnsNullFailsAnAttemptWithWordsThatHelp(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    try (TideoverConsumer consumer =
        service
            .builder()
            .attempts(2)
            .handler(request -> request.text().equals("null") ? null : Outcome.reply(204))
            .start()) {
      RequestEnvelope nothing = service.send(service.request("k", "null"));
      RequestEnvelope next = service.send(service.request("k", "next"));
      assertThat(service.awaitReply(next).status()).isEqualTo(204);
      assertThat(service.awaitReply(nothing).outcome()).isEqualTo(ReplyOutcome.DEAD);
      assertThat(service.awaitReply(nothing).attempts()).isEqualTo(2);
      assertThat(TestService.text(service.dead().get(0), "tideover-dead-error"))
          .isEqualTo(
              "the handler returned null; it has to return an Outcome, for example"
                  + " Outcome.reply(204)");
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void whatAnExecutorRejectsIsOfferedAgainUntilItTakesIt(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    ExecutorService threads = Executors.newFixedThreadPool(4);
    AtomicInteger rejections = new AtomicInteger();
    try (TideoverConsumer consumer =
        service
            .builder()
            .attempts(1)
            .executor(
                task -> {
                  if (rejections.getAndIncrement() % 3 != 2) {
                    throw new RejectedExecutionException("full");
                  }
                  threads.execute(task);
                })
            .handler(request -> Outcome.reply(204))
            .start()) {
      List<RequestEnvelope> sent = new ArrayList<>();
      for (int n = 0; n < 20; n++) {
        sent.add(service.send(service.request("key-" + n % 5, "" + n)));
      }
      for (RequestEnvelope request : sent) {
        assertThat(service.awaitReply(request).status()).isEqualTo(204);
      }
      assertThat(service.dead()).isEmpty();
      assertThat(consumer.failure()).isEmpty();
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void withAnExecutorThatWasShutDownTheConsumerStillClosesAndLosesNothing(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    ExecutorService threads = Executors.newFixedThreadPool(4);
    RequestEnvelope stranded;
    TideoverConsumer consumer =
        service
            .builder()
            .attempts(1)
            .drainTimeout(Duration.ofSeconds(2))
            .executor(threads)
            .handler(request -> Outcome.reply(204))
            .start();
    try (consumer) {
      service.awaitReply(service.send(service.request("k", "1")));
      threads.shutdownNow();
      stranded = service.send(service.request("k", "2"));
    }
    assertThat(consumer.state()).isEqualTo(ConsumerState.CLOSED);
    assertThat(service.replies()).doesNotContainKey(stranded.id());

    try (TideoverConsumer next = service.builder().handler(request -> Outcome.reply(200)).start()) {
      assertThat(service.awaitReply(stranded).status()).isEqualTo(200);
      assertThat(service.dead()).isEmpty();
      assertThat(next.failure()).isEmpty();
    }
  }
}
