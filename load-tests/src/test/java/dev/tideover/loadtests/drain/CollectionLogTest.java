package dev.tideover.loadtests.drain;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CollectionLogTest {

  @TempDir private Path directory;

  @Test
  void onlyFullCollectionsShowWhatIsLive() throws IOException {
    CollectionLog log = new CollectionLog(directory.resolve("gc.log"), 2);
    write(log, "[1.5s][info][gc] Using G1\n");
    write(log, "[1.5s][info][gc] GC(0) Pause Young (Normal) (G1 Pause) 99M->70M(256M) 2.1ms\n");
    write(log, "[1.6s][info][gc] GC(1) Pause Full (Diagnostic Command) 70M->21M(256M) 9.8ms\n");
    write(log, "[1.7s][info][gc] GC(2) Pause Full (Diagnostic Command) 60M->19M(256M) 9.9ms\n");
    log.read(0);
    assertThat(log.highestLive()).containsExactly(21, 0);
    assertThat(log.highest()).isEqualTo(70);
  }

  @Test
  void whatIsReadOnceCountsInItsOwnSliceOnly() throws IOException {
    CollectionLog log = new CollectionLog(directory.resolve("gc.log"), 2);
    write(log, "[1.6s][info][gc] GC(1) Pause Full (Diagnostic Command) 70M->21M(256M) 9.8ms\n");
    log.read(0);
    write(log, "[1.7s][info][gc] GC(2) Pause Full (Diagnostic Command) 60M->19M(256M) 9.9ms\n");
    log.read(1);
    assertThat(log.highestLive()).containsExactly(21, 19);
  }

  @Test
  void aLineThatIsHalfWrittenIsReadWhenItIsWhole() throws IOException {
    CollectionLog log = new CollectionLog(directory.resolve("gc.log"), 1);
    write(log, "[1.6s][info][gc] GC(1) Pause Full (Diagnostic Command) 70M->2");
    log.read(0);
    assertThat(log.highestLive()).containsExactly(0);
    write(log, "1M(256M) 9.8ms\n");
    log.read(0);
    assertThat(log.highestLive()).containsExactly(21);
  }

  private static void write(CollectionLog log, String text) throws IOException {
    Files.writeString(log.file(), text, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
  }
}
