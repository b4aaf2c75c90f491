package dev.tideover.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicExistsException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/** Runs against a container too, with {@code -Dtideover.kafka=testcontainers}. */
@KafkaTest
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class KafkaExtensionTest {

  private static TestKafka ofTheClass;
  private static TestKafka ofTheFirstTest;
  private static Producer<byte[], byte[]> itsProducer;

  @BeforeAll
  static void takeOneForTheClass(TestKafka kafka) {
    ofTheClass = kafka;
    kafka.admin();
  }

  @Test
  @Order(1)
  void givesTopicsAndClients(TestKafka kafka) {
    ofTheFirstTest = kafka;
    itsProducer = kafka.producer();
    String topic = kafka.createTopic(kafka.uniqueName("orders"), 2);
    kafka.produce(new ProducerRecord<>(topic, 1, "k".getBytes(UTF_8), "v".getBytes(UTF_8)));

    Consumer<byte[], byte[]> consumer = kafka.consumer(kafka.uniqueName("group"));
    consumer.subscribe(List.of(topic));
    long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    var records = consumer.poll(Duration.ofSeconds(1));
    while (records.isEmpty() && System.nanoTime() < deadline) {
      records = consumer.poll(Duration.ofSeconds(1));
    }

    assertThat(records.records(new TopicPartition(topic, 1))).hasSize(1);
  }

  @Test
  @Order(2)
  void closesTheClientsOfATestWithItAndThoseOfTheClassLater(TestKafka kafka) throws Exception {
    assertThat(kafka).isNotSameAs(ofTheClass).isNotSameAs(ofTheFirstTest);
    assertThat(kafka.bootstrapServers()).isEqualTo(ofTheClass.bootstrapServers());

    assertThatThrownBy(() -> itsProducer.send(new ProducerRecord<>("any", new byte[0])))
        .isInstanceOf(IllegalStateException.class);
    Admin admin = ofTheClass.admin();
    assertThat(admin.describeCluster().nodes().get()).hasSize(1);
  }

  @Test
  void saysThatATopicExists(TestKafka kafka) {
    String topic = kafka.createTopic(kafka.uniqueName("orders"), 1);

    assertThatThrownBy(() -> kafka.createTopic(topic, 1)).isInstanceOf(TopicExistsException.class);
  }

  @Test
  void readsToTheEndOverGapsThatTransactionsLeave(TestKafka kafka) {
    String topic = kafka.createTopic(kafka.uniqueName("orders"), 1);
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", kafka.bootstrapServers());
    settings.put("transactional.id", kafka.uniqueName("tx"));
    var bytes = new org.apache.kafka.common.serialization.ByteArraySerializer();
    try (var producer =
        new org.apache.kafka.clients.producer.KafkaProducer<>(settings, bytes, bytes)) {
      producer.initTransactions();
      producer.beginTransaction();
      producer.send(new ProducerRecord<>(topic, 0, null, "in".getBytes(UTF_8)));
      producer.commitTransaction();
    }

    assertThat(kafka.readAll(topic)).hasSize(1);
  }
}
