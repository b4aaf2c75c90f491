package dev.tideover.loadtests.drain;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.RequestCodec;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import dev.tideover.wire.WireHeaders;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the benchmark writes, and that it sees what a contender loses or repeats. */
@KafkaTest
@Timeout(120)
class TallyTest {

  private static final int RECORDS = 100;

  @Test
  void theRequestsAreWhatAGatewayWrites(TestKafka kafka) throws Exception {
    Preload preload = preload(kafka);
    List<ConsumerRecord<byte[], byte[]>> records = kafka.readAll(preload.service() + ".requests");
    assertThat(records).hasSize(RECORDS);
    for (ConsumerRecord<byte[], byte[]> record : records) {
      RequestEnvelope request = RequestCodec.decode(record);
      assertThat(request.orderingKey()).isEqualTo(Keys.MANY.of(preload.numberOf(request.id())));
      assertThat(request.replyTo().topic()).isEqualTo(preload.replyTopic());
      assertThat(request.body()).hasSize(50);
    }
  }

  @Test
  void whatIsLostOrRepeatedOrForeignIsCounted(TestKafka kafka) throws Exception {
    Preload preload = preload(kafka);
    kafka.createTopic(preload.replyTopic(), 12, Map.of("message.timestamp.type", "LogAppendTime"));
    List<RequestId> ids =
        kafka.readAll(preload.service() + ".requests").stream()
            .map(record -> record.headers().lastHeader(WireHeaders.ID).value())
            .map(id -> RequestId.parse(new String(id, StandardCharsets.UTF_8)))
            .sorted(Comparator.comparing(RequestId::low))
            .toList();
    for (RequestId id : ids.subList(3, RECORDS)) {
      kafka.produce(reply(preload, id));
    }
    kafka.produce(
        reply(preload, ids.get(50)),
        reply(preload, ids.get(51)),
        reply(preload, RequestId.random()));
    try (Tally tally =
        new Tally(
            kafka.bootstrapServers(), preload.replyTopic(), preload, n -> n > 0, n -> n > 90)) {
      tally.read();
      assertThat(tally.lost()).isEqualTo(2);
      assertThat(tally.duplicates()).isEqualTo(2);
      assertThat(tally.strangers()).isEqualTo(1);
      assertThat(tally.answered()).isEqualTo(RECORDS - 3);
      assertThat(tally.perSecond()).isGreaterThan(0);
      assertThat(tally.ordinaryPerSecond()).isBetween(0.001, tally.perSecond());
    }
  }

  private static Preload preload(TestKafka kafka) throws Exception {
    return Preload.write(kafka, kafka.uniqueName("tally"), RECORDS, 50, Keys.MANY);
  }

  private static ProducerRecord<byte[], byte[]> reply(Preload preload, RequestId id) {
    return new ProducerRecord<>(
        preload.replyTopic(), id.toString().getBytes(StandardCharsets.UTF_8), new byte[0]);
  }
}
