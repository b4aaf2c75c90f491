package dev.tideover.gateway.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tideover.gateway.kafka.ReplyStore.Lookup;
import dev.tideover.testkit.KafkaTest;
import dev.tideover.testkit.TestKafka;
import dev.tideover.wire.ReplyEnvelope;
import dev.tideover.wire.RequestId;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Many who ask at once: what they are told stays true, and Kafka hardly notices. */
@Tag("long")
@KafkaTest
class ReplyStoreLoadIT {

  private static final Duration HOUR = Duration.ofHours(1);

  /**
   * Once one gateway has told of a reply, no gateway says "pending" to a question that comes later.
   * Readers share what was found, and ask the two stores in turn.
   */
  @Test
  void aStatusNeverGoesBackWhicheverGatewayIsAsked(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    int count = 3_000;
    RequestId[] ids = new RequestId[count];
    Arrays.setAll(ids, i -> RequestId.random());
    Instant accepted = Instant.now();
    AtomicReferenceArray<Boolean> finished = new AtomicReferenceArray<>(count);
    AtomicInteger written = new AtomicInteger();
    AtomicInteger absent = new AtomicInteger();
    AtomicInteger found = new AtomicInteger();
    ExecutorService threads = Executors.newFixedThreadPool(5);
    try (ReplyStore one = topic.store();
        ReplyStore other = topic.store()) {
      List<Future<?>> done = new ArrayList<>();
      done.add(
          threads.submit(
              () -> {
                for (int i = 0; i < count; i++) {
                  topic.send(Instant.now(), ids[i], "reply", null).get(20, TimeUnit.SECONDS);
                  written.set(i + 1);
                }
                return null;
              }));
      for (int reader = 0; reader < 4; reader++) {
        ReplyStore[] stores =
            reader % 2 == 0 ? new ReplyStore[] {one, other} : new ReplyStore[] {other, one};
        done.add(
            threads.submit(
                () -> {
                  for (int turn = 0; written.get() < count; turn++) {
                    // About where the writer is: some have their reply, some get it just now.
                    int i = Math.min(count - 1, written.get() + turn % 4 * 15);
                    Boolean before = finished.get(i);
                    Lookup lookup =
                        stores[turn / 4 % 2]
                            .find(ids[i], accepted)
                            .toCompletableFuture()
                            .get(20, TimeUnit.SECONDS);
                    if (lookup instanceof Lookup.Found) {
                      finished.set(i, true);
                      found.incrementAndGet();
                    } else if (lookup instanceof Lookup.Absent) {
                      assertThat(before).as("was it told of before").isNull();
                      absent.incrementAndGet();
                    }
                  }
                  return null;
                }));
      }
      for (Future<?> each : done) {
        each.get(120, TimeUnit.SECONDS);
      }
    } finally {
      threads.shutdownNow();
    }
    System.out.printf("status: %d absent, %d found%n", absent.get(), found.get());
    assertThat(absent.get()).isPositive();
    assertThat(found.get()).isPositive();
  }

  @Test
  void manyPollsOfFinishedRequestsReadKafkaOnceEach(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Instant now = Instant.now();
    try (ReplyStore store = topic.store()) {
      RequestId[] ids = topic.write(100, now, now);
      awaitIndexed(store, ids, now);
      long before = store.reads();

      List<CompletableFuture<Lookup>> lookups = new ArrayList<>();
      for (int i = 0; i < 10_000; i++) {
        lookups.add(store.find(ids[i % 100], now).toCompletableFuture());
      }
      for (int i = 0; i < lookups.size(); i++) {
        assertThat(body(lookups.get(i).get(20, TimeUnit.SECONDS))).isEqualTo("reply " + i % 100);
      }
      assertThat(store.reads() - before).isLessThanOrEqualTo(100);
    }
  }

