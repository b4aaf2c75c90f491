package dev.tideover.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.MockProducer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.junit.jupiter.api.Test;

class ReplySenderTest {

  @Test
  void aTopicThatNoBrokerKnowsHasNoPartition() {
    TimeoutException unknown =
        new TimeoutException("not in metadata", new UnknownTopicOrPartitionException());
    try (ReplySender sender = failingWith(unknown)) {
      assertThat(sender.hasPartition("nowhere", 0)).isFalse();
    }
  }

  @Test
  void aBrokerThatDoesNotAnswerSaysNothingAboutATopic() {
    try (ReplySender sender = failingWith(new TimeoutException("not in metadata"))) {
      assertThatThrownBy(() -> sender.hasPartition("somewhere", 0))
          .isInstanceOf(TimeoutException.class);
    }
  }

  private static ReplySender failingWith(TimeoutException failure) {
    return new ReplySender(
        Map.of(),
        config ->
            new MockProducer<byte[], byte[]>() {
              @Override
              public List<PartitionInfo> partitionsFor(String topic) {
                throw failure;
              }
            });
  }
}
