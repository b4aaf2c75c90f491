package dev.tideover.loadtests.bench;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A process of the benchmark. What it prints goes to a log file; its lines on standard output can
 * be waited for. It is ended by its own handle, never by name. The queue of lines is the only thing
 * that two threads share.
 */
public final class Child implements AutoCloseable {

  private static final int QUEUED_LINES = 1000;
  private static final int SHOWN_LINES = 12;
  private static final Duration STOP_BOUND = Duration.ofSeconds(10);

  private final String name;
  private final Path log;
  private final Process process;
  private final BufferedWriter input;
  private final BlockingQueue<String> lines = new ArrayBlockingQueue<>(QUEUED_LINES);

  private Child(String name, Path log, Process process) {
    this.name = name;
    this.log = log;
    this.process = process;
    this.input = process.outputWriter(StandardCharsets.UTF_8);
  }

  /**
   * Starts a process.
   *
   * @param directory where its log goes, as {@code name.log}
   * @throws BenchException if there is no such program
   */
  public static Child start(String name, Path directory, List<String> command)
      throws BenchException {
    Path log = directory.resolve(name + ".log");
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectError(directory.resolve(name + ".err.log").toFile())
              .start();
      Child child = new Child(name, log, process);
      Thread reader = new Thread(child::read, "output-of-" + name);
      reader.setDaemon(true);
      reader.start();
      return child;
    } catch (IOException e) {
      throw new BenchException(name + " could not be started: " + e.getMessage(), e);
    }
  }

  private void read() {
    try (BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
        Writer copy = Files.newBufferedWriter(log)) {
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        copy.write(line + System.lineSeparator());
        copy.flush();
        // Full only where nobody waits for lines; then the log has them and that is enough.
        boolean unused = lines.offer(line);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Waits for a line.
   *
   * @param prefix how it begins
   * @return what follows the prefix
   * @throws BenchException if it does not come in time or the process ends before
   */
  public String await(String prefix, Duration bound) throws BenchException, InterruptedException {
    long until = System.nanoTime() + bound.toNanos();
    while (System.nanoTime() < until) {
      String line = lines.poll(50, TimeUnit.MILLISECONDS);
      if (line == null && !process.isAlive() && lines.isEmpty()) {
        throw failed("ended with exit code " + process.exitValue());
      }
      if (line != null && line.startsWith(prefix)) {
        return line.substring(prefix.length());
      }
    }
    throw failed("did not print '" + prefix + "' within " + bound.toSeconds() + " s");
  }

  /** Sends one line to its standard input. */
  public void send(String line) throws BenchException {
    try {
      input.write(line + "\n");
      input.flush();
    } catch (IOException e) {
      throw failed("takes no more input (" + e.getMessage() + ")");
    }
  }

  /** Waits for its end. */
  public boolean endsWithin(Duration bound) throws InterruptedException {
    return process.waitFor(bound.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Asks it to end, with SIGTERM. */
  public void terminate() {
    process.destroy();
  }

  /** Ends it with SIGKILL. */
  public void kill() {
    process.destroyForcibly();
  }

  /** Its exit code, once it has ended. */
  public int exitCode() {
    return process.exitValue();
  }

  /** The operating system's number for it. */
  public long pid() {
    return process.pid();
  }

  /** Whether it runs. */
  public boolean isAlive() {
    return process.isAlive();
  }

  /** The processor time that it has used since its start. */
  public Duration cpu() {
    return process.info().totalCpuDuration().orElse(Duration.ZERO);
  }

  /** An exception that names the process and shows the end of what it printed. */
  public BenchException failed(String what) {
    return new BenchException(
        "The process '" + name + "' " + what + ". Its last lines:\n" + tail() + "\nLog: " + log);
  }

  private String tail() {
    StringBuilder text = new StringBuilder();
    for (Path file : List.of(log, log.resolveSibling(name + ".err.log"))) {
      try {
        List<String> all = Files.readAllLines(file);
        all.subList(Math.max(0, all.size() - SHOWN_LINES), all.size())
            .forEach(line -> text.append("  | ").append(line).append('\n'));
      } catch (IOException e) {
        text.append("  (").append(file).append(" can't be read)\n");
      }
    }
    return text.toString().stripTrailing();
  }

  /** Asks it to end, and ends it after ten seconds. */
  @Override
  public void close() {
    process.destroy();
    try {
      if (!endsWithin(STOP_BOUND)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
