package dev.tideover.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LedgerTest {
  @TempDir Path directory;
  private Path file;

  @BeforeEach
  void chooseFile() {
    file = directory.resolve("ledger.txt");
  }

  @Test
  void whatWasAppendedIsReadInOrder() throws IOException {
    try (Ledger ledger = Ledger.open(file)) {
      ledger.append(entry(1));
      ledger.append(entry(2));
      assertThat(Ledger.read(file)).as("unbuffered").containsExactly(entry(1), entry(2));
    }
  }

  @Test
  void aMissingFileHasNoEntries() throws IOException {
    assertThat(Ledger.read(file)).isEmpty();
  }

  @Test
  void theNextVersionGoesOnInTheSameFile() throws IOException {
    try (Ledger v1 = Ledger.open(file)) {
      v1.append(entry(1));
    }
    try (Ledger v2 = Ledger.open(file)) {
      v2.append(entry(2));
    }
    assertThat(Ledger.read(file)).containsExactly(entry(1), entry(2));
  }

  @Test
  void aLineCutOffByAKillIsNoEffectAndDoesNotSpoilTheNextOne() throws IOException {
    String cut = entry(1).toLine().substring(0, 20);
    Files.writeString(file, entry(0).toLine() + cut);
    assertThat(Ledger.read(file)).containsExactly(entry(0));

    try (Ledger v2 = Ledger.open(file)) {
      v2.append(entry(1));
    }

    assertThat(Ledger.read(file)).containsExactly(entry(0), entry(1));
  }

  @Test
  void aLineOfBytesThatAreNoTextIsSkipped() throws IOException {
    Files.write(file, new byte[] {(byte) 0xff, (byte) 0xfe, '\n'});
    Files.writeString(file, entry(1).toLine(), StandardOpenOption.APPEND);
    assertThat(Ledger.read(file)).containsExactly(entry(1));
  }

  @Test
  void appendsOfManyThreadsStayWholeLines() throws IOException {
    try (Ledger ledger = Ledger.open(file)) {
      IntStream.range(0, 2_000).parallel().forEach(seq -> append(ledger, entry(seq)));
    }
    List<LedgerEntry> entries = Ledger.read(file);
    assertThat(entries.stream().mapToInt(LedgerEntry::seq).sorted().toArray())
        .isEqualTo(IntStream.range(0, 2_000).toArray());
  }

  private static void append(Ledger ledger, LedgerEntry entry) {
    try {
      ledger.append(entry);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static LedgerEntry entry(int seq) {
    return new LedgerEntry("ann", seq, "ann-" + seq, "AAAAAAAAAAAAAAAAAAAAAA", 3, 42, "v1", 99);
  }
}
