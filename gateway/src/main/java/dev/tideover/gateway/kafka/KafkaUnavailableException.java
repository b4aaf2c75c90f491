package dev.tideover.gateway.kafka;

import org.jspecify.annotations.Nullable;

/** Kafka can't be used as the configuration says. The message is for the operator, complete. */
public final class KafkaUnavailableException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public KafkaUnavailableException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
