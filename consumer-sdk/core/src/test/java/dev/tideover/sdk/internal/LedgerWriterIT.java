package dev.tideover.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.internal.Mailbox.Message;
import dev.tideover.sdk.internal.core.Core;
import dev.tideover.sdk.internal.core.Effects;
import dev.tideover.sdk.internal.core.FinishedBatch;
import dev.tideover.sdk.internal.core.Identity;
import dev.tideover.sdk.internal.core.Limits;
import dev.tideover.sdk.internal.core.Policy;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@KafkaTest
@Timeout(60)
class LedgerWriterIT {

  private final Mailbox mailbox = new Mailbox(() -> {});
  private final List<String> told = new ArrayList<>();

  /** Writes down what it is told of batches. */
  private final Core<Delivery> core =
      new Core<>(
          new Policy("run", 5, failures -> 0, false, 1, 0, 1, true, 100, () -> 0),
          new Limits(1, 1, 1, 1, 1),
          effects(),
          0) {
        @Override
        public void remembered(TopicPartition partition, FinishedBatch batch) {
          told.add(partition.partition() + " written");
        }

        @Override
        public void notRemembered(
            TopicPartition partition, FinishedBatch batch, boolean refused, String why, long now) {
          told.add(partition.partition() + (refused ? " refused" : " failed"));
        }
      };

  @Test
  void aPartitionThatTheLedgerDoesNotHaveHoldsUpNoOther(TestKafka kafka) throws Exception {
    String service = kafka.uniqueName("orders");
    kafka.createTopic(service + ".ledger", 1, Map.of("cleanup.policy", "compact"));
    Settings settings = TestSettings.of(kafka.bootstrapServers(), service, "one");

    try (ReplySender sender = new ReplySender(ClientProperties.producer(settings));
        LedgerWriter writer = LedgerWriter.start(settings, sender, mailbox)) {
      assertThat(sender.hasPartition(service + ".ledger", 0)).isTrue();
      long begin = System.nanoTime();
      for (int missing = 1; missing <= 3; missing++) {
        writer.note(LedgerCodec.tombstone("request/1", service + ".ledger", missing));
        writer.write(new TopicPartition(service + ".requests", missing), batch());
      }
      writer.write(new TopicPartition(service + ".requests", 0), batch());

      for (int batches = 0; batches < 4; batches++) {
        Message message = mailbox.poll(TimeUnit.SECONDS.toNanos(40));
        assertThat(message).isNotNull();
        message.tell(core, 0);
      }
      assertThat(told)
          .containsExactlyInAnyOrder("1 refused", "2 refused", "3 refused", "0 written");
      // A send to a partition that isn't there would block for five.
      assertThat(System.nanoTime() - begin).isLessThan(TimeUnit.SECONDS.toNanos(5));
    }
  }

  private static FinishedBatch batch() {
    FinishedBatch.Builder batch = new FinishedBatch.Builder();
    batch.add(new Identity(1, 2, 3, 4), 5);
    return batch.build("writer", 0, 0);
  }

  @SuppressWarnings("unchecked") // a proxy has no type arguments
  private static Effects<Delivery> effects() {
    return (Effects<Delivery>)
        Proxy.newProxyInstance(
            Effects.class.getClassLoader(),
            new Class<?>[] {Effects.class},
            (proxy, method, arguments) -> {
              throw new UnsupportedOperationException(method.getName());
            });
  }
}
