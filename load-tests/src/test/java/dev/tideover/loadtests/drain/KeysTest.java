package dev.tideover.loadtests.drain;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.loadtests.contender.Job;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class KeysTest {

  @Test
  void theHotKeyIsOneOfAThousandAndHasHalfOfTheRequests() {
    assertThat(keys(Keys.ONE_HOT, 8_000)).isEqualTo(1_000);
    assertThat(IntStream.range(0, 8_000).filter(n -> Keys.ONE_HOT.of(n).equals("hot")))
        .hasSize(4_000)
        .noneMatch(Keys.ONE_HOT::isOrdinary);
  }

  @Test
  void theFailingKeyIsOneOfAThousandAndOnlyItFails() {
    Job job = DrainScenario.ALL.get(4).job("s", "r");
    assertThat(keys(Keys.ONE_FAILING, 40_000)).isEqualTo(1_000);
    for (int n = 0; n < 40_000; n++) {
      byte[] key = Keys.ONE_FAILING.of(n).getBytes();
      assertThat(job.fails(key, 2)).isEqualTo(!Keys.ONE_FAILING.isOrdinary(n));
      assertThat(job.fails(key, 3)).isFalse();
    }
  }

  @Test
  void aJobSurvivesItsLine() {
    for (DrainScenario scenario : DrainScenario.ALL) {
      Job job = scenario.job("service", "replies");
      assertThat(Job.parse(job.toLine())).isEqualTo(job);
    }
  }

  private static long keys(Keys keys, int records) {
    return IntStream.range(0, records).mapToObj(keys::of).distinct().count();
  }
}
