package dev.tideover.loadtests.bench;

import dev.tideover.testkit.KafkaBroker;
import java.io.IOException;

/**
 * The broker's process: prints {@code READY} and its bootstrap servers, and ends with its input, so
 * that it never outlives who started it.
 */
public final class BrokerMain {

  /** Begins the line that says where it listens. */
  public static final String READY = "READY ";

  /** Runs until the input ends. */
  public static void main(String[] args) throws IOException {
    KafkaBroker broker = KafkaBroker.start();
    try {
      System.out.println(READY + broker.bootstrapServers());
      while (System.in.read() >= 0) {
        // What is sent has no meaning; only the end has.
      }
    } finally {
      broker.close();
    }
  }

  private BrokerMain() {}
}
