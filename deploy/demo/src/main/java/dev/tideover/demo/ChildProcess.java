package dev.tideover.demo;

import dev.tideover.testkit.Tether;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * A program of the demo as a process of its own, run by {@link Tether}, so that it ends when the
 * demo ends. Its output goes to a file; chosen lines of it are events that one can wait for.
 *
 * <p>Safe for use by many threads.
 */
final class ChildProcess {
  private static final int TAIL_LINES = 15;

  private final String name;
  private final Process process;

  /**
   * Sends signals. {@link Process#destroy} would also close the pipes, and the last words with
   * them.
   */
  private final ProcessHandle handle;

  private final Path log;
  private final Map<String, CompletableFuture<String>> lines;
  private final Consumer<DemoException> onUnexpectedEnd;
  private volatile boolean endExpected;

  private ChildProcess(
      String name,
      Process process,
      Path log,
      Map<String, CompletableFuture<String>> lines,
      Consumer<DemoException> onUnexpectedEnd) {
    this.name = name;
    this.process = process;
    this.handle = process.toHandle();
    this.log = log;
    this.lines = lines;
    this.onUnexpectedEnd = onUnexpectedEnd;
  }

  /**
   * What to run.
   *
   * @param name for people
   * @param mainClass its main class, found on this JVM's class path
   * @param jvmOptions options of its JVM
   * @param arguments its arguments
   * @param linesToAwait beginnings of output lines that {@link #line} can be asked for
   */
  record Program(
      String name,
      String mainClass,
      List<String> jvmOptions,
      List<String> arguments,
      List<String> linesToAwait) {}

  /**
   * Starts a program.
   *
   * @param directory its working directory, which gets its log file
   * @param onUnexpectedEnd called, on a thread of this process's own, when it ends without having
   *     been asked to
   */
  static ChildProcess start(
      Program program, Path directory, Consumer<DemoException> onUnexpectedEnd) throws IOException {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(program.jvmOptions());
    // Made by the build, see Rehearsal. A JVM that it doesn't fit, or is not there, does without.
    String archive = System.getProperty("tideover.archive");
    if (archive != null) {
      command.add("-XX:SharedArchiveFile=" + archive);
    }
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(Tether.class.getName());
    command.add(program.mainClass());
    command.addAll(program.arguments());

    Path log = directory.resolve(program.name().replace(' ', '-') + ".log");
    var lines = new HashMap<String, CompletableFuture<String>>();
    program.linesToAwait().forEach(start -> lines.put(start, new CompletableFuture<>()));
    Process process =
        new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true).start();
    var child = new ChildProcess(program.name(), process, log, Map.copyOf(lines), onUnexpectedEnd);
    var reader = new Thread(child::copyOutput, program.name() + " output");
    reader.setDaemon(true);
    reader.start();
    return child;
  }

  String name() {
    return name;
  }

  long pid() {
    return process.pid();
  }

  /** The first line of output that begins so; it must be one of the program's lines to await. */
  CompletableFuture<String> line(String start) {
    return Objects.requireNonNull(lines.get(start), start);
  }

  /** Says that the process may end from now on, by whatever cause. */
  void expectEnd() {
    endExpected = true;
  }

  /** Asks the process to end (SIGTERM). */
  void stop() {
    expectEnd();
    handle.destroy();
  }

  /** Kills the process (SIGKILL). */
  void kill() {
    expectEnd();
    handle.destroyForcibly();
  }

  /** The exit code, once the process has ended. */
  CompletableFuture<Integer> exitCode() {
    return process.onExit().thenApply(Process::exitValue);
  }

  /** Asks the process to end and kills it where it doesn't within the time. */
  void end(Duration patience) throws InterruptedException {
    expectEnd();
    handle.destroy();
    if (!process.waitFor(patience.toMillis(), TimeUnit.MILLISECONDS)) {
      handle.destroyForcibly();
      process.waitFor(patience.toMillis(), TimeUnit.MILLISECONDS);
    }
  }

  /** The last lines of the output, for an error message. */
  String tail() {
    try {
      List<String> all =
          new String(Files.readAllBytes(log), StandardCharsets.UTF_8).lines().toList();
      List<String> last = all.subList(Math.max(0, all.size() - TAIL_LINES), all.size());
      return "The end of its log (" + log + "):\n  " + String.join("\n  ", last);
    } catch (IOException e) {
      return "Its log " + log + " can't be read: " + e.getMessage();
    }
  }

  private void copyOutput() {
    try (BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
        BufferedWriter file = Files.newBufferedWriter(log)) {
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        file.write(line);
        file.newLine();
        file.flush();
        announce(line);
      }
    } catch (IOException e) {
      // The process was killed in the middle of a line, or the disk is full: its exit tells more.
      handle.destroy();
    }
    // Only now is the log complete, so the message below has all of it.
    int exitCode = exitCode().join();
    if (!endExpected) {
      onUnexpectedEnd.accept(
          new DemoException(
              "The " + name + " ended unexpectedly with exit code " + exitCode + ". " + tail()));
    }
  }

  private void announce(String line) {
    lines.forEach(
        (start, future) -> {
          if (line.startsWith(start)) {
            future.complete(line);
          }
        });
  }
}
