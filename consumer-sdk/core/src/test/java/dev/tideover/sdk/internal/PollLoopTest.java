package dev.tideover.sdk.internal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.Backoff;
import dev.tideover.sdk.OnExhausted;
import dev.tideover.sdk.Ordering;
import dev.tideover.sdk.Outcome;
import dev.tideover.sdk.RequestHandler;
import dev.tideover.sdk.internal.core.Adoption;
import dev.tideover.wire.Fingerprint;
import dev.tideover.wire.HttpFields;
import dev.tideover.wire.ReplyAddress;
import dev.tideover.wire.RequestCodec;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.MockProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Moments between the owner, a worker and a poll that Kafka can't be made to produce: the consumer
 * is a script here, and a poll with nothing to do waits as a real one does.
 */
@Timeout(60)
class PollLoopTest {

  private static final TopicPartition P0 = new TopicPartition("orders.requests", 0);
  private static final TopicPartition P1 = new TopicPartition("orders.requests", 1);
  private static final Duration BOUND = Duration.ofSeconds(20);

  private static final Adoption NOTHING_KNOWN =
      new Adoption(Uuid.ZERO_UUID, Adoption.NONE, null, 0, 0, List.of(), Set.of(), 1);

  private final ScriptedConsumer consumer = new ScriptedConsumer();
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final Queue<String> handled = new ConcurrentLinkedQueue<>();

  /** How often the owner has looked at the clock: a sign of its progress. */
  private final AtomicInteger looks = new AtomicInteger();

