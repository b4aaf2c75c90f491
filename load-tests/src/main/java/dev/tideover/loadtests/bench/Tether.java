package dev.tideover.loadtests.bench;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;

/**
 * Runs another program's main class, and ends it with this process's input: a program that knows
 * nothing of the benchmark can't outlive it, however the benchmark ends.
 */
public final class Tether {

  /** Takes the name of the main class and its arguments. */
  public static void main(String[] args) throws Throwable {
    Thread watcher = new Thread(Tether::exitAtEndOfInput, "tether");
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

  private static void exitAtEndOfInput() {
    try {
      while (System.in.read() >= 0) {
        // What is sent has no meaning; only the end has.
      }
    } catch (IOException e) {
      System.err.println("The input can't be read (" + e.getMessage() + "): ending.");
    }
    System.exit(0);
  }

  private Tether() {}
}
