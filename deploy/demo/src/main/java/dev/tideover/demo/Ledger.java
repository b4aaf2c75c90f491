package dev.tideover.demo;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * The file in which the orders service writes down what it really did, so that the demo can check
 * the answers against the effects instead of believing them.
 *
 * <p>Each entry is one {@code write} system call of one line, without a buffer in this process:
 * what was written is the operating system's, so it survives a SIGKILL of the service. A kill in
 * the middle of a write can leave the first part of a line. That effect did not happen: its handler
 * had not returned, so no reply was sent. The next writer ends such a line, and readers skip it.
 *
 * <p>Safe for use by many threads; the order of the lines is the order of the appends.
 */
final class Ledger implements AutoCloseable {
  private final FileChannel file;

  private Ledger(FileChannel file) {
    this.file = file;
  }

  /** Opens the ledger for appending; makes it where it is missing. */
  static Ledger open(Path path) throws IOException {
    boolean torn = endsInsideALine(path);
    var ledger =
        new Ledger(
            FileChannel.open(
                path,
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE,
                StandardOpenOption.APPEND));
    if (torn) {
      ledger.write("\n");
    }
    return ledger;
  }

  /** Appends one entry; when it returns, the entry outlives this process. */
  void append(LedgerEntry entry) throws IOException {
    write(entry.toLine());
  }

  /** All whole entries, in the order of their effects. */
  static List<LedgerEntry> read(Path path) throws IOException {
    if (!Files.exists(path)) {
      return List.of();
    }
    var entries = new ArrayList<LedgerEntry>();
    // Not readAllLines: the bytes of a torn line may be no text, and its last line may have no end.
    String text = new String(Files.readAllBytes(path), StandardCharsets.UTF_8);
    int start = 0;
    for (int end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      LedgerEntry entry = LedgerEntry.parse(text.substring(start, end));
      if (entry != null) {
        entries.add(entry);
      }
      start = end + 1;
    }
    return entries;
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  private synchronized void write(String line) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8));
    while (bytes.hasRemaining()) {
      file.write(bytes);
    }
  }

  private static boolean endsInsideALine(Path path) throws IOException {
    if (!Files.exists(path) || Files.size(path) == 0) {
      return false;
    }
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
      ByteBuffer last = ByteBuffer.allocate(1);
      file.read(last, file.size() - 1);
      return last.get(0) != '\n';
    }
  }
}