  @Test
  void tenThousandPollsOfPendingRequestsAskKafkaAtMostFiftyTimesASecond(TestKafka kafka)
      throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    try (ReplyStore store = ReplyTopic.filled(topic.store())) {
      Semaphore room = new Semaphore(1_000);
      AtomicInteger absent = new AtomicInteger();
      long start = System.nanoTime();
      int polls = 20_000;
      for (int i = 0; i < polls; i++) {
        assertThat(room.tryAcquire(20, TimeUnit.SECONDS)).isTrue();
        store
            .find(RequestId.random(), Instant.now())
            .whenComplete(
                (lookup, failure) -> {
                  if (lookup instanceof Lookup.Absent) {
                    absent.incrementAndGet();
                  }
                  room.release();
                });
      }
      assertThat(room.tryAcquire(1_000, 20, TimeUnit.SECONDS)).isTrue();
      double seconds = (System.nanoTime() - start) / 1e9;

      System.out.printf(
          "pending: %d polls in %.2f s, %d requests to Kafka%n",
          polls, seconds, store.endRequests());
      assertThat(absent.get()).isEqualTo(polls);
      assertThat(store.reads()).isZero();
      assertThat(store.endRequests()).isLessThanOrEqualTo((long) (seconds * 50) + 2);
    }
  }

  @Test
  void manyDifferentRepliesAreReadInFewFetches(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Instant now = Instant.now();
    int count = 100_000;
    RequestId[] ids = topic.write(count, now.minusSeconds(60), now);
    try (ReplyStore store =
        ReplyTopic.store(topic.config(1_000_000, HOUR), new ReplyTopic.Silence())) {
      ReplyTopic.filled(store);
      for (int round = 0; round < 3; round++) {
        List<Integer> wanted =
            ThreadLocalRandom.current().ints(0, count).distinct().limit(10_000).boxed().toList();
        long start = System.nanoTime();
        Semaphore room = new Semaphore(4_000);
        AtomicInteger right = new AtomicInteger();
        AtomicInteger notNow = new AtomicInteger();
        for (int i : wanted) {
          assertThat(room.tryAcquire(20, TimeUnit.SECONDS)).isTrue();
          store
              .find(ids[i], now)
              .whenComplete(
                  (lookup, failure) -> {
                    if (lookup instanceof Lookup.NotNow) {
                      notNow.incrementAndGet();
                    } else if (body(lookup).equals("reply " + i)) {
                      right.incrementAndGet();
                    }
                    room.release();
                  });
        }
        assertThat(room.tryAcquire(4_000, 20, TimeUnit.SECONDS)).isTrue();
        // A busy machine may be too slow for some, but never gives a wrong one.
        assertThat(right.get() + notNow.get()).isEqualTo(10_000);
        assertThat(right.get()).isGreaterThan(5_000);
        double seconds = (System.nanoTime() - start) / 1e9;
        System.out.printf(
            "distinct: %d of %d in %.2f s, %.0f/s%n",
            right.get(), count, seconds, right.get() / seconds);
      }
    }
  }

  @Test
  void aReplyIsReadWithinAFewMilliseconds(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Instant now = Instant.now();
    RequestId[] ids = topic.write(20_000, now.minusSeconds(60), now);
    try (ReplyStore store = ReplyTopic.filled(topic.store())) {
      List<Long> latencies = new ArrayList<>();
      for (int i = 0; i < 1_000; i++) {
        long start = System.nanoTime();
        int which = i * 7_919 % ids.length;
        Lookup lookup = store.find(ids[which], now).toCompletableFuture().get(20, TimeUnit.SECONDS);
        latencies.add(System.nanoTime() - start);
        assertThat(body(lookup)).isEqualTo("reply " + which);
      }
      System.out.printf("one at a time: %s%n", percentiles(latencies));
    }
  }

  /** Measured, and held to no more than that it goes on: this machine's other load is unknown. */
  @Test
  void theFillingDoesNotStopTheLiveReplies(TestKafka kafka) throws Exception {
    ReplyTopic topic = new ReplyTopic(kafka);
    Instant now = Instant.now();
    topic.write(400_000, now.minusSeconds(1_800), now);
    Map<RequestId, Long> sent = new ConcurrentHashMap<>();
    List<Long> latencies = java.util.Collections.synchronizedList(new ArrayList<>());
    Semaphore told = new Semaphore(0);
    ReplyFeed.Listener listener =
        new ReplyTopic.Silence() {
          @Override
          public void onReply(ReplyEnvelope reply, boolean replayed) {
            Long at = sent.remove(reply.id());
            if (at != null) {
              latencies.add(System.nanoTime() - at);
              told.release();
            }
          }
        };
    try (ReplyStore store = ReplyTopic.store(topic.config(1_000_000, HOUR), listener)) {
      CompletableFuture<Boolean> filled = store.filled().toCompletableFuture();
      int during = 0;
      while (!filled.isDone()) {
        oneReply(topic, sent, told);
        during++;
      }
      List<Long> whileFilling = List.copyOf(latencies);
      latencies.clear();
      for (int i = 0; i < 500; i++) {
        oneReply(topic, sent, told);
      }
      System.out.printf(
          "live replies, one at a time: while filling %d, %s; after it 500, %s%n",
          during, percentiles(whileFilling), percentiles(List.copyOf(latencies)));
      assertThat(during).isPositive();
    }
  }

  private static void oneReply(ReplyTopic topic, Map<RequestId, Long> sent, Semaphore told)
      throws InterruptedException {
    RequestId id = RequestId.random();
    sent.put(id, System.nanoTime());
    topic.send(Instant.now(), id, "live", null);
    assertThat(told.tryAcquire(20, TimeUnit.SECONDS)).isTrue();
  }

  private static String percentiles(List<Long> nanos) {
    long[] sorted = nanos.stream().mapToLong(Long::longValue).sorted().toArray();
    return "p50 %.1f ms, p99 %.1f ms"
        .formatted(sorted[sorted.length / 2] / 1e6, sorted[(int) (sorted.length * 0.99)] / 1e6);
  }

  /** The end check does that: whoever asks for another id of the partition has waited for them. */
  private static void awaitIndexed(ReplyStore store, RequestId[] ids, Instant now)
      throws Exception {
    for (RequestId id : ids) {
      RequestId other = RequestId.random();
      while (ReplyTopic.partition(other) != ReplyTopic.partition(id)) {
        other = RequestId.random();
      }
      store.find(other, now).toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
  }

  private static String body(Lookup lookup) {
    assertThat(lookup).isInstanceOf(Lookup.Found.class);
    return new String(((Lookup.Found) lookup).reply().body(), UTF_8);
  }
}
