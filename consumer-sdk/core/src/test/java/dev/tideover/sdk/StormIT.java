package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.time.Duration;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Instances come and go faster than the group can settle. */
@KafkaTest
@Tag("long")
@Timeout(240)
class StormIT {

  private static final int PARTITIONS = 12;
  private static final int INSTANCES = 3;
  private static final Duration STORM = Duration.ofSeconds(60);

  /** With both protocols at the same time, since each takes a minute. */
  @Test
  void aMinuteOfTogglingAnInstanceEverySecondLosesNothingAndKeepsOrder(TestKafka kafka)
      throws Exception {
    try (Fleet classic = Fleet.start(kafka, "classic", PARTITIONS, INSTANCES);
        Fleet consumer = Fleet.start(kafka, "consumer", PARTITIONS, INSTANCES);
        Toggling first = new Toggling(classic);
        Toggling second = new Toggling(consumer)) {
      first.await();
      second.await();
      judge(classic);
      judge(consumer);
    }
  }

  private static void judge(Fleet fleet) throws InterruptedException {
    fleet.awaitAllAtWork();
    fleet.traffic().awaitCaughtUp();
    long calm = System.nanoTime();
    fleet.traffic().awaitReplies(200);
    History history = fleet.finish();
    Guarantee.always(history);
    new Guarantee.EveryoneWorked(Set.of("orders-0", "orders-1", "orders-2"))
        .judge(history.sentBetween(calm, Long.MAX_VALUE));
    System.out.printf(
        "%d requests, %d runs of instances' handlers, %d handled twice, longest wait %d ms%n",
        history.sent().size(),
        history.runs().size(),
        history.handledTwice(),
        TimeUnit.NANOSECONDS.toMillis(history.longestWait()));
  }

  /** Stops an instance, or starts it again, every second: one after the other. */
  private static final class Toggling implements AutoCloseable {

    private final Fleet fleet;
    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor();
    private final Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
    private final long end = System.nanoTime() + STORM.toNanos();
    private int next;

    Toggling(Fleet fleet) {
      this.fleet = fleet;
      var unused = thread.scheduleAtFixedRate(this::toggle, 1, 1, TimeUnit.SECONDS);
    }

    private void toggle() {
      try {
        if (System.nanoTime() - end >= 0) {
          for (int i = 0; i < INSTANCES; i++) {
            if (fleet.isStopped(i)) {
              fleet.start(i);
            }
          }
          thread.shutdown();
          return;
        }
        int number = next++ % INSTANCES;
        if (fleet.isStopped(number)) {
          fleet.start(number);
        } else {
          fleet.stop(number);
        }
      } catch (Throwable failure) {
        failures.add(failure);
        thread.shutdown();
      }
    }

    void await() throws InterruptedException {
      assertThat(thread.awaitTermination(120, TimeUnit.SECONDS)).isTrue();
      assertThat(failures).isEmpty();
    }

    @Override
    public void close() {
      thread.shutdownNow();
    }
  }
}
