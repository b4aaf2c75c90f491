package dev.tideover.demo;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;

/**
 * Runs another main class in a child process of the demo, and ends the process when the demo ends,
 * however it ends.
 *
 * <p>The child's standard input is a pipe whose other end only the demo holds. The operating system
 * closes that end even when the demo is killed with SIGKILL, and then reading gives end of file.
 */
final class ChildLauncher {
  private static final long CLEAN_EXIT_MILLIS = 5_000;

  private ChildLauncher() {}

  /**
   * Runs {@code args[0]} with the remaining arguments.
   *
   * @param args the main class's name, then its arguments
   */
  public static void main(String[] args) throws Throwable {
    var watcher = new Thread(ChildLauncher::exitWithParent, "parent-watcher");
    watcher.setDaemon(true);
    watcher.start();
    try {
      Class.forName(args[0])
          .getMethod("main", String[].class)
          .invoke(null, (Object) Arrays.copyOfRange(args, 1, args.length));
    } catch (InvocationTargetException e) {
      throw e.getCause() == null ? e : e.getCause();
    }
  }

  private static void exitWithParent() {
    try {
      while (System.in.read() >= 0) {
        // Nobody writes; only the end matters.
      }
    } catch (IOException e) {
      // A broken pipe is an end as well.
    }
    // Shutdown hooks get their time, but a hook that hangs must not keep the process.
    var exit = new Thread(() -> System.exit(1), "exit");
    exit.setDaemon(true);
    exit.start();
    try {
      exit.join(CLEAN_EXIT_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Runtime.getRuntime().halt(1);
  }
}
