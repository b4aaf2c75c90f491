package dev.tideover.loadtests.bench;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * The processes of a run: each with its logs in the run's directory, all ended with it. Safe for
 * any thread; a shutdown hook may close it.
 */
public final class Processes implements AutoCloseable {

  private final Path directory;

  /** Guarded by itself, as {@link #closed}; the latest first. */
  private final Deque<AutoCloseable> started = new ArrayDeque<>();

  private boolean closed;

  /** None yet; their logs go to the directory. */
  public Processes(Path directory) {
    this.directory = directory;
  }

  /** Where the logs are. */
  public Path directory() {
    return directory;
  }

  /**
   * Starts one in Java.
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
    return start(name, command);
  }

  /**
   * Starts one.
   *
   * @throws BenchException if it can't be started, or all have been ended already
   */
  public Child start(String name, List<String> command) throws BenchException {
    synchronized (started) {
      if (closed) {
        throw new BenchException("The run is at its end, " + name + " isn't started any more.");
      }
      Child child = Child.start(name, directory, command);
      started.push(child);
      return child;
    }
  }

  /** Ends something else with the processes, in its turn. */
  public <T extends AutoCloseable> T add(T other) {
    synchronized (started) {
      started.push(other);
    }
    return other;
  }

  /**
   * Ports that were free a moment ago, for what takes no port 0 or must have its own again after a
   * restart.
   */
  public static List<Integer> freePorts(int count) throws BenchException {
    List<ServerSocket> sockets = new ArrayList<>();
    try {
      for (int i = 0; i < count; i++) {
        sockets.add(new ServerSocket(0, 1, InetAddress.getLoopbackAddress()));
      }
      List<Integer> free = sockets.stream().map(ServerSocket::getLocalPort).toList();
      for (ServerSocket socket : sockets) {
        socket.close();
      }
      return free;
    } catch (IOException e) {
      throw new BenchException("No free port: " + e.getMessage(), e);
    }
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

  /** Ends all of them, the latest first; those that have ended already are no matter. */
  @Override
  public void close() {
    List<AutoCloseable> all;
    synchronized (started) {
      closed = true;
      all = List.copyOf(started);
      started.clear();
    }
    for (AutoCloseable each : all) {
      try {
        each.close();
      } catch (Exception e) {
        System.err.println("A process of the run did not end cleanly: " + e);
      }
    }
  }
}
