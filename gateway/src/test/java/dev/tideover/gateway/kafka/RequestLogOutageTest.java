package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tideover.wire.Cancellation;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.MockProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.errors.ClusterAuthorizationException;
import org.apache.kafka.common.errors.OutOfOrderSequenceException;
import org.apache.kafka.common.errors.TimeoutException;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/**
 * The log while Kafka doesn't acknowledge, with a producer that has failed, and with new topics.
 */
class RequestLogOutageTest extends RequestLogFixture {

  @Test
  void aPartitionThatAcknowledgesNothingIsRefusedAndTheOthersGoOn() {
    MockProducer<byte[], byte[]> producer = producer(false);
    RequestLog log = start(producer);
    append(log, key(0));
    now.addAndGet(Duration.ofSeconds(2).toNanos());

    append(log, key(0));
    append(log, key(1));

    assertThat(results)
        .containsExactly(
            new Append.Refused(
                TOPIC + "/0 has acknowledged nothing for 2 s or longer", Duration.ofSeconds(1)));
    assertThat(producer.history()).hasSize(2);
    assertThat(log.isAccepting()).isTrue();
  }

  @Test
  void acceptsNothingWhileNoPartitionDoes() {
    MockProducer<byte[], byte[]> producer = producer(false);
    RequestLog log = start(producer);
    for (int partition = 0; partition < PARTITIONS; partition++) {
      assertThat(log.isAccepting()).isTrue();
      append(log, key(partition));
    }
    now.addAndGet(Duration.ofSeconds(2).toNanos());
    assertThat(log.isAccepting()).isFalse();

    producer.completeNext();
    assertThat(log.isAccepting()).isTrue();
  }

  @Test
  void aRequestThatCanNotBeEncodedDoesNotCountAsOutstanding() {
    MockProducer<byte[], byte[]> producer = producer(false);
    ProducerSession session = new ProducerSession(producer, now::get, (broken, reason) -> {});
    session.serve(Map.of(TOPIC, PARTITIONS));

    assertThatThrownBy(
            () ->
                session.send(
                    TOPIC,
                    0,
                    () -> {
                      throw new IllegalArgumentException("bad header");
                    },
                    results::add))
        .hasMessage("bad header");
    now.addAndGet(Duration.ofSeconds(3).toNanos());
    results.clear();
    for (int i = 0; i < 2; i++) {
      session.send(TOPIC, 0, () -> new ProducerRecord<>(TOPIC, 0, null, new byte[0]), results::add);
    }

    assertThat(producer.history()).hasSize(2);
    assertThat(results).isEmpty();
  }

  @Test
  void aProducerThatFailedForGoodIsReplacedAndItsRequestsEndUnknown() {
    MockProducer<byte[], byte[]> first = producer(false);
    MockProducer<byte[], byte[]> second = producer(true);
    CountDownLatch made = new CountDownLatch(1);
    CountDownLatch mayBeUsed = new CountDownLatch(1);
    RequestLog log =
        start(
            first,
            () -> {
              made.countDown();
              await(mayBeUsed);
              return second;
            });
    append(log, "key");
    append(log, "key");

    first.errorNext(new ClusterAuthorizationException("not allowed"));
    assertThat(log.isAccepting()).isFalse();
    append(log, "key");
    assertThat(results.get(0)).isEqualTo(new Append.Unknown("not allowed"));
    assertThat(results.get(1)).isInstanceOf(Append.Refused.class);
    // A mock doesn't do what closing a producer at once does to what it still has.
    Awaitility.await().until(first::closed);
    first.errorNext(new KafkaException("closed forcefully"));
    assertThat(results.get(2)).isInstanceOf(Append.Unknown.class);

    await(made);
    mayBeUsed.countDown();
    Awaitility.await().until(log::isAccepting);
    append(log, "key");
    assertThat(results.get(3)).isInstanceOf(Append.Acknowledged.class);
  }

  @Test
  void aProducerThatCanNotBeMadeIsTriedAgain() {
    AtomicInteger tries = new AtomicInteger();
    MockProducer<byte[], byte[]> first = producer(true);
    RequestLog log =
        start(
            first,
            () -> {
              if (tries.incrementAndGet() == 1) {
                throw new KafkaException("no such host");
              }
              return producer(true);
            });
    first.close();
    append(log, "key");
    assertThat(results).singleElement().isInstanceOf(Append.Unknown.class);

    Awaitility.await().until(log::isAccepting);

    assertThat(tries).hasValue(2);
  }

  @Test
  void aNewProducerIsNotUsedBeforeItKnowsTheTopics() {
    AtomicBoolean known = new AtomicBoolean();
    CountDownLatch asked = new CountDownLatch(3);
    MockProducer<byte[], byte[]> first = producer(true);
    RequestLog log =
        start(
            first,
            () ->
                new OverriddenProducer() {
                  @Override
                  public List<PartitionInfo> partitionsFor(String topic) {
                    asked.countDown();
                    if (!known.get()) {
                      throw new TimeoutException("not present in metadata");
                    }
                    return super.partitionsFor(topic);
                  }
                });
    first.close();
    append(log, "key");

    await(asked);
    assertThat(log.isAccepting()).isFalse();
    known.set(true);
    Awaitility.await().until(log::isAccepting);
  }