  @AfterEach
  void endThreads() throws InterruptedException {
    threads.shutdownNow();
    assertThat(threads.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void aPermitThatComesBackBehindItsAcknowledgementDoesNotHoldUpARevocation()
      throws InterruptedException {
    CountDownLatch inLast = new CountDownLatch(1);
    CountDownLatch finish = new CountDownLatch(1);
    AutoProducer producer =
        new AutoProducer() {
          @Override
          void acknowledged(ProducerRecord<byte[], byte[]> reply) {
            if (new String(reply.value(), UTF_8).equals("2")) {
              // The worker still has its permit; let the owner find that out, and wait.
              int before = looks.get();
              Awaitility.await().atMost(BOUND).until(() -> looks.get() >= before + 6);
            }
          }
        };
    PollLoop loop =
        loop(
            1,
            threads,
            producer,
            request -> {
              String offset = "" + request.offset();
              if (offset.equals("2")) {
                inLast.countDown();
                assertThat(finish.await(30, TimeUnit.SECONDS)).isTrue();
              }
              handled.add(offset);
              return Outcome.reply(200).text(offset);
            });
    consumer.thenRecords(P0, List.of(record(0, "k"), record(1, "k"), record(2, null)));
    while (inLast.getCount() > 0) {
      loop.runOnce();
    }
    AtomicLong took = new AtomicLong();
    consumer.then(
        wait -> {
          finish.countDown();
          long before = System.nanoTime();
          consumer.listener().onPartitionsRevoked(List.of(P0));
          took.set(System.nanoTime() - before);
          return ConsumerRecords.empty();
        });
    loop.runOnce();

    assertThat(handled).containsExactly("0", "2", "1");
    assertThat(consumer.committed).containsEntry(P0, 3L);
    assertThat(Duration.ofNanos(took.get())).isLessThan(Duration.ofSeconds(3));
  }

  @Test
  void afterARevocationTheOtherPartitionsNeedNotWaitForThePollsEnd() throws InterruptedException {
    CountDownLatch inFirst = new CountDownLatch(1);
    CountDownLatch finish = new CountDownLatch(1);
    PollLoop loop =
        loop(
            4,
            threads,
            new AutoProducer(),
            request -> {
              if (request.offset() == 0) {
                inFirst.countDown();
                assertThat(finish.await(30, TimeUnit.SECONDS)).isTrue();
              }
              handled.add("" + request.offset());
              return Outcome.reply(204);
            });
    consumer.thenRecords(P0, List.of(record(0, "k"), record(1, "k")));
    while (inFirst.getCount() > 0) {
      loop.runOnce();
    }
    AtomicBoolean expired = new AtomicBoolean();
    consumer.then(
        wait -> {
          consumer.listener().onPartitionsRevoked(List.of(P1));
          finish.countDown();
          consumer.onExpiry = () -> expired.set(true);
          return consumer.awaitWakeup(wait);
        });
    loop.runOnce();
    assertThat(expired).isFalse();

    while (handled.size() < 2) {
      loop.runOnce();
    }
    assertThat(handled).containsExactly("0", "1");
  }

  @Test
  void whatEndsDuringALongDrainIsCommittedMeanwhile() throws InterruptedException {
    CountDownLatch bothIn = new CountDownLatch(2);
    CountDownLatch firstCommitted = new CountDownLatch(1);
    AtomicBoolean inTime = new AtomicBoolean();
    PollLoop loop =
        loop(
            4,
            threads,
            new AutoProducer(),
            request -> {
              bothIn.countDown();
              if (request.offset() == 1) {
                inTime.set(firstCommitted.await(10, TimeUnit.SECONDS));
              }
              return Outcome.reply(204);
            });
    consumer.onCommit =
        () -> {
          if (consumer.committed.getOrDefault(P0, 0L) == 1L) {
            firstCommitted.countDown();
          }
        };
    consumer.thenRecords(P0, List.of(record(0, null), record(1, null)));
    while (bothIn.getCount() > 0) {
      loop.runOnce();
    }
    loop.drain(Duration.ofSeconds(20).toNanos());

    assertThat(inTime).isTrue();
    assertThat(consumer.committed).containsEntry(P0, 2L);
  }

  /** A loop that has joined and has been given both partitions. */
  private PollLoop loop(
      int concurrency, Executor executor, AutoProducer producer, RequestHandler handler)
      throws InterruptedException {
    Settings settings =
        new Settings(
            "orders",
            "v1",
            "one",
            true,
            "localhost:9092",
            Map.of(),
            handler,
            concurrency,
            5,
            Backoff.DEFAULT,
            BOUND,
            BOUND,
            BOUND,
            Ordering.KEY,
            OnExhausted.CONTINUE,
            Duration.ofHours(1),
            failure -> false,
            List.of("tideover.replies"),
            null,
            executor,
            null,
            null);
    GroupMember member =
        new GroupMember(settings, () -> consumer, System::nanoTime, new CountDownLatch(1));
    Mailbox mailbox = new Mailbox(member::wakeup);
    Workers workers = new Workers(settings);
    ReplySender sender = new ReplySender(Map.of(), config -> producer);
    sender.prepare(settings.replyTopics(), settings.deadTopic());
    Assembly parts =
        new Assembly(
            settings,
            UUID.randomUUID().toString(),
            member,
            workers,
            sender,
            LedgerWriter.on(threads, settings, sender, mailbox),
            mailbox,
            new Doing.Adopting() {
              @Override
              public void adopt(TopicPartition partition, long number) {
                mailbox.adopted(partition, number, NOTHING_KNOWN);
              }

              @Override
              public void cancel(TopicPartition partition) {}
            },
            false,
            new Meters(null, "orders", "v1"),
            new Events(null, "none", BOUND),
            InstantSource.system(),
            () -> {
              looks.incrementAndGet();
              return System.nanoTime();
            },
            Guide.alone(() -> false, PollLoopTest::defect));
    PollLoop loop = parts.loop;
    loop.join(() -> false);
    consumer.then(
        wait -> {
          consumer.listener().onPartitionsAssigned(List.of(P0, P1));
          return ConsumerRecords.empty();
        });
    while (!parts.core.takes(P0)) {
      loop.runOnce();
    }
    return loop;
  }

  private static void defect(Throwable defect) {
    throw new AssertionError(defect);
  }

  private static ConsumerRecord<byte[], byte[]> record(long offset, String key) {
    RequestEnvelope request =
        new RequestEnvelope(
            RequestId.random(),
            new ReplyAddress("tideover.replies", 0),
            Instant.now(),
            null,
            false,
            new Fingerprint(1, 2),
            key,
            "POST",
            "/orders",
            "http",
            "localhost",
            HttpFields.EMPTY,
            new byte[0]);
    ProducerRecord<byte[], byte[]> sent = RequestCodec.encode(request, P0.topic(), P0.partition());
    return new ConsumerRecord<>(
        P0.topic(),
        P0.partition(),
        offset,
        0,
        TimestampType.CREATE_TIME,
        sent.key().length,
        0,
        sent.key(),
        sent.value(),
        sent.headers(),
        Optional.empty());
  }

  /** Acknowledges within the send, so before the worker goes on. */
  private static class AutoProducer extends MockProducer<byte[], byte[]> {

    private static final Node NODE = new Node(1, "localhost", 9092);

    AutoProducer() {
      super(
          new Cluster(
              "test",
              List.of(NODE),
              List.of(partition("tideover.replies"), partition("orders.dead")),
              Set.of(),
              Set.of()),
          true,
          null,
          new ByteArraySerializer(),
          new ByteArraySerializer());
    }

    private static PartitionInfo partition(String topic) {
      return new PartitionInfo(topic, 0, NODE, new Node[] {NODE}, new Node[] {NODE});
    }

    @Override
    public Future<RecordMetadata> send(ProducerRecord<byte[], byte[]> record, Callback callback) {
      Future<RecordMetadata> sent = super.send(record, callback);
      acknowledged(record);
      return sent;
    }

    void acknowledged(ProducerRecord<byte[], byte[]> record) {}
  }
}
