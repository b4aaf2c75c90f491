package dev.tideover.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BrokerProcessTest {

  @Test
  void acknowledgedRecordsSurviveSigkillAndRestart() {
    try (BrokerProcess broker = BrokerProcess.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      long firstPid = broker.pid();
      String topic = kafka.createTopic("orders", 1);
      kafka.produce(record(topic, "before"));

      broker.kill();
      assertThat(broker.isAlive()).isFalse();
      broker.restart();

      kafka.produce(record(topic, "after"));
      assertThat(broker.pid()).isNotEqualTo(firstPid);
      assertThat(kafka.readAll(topic))
          .extracting(record -> new String(record.value(), UTF_8))
          .containsExactly("before", "after");
    }
  }

  @Test
  void frozenBrokerAcknowledgesNothingUntilThawed() throws Exception {
    try (BrokerProcess broker = BrokerProcess.start();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      String topic = kafka.createTopic("orders", 1);
      kafka.produce(record(topic, "warm"));

      broker.freeze();
      Future<RecordMetadata> send = kafka.producer().send(record(topic, "held"));
      assertThatThrownBy(() -> send.get(1, TimeUnit.SECONDS)).isInstanceOf(TimeoutException.class);
      assertThat(broker.isAlive()).isTrue();

      broker.thaw();
      assertThat(send.get(20, TimeUnit.SECONDS).offset()).isEqualTo(1);
    }
  }

  @Test
  void frozenBrokerCanBeClosed() {
    BrokerProcess broker = BrokerProcess.start();
    broker.freeze();

    broker.close();

    assertThat(broker.isAlive()).isFalse();
    assertThat(broker.dataDirectory()).doesNotExist();
  }

  @Test
  void runningBrokerRestartsOnTheSamePortAndData(@TempDir Path data) {
    try (BrokerProcess broker = KafkaBroker.builder().dataDirectory(data).startProcess();
        TestKafka kafka = TestKafka.at(broker.bootstrapServers())) {
      String topic = kafka.createTopic("orders", 1);
      kafka.produce(record(topic, "kept"));
      int port = broker.port();

      broker.restart();

      assertThat(broker.port()).isEqualTo(port);
      assertThat(kafka.readAll(topic)).hasSize(1);
    }
    assertThat(data).isNotEmptyDirectory();
  }

  @Test
  void failedStartShowsWhatTheProcessSaid() {
    try (BrokerProcess broker = BrokerProcess.start()) {
      KafkaBroker.Builder samePort = KafkaBroker.builder().port(broker.port());

      assertThatThrownBy(samePort::startProcess)
          .isInstanceOf(BrokerException.class)
          .hasMessageContaining("ended before it was ready")
          .hasMessageContaining("can't listen on port " + broker.port());
    }
  }

  private static ProducerRecord<byte[], byte[]> record(String topic, String value) {
    return new ProducerRecord<>(topic, 0, null, value.getBytes(UTF_8));
  }
}
