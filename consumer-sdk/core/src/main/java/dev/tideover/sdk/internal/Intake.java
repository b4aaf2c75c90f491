package dev.tideover.sdk.internal;

import dev.tideover.sdk.Ordering;
import dev.tideover.sdk.internal.core.Core;
import dev.tideover.sdk.internal.core.Work;
import dev.tideover.wire.RequestCodec;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.WireFormatException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** From a record to a request in its lane. On the owner thread. */
final class Intake {

  private static final Logger log = LoggerFactory.getLogger(Intake.class);

  /** What a request costs in memory beyond its bytes, roughly; counts against the window. */
  private static final int OVERHEAD_BYTES = 1_024;

  /** With {@link Ordering#PARTITION}, the key of all. */
  private static final String ONE_LANE = "";

  private final Settings settings;
  private final Core<Delivery> core;

  Intake(Settings settings, Core<Delivery> core) {
    this.settings = settings;
    this.core = core;
  }

  void receive(ConsumerRecords<byte[], byte[]> records) {
    for (TopicPartition partition : records.partitions()) {
      for (ConsumerRecord<byte[], byte[]> record : records.records(partition)) {
        receive(partition, record);
      }
    }
  }

  private void receive(TopicPartition partition, ConsumerRecord<byte[], byte[]> record) {
    if (!core.takes(partition)) {
      return;
    }
    Delivery delivery;
    try {
      delivery = decode(record);
    } catch (WireFormatException unknownVersion) {
      core.stop(
          partition,
          "offset "
              + record.offset()
              + ": "
              + unknownVersion.getMessage()
              + ". Nothing is skipped and nothing is lost, but its requests wait until this service"
              + " runs an SDK that knows the version");
      return;
    }
    int bytes =
        OVERHEAD_BYTES
            + Math.max(0, record.serializedKeySize())
            + Math.max(0, record.serializedValueSize());
    core.received(
        partition,
        record.offset(),
        laneOf(delivery),
        bytes,
        delivery,
        delivery.isBuried() ? Work.Step.BURY : Work.Step.HANDLE);
  }

  private @Nullable String laneOf(Delivery delivery) {
    return switch (settings.ordering()) {
      case PARTITION -> ONE_LANE;
      case NONE -> null;
      case KEY -> delivery.envelope == null ? null : delivery.envelope.orderingKey();
    };
  }

  /**
   * What has to be done for a record; one that can't be handled is to be buried.
   *
   * @throws WireFormatException for a record of an unknown version: whatever is done for it could
   *     be wrong
   */
  private Delivery decode(ConsumerRecord<byte[], byte[]> record) throws WireFormatException {
    Delivery delivery;
    try {
      RequestEnvelope envelope = RequestCodec.decode(record);
      delivery = new Delivery(record, envelope);
      String replyTopic = envelope.replyTo().topic();
      if (settings.mayReplyTo(replyTopic)) {
        return delivery;
      }
      delivery.bury(
          "reply-address",
          "its reply-to topic "
              + replyTopic
              + " may not be written to by this service; if a gateway of yours uses it, name it in"
              + " replyTopics(...)");
    } catch (WireFormatException unreadable) {
      if (unreadable.kind() == WireFormatException.Kind.UNKNOWN_VERSION) {
        throw unreadable;
      }
      delivery = new Delivery(record, null);
      delivery.bury("malformed", String.valueOf(unreadable.getMessage()));
    }
    log.error(
        "Record {} of {}-{} can't be handled and goes to {}: {}: {}",
        record.offset(),
        record.topic(),
        record.partition(),
        settings.deadTopic(),
        delivery.death().reason(),
        delivery.death().error());
    return delivery;
  }
}
