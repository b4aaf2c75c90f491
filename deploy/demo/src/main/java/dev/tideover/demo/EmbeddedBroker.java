package dev.tideover.demo;

import dev.tideover.gateway.cli.EmbeddedKafka;
import dev.tideover.testkit.BrokerException;
import dev.tideover.testkit.KafkaBroker;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The broker of {@code tideover serve --embedded}: the testkit's, which is a real Kafka. */
public final class EmbeddedBroker implements EmbeddedKafka {

  /** For {@code ServiceLoader}. */
  public EmbeddedBroker() {}

  @Override
  public AutoCloseable start(int port, @Nullable Path data) {
    KafkaBroker.Builder builder = KafkaBroker.builder().port(port);
    if (data != null) {
      builder.dataDirectory(data);
    }
    try {
      return builder.start();
    } catch (BrokerException e) {
      throw new IllegalStateException(e.getMessage(), e);
    }
  }
}
