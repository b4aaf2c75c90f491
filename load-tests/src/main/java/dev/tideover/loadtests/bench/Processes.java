package dev.tideover.loadtests.bench;

import java.io.File;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * The Java processes of a run: each with its logs in the run's directory, all ended with it. Safe
 * for any thread; a shutdown hook may close it.
 */
public final class Processes implements AutoCloseable {

  private final Path directory;

  /** Guarded by itself; the latest first. */
  private final Deque<Child> children = new ArrayDeque<>();

  /** None yet; their logs go to the directory. */
  public Processes(Path directory) {
    this.directory = directory;
  }

  /** Where the logs are. */
  public Path directory() {
    return directory;
  }

  /**
   * Starts one.
   *
   * @param flags of its JVM
   * @param mainAndArguments the main class's name, then its arguments
   * @throws BenchException if it can't be started
   */
  public Child start(String name, String classPath, List<String> flags, String... mainAndArguments)
      throws BenchException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(flags);
    command.addAll(List.of("-Dlogback.configurationFile=logback-bench.xml", "-cp", classPath));
    command.addAll(List.of(mainAndArguments));
    Child child = Child.start(name, directory, command);
    synchronized (children) {
      children.push(child);
    }
    return child;
  }

  /** The benchmark's own class path: for bare programs and the broker. */
  public static String ownClassPath() {
    return System.getProperty("java.class.path");
  }

  /**
   * Tideover's own class path; of the benchmark it has only this module's classes, none of its
   * libraries.
   *
   * @param root the project's directory
   */
  public static String tideoverClassPath(Path root) throws BenchException {
    Path built = root.resolve("deploy/demo/target");
    try {
      Path own =
          Path.of(Processes.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      return String.join(
          File.pathSeparator,
          built.resolve("classes").toString(),
          built.resolve("lib").resolve("*").toString(),
          own.toString());
    } catch (URISyntaxException e) {
      throw new BenchException("The benchmark can't find its own classes: " + e.getMessage(), e);
    }
  }

  /** Ends all of them, the latest first. */
  @Override
  public void close() {
    List<Child> all;
    synchronized (children) {
      all = List.copyOf(children);
      children.clear();
    }
    all.forEach(Child::close);
  }
}
