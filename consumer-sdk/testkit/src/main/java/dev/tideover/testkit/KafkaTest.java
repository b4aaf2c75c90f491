package dev.tideover.testkit;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A JUnit 5 (5.13 or newer) test class whose constructor and methods may take a {@link TestKafka}.
 * All such classes of a run share one broker.
 *
 * <pre>{@code
 * @KafkaTest
 * class OrdersTest {
 *   @Test
 *   void keepsRecords(TestKafka kafka) {
 *     String topic = kafka.createTopic(kafka.uniqueName("orders"), 3);
 *     kafka.produce(new ProducerRecord<>(topic, "key".getBytes(UTF_8), "value".getBytes(UTF_8)));
 *     assertThat(kafka.readAll(topic)).hasSize(1);
 *   }
 * }
 * }</pre>
 *
 * <p>By default the broker runs in this JVM. With {@code -Dtideover.kafka=testcontainers} it is a
 * container ({@code apache/kafka:4.4.0}, another by {@code -Dtideover.kafka.image=NAME}), which
 * needs {@code org.testcontainers:testcontainers-kafka} on the class path and a Docker Engine.
 * Where none answers the tests are skipped, or fail if the environment has {@code CI=true}.
 */
@Documented
@Inherited
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(KafkaExtension.class)
public @interface KafkaTest {}
