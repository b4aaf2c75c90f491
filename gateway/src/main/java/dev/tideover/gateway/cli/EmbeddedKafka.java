package dev.tideover.gateway.cli;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Brings a Kafka along for {@code tideover serve --embedded}; found by {@code ServiceLoader}. An
 * installation for production has none, and so no broker's code.
 */
public interface EmbeddedKafka {

  /**
   * Starts a broker in this process, on the loopback address; returns when clients can use it.
   *
   * @param port where it listens
   * @param data its directory, kept; null for a temporary one
   * @return closes the broker
   * @throws IllegalStateException if it can't start; the message is for the user
   */
  AutoCloseable start(int port, @Nullable Path data);
}
