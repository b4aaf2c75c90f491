package dev.tideover.loadtests.drain;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a JVM writes about its collections with {@code -Xlog:gc:file=...}, read while it grows: how
 * much of the heap each one left. A full one leaves what is live; others may leave garbage too.
 * Owned by one thread.
 */
final class CollectionLog {

  private static final Pattern COLLECTION =
      Pattern.compile("GC\\(\\d+\\) (Pause Full|Pause|Concurrent).* \\d+M->(\\d+)M\\(\\d+M\\)");

  private final Path file;
  private final int[] live;
  private int highest;
  private int linesRead;

  CollectionLog(Path file, int slices) {
    this.file = file;
    this.live = new int[slices];
  }

  /** Where the JVM has to write. */
  Path file() {
    return file;
  }

  /** Reads what is new, as collections in this slice of the way. */
  void read(int slice) {
    List<String> lines;
    try {
      lines = Files.readAllLines(file);
    } catch (IOException notYet) {
      return;
    }
    // The last one may be half written.
    int complete = Math.max(linesRead, lines.size() - 1);
    if (!lines.isEmpty() && lines.get(lines.size() - 1).endsWith("ms")) {
      complete = lines.size();
    }
    lines.subList(linesRead, complete).forEach(line -> take(line, slice));
    linesRead = complete;
  }

  private void take(String line, int slice) {
    Matcher collection = COLLECTION.matcher(line);
    if (collection.find()) {
      int left = Integer.parseInt(collection.group(2));
      highest = Math.max(highest, left);
      if (collection.group(1).equals("Pause Full")) {
        live[slice] = Math.max(live[slice], left);
      }
    }
  }

  /** The highest live set in each slice, MiB; 0 where there was no full collection. */
  List<Integer> highestLive() {
    return Arrays.stream(live).boxed().toList();
  }

  /** The most that any collection left, MiB. */
  int highest() {
    return highest;
  }
}
