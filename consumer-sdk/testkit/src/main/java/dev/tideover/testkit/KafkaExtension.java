package dev.tideover.testkit;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionConfigurationException;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Gives tests a {@link TestKafka}; see {@link KafkaTest}. The broker is started by the first test
 * that takes one and closed at the end of the run. What a method was given is closed after it, what
 * a constructor or a method for the whole class was given after the class.
 */
public final class KafkaExtension implements ParameterResolver, ExecutionCondition {

  private static final String MODE = "tideover.kafka";
  private static final String EMBEDDED = "embedded";
  private static final String TESTCONTAINERS = "testcontainers";
  private static final Namespace NAMESPACE = Namespace.create(KafkaExtension.class);

  /** The one broker of a run. */
  interface Broker extends AutoCloseable {

    String bootstrapServers();

    @Override
    void close();
  }

  /** Made by JUnit. */
  public KafkaExtension() {}

  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    String mode = mode();
    if (!mode.equals(TESTCONTAINERS)) {
      return ConditionEvaluationResult.enabled("Kafka runs in this JVM");
    }
    String problem = containerProblem();
    if (problem == null) {
      return ConditionEvaluationResult.enabled("Kafka runs in a container");
    }
    if ("true".equals(System.getenv("CI"))) {
      throw new ExtensionConfigurationException(
          problem + " Since CI=true, that is a failure and no reason to skip.");
    }
    return ConditionEvaluationResult.disabled(problem);
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    return parameter.getParameter().getType() == TestKafka.class;
  }

  @Override
  public TestKafka resolveParameter(ParameterContext parameter, ExtensionContext context) {
    Broker broker =
        context
            .getRoot()
            .getStore(NAMESPACE)
            .getOrComputeIfAbsent(Broker.class, key -> startBroker(), Broker.class);
    // The id is part of the key because a store also looks into its parents': a method is not to
    // get what its class has, which would then be closed too late.
    return context
        .getStore(NAMESPACE)
        .getOrComputeIfAbsent(
            context.getUniqueId(), key -> TestKafka.at(broker.bootstrapServers()), TestKafka.class);
  }

  private static String mode() {
    String mode = System.getProperty(MODE, EMBEDDED);
    if (!mode.equals(EMBEDDED) && !mode.equals(TESTCONTAINERS)) {
      throw new ExtensionConfigurationException(
          "-D%s=%s is unknown; choose %s or %s.".formatted(MODE, mode, EMBEDDED, TESTCONTAINERS));
    }
    return mode;
  }

  /** Why there can be no container, or null. Everything of Testcontainers is behind this line. */
  private static @Nullable String containerProblem() {
    try {
      return ContainerBroker.problem();
    } catch (NoClassDefFoundError e) {
      return "-D%s=%s needs org.testcontainers:testcontainers-kafka among the test dependencies."
          .formatted(MODE, TESTCONTAINERS);
    }
  }

  private static Broker startBroker() {
    return mode().equals(TESTCONTAINERS) ? ContainerBroker.start() : new EmbeddedBroker();
  }

  private static final class EmbeddedBroker implements Broker {

    private final KafkaBroker broker = KafkaBroker.start();

    @Override
    public String bootstrapServers() {
      return broker.bootstrapServers();
    }

    @Override
    public void close() {
      broker.close();
    }
  }
}
