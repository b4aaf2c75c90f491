package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Which requests wait for each other, on a real broker. */
@KafkaTest
@Timeout(120)
class OrderingIT {

  private static final int PARTITIONS = 4;
  private static final int KEYS = 40;
  private static final int EACH = 25;

  /** Judges requests that have to be handled one at a time and in the order of the log. */
  private static final class Lane {
    final AtomicInteger running = new AtomicInteger();
    final ConcurrentLinkedQueue<Long> offsets = new ConcurrentLinkedQueue<>();
  }

  @ParameterizedTest
  @EnumSource(names = {"KEY", "PARTITION"})
  void whatSharesALaneIsHandledOneAtATimeInTheOrderOfTheLogAndLanesRunBesideEachOther(
      Ordering ordering, TestKafka kafka) {
    TestService service = new TestService(kafka, PARTITIONS);
    Map<Object, Lane> lanes = new ConcurrentHashMap<>();
    AtomicInteger overlaps = new AtomicInteger();
    // Two requests of different lanes have to meet, so lanes do run beside each other.
    CountDownLatch meeting = new CountDownLatch(2);
    try (TideoverConsumer consumer =
        service
            .builder()
            .concurrency(64)
            .ordering(ordering)
            .handler(
                request -> {
                  Lane lane =
                      lanes.computeIfAbsent(
                          ordering == Ordering.KEY
                              ? request.orderingKey().orElseThrow()
                              : request.partition(),
                          key -> new Lane());
                  if (lane.running.incrementAndGet() > 1) {
                    overlaps.incrementAndGet();
                  }
                  if (lane.offsets.isEmpty()) {
                    meeting.countDown();
                    assertThat(meeting.await(30, TimeUnit.SECONDS)).isTrue();
                  }
                  lane.offsets.add(request.offset());
                  if (request.offset() % 10 == 3 && request.attempt() == 1) {
                    lane.offsets.removeIf(offset -> offset == request.offset());
                    lane.running.decrementAndGet();
                    throw new IllegalStateException("holds its lane, also between its attempts");
                  }
                  lane.running.decrementAndGet();
                  return Outcome.reply(204);
                })
            .start()) {
      for (int n = 0; n < EACH; n++) {
        for (int k = 0; k < KEYS; k++) {
          kafka.producer().send(service.record(service.request("key-" + k, "" + n)));
        }
      }
      kafka.producer().flush();

      TestService.await().until(() -> service.replies().size() == KEYS * EACH);
      assertThat(overlaps).hasValue(0);
      assertThat(lanes).hasSize(ordering == Ordering.KEY ? KEYS : PARTITIONS);
      lanes.values().forEach(lane -> assertThat(List.copyOf(lane.offsets)).isSorted());
      assertThat(lanes.values().stream().mapToInt(lane -> lane.offsets.size()).sum())
          .isEqualTo(KEYS * EACH);
      assertThat(consumer.failure()).isEmpty();
    }
  }

  @Test
  void withoutOrderingRequestsOfOneKeyRunBesideEachOtherAndAFailingOneHoldsNone(TestKafka kafka) {
    TestService service = new TestService(kafka, 1);
    CyclicBarrier together = new CyclicBarrier(4);
    CountDownLatch othersDone = new CountDownLatch(8);
    try (TideoverConsumer consumer =
        service
            .builder()
            .concurrency(64)
            .ordering(Ordering.NONE)
            .handler(
                request -> {
                  if (request.text().equals("first")) {
                    if (request.attempt() == 1) {
                      throw new IllegalStateException("not yet");
                    }
                    assertThat(othersDone.await(30, TimeUnit.SECONDS)).isTrue();
                  } else {
                    together.await(30, TimeUnit.SECONDS);
                    othersDone.countDown();
                  }
                  return Outcome.reply(204);
                })
            .start()) {
      kafka.produce(service.record(service.request("k", "first")));
      for (int n = 0; n < 8; n++) {
        kafka.produce(service.record(service.request("k", "" + n)));
      }

      TestService.await().until(() -> service.replies().size() == 9);
      assertThat(together.isBroken()).isFalse();
      assertThat(service.dead()).isEmpty();
      assertThat(consumer.failure()).isEmpty();
    }
  }
}
