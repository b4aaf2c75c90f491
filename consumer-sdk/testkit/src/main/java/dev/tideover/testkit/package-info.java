/**
 * A real Apache Kafka for tests and demos, three ways: in this JVM ({@link
 * dev.tideover.testkit.KafkaBroker}), as a process that can be killed and frozen ({@link
 * dev.tideover.testkit.BrokerProcess}, also {@code ./tideover broker}), and handed to JUnit 5 tests
 * with topics and clients ({@link dev.tideover.testkit.KafkaTest}).
 *
 * <p>One node, for loopback only, without security: not for production.
 */
@NullMarked
package dev.tideover.testkit;

import org.jspecify.annotations.NullMarked;
