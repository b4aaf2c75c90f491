package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.sdk.History.Answer;
import dev.tideover.sdk.History.Sent;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.ReplyOutcome;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * A service's clients: requests at a steady rate, over many keys in turn, numbered by key; and
 * their replies, with the time of each. Owns a thread that sends and one that receives.
 */
final class Traffic implements AutoCloseable {

  private static final Duration POLL = Duration.ofMillis(100);

  private final TestService service;
  private final int keys;
  private final ScheduledExecutorService sender = Executors.newSingleThreadScheduledExecutor();
  private final AtomicInteger next = new AtomicInteger();
  private final Queue<Sent> sent = new ConcurrentLinkedQueue<>();
  private final Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
  private final Queue<Answer> answers = new ConcurrentLinkedQueue<>();
  private final Set<RequestId> answered = ConcurrentHashMap.newKeySet();
  private final Set<Long> outages = ConcurrentHashMap.newKeySet();
  private final Producer<byte[], byte[]> producer;
  private final Consumer<byte[], byte[]> replies;
  private final CountDownLatch listening = new CountDownLatch(1);
  private final Thread receiver;
  private volatile boolean closed;

  private Traffic(TestService service, int keys) {
    this.service = service;
    this.keys = keys;
    this.producer = service.kafka.producer();
    this.replies = service.kafka.consumer(service.name + "-clients");
    replies.assign(
        IntStream.range(0, TestService.REPLY_PARTITIONS)
            .mapToObj(p -> new TopicPartition(service.replies, p))
            .toList());
    receiver = new Thread(this::receive, "replies");
    receiver.start();
  }

  static Traffic start(TestService service, int perSecond, int keys) throws InterruptedException {
    Traffic traffic = new Traffic(service, keys);
    assertThat(traffic.listening.await(30, TimeUnit.SECONDS)).isTrue();
    // Its metadata are fetched, so the first request has no wait that is not the service's.
    traffic.producer.partitionsFor(service.requests);
    var unused =
        traffic.sender.scheduleAtFixedRate(
            traffic::send, 0, TimeUnit.SECONDS.toNanos(1) / perSecond, TimeUnit.NANOSECONDS);
    return traffic;
  }

  private void send() {
    int number = next.getAndIncrement();
    RequestEnvelope request = service.request("key-" + number % keys, "" + number / keys);
    ProducerRecord<byte[], byte[]> record = service.record(request);
    sent.add(
        new Sent(
            request.id(),
            "key-" + number % keys,
            number / keys,
            record.partition(),
            System.nanoTime()));
    var unused =
        producer.send(
            record,
            (metadata, failure) -> {
              if (failure != null) {
                failures.add(failure);
              }
            });
  }

  private void receive() {
    try {
      while (!closed) {
        for (ConsumerRecord<byte[], byte[]> record : replies.poll(POLL)) {
          long now = System.nanoTime();
          ReplyEnvelope reply = TestService.decode(record);
          answers.add(
              new Answer(
                  reply.id(),
                  reply.outcome() == ReplyOutcome.COMPLETED,
                  new String(reply.body(), UTF_8),
                  reply.by().split("/", -1)[1],
                  now));
          answered.add(reply.id());
        }
        listening.countDown();
      }
    } catch (RuntimeException | Error failure) {
      failures.add(failure);
    }
  }

  /** Kafka, or a part of it, is about to be away: what isn't committed may be repeated. */
  void outage() {
    outages.add(System.nanoTime());
  }

  /** Waits until this many more requests than now have a reply. */
  void awaitReplies(int more) {
    int before = answered.size();
    TestService.await().until(() -> answered.size() >= before + more);
  }

  /** Waits until all that was sent before now has a reply. */
  void awaitCaughtUp() {
    List<Sent> before = List.copyOf(sent);
    TestService.await()
        .atMost(Duration.ofSeconds(60))
        .until(() -> before.stream().allMatch(request -> answered.contains(request.id())));
  }

  /** Waits for a reply by an instance of this version. */
  Answer awaitReplyBy(String version) {
    return awaitReplyBy(version, Long.MIN_VALUE);
  }

  /** The same for one that comes later than this. */
  Answer awaitReplyBy(String version, long after) {
    return TestService.await()
        .until(
            () ->
                answers.stream()
                    .filter(a -> a.version().equals(version) && a.at() > after)
                    .findFirst(),
            found -> found.isPresent())
        .orElseThrow();
  }

  /** Sends nothing more, and waits until all that was sent has its reply. */
  void finish() throws InterruptedException {
    sender.shutdown();
    assertThat(sender.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
    producer.flush();
    assertThat(failures).isEmpty();
    awaitCaughtUp();
    assertThat(failures).isEmpty();
  }

  History history(Collection<Journal> journals) {
    return History.of(List.copyOf(sent), journals, List.copyOf(answers), outages);
  }

  @Override
  public void close() {
    sender.shutdownNow();
    closed = true;
    try {
      receiver.join(10_000);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
    assertThat(receiver.isAlive()).isFalse();
  }
}
