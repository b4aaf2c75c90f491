package dev.tideover.loadtests.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Locale;
import java.util.stream.Stream;

/** What every command of this module does around its run. Stateless. */
public final class Run {

  /** The run itself. */
  @FunctionalInterface
  public interface Body {

    /** Whether all was well. */
    boolean in(Path directory) throws BenchException, InterruptedException, IOException;
  }

  /**
   * Runs in a temporary directory, which stays only where something was wrong.
   *
   * @return the command's exit code: 0 or 1
   */
  public static int inDirectory(Body body) throws InterruptedException, IOException {
    Path directory = Files.createTempDirectory("tideover-bench-");
    boolean clean = false;
    try {
      clean = body.in(directory);
    } catch (BenchException e) {
      System.err.println(e.getMessage());
    } finally {
      if (clean) {
        delete(directory);
      } else {
        System.err.println("The processes' logs are kept in " + directory);
      }
    }
    return clean ? 0 : 1;
  }

  /** Says so where the machine has something else to do. */
  public static void warnIfBusy(PrintStream out) {
    double busy = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
    if (busy > Runtime.getRuntime().availableProcessors() / 2.0) {
      out.printf(
          Locale.ROOT,
          "The machine is busy with something else (load average %.1f): its figures are lower than"
              + " they could be, and the ratios less sure.%n",
          busy);
    }
  }

  private static void delete(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  private Run() {}
}