  @Test
  void aProducerThatKeepsARecordLongerThanItMayIsReplaced() {
    MockProducer<byte[], byte[]> first = producer(false);
    RequestLog log = start(first, () -> producer(true));
    append(log, "key");

    now.addAndGet(LONGEST_DELIVERY.plusSeconds(3).toNanos());

    Awaitility.await().until(first::closed);
    Awaitility.await().until(log::isAccepting);
    append(log, "key");
    assertThat(results).singleElement().isInstanceOf(Append.Acknowledged.class);
  }

  @Test
  void whatTheProducerRepairsItselfIsLeftToIt() {
    MockProducer<byte[], byte[]> producer = producer(false);
    RequestLog log = start(producer);
    append(log, "key");

    producer.errorNext(new OutOfOrderSequenceException("out of order"));

    assertThat(results).containsExactly(new Append.Unknown("out of order"));
    assertThat(log.isAccepting()).isTrue();
    append(log, "key");
    assertThat(producer.history()).hasSize(2);
  }

  @Test
  void aTopicIsWrittenToFromTheConfigurationThatHasItToTheSecondThatHasNot() {
    RequestLog log = start(producer(true));
    log.append(request("key"), "bills.requests", PARTITIONS, results::add);
    assertThat(results).singleElement().isInstanceOf(Append.Refused.class);

    log.update(config("bills"));
    results.clear();
    log.append(request("key"), "bills.requests", PARTITIONS, results::add);
    append(log, "key");
    assertThat(results).hasSize(2).allMatch(Append.Acknowledged.class::isInstance);

    log.update(config("bills"));
    results.clear();
    append(log, "key");
    assertThat(results).singleElement().isInstanceOf(Append.Refused.class);
  }

  @Test
  void anUpdateThatCanNotLearnItsTopicsChangesNothing() {
    RequestLog log =
        start(
            new OverriddenProducer() {
              @Override
              public List<PartitionInfo> partitionsFor(String topic) {
                if (!topic.equals(TOPIC)) {
                  throw new IllegalStateException("closed");
                }
                return super.partitionsFor(topic);
              }
            });

    assertThatThrownBy(() -> log.update(config("bills")))
        .isInstanceOf(KafkaUnavailableException.class);

    log.append(request("key"), "bills.requests", PARTITIONS, results::add);
    append(log, "key");
    assertThat(results.get(0)).isInstanceOf(Append.Refused.class);
    assertThat(results.get(1)).isInstanceOf(Append.Acknowledged.class);
  }

  @Test
  void anUpdateWithLargerBodiesPutsALargerProducerToWork() {
    MockProducer<byte[], byte[]> first = producer(true);
    MockProducer<byte[], byte[]> second = producer(true);
    RequestLog log = start(first, () -> second);
    append(log, "key");

    log.update(config("orders", "2MiB"));
    append(log, "key");
    log.update(config("orders", "1MiB"));
    append(log, "key");

    assertThat(results).hasSize(3).allMatch(Append.Acknowledged.class::isInstance);
    assertThat(first.history()).hasSize(1);
    assertThat(second.history()).hasSize(2);
    Awaitility.await().until(first::closed);
  }

  @Test
  void aRequestThatIsAboutToBeSentWhenALargerProducerTakesOverIsStillSent() throws Exception {
    CountDownLatch sending = new CountDownLatch(1);
    CountDownLatch closed = new CountDownLatch(1);
    Producer<byte[], byte[]> first =
        new OverriddenProducer() {
          @Override
          public Future<RecordMetadata> send(
              ProducerRecord<byte[], byte[]> record, Callback callback) {
            sending.countDown();
            try {
              // Long enough for a close that doesn't wait for it to come first.
              assertThat(closed.await(500, TimeUnit.MILLISECONDS)).isFalse();
            } catch (InterruptedException e) {
              throw new AssertionError(e);
            }
            return super.send(record, callback);
          }

          @Override
          public void close(Duration limit) {
            super.close(limit);
            closed.countDown();
          }
        };
    RequestLog log = start(first, () -> producer(true));
    Thread sender = new Thread(() -> append(log, "key"));
    sender.start();
    await(sending);

    log.update(config("orders", "2MiB"));

    sender.join(20_000);
    assertThat(results).singleElement().isInstanceOf(Append.Acknowledged.class);
    await(closed);
  }

  @Test
  void noUpdateIsMadeWhileTheProducerIsBeingReplaced() {
    CountDownLatch end = new CountDownLatch(1);
    MockProducer<byte[], byte[]> first = producer(true);
    RequestLog log =
        start(
            first,
            () -> {
              await(end);
              return producer(true);
            });
    first.close();
    append(log, "key");

    assertThatThrownBy(() -> log.update(config("bills")))
        .isInstanceOf(KafkaUnavailableException.class)
        .hasMessageContaining("is being replaced");
    end.countDown();
    Awaitility.await().until(log::isAccepting);
  }

