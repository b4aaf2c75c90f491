package dev.tideover.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KafkaBrokerTest {

  @TempDir Path directory;

  @Test
  void takesRecordsAndGivesThemBack() {
    try (KafkaBroker broker = KafkaBroker.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      String topic = kafka.createTopic("orders", 2);
      kafka.produce(record(topic, 0, "a"), record(topic, 1, "b"), record(topic, 0, "c"));

      assertThat(kafka.readAll(topic))
          .extracting(record -> new String(record.value(), UTF_8))
          .containsExactly("a", "c", "b");
    }
  }

  @Test
  void twoRunAtOnceAndKnowNothingOfEachOther() {
    try (KafkaBroker one = KafkaBroker.start();
        KafkaBroker other = KafkaBroker.start();
        TestKafka kafka = TestKafka.at(one.bootstrapServers());
        TestKafka otherKafka = TestKafka.at(other.bootstrapServers())) {
      kafka.createTopic("orders", 1);
      otherKafka.createTopic("orders", 3);

      kafka.produce(record("orders", 0, "a"));

      assertThat(kafka.readAll("orders")).hasSize(1);
      assertThat(otherKafka.readAll("orders")).isEmpty();
      assertThat(one.port()).isNotEqualTo(other.port());
    }
  }

  @Test
  void temporaryDataIsGoneAfterClose() {
    KafkaBroker broker = KafkaBroker.start();
    assertThat(broker.dataDirectory()).isNotEmptyDirectory();

    broker.close();
    broker.close();

    assertThat(broker.dataDirectory()).doesNotExist();
  }

  @Test
  void givenDataIsKeptAndFoundAgain() {
    Path data = directory.resolve("a/new/place");
    int port;
    try (KafkaBroker broker = KafkaBroker.builder().dataDirectory(data).start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      port = broker.port();
      kafka.createTopic("orders", 1);
      kafka.produce(record("orders", 0, "kept"));
    }

    try (KafkaBroker broker = KafkaBroker.builder().port(port).dataDirectory(data).start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      assertThat(broker.port()).isEqualTo(port);
      assertThat(kafka.readAll("orders")).hasSize(1);
    }
  }

  @Test
  void takenPortIsNamedWithWhatToDo() throws Exception {
    try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      int port = other.getLocalPort();

      assertThatThrownBy(() -> KafkaBroker.builder().port(port).start())
          .isInstanceOf(BrokerException.class)
          .hasMessageContaining("port " + port)
          .hasMessageContaining("choose another port");
    }
  }

  @Test
  void dataInUseByAnotherBrokerIsRefused() {
    try (KafkaBroker broker = KafkaBroker.builder().dataDirectory(directory).start()) {
      assertThatThrownBy(() -> KafkaBroker.builder().dataDirectory(broker.dataDirectory()).start())
          .isInstanceOf(BrokerException.class)
          .hasMessageContaining("Another broker is running on the data in " + directory);
    }
  }

  @Test
  void directoryWithSomethingElseIsLeftAlone() throws Exception {
    Path file = Files.writeString(directory.resolve("thesis.txt"), "precious");

    assertThatThrownBy(() -> KafkaBroker.builder().dataDirectory(directory).start())
        .isInstanceOf(BrokerException.class)
        .hasMessageContaining("something other than Kafka's data");
    assertThat(directory.toFile().list()).containsExactly("thesis.txt");
    assertThat(file).hasContent("precious");
  }

  @Test
  void wrongPropertyIsNamedAndNothingIsLeftBehind() {
    KafkaBroker.Builder builder = KafkaBroker.builder().property("num.io.threads", "many");

    assertThatThrownBy(builder::start)
        .isInstanceOf(BrokerException.class)
        .hasMessageContaining("num.io.threads");
  }

  @Test
  void unknownTopicsAreNotCreatedByUse() {
    try (KafkaBroker broker = KafkaBroker.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      for (int attempt = 1; attempt <= 2; attempt++) {
        assertThatThrownBy(() -> kafka.readAll("typo")).hasMessageContaining("no topic typo");
      }
    }
  }

  private static ProducerRecord<byte[], byte[]> record(String topic, int partition, String value) {
    return new ProducerRecord<>(topic, partition, null, value.getBytes(UTF_8));
  }
}
