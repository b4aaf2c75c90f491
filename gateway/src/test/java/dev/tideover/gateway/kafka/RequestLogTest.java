package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.BufferExhaustedException;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.MockProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.junit.jupiter.api.Test;

class RequestLogTest extends RequestLogFixture {

  @Test
  void acknowledgedOnceAndOnlyWhenKafkaSaysSo() {
    MockProducer<byte[], byte[]> producer = producer(false);
    RequestLog log = start(producer);

    append(log, "key");
    assertThat(results).isEmpty();
    producer.completeNext();

    ProducerRecord<byte[], byte[]> record = producer.history().get(0);
    assertThat(results).containsExactly(new Append.Acknowledged(record.partition(), 0));
    assertThat(record.topic()).isEqualTo(TOPIC);
    assertThat(record.key()).isEqualTo("key".getBytes(UTF_8));
  }

  @Test
  void anErrorAfterTheSendLeavesTheOutcomeOpen() {
    MockProducer<byte[], byte[]> producer = producer(false);
    RequestLog log = start(producer);

    append(log, "key");
    producer.errorNext(new TimeoutException("Expiring 1 record(s)"));

    assertThat(results).containsExactly(new Append.Unknown("Expiring 1 record(s)"));
  }

  @Test
  void anErrorOnTheProducersThreadLeavesTheOutcomeOpenAlsoDuringTheSend() throws Exception {
    // The accumulator has the record; the sender fails it before send() has returned.
    RequestLog log =
        start(
            new OverriddenProducer() {
              @Override
              public Future<RecordMetadata> send(
                  ProducerRecord<byte[], byte[]> record, Callback callback) {
                Thread sender =
                    new Thread(
                        () -> callback.onCompletion(null, new KafkaException("closed forcefully")));
                sender.start();
                try {
                  sender.join(10_000);
                } catch (InterruptedException e) {
                  throw new AssertionError(e);
                }
                return super.send(record, null);
              }
            });

    append(log, "key");

    assertThat(results).containsExactly(new Append.Unknown("closed forcefully"));
  }

  @Test
  void noMetadataIsARefusal() {
    refusedBecause(new TimeoutException("Topic orders.requests not present in metadata"));
  }

  @Test
  void aFullBufferIsARefusal() {
    refusedBecause(new BufferExhaustedException("Failed to allocate 16384 bytes"));
  }

  private void refusedBecause(RuntimeException reason) {
    append(start(failingWithin(reason)), "key");

    assertThat(results)
        .containsExactly(new Append.Refused(reason.getMessage(), Duration.ofSeconds(1)));
  }

  /** The real one looks at its state only when the record is in the accumulator already. */
  @Test
  void aThrowingSendLeavesTheOutcomeOpenAndIsToldOnce() {
    List<Callback> entered = new CopyOnWriteArrayList<>();
    RequestLog log =
        start(
            new OverriddenProducer() {
              @Override
              public Future<RecordMetadata> send(
                  ProducerRecord<byte[], byte[]> record, Callback callback) {
                entered.add(callback);
                throw new KafkaException("in an error state");
              }
            });

    append(log, "key");
    entered.get(0).onCompletion(null, new KafkaException("aborted"));

    assertThat(results).containsExactly(new Append.Unknown("in an error state"));
  }

  /** Of these send tells by the callback, within the call, though the record has entered. */
  @Test
  void aFencedProducerLeavesTheOutcomeOpenThoughItTellsWithinTheSend() {
    append(start(failingWithin(new ProducerFencedException("fenced"))), "key");
    append(start(failingWithin(new InvalidProducerEpochException("old epoch"))), "key");

    assertThat(results)
        .containsExactly(new Append.Unknown("fenced"), new Append.Unknown("old epoch"));
  }

  @Test
  void anExceptionOfWhomItTellsReachesNeitherTheCallerNorTheProducer() {
    MockProducer<byte[], byte[]> producer = producer(false);
    RequestLog log = start(producer);

    log.append(
        request("key"),
        TOPIC,
        PARTITIONS,
        result -> {
          throw new AssertionError("meant to be logged as a bug");
        });

    assertThat(producer.completeNext()).isTrue();
  }

  @Test
  void aSendThatBothTellsAndThrowsIsToldOnce() {
    RequestLog log =
        start(
            new OverriddenProducer() {
              @Override
              public Future<RecordMetadata> send(
                  ProducerRecord<byte[], byte[]> record, Callback callback) {
                KafkaException failure = new KafkaException("both");
                callback.onCompletion(null, failure);
                throw failure;
              }
            });

    append(log, "key");

    assertThat(results).containsExactly(new Append.Refused("both", Duration.ofSeconds(1)));
  }

  @Test
  void afterTheCloseEverythingIsRefused() {
    RequestLog log = start(producer(true));
    log.close();

    append(log, "key");

    assertThat(results).singleElement().isInstanceOf(Append.Refused.class);
  }

  @Test
  void aKeysPartitionIsThatOfKafkasDefaultPartitioner() {
    MockProducer<byte[], byte[]> producer = producer(true);
    RequestLog log = start(producer);
    String[] keys = {"", "a", "key", "ä日𝄞", "/orders/7", "42"};
    for (String key : keys) {
      log.append(request(key), TOPIC, PARTITIONS, results::add);
    }

    for (int i = 0; i < keys.length; i++) {
      int expected =
          org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey(
              keys[i].getBytes(UTF_8), PARTITIONS);
      assertThat(producer.history().get(i).partition()).as(keys[i]).isEqualTo(expected);
    }
  }

  @Test
  void appendsFromSeveralThreadsEachGetOneResult() throws Exception {
    MockProducer<byte[], byte[]> producer = producer(true);
    RequestLog log = start(producer);
    CountDownLatch done = new CountDownLatch(4);
    for (int t = 0; t < 4; t++) {
      new Thread(
              () -> {
                for (int i = 0; i < 250; i++) {
                  log.append(request("k" + i), TOPIC, PARTITIONS, results::add);
                }
                done.countDown();
              })
          .start();
    }

    assertThat(done.await(30, TimeUnit.SECONDS)).isTrue();
    assertThat(results).hasSize(1_000).allMatch(Append.Acknowledged.class::isInstance);
  }
}