  @Test
  void aProducerThatHasForgottenItsBrokersAcceptsNothing() {
    AtomicBoolean forgotten = new AtomicBoolean();
    RequestLog log =
        start(
            new OverriddenProducer() {
              @Override
              public List<PartitionInfo> partitionsFor(String topic) {
                if (forgotten.get()) {
                  throw new TimeoutException("not present in metadata");
                }
                return super.partitionsFor(topic);
              }
            });
    assertThat(log.isAccepting()).isTrue();

    forgotten.set(true);

    assertThat(log.isAccepting()).isFalse();
  }

  @Test
  void anUpdateKeepsWhatIsKnownOfAPartition() {
    RequestLog log = start(producer(false));
    append(log, "key");
    now.addAndGet(Duration.ofSeconds(2).toNanos());

    log.update(config("orders"));
    append(log, "key");

    assertThat(results).singleElement().isInstanceOf(Append.Refused.class);
  }

  @Test
  void aCancellationIsDoneWhenLedgerAndMembersHaveIt() {
    MockProducer<byte[], byte[]> producer = producer(false);
    RequestLog log = start(producer);

    CompletableFuture<Void> done = cancel(log, new Cancellation(3, 17, RequestId.random()));

    assertThat(producer.history())
        .extracting(ProducerRecord::topic)
        .containsExactly("orders.ledger");
    producer.completeNext();
    assertThat(done).isNotDone();
    producer.completeNext();
    assertThat(done).isCompleted();
    ProducerRecord<byte[], byte[]> ledger = producer.history().get(0);
    assertThat(ledger.partition()).isEqualTo(3);
    assertThat(ledger.key()).isEqualTo("cancel/17".getBytes(UTF_8));
    ProducerRecord<byte[], byte[]> notice = producer.history().get(1);
    assertThat(notice.topic()).isEqualTo("orders.members");
    assertThat(notice.partition()).isZero();
    assertThat(notice.key()).isEqualTo("cancel/3/17".getBytes(UTF_8));
  }

  @Test
  void aCancellationIsTriedAgainWhileNothingOfItWasSent() {
    AtomicInteger tries = new AtomicInteger();
    RequestLog log =
        start(
            new OverriddenProducer() {
              @Override
              public Future<RecordMetadata> send(
                  ProducerRecord<byte[], byte[]> record, Callback callback) {
                if (tries.incrementAndGet() <= 2) {
                  TimeoutException unknown = new TimeoutException("not present in metadata");
                  callback.onCompletion(null, unknown);
                  return CompletableFuture.failedFuture(unknown);
                }
                return super.send(record, callback);
              }
            });

    assertThat(cancel(log, new Cancellation(0, 1, RequestId.random())))
        .succeedsWithin(Duration.ofSeconds(10));
    assertThat(tries).hasValue(4);
  }

  @Test
  void aCancellationFailsWithHowFarItCame() {
    MockProducer<byte[], byte[]> producer = producer(false);
    RequestLog log = start(producer);
    CompletableFuture<Void> first = cancel(log, new Cancellation(0, 1, RequestId.random()));
    producer.errorNext(new TimeoutException("Expiring 1 record(s)"));
    CompletableFuture<Void> second = cancel(log, new Cancellation(0, 2, RequestId.random()));
    producer.completeNext();
    producer.errorNext(new TimeoutException("Expiring 1 record(s)"));
    CompletableFuture<Void> third =
        cancel(log, new Cancellation(PARTITIONS, 3, RequestId.random()));
    now.addAndGet(Duration.ofSeconds(6).toNanos());

    assertFailed(first, "was sent to orders.ledger and not acknowledged");
    assertFailed(second, "the cancellation is stored");
    assertFailed(third, "can't be written to orders.ledger");
  }

  @Test
  void takesAThousandCancellationsAtOnceAndNoMore() {
    MockProducer<byte[], byte[]> producer = producer(false);
    RequestLog log = start(producer);
    for (int i = 0; i < 1_000; i++) {
      assertThat(cancel(log, new Cancellation(0, i, RequestId.random()))).isNotDone();
    }
    assertFailed(cancel(log, new Cancellation(0, 1_000, RequestId.random())), "under way already");

    producer.errorNext(new TimeoutException("Expiring 1 record(s)"));

    assertThat(cancel(log, new Cancellation(0, 1_001, RequestId.random()))).isNotDone();
  }

  private static void assertFailed(CompletableFuture<Void> cancelled, String why) {
    assertThat(cancelled)
        .failsWithin(Duration.ofSeconds(10))
        .withThrowableOfType(ExecutionException.class)
        .withCauseInstanceOf(KafkaUnavailableException.class)
        .withMessageContaining(why);
  }

  private static CompletableFuture<Void> cancel(RequestLog log, Cancellation cancellation) {
    return log.cancel(orders(), cancellation).toCompletableFuture();
  }
}
