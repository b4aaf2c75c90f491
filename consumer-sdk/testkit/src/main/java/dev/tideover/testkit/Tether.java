package dev.tideover.testkit;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.time.Duration;
import java.util.Arrays;

/**
 * Ends a process when its parent ends, however that ends, SIGKILL included. The child's standard
 * input is a pipe whose other end only the parent holds; the operating system closes it with the
 * parent, and then reading gives end of file. So the parent must not pass that pipe on, and the
 * child must not read its input otherwise.
 *
 * <p>Its {@link #main} runs a program that knows nothing of this.
 */
public final class Tether {

  private static final Duration CLEAN_EXIT = Duration.ofSeconds(5);

  /**
   * Runs {@code args[0]} with the remaining arguments. With the input's end the process gets 5 s
   * for its shutdown hooks and has exit code 1.
   *
   * @param args the main class's name, then its arguments
   * @throws Throwable what that class's main method throws
   */
  public static void main(String[] args) throws Throwable {
    attach(1, CLEAN_EXIT, () -> {});
    try {
      Method program = Class.forName(args[0]).getMethod("main", String[].class);
      program.setAccessible(true); // as with java's own launcher, its class needn't be public
      program.invoke(null, (Object) Arrays.copyOfRange(args, 1, args.length));
    } catch (InvocationTargetException e) {
      throw e.getCause() == null ? e : e.getCause();
    }
  }

  /**
   * From now on this JVM exits when its standard input ends. Returns at once.
   *
   * @param status the exit code
   * @param bound how long shutdown hooks may take; then the JVM is halted with code 1
   * @param before run ahead of the shutdown hooks, on a thread of this class
   */
  public static void attach(int status, Duration bound, Runnable before) {
    daemon("tether", () -> exitAtEndOfInput(status, bound, before));
  }

  private static void exitAtEndOfInput(int status, Duration bound, Runnable before) {
    try {
      while (System.in.read() >= 0) {
        // What is sent has no meaning; only the end has.
      }
    } catch (IOException e) {
      // A broken pipe is an end as well.
    }
    before.run();
    // Shutdown hooks get their time, but one that hangs must not keep the process.
    Thread exit = daemon("tether-exit", () -> System.exit(status));
    try {
      exit.join(bound.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Runtime.getRuntime().halt(1);
  }

  private static Thread daemon(String name, Runnable body) {
    Thread thread = new Thread(body, name);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  private Tether() {}
}
