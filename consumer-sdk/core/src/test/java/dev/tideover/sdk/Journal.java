package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * What the handlers of one run of an instance did, in the order in which they did it. A journal in
 * a file outlives a SIGKILL: each line is with the operating system before the handler goes on. The
 * times are those of {@code System.nanoTime()}, which on Linux is one clock for all processes.
 */
final class Journal implements AutoCloseable {

  /**
   * What happened to a request in a handler.
   *
   * @param began whether the handler began, rather than ended
   */
  record Line(boolean began, long at, int partition, String key, int number) {}

  private final String by;
  private final @Nullable Path file;
  private final @Nullable FileOutputStream output;
  private final List<String> memory = new CopyOnWriteArrayList<>();

  private volatile long diedAt = Long.MAX_VALUE;
  private volatile long frozenAt = Long.MAX_VALUE;

  private Journal(String by, @Nullable Path file, @Nullable FileOutputStream output) {
    this.by = by;
    this.file = file;
    this.output = output;
  }

  /** For an instance in this JVM. */
  static Journal inMemory(String by) {
    return new Journal(by, null, null);
  }

  /** For one in another; there it is written, and here it is read. */
  static Journal in(Path file) {
    return new Journal(String.valueOf(file.getFileName()), file, null);
  }

  static Journal writing(Path file) throws IOException {
    return new Journal(
        String.valueOf(file.getFileName()), file, new FileOutputStream(file.toFile(), true));
  }

  /** The run of the instance. */
  String by() {
    return by;
  }

  /** A handler whose begin and end, if it returns, are noted. */
  RequestHandler handler(RequestHandler work) {
    return request -> {
      note("B", request);
      Outcome outcome = work.handle(request);
      note("E", request);
      return outcome;
    };
  }

  private void note(String what, Request request) {
    write(
        "%s %d %d %s %s"
            .formatted(
                what,
                System.nanoTime(),
                request.partition(),
                request.orderingKey().orElseThrow(),
                request.text()));
  }

  /** Notes when partitions are lost. */
  ConsumerListener listener() {
    return new ConsumerListener() {
      @Override
      public void revoked(Set<Integer> partitions, boolean lost) {
        if (lost) {
          write("L " + System.nanoTime());
        }
      }
    };
  }

  private void write(String line) {
    if (output == null) {
      memory.add(line);
      return;
    }
    try {
      output.write((line + "\n").getBytes(UTF_8));
    } catch (IOException full) {
      throw new UncheckedIOException(full);
    }
  }

  /** The process is dead by now. */
  void died() {
    diedAt = System.nanoTime();
  }

  /** The process stands still by now, until it learns that its partitions are lost. */
  void frozen() {
    frozenAt = System.nanoTime();
  }

  long diedAt() {
    return diedAt;
  }

  long frozenAt() {
    return frozenAt;
  }

  /** When it learned that it had lost partitions. */
  List<Long> losses() {
    return lines().stream()
        .filter(line -> line.startsWith("L "))
        .map(line -> Long.valueOf(line.substring(2)))
        .toList();
  }

  List<Line> handled() {
    return lines().stream()
        .filter(line -> !line.startsWith("L "))
        .map(
            line -> {
              String[] part = line.split(" ", -1);
              return new Line(
                  part[0].equals("B"),
                  Long.parseLong(part[1]),
                  Integer.parseInt(part[2]),
                  part[3],
                  Integer.parseInt(part[4]));
            })
        .toList();
  }

  private List<String> lines() {
    if (file == null) {
      return memory;
    }
    try {
      return Files.exists(file) ? Files.readAllLines(file) : List.of();
    } catch (IOException unreadable) {
      throw new UncheckedIOException(unreadable);
    }
  }

  @Override
  public void close() throws IOException {
    if (output != null) {
      output.close();
    }
  }
}
