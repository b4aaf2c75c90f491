package dev.tideover.loadtests.once;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.loadtests.once.History.Call;
import dev.tideover.loadtests.once.History.Loss;
import dev.tideover.loadtests.once.History.Loss.How;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JournalsTest {

  private static final Path SDK = Path.of("../consumer-sdk/core/src/main/java/dev/tideover/sdk");

  @TempDir Path directory;

  @Test
  void aCallIsReadWithItsEndIfItHasOne() throws Exception {
    Path journal =
        Files.writeString(
            directory.resolve("journal"),
            """
            began 100 key-1 s1-1/1 3 40
            began 110 key-2 s1-1/2 4 41
            done 115 s1-1/1
            ended 120 s1-1/1
            began 130 ke""");

    assertThat(Journals.calls("s1-1", journal))
        .containsExactlyInAnyOrder(
            new Call("key-1", "s1-1/1", "s1-1", 3, 40, 100, 120),
            new Call("key-2", "s1-1/2", "s1-1", 4, 41, 110, Call.NEVER));
  }

  @Test
  void lostAndRevokedPartitionsAreFoundInTheLog() throws Exception {
    Path log =
        Files.writeString(
            directory.resolve("log"),
            """
            2026-11-24T15:14:01.250Z WARN  d.t.sdk.internal.PollLoop Lost [once.requests-3, once.requests-11]: Kafka heard nothing of this instance for too long. Others have these partitions now; what wasn't committed is handled again.
            2026-11-24T15:14:01.251Z WARN  d.t.sdk.internal.PollLoop 2 requests under way in [once.requests-3] are given up; whoever has the partitions next handles them again
            2026-11-24T15:14:02.000Z INFO  d.t.sdk.internal.Doing once/v1/service1 handles the requests of [once.requests-7]
            """);

    long at = Instant.parse("2026-11-24T15:14:01.250Z").toEpochMilli();
    assertThat(Journals.losses("s1-1", log))
        .containsExactly(
            new Loss("s1-1", Set.of(3, 11), at, How.LOST),
            new Loss("s1-1", Set.of(3), at + 1, How.REVOKED));
  }

  @Test
  void theLastWholeLineTellsWhatIsUnderWay() throws Exception {
    Path journal = directory.resolve("journal");
    assertThat(Journals.isLast("began", journal)).isFalse();
    Files.writeString(journal, "began 100 key-1 s1-1/1 3 40\n".repeat(20));
    assertThat(Journals.isLast("began", journal)).isTrue();
    Files.writeString(journal, "done 110 s1-1/1\n", StandardOpenOption.APPEND);
    assertThat(Journals.isLast("began", journal)).isFalse();
    assertThat(Journals.isLast("done", journal)).isTrue();
    Files.writeString(journal, "ended 12", StandardOpenOption.APPEND);
    assertThat(Journals.isLast("done", journal)).isFalse();
    assertThat(Journals.isLast("ended", journal)).isFalse();
  }

  /** The log's words are no interface: who changes them learns here who reads them. */
  @Test
  void theSdkStillSaysItInTheseWords() throws Exception {
    String source = Files.readString(SDK.resolve("internal/PollLoop.java"));

    assertThat(source)
        .contains("\"{} requests under way in {} are given up; ")
        .contains("\"Lost {}: Kafka heard nothing of this instance ");
  }
}
