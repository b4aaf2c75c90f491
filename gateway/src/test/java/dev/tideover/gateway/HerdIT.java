package dev.tideover.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.UnixOperatingSystemMXBean;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Thousands of waits that end at the same time. */
@Tag("alone")
@KafkaTest
class HerdIT {

  private static final int CLIENTS = 5_000;
  private static final Duration WAIT = Duration.ofSeconds(8);

  @Test
  void fiveThousandWaitsThatEndTogetherAreAnsweredWithinTwoSecondsAndBlockNoEventLoop(
      TestKafka kafka) throws Exception {
    enoughDescriptors();
    List<RawHttp> clients = new ArrayList<>();
    try (TestGateway gateway =
            TestGateway.start(
                kafka.bootstrapServers(),
                "",
                "waiting: " + CLIENTS,
                EventLoopWatch.options(),
                "path: /**, wait: " + WAIT.toSeconds() + "s, late: accepted");
        EventLoopWatch watch = EventLoopWatch.begin()) {
      for (int i = 0; i < CLIENTS; i++) {
        clients.add(new RawHttp(gateway.port()));
      }
      long first = System.nanoTime();
      for (int i = 0; i < CLIENTS; i++) {
        clients.get(i).request("POST", "/herd", ("client " + i).getBytes(UTF_8));
      }
      long last = System.nanoTime();

      for (RawHttp client : clients) {
        RawHttp.Response response = client.read();
        assertThat(response.status()).isEqualTo(202);
        assertThat(response.field("Location")).isNotNull();
      }
      long end = System.nanoTime();

      assertThat(Duration.ofNanos(end - first)).isGreaterThanOrEqualTo(WAIT);
      assertThat(Duration.ofNanos(end - last).minus(WAIT))
          .as("from the end of the last wait to the last answer, which is read one by one")
          .isLessThan(Duration.ofSeconds(2));
      watch.assertNoneBlocked();
    } finally {
      for (RawHttp client : clients) {
        client.close();
      }
    }
  }

  /** Client and server are one process here, so each connection takes two. */
  private static void enoughDescriptors() {
    long most =
        ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean unix
            ? unix.getMaxFileDescriptorCount()
            : 0;
    boolean enough = most >= 2 * CLIENTS + 2_000;
    if ("true".equals(System.getenv("CI"))) {
      assertThat(enough).as("file descriptors: %d", most).isTrue();
    }
    assumeTrue(enough, "a process may have only " + most + " file descriptors here (ulimit -n)");
  }
}
