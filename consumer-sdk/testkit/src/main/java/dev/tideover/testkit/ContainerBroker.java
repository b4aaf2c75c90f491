package dev.tideover.testkit;

import org.jspecify.annotations.Nullable;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.kafka.KafkaContainer;
import org.testcontainers.utility.DockerImageName;

/** Testcontainers' Kafka. Loaded only when it is asked for, since the library is optional. */
final class ContainerBroker implements KafkaExtension.Broker {

  private static final String IMAGE = "tideover.kafka.image";
  private static final String DEFAULT_IMAGE = "apache/kafka:4.4.0";

  private final KafkaContainer container;

  private ContainerBroker(KafkaContainer container) {
    this.container = container;
  }

  /** Why no container can be started, or null. */
  static @Nullable String problem() {
    return DockerClientFactory.instance().isDockerAvailable()
        ? null
        : "No Docker Engine answers, so there is no Kafka container to test with. Start one, or"
            + " leave out -Dtideover.kafka=testcontainers to use the broker in this JVM.";
  }

  @SuppressWarnings("resource") // the caller closes it
  static KafkaExtension.Broker start() {
    DockerImageName image =
        DockerImageName.parse(System.getProperty(IMAGE, DEFAULT_IMAGE))
            .asCompatibleSubstituteFor("apache/kafka");
    KafkaContainer container =
        new KafkaContainer(image)
            // As the broker in this JVM has it: a typo in a topic's name should fail.
            .withEnv("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false");
    container.start();
    return new ContainerBroker(container);
  }

  @Override
  public String bootstrapServers() {
    return container.getBootstrapServers();
  }

  @Override
  public void close() {
    container.stop();
  }
}
