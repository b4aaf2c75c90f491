package dev.tideover.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An instance stands still for so long that the others go on with its partitions. */
@Tag("long")
@KafkaTest
@Timeout(180)
class LostPartitionsIT {

  @ParameterizedTest
  @ValueSource(strings = {"classic", "consumer"})
  void oneThatStoodStillLearnsThatItHasLostCommitsNothingAndJoinsAgain(
      String protocol, TestKafka kafka, @TempDir Path directory) throws Exception {
    TestService service = new TestService(kafka, 6);
    List<InstanceProcess> instances = new ArrayList<>();
    try (Traffic traffic = Traffic.start(service, 100, 60)) {
      for (int i = 0; i < 3; i++) {
        instances.add(InstanceProcess.start(service, protocol, "orders-" + i, directory));
      }
      for (InstanceProcess instance : instances) {
        traffic.awaitReplyBy(instance.version());
      }
      InstanceProcess frozen = instances.get(1);
      Journal journal = frozen.journal();
      traffic.awaitReplies(100);

      long still = System.nanoTime();
      frozen.freeze();
      // The others get its partitions.
      traffic.awaitReplies(200);
      traffic.awaitCaughtUp();
      assertThat(journal.losses()).isEmpty();
      traffic.awaitReplies(100);
      Map<Integer, Long> before = committed(service);
      long goesOn = System.nanoTime();
      frozen.thaw();
      TestService.await().until(() -> !journal.losses().isEmpty());
      long lost = journal.losses().get(0);
      committed(service)
          .forEach(
              (partition, offset) ->
                  assertThat(offset).isGreaterThanOrEqualTo(before.get(partition)));
      // It is back at work.
      TestService.await()
          .until(() -> journal.handled().stream().anyMatch(line -> line.at() > lost));
      traffic.awaitReplies(100);
      traffic.finish();

      History history = traffic.history(instances.stream().map(InstanceProcess::journal).toList());
      Guarantee.always(history);
      // Long before the end of its session, 6 s with the classic protocol and 45 s with KIP-848.
      Duration longest = Duration.ofNanos(history.sentBetween(still, goesOn).longestWait());
      System.out.println(protocol + ": longest wait " + longest.toMillis() + " ms");
      assertThat(longest).isLessThan(Duration.ofSeconds(5));
      assertThat(kafka.readAll(service.dead)).isEmpty();
    } finally {
      InstanceProcess.closeAll(instances);
    }
  }

  private static Map<Integer, Long> committed(TestService service) throws Exception {
    Map<Integer, Long> offsets = new TreeMap<>();
    for (int partition = 0; partition < service.partitions; partition++) {
      offsets.put(partition, service.committed(partition));
    }
    return offsets;
  }
}
