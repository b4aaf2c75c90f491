package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.BrokerProcess;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The broker is killed under a running consumer and comes back. */
@Tag("long")
@Timeout(180)
class BrokerRestartIT {

  private static final int REQUESTS = 40;

  @Test
  void anOutageOfKafkaIsRiddenOutInOrderAndWithoutADeadLetter() throws InterruptedException {
    try (BrokerProcess broker = BrokerProcess.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      TestService service = new TestService(kafka, 1);
      ConcurrentLinkedQueue<Integer> handled = new ConcurrentLinkedQueue<>();
      CountDownLatch halfWay = new CountDownLatch(REQUESTS / 2);
      CountDownLatch killed = new CountDownLatch(1);
      try (TideoverConsumer consumer =
          service.startAlone(
              service
                  .builder()
                  .handler(
                      request -> {
                        handled.add(Integer.parseInt(request.text()));
                        halfWay.countDown();
                        if (halfWay.getCount() == 0) {
                          assertThat(killed.await(60, TimeUnit.SECONDS)).isTrue();
                        }
                        return Outcome.reply(200).text(request.text());
                      }))) {
        List<RequestEnvelope> sent = new ArrayList<>();
        for (int i = 0; i < REQUESTS; i++) {
          sent.add(service.send(service.request("k", "" + i)));
        }
        assertThat(halfWay.await(60, TimeUnit.SECONDS)).isTrue();
        broker.kill();
        killed.countDown();
        broker.restart();

        Map<RequestId, List<ReplyEnvelope>> replies =
            TestService.await()
                .atMost(Duration.ofSeconds(90))
                .until(service::replies, all -> all.size() == REQUESTS);
        for (RequestEnvelope request : sent) {
          assertThat(replies.get(request.id()).get(0).body()).isEqualTo(request.body());
        }
        assertThat(handled.stream().distinct().toList())
            .containsExactlyElementsOf(IntStream.range(0, REQUESTS).boxed().toList());
        assertThat(kafka.readAll(service.dead)).isEmpty();
        assertThat(consumer.state()).isEqualTo(ConsumerState.RUNNING);
      }
    }
  }

  @Test
  void aBrokerThatIsKilledUnderLoadAndComesBackLosesNothingAndKeepsOrder()
      throws InterruptedException {
    try (BrokerProcess broker = BrokerProcess.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers());
        // Both protocols at the same time, since a broker takes some seconds to come back.
        Fleet classic = Fleet.start(kafka, "classic", 6, 2);
        Fleet consumer = Fleet.start(kafka, "consumer", 6, 2)) {
      List<Fleet> both = List.of(classic, consumer);
      both.forEach(fleet -> fleet.traffic().awaitReplies(100));

      both.forEach(fleet -> fleet.traffic().outage());
      broker.kill();
      broker.restart();

      both.forEach(fleet -> fleet.traffic().outage());
      both.forEach(fleet -> fleet.traffic().awaitReplies(200));
      for (Fleet fleet : both) {
        Guarantee.always(fleet.finish());
      }
    }
  }
}
