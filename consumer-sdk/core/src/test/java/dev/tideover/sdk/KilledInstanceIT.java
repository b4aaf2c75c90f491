package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.RequestEnvelope;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An instance with a name is killed and started again. */
@KafkaTest
@Timeout(120)
class KilledInstanceIT {

  @Test
  void theSuccessorOfAKilledInstanceTakesOverLongBeforeTheSessionTimeout(
      TestKafka kafka, @TempDir Path directory) throws Exception {
    TestService service = new TestService(kafka, 3);
    Path log = directory.resolve("service.log");
    Process first = ServiceProcess.start(service, log);
    Process second = null;
    try {
      RequestEnvelope before = service.send(service.request("k", "before"));
      assertThat(new String(service.awaitReply(before).body(), UTF_8)).isEqualTo("" + first.pid());

      ServiceProcess.kill(first);
      RequestEnvelope meanwhile = service.send(service.request("k", "meanwhile"));
      long started = System.nanoTime();
      second = ServiceProcess.start(service, log);
      assertThat(new String(service.awaitReply(meanwhile).body(), UTF_8))
          .isEqualTo("" + second.pid());
      Duration gap = Duration.ofNanos(System.nanoTime() - started);
      System.out.println("From the start of the successor's JVM to its first reply: " + gap);

      // The session timeout is 30 s, so nothing but the instance's name can have been faster.
      assertThat(gap).isLessThan(Duration.ofSeconds(20));
    } finally {
      ServiceProcess.kill(first);
      if (second != null) {
        ServiceProcess.kill(second);
      }
    }
  }

  /**
   * With KIP-848 the survivors learn of what is theirs now at their next heartbeat, up to 5 s away,
   * which the broker decides.
   */
  @ParameterizedTest
  @CsvSource({"classic, 2000", "consumer, 8000"})
  void thePartitionsOfOneOfThreeThatIsKilledAnswerAgainSoon(
      String protocol, long boundMillis, TestKafka kafka, @TempDir Path directory)
      throws Exception {
    TestService service = new TestService(kafka, 6);
    List<InstanceProcess> instances = new ArrayList<>();
    try (Traffic traffic = Traffic.start(service, 100, 60)) {
      for (int i = 0; i < 3; i++) {
        instances.add(InstanceProcess.start(service, protocol, null, directory));
      }
      for (InstanceProcess instance : instances) {
        traffic.awaitReplyBy(instance.version());
      }
      traffic.awaitCaughtUp();
      traffic.awaitReplies(200);

      long before = System.nanoTime();
      instances.get(1).kill();
      traffic.awaitReplies(200);
      long after = System.nanoTime();
      traffic.finish();

      History history = traffic.history(instances.stream().map(InstanceProcess::journal).toList());
      Guarantee.always(history);
      long longest =
          TimeUnit.NANOSECONDS.toMillis(history.sentBetween(before, after).longestWait());
      System.out.printf(
          "%s: longest wait %d ms, %d handled twice%n", protocol, longest, history.handledTwice());
      assertThat(longest).isLessThan(boundMillis);
      assertThat(kafka.readAll(service.dead)).isEmpty();
    } finally {
      InstanceProcess.closeAll(instances);
    }
  }
}
