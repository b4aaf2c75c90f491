package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.RequestEnvelope;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

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
}
