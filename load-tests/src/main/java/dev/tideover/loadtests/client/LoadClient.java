package dev.tideover.loadtests.client;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * The client's process: one line in ({@link Load#toLine}), one round of load, one line out ({@link
 * Measurement#toLine}, or {@code FAILED} and why). It lives through all rounds so that its own code
 * is warm in every one of them, and ends with its input.
 */
public final class LoadClient {

  /** Printed once, when the process takes lines. */
  public static final String READY = "READY";

  /** Begins the answer to a line that could not be carried out. */
  public static final String FAILED = "FAILED ";

  /** Reads lines until the input ends. */
  public static void main(String[] args) throws IOException {
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    System.out.println(READY);
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      System.out.println(answer(line));
    }
  }

  private static String answer(String line) {
    try {
      return ClosedLoop.run(Load.parse(line)).toLine();
    } catch (IOException | IllegalArgumentException e) {
      return FAILED + e.getClass().getSimpleName() + ": " + e.getMessage();
    }
  }

  private LoadClient() {}
}
