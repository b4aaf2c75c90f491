package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.RequestEnvelope;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Partitions move between instances, under load, on a real broker and with both protocols. */
@KafkaTest
@Timeout(180)
class RebalanceIT {

  @ParameterizedTest
  @ValueSource(strings = {"classic", "consumer"})
  void aRollingRestartOfThreeUnderLoadLosesNothingKeepsOrderAndRepeatsNothing(
      String protocol, TestKafka kafka) throws InterruptedException {
    try (Fleet fleet = Fleet.start(kafka, protocol, 6, 3)) {
      for (int i = 0; i < 3; i++) {
        fleet.traffic().awaitReplies(100);
        fleet.stop(i);
        fleet.start(i);
        fleet.awaitAllAtWork();
      }
      History history = fleet.finish();
      Guarantee.always(history);
      new Guarantee.NothingTwice().judge(history);
      new Guarantee.EveryoneWorked(Set.of("orders-0#0", "orders-0#3", "orders-1#4", "orders-2#5"))
          .judge(history);
    }
  }

  /** The handlers are busy when one joins: what they do is finished, committed, not repeated. */
  @ParameterizedTest
  @ValueSource(strings = {"classic", "consumer"})
  void oneThatJoinsWhileHandlersAreSlowTakesOverInOrderAndRepeatsNothing(
      String protocol, TestKafka kafka) throws InterruptedException {
    UnaryOperator<RequestHandler> slow =
        handler ->
            request -> {
              TimeUnit.MILLISECONDS.sleep(150); // the handler's work
              return handler.handle(request);
            };
    try (Fleet fleet = Fleet.start(kafka, protocol, 6, 1, slow)) {
      fleet.traffic().awaitReplies(100);
      fleet.start(1);
      fleet.awaitAllAtWork();
      fleet.traffic().awaitReplies(100);
      History history = fleet.finish();
      Guarantee.always(history);
      new Guarantee.NothingTwice().judge(history);
      new Guarantee.EveryoneWorked(Set.of("orders-0", "orders-1")).judge(history);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"classic", "consumer"})
  void whatRunsWhenItsPartitionIsTakenIsFinishedAndNotRepeated(String protocol, TestKafka kafka)
      throws Exception {
    TestService service = new TestService(kafka, 2);
    CountDownLatch bothIn = new CountDownLatch(2);
    CountDownLatch finish = new CountDownLatch(1);
    AtomicInteger calls = new AtomicInteger();
    RequestHandler slow =
        request -> {
          calls.incrementAndGet();
          bothIn.countDown();
          assertThat(finish.await(60, TimeUnit.SECONDS)).isTrue();
          return Outcome.reply(200).text("first");
        };
    try (TideoverConsumer first =
        service.startAlone(service.builder().property("group.protocol", protocol).handler(slow))) {
      RequestEnvelope left = onPartition(service, 0);
      RequestEnvelope right = onPartition(service, 1);
      kafka.produce(service.record(left), service.record(right));
      assertThat(bothIn.await(30, TimeUnit.SECONDS)).isTrue();

      try (TideoverConsumer second =
          service
              .builder()
              .property("group.protocol", protocol)
              .handler(request -> Outcome.reply(200).text("second"))
              .start()) {
        // The first gives a partition up, and holds the hand-over until its request has ended.
        TestService.await().until(() -> second.state() == ConsumerState.RUNNING || calls.get() > 2);
        finish.countDown();
        assertThat(second.awaitAssignment(Duration.ofSeconds(30))).isTrue();
        TestService.await().until(() -> first.partitions().size() == 1);

        for (RequestEnvelope request : List.of(left, right)) {
          assertThat(new String(service.awaitReply(request).body(), UTF_8)).isEqualTo("first");
        }
        RequestEnvelope leftAgain = service.send(onPartition(service, 0));
        RequestEnvelope rightAgain = service.send(onPartition(service, 1));
        service.awaitReply(leftAgain);
        service.awaitReply(rightAgain);
        assertThat(service.replies()).hasSize(4);
        assertThat(service.replies().values()).allSatisfy(list -> assertThat(list).hasSize(1));
      }
    }
  }

  private static RequestEnvelope onPartition(TestService service, int partition) {
    while (true) {
      RequestEnvelope request = service.request(null, "body");
      if (service.record(request).partition() == partition) {
        return request;
      }
    }
  }
}
