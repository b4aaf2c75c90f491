package dev.tideover.sdk;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.Producer;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Partitions move between instances, under load, on a real broker and with both protocols. */
@KafkaTest
@Timeout(180)
class RebalanceIT {

  private static final int PARTITIONS = 6;
  private static final int KEYS = 30;

  /** What handlers did, over all instances: the judge of order and of one at a time per key. */
  private static final class Record implements RequestHandler {

    final Map<String, ConcurrentLinkedQueue<Integer>> order = new ConcurrentHashMap<>();
    final Map<String, AtomicInteger> running = new ConcurrentHashMap<>();
    final AtomicInteger overlaps = new AtomicInteger();
    final AtomicInteger calls = new AtomicInteger();

    @Override
    public Outcome handle(Request request) throws InterruptedException {
      String key = request.orderingKey().orElseThrow();
      AtomicInteger mine = running.computeIfAbsent(key, k -> new AtomicInteger());
      if (mine.incrementAndGet() > 1) {
        overlaps.incrementAndGet();
      }
      calls.incrementAndGet();
      order
          .computeIfAbsent(key, k -> new ConcurrentLinkedQueue<>())
          .add(Integer.parseInt(request.text()));
      TimeUnit.MILLISECONDS.sleep(3); // the handler's work
      mine.decrementAndGet();
      return Outcome.reply(200).text(request.text());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"classic", "consumer"})
  void aRollingRestartOfThreeUnderLoadLosesNothingKeepsOrderAndRepeatsNothing(
      String protocol, TestKafka kafka) {
    TestService service = new TestService(kafka, PARTITIONS);
    Record record = new Record();
    List<TideoverConsumer> instances = new ArrayList<>();
    List<RequestEnvelope> sent = new ArrayList<>();
    ScheduledExecutorService load = Executors.newSingleThreadScheduledExecutor();
    try {
      for (int i = 1; i <= 3; i++) {
        instances.add(instance(service, protocol, i, record).start());
      }
      TestService.await()
          .until(() -> instances.stream().mapToInt(c -> c.partitions().size()).sum() == PARTITIONS);
      Producer<byte[], byte[]> producer = kafka.producer();
      AtomicInteger round = new AtomicInteger();
      load.scheduleAtFixedRate(
          () -> {
            int number = round.getAndIncrement();
            for (int k = 0; k < KEYS; k++) {
              RequestEnvelope request = service.request("key-" + k, "" + number);
              sent.add(request);
              producer.send(service.record(request));
            }
          },
          0,
          100,
          TimeUnit.MILLISECONDS);

      for (int i = 0; i < 3; i++) {
        int before = record.calls.get();
        TestService.await().until(() -> record.calls.get() > before + 2 * KEYS);
        instances.get(i).close();
        instances.set(i, instance(service, protocol, i + 1, record).start());
        TideoverConsumer fresh = instances.get(i);
        TestService.await().until(() -> !fresh.partitions().isEmpty());
      }
      load.shutdown();
      assertThat(load.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
      producer.flush();

      Map<RequestId, List<ReplyEnvelope>> replies =
          TestService.await().until(service::replies, all -> all.size() == sent.size());
      for (RequestEnvelope request : sent) {
        assertThat(replies.get(request.id())).as("replies to one request").hasSize(1);
        assertThat(replies.get(request.id()).get(0).body()).isEqualTo(request.body());
      }
      List<Integer> inOrder = IntStream.range(0, round.get()).boxed().toList();
      record.order.forEach((key, seen) -> assertThat(seen).containsExactlyElementsOf(inOrder));
      assertThat(record.order).hasSize(KEYS);
      assertThat(record.overlaps).hasValue(0);
      instances.forEach(consumer -> assertThat(consumer.failure()).isEmpty());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new AssertionError(interrupted);
    } finally {
      load.shutdownNow();
      CompletableFuture.allOf(
              instances.stream()
                  .map(consumer -> CompletableFuture.runAsync(consumer::close))
                  .toArray(CompletableFuture[]::new))
          .orTimeout(60, TimeUnit.SECONDS)
          .join();
    }
  }

  private static ConsumerBuilder instance(
      TestService service, String protocol, int number, RequestHandler handler) {
    return service
        .builder()
        .instance("orders-" + number)
        .property("group.protocol", protocol)
        .handler(handler);
  }

  @ParameterizedTest
  @ValueSource(strings = {"classic", "consumer"})
  void whatRunsWhenItsPartitionIsTakenIsFinishedAndNotRepeated(String protocol, TestKafka kafka)
      throws Exception {
    TestService service = new TestService(kafka, 2);
    CountDownLatch bothIn = new CountDownLatch(2);
    CountDownLatch finish = new CountDownLatch(1);
    AtomicInteger calls = new AtomicInteger();
    RequestHandler slow =
        request -> {
          calls.incrementAndGet();
          bothIn.countDown();
          assertThat(finish.await(60, TimeUnit.SECONDS)).isTrue();
          return Outcome.reply(200).text("first");
        };
    try (TideoverConsumer first =
        service.startAlone(service.builder().property("group.protocol", protocol).handler(slow))) {
      RequestEnvelope left = onPartition(service, 0);
      RequestEnvelope right = onPartition(service, 1);
      kafka.produce(service.record(left), service.record(right));
      assertThat(bothIn.await(30, TimeUnit.SECONDS)).isTrue();

      try (TideoverConsumer second =
          service
              .builder()
              .property("group.protocol", protocol)
              .handler(request -> Outcome.reply(200).text("second"))
              .start()) {
        // The first gives a partition up, and holds the hand-over until its request has ended.
        TestService.await().until(() -> second.state() == ConsumerState.RUNNING || calls.get() > 2);
        finish.countDown();
        assertThat(second.awaitAssignment(Duration.ofSeconds(30))).isTrue();
        TestService.await().until(() -> first.partitions().size() == 1);

        for (RequestEnvelope request : List.of(left, right)) {
          assertThat(new String(service.awaitReply(request).body(), UTF_8)).isEqualTo("first");
        }
        RequestEnvelope leftAgain = service.send(onPartition(service, 0));
        RequestEnvelope rightAgain = service.send(onPartition(service, 1));
        service.awaitReply(leftAgain);
        service.awaitReply(rightAgain);
        assertThat(service.replies()).hasSize(4);
        assertThat(service.replies().values()).allSatisfy(list -> assertThat(list).hasSize(1));
      }
    }
  }

  private static RequestEnvelope onPartition(TestService service, int partition) {
    while (true) {
      RequestEnvelope request = service.request(null, "body");
      if (service.record(request).partition() == partition) {
        return request;
      }
    }
  }
}
